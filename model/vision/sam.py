"""Segment Anything (Kirillov et al. 2023, arXiv:2304.02643) of any size: its shape and its calls.

In: a shape, later pictures and boxes. Out: masks. The classes are segment_anything's own; only their sizes
differ. Knows nothing of files; `sam_files.py` reads weights. Import it where it is used: it loads torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import Tensor

from model.geometry import Box

Mask = NDArray[np.bool_]

PIXELS_AT_ONCE = 8 * 256 * 256  # of network input: what one call of the encoder takes at most


@dataclass(frozen=True, slots=True, kw_only=True)
class SamShape:
    """What a SAM is built from. The defaults are what the three published sizes have in common.

    Attributes:
        image_size: side of the square that the encoder sees; pictures are fitted into it and padded.
        patch_size: side of a token, in pixels of that square; masks have four pixels a token.
        width, depth, heads: of the encoder.
        global_blocks: encoder blocks that attend to the whole picture; the others stay within a window.
        window: tokens of a window's side.
        relative: relative positions in attention, beside absolute ones.
        channels: of the picture's embedding and of the decoder.
        decoder_depth, decoder_heads, decoder_mlp: of the decoder's two-way transformer.
        mask_channels: of the encoder of mask prompts.
        proposals: masks that the decoder offers beside the one for unambiguous prompts.
        quality_width, quality_depth: of the head that predicts a mask's IoU.
        mean, deviation: what pixels (0 to 255) are centred on and divided by, a channel.
    """

    width: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    image_size: int = 1024
    patch_size: int = 16
    window: int = 14
    relative: bool = True
    channels: int = 256
    decoder_depth: int = 2
    decoder_heads: int = 8
    decoder_mlp: int = 2048
    mask_channels: int = 16
    proposals: int = 3
    quality_width: int = 256
    quality_depth: int = 3
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    deviation: tuple[float, float, float] = (58.395, 57.12, 57.375)


def build(shape: SamShape) -> Sam:
    """A SAM of this shape, its weights as torch makes them up."""
    side = shape.image_size // shape.patch_size
    return Sam(
        image_encoder=ImageEncoderViT(
            img_size=shape.image_size,
            patch_size=shape.patch_size,
            embed_dim=shape.width,
            depth=shape.depth,
            num_heads=shape.heads,
            out_chans=shape.channels,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),  # type: ignore[arg-type]
            use_rel_pos=shape.relative,
            window_size=shape.window,
            global_attn_indexes=shape.global_blocks,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=shape.channels,
            image_embedding_size=(side, side),
            input_image_size=(shape.image_size, shape.image_size),
            mask_in_chans=shape.mask_channels,
        ),
        mask_decoder=MaskDecoder(
            transformer_dim=shape.channels,
            transformer=TwoWayTransformer(
                depth=shape.decoder_depth,
                embedding_dim=shape.channels,
                num_heads=shape.decoder_heads,
                mlp_dim=shape.decoder_mlp,
            ),
            num_multimask_outputs=shape.proposals,
            iou_head_depth=shape.quality_depth,
            iou_head_hidden_dim=shape.quality_width,
        ),
        pixel_mean=list(shape.mean),
        pixel_std=list(shape.deviation),
    )


def fitted(picture: Image.Image, side: int) -> Image.Image:
    """The picture in RGB, its longest side `side` pixels long."""
    scale = side / max(picture.size)
    width, height = (max(1, int(length * scale + 0.5)) for length in picture.size)
    return picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)


class SamSegmenter:
    """A SAM with weights: pictures and boxes → masks.

    Args:
        sam: the network, in float32.
        device: where it runs.
    """

    def __init__(self, sam: Sam, *, device: str = "cpu") -> None:
        self.sam = sam.eval().requires_grad_(False).to(device)
        self.device = device

    @torch.inference_mode()
    def segment(self, pictures: Sequence[Image.Image], boxes: Sequence[Sequence[Box]]) -> list[list[Mask]]:
        """Outline what stands in each box; see `Segmenter.segment`."""
        found = [[nothing(picture) for _ in asked] for picture, asked in zip(pictures, boxes, strict=True)]
        side = self.sam.image_encoder.img_size
        # Each is encoded once; whatever their shapes, they are squares for the encoder.
        busy = [index for index, asked in enumerate(boxes) if any(map(has_pixels, asked))]
        at_once = max(1, PIXELS_AT_ONCE // side**2)
        for start in range(0, len(busy), at_once):
            members = busy[start : start + at_once]
            inputs = [_tensor(fitted(pictures[index], side)).to(self.device) for index in members]
            squares = torch.stack([self.sam.preprocess(values) for values in inputs])
            embedded = self.sam.image_encoder(squares)
            for index, values, embedding in zip(members, inputs, embedded, strict=True):
                places = [place for place, box in enumerate(boxes[index]) if has_pixels(box)]
                prompts = [boxes[index][place] for place in places]
                masks = self._decode(embedding, prompts, values.shape[-2:], pictures[index].size)
                for place, mask in zip(places, masks, strict=True):
                    found[index][place] = mask
        return found

    def _decode(
        self, embedding: Tensor, boxes: Sequence[Box], fitted_size: Sequence[int], size: tuple[int, int]
    ) -> NDArray[np.bool_]:
        """All boxes of one picture: masks, (boxes, height, width)."""
        height, width = fitted_size
        corners = corner_tensor(boxes, width, height).to(self.device)
        sparse, dense = self.sam.prompt_encoder(points=None, boxes=corners, masks=None)
        # A box says clearly what is meant, so SAM's authors ask for one mask and not for several.
        logits, _ = self.sam.mask_decoder(
            image_embeddings=embedding[None],
            image_pe=self.sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        full = self.sam.postprocess_masks(logits, (height, width), (size[1], size[0]))
        return (full[:, 0] > self.sam.mask_threshold).cpu().numpy()


def corner_tensor(boxes: Sequence[Box], width: int, height: int) -> Tensor:
    """Left, top, right, bottom in pixels of a `width` × `height` picture: (boxes, 4) float32."""
    clipped = [box.clipped() for box in boxes]
    corners = [(box.x * width, box.y * height, box.right * width, box.bottom * height) for box in clipped]
    return torch.tensor(corners, dtype=torch.float32).reshape(-1, 4)


def has_pixels(box: Box) -> bool:
    """Whether any part of the box lies in the picture."""
    return box.clipped().area > 0


def nothing(picture: Image.Image) -> Mask:
    """The mask of nothing at all."""
    return np.zeros((picture.height, picture.width), np.bool_)


def _tensor(picture: Image.Image) -> Tensor:
    """RGB picture → (3, height, width) float32, 0 to 255."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float()
