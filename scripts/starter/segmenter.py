"""The starter's SAM in training: its shape, where its encoder starts, what it predicts, what it is told.

In: batches of panels with boxes and masks. Out: logits and losses. Knows nothing of where panels come from;
`train_segmenter.py` does the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from segment_anything.modeling import Sam
from torch import Tensor

from model.vision.sam import SamShape
from scripts.starter.outlines import GRID, PAPER, SIDE

# Tokens of 16 pixels are fine enough: a 64 × 64 mask of a drawn figure can have an IoU of .98. Width, heads
# and the scale of pixels are those of the starter's CLIP, from which the encoder starts.
SHAPE = SamShape(
    image_size=SIDE, patch_size=16, width=192, depth=4, heads=4, global_blocks=(1, 3), window=8,
    relative=False, channels=128, decoder_depth=2, decoder_heads=4, decoder_mlp=256, mask_channels=8,
    proposals=0, quality_width=128, quality_depth=2,
    mean=(PAPER, PAPER, PAPER), deviation=(127.5, 127.5, 127.5),
)  # fmt: skip
DICE_WEIGHT, QUALITY_WEIGHT = 1.0, 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Panels with all of their figures.

    Attributes:
        pictures: (panels, 3, SIDE, SIDE) float32, centred and scaled as the network expects.
        owners: (figures,) int64: the panel that each figure is in.
        corners: (figures, 4) float32: left, top, right, bottom of the boxes, in pixels of the square.
        masks: (figures, GRID, GRID) float32 in 0 to 1.
    """

    pictures: Tensor
    owners: Tensor
    corners: Tensor
    masks: Tensor


@torch.no_grad()
def start_from_clip(sam: Sam, folder: Path) -> None:
    """Give the encoder of a fresh SAM what the starter's CLIP knows of drawings (SAM itself began as an MAE).

    Blocks are of one kind in both. CLIP has a normalisation before the first block that SAM has not: its
    scale goes into the patches' weights, for tokens of average deviation.

    Args:
        sam: of `SHAPE`.
        folder: an open_clip folder with a vision tower of the same width, heads and patches.
    """
    clip = load_file(folder / "model.safetensors")
    take = {key.removeprefix("visual."): value.float() for key, value in clip.items() if "visual." in key}
    positions = take["positional_embedding"][1:]
    side = round(len(positions) ** 0.5)
    grid = positions.T.reshape(1, -1, side, side)
    encoder = sam.image_encoder
    target = (SHAPE.image_size // SHAPE.patch_size,) * 2
    placed = F.interpolate(grid, target, mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    # A flat patch of random tone: most of a drawing is flat.
    tones = torch.empty(4096, 3).uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    tokens = (
        tones @ take["conv1.weight"].sum((2, 3)).T + placed.reshape(-1, placed.shape[-1]).repeat(16, 1)[:4096]
    )
    gain = take["ln_pre.weight"] / tokens.std(1).mean()
    state = {
        "pos_embed": placed * gain + take["ln_pre.bias"],
        "patch_embed.proj.weight": take["conv1.weight"] * gain[:, None, None, None],
        "patch_embed.proj.bias": torch.zeros_like(gain),
    }
    names = {
        "norm1": "ln_1", "norm2": "ln_2", "attn.proj": "attn.out_proj",
        "mlp.lin1": "mlp.c_fc", "mlp.lin2": "mlp.c_proj",
    }  # fmt: skip
    for block in range(len(encoder.blocks)):
        source = f"transformer.resblocks.{block}."
        for kind in ("weight", "bias"):
            state[f"blocks.{block}.attn.qkv.{kind}"] = take[f"{source}attn.in_proj_{kind}"]
            for ours, theirs in names.items():
                state[f"blocks.{block}.{ours}.{kind}"] = take[f"{source}{theirs}.{kind}"]
    neck = {key: value for key, value in encoder.state_dict().items() if key.startswith("neck.")}
    encoder.load_state_dict(state | neck)


def predict(sam: Sam, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits (figures, side, side) of the mask for unambiguous prompts, and its predicted IoU (figures,).

    What `MaskDecoder` computes for the boxes of one panel, here for those of many panels at once.
    """
    decoder = sam.mask_decoder
    # Corners become sines of high frequency: they need all of their bits.
    sparse, dense = sam.prompt_encoder(points=None, boxes=batch.corners, masks=None)
    position = sam.prompt_encoder.get_dense_pe()
    precision = decoder.iou_token.weight.dtype
    source = sam.image_encoder(batch.pictures.to(precision))[batch.owners] + dense.to(precision)
    asked = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([asked.expand(len(sparse), -1, -1), sparse.to(precision)], dim=1)
    answers, seen = decoder.transformer(source, position.to(precision).expand_as(source), tokens)
    pixels = decoder.output_upscaling(seen.transpose(1, 2).reshape(source.shape))
    kernels = decoder.output_hypernetworks_mlps[0](answers[:, 1])
    logits = (kernels[:, None] @ pixels.flatten(2)).view(-1, *pixels.shape[2:])
    quality = decoder.iou_prediction_head(answers[:, 0])[:, 0]
    return logits.float(), quality.float()


def mask_loss(logits: Tensor, quality: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and dice of the enlarged mask, squared error of the predicted IoU; and the mean IoU."""
    logits = F.interpolate(logits[:, None], (GRID, GRID), mode="bilinear", align_corners=False)[:, 0]
    likely = logits.sigmoid()
    dice = 1 - 2 * (likely * masks).sum((1, 2)) / (likely.square() + masks.square()).sum((1, 2)).clamp(min=1)
    with torch.no_grad():
        said, true = logits > 0, masks > 0.5
        reached = (said & true).sum((1, 2)) / (said | true).sum((1, 2)).clamp(min=1)
    entropy = F.binary_cross_entropy_with_logits(logits, masks)
    loss = entropy + DICE_WEIGHT * dice.mean() + QUALITY_WEIGHT * F.mse_loss(quality, reached)
    return loss, reached.mean()
