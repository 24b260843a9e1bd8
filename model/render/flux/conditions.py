"""What a Flux transformer is told of a batch of panels: text, pictures of characters, positions, the mask.

In: `PanelRequest`s of one size and one `Sampling`. Out: `Conditions`. Each prompt and each picture is encoded
once and kept. How a picture reaches the model is the checkpoint's affair: as latents behind the image, or
as a picture prompt beside its region's text. Knows nothing of steps, samplers or noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from model.files import NO_BLOB, BlobId
from model.pictures import stored_picture
from model.render.flux.attention import Pieces, in_pieces
from model.render.flux.parts import FluxParts
from model.render.request import PanelRequest, Region, Sampling
from model.render.sequence import Layout, attention_mask, image_ids, region_cells, weighted
from model.render.text_cache import TextCache
from model.render.weights import Checkpoint
from model.variants import REDUX, TRUE_GUIDANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What one transformer call is told.

    Attributes:
        mask: who attends to whom, as `in_pieces` gives it, or a bias; None = everybody to everybody.
        references: packed latents of references; None when there are none.
        doubled: the second half of the batch is told the negative prompts.
    """

    text: Tensor
    pooled: Tensor
    text_ids: Tensor
    image_ids: Tensor
    mask: Tensor | Pieces | None
    references: Tensor | None
    doubled: bool


class Conditioner:
    """Prompts and references of a checkpoint, encoded once each.

    Args:
        load_reference: sha256 → the bytes of a reference picture (any format Pillow reads).
        encode: an RGB picture → (1, tokens, c) packed latents.
        dtype: of what the transformer is told.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        parts: FluxParts,
        *,
        load_reference: Callable[[BlobId], bytes],
        encode: Callable[[Image.Image], Tensor],
        device: str,
        dtype: torch.dtype,
    ) -> None:
        self._checkpoint, self._parts = checkpoint, parts
        self._load_reference, self._encode = load_reference, encode
        self._device, self._dtype = device, dtype
        self._texts: TextCache[tuple[str, int], Tensor] = TextCache(self._read, _bytes)
        self._pooled: TextCache[str, Tensor] = TextCache(self._pool, _bytes)
        self._references: dict[str, Tensor] = {}

    def prefetch(self, requests: Sequence[PanelRequest]) -> None:
        """These panels will be asked for: their prompts are read together, with the first that is missing."""
        for request in requests:
            limit = self._limit(request.sampling)
            everywhere = [request.prompt, *([request.negative] if self._doubled(request.sampling) else [])]
            self._pooled.prefetch(map(self._checkpoint.normalised, everywhere))
            self._texts.prefetch(self._key(prompt, limit) for prompt in everywhere)
            self._texts.prefetch(
                self._key(region.prompt, self._checkpoint.region_tokens)
                for region in request.regions
                if region.prompt
            )

    def _limit(self, sampling: Sampling) -> int:
        """Most tokens of a global prompt."""
        return min(sampling.max_sequence_length, self._checkpoint.global_tokens)

    def _doubled(self, sampling: Sampling) -> bool:
        """Whether negative prompts are told, too."""
        return self._checkpoint.variant.guidance == TRUE_GUIDANCE and sampling.guidance != 1

    def conditions(
        self, requests: Sequence[PanelRequest], rows: int, columns: int, *, regions: bool
    ) -> Conditions:
        """What a batch is told; for true guidance, the negative half follows the positive.

        Args:
            rows, columns: the image's grid of tokens.
            regions: whether the characters' words and pictures are told; else the global prompt alone.
        """
        sampling, checkpoint = requests[0].sampling, self._checkpoint
        doubled = self._doubled(sampling)
        placed = [request.regions if regions else () for request in requests]
        count = max(map(len, placed))
        limit = self._limit(sampling)
        prompts = [request.prompt for request in requests]
        region_prompts = [[region.prompt for region in row] + [""] * (count - len(row)) for row in placed]
        shown = sampling.reference_scale > 0
        pictures = [
            [region.reference if shown else NO_BLOB for region in row] + [NO_BLOB] * (count - len(row))
            for row in placed
        ]
        if doubled:
            prompts += [request.negative for request in requests]
            region_prompts += [[""] * count for _ in requests]
            pictures += [[NO_BLOB] * count for _ in requests]
            placed += placed
        texts = [self._texts.of(self._key(prompt, limit)) for prompt in prompts]
        region_texts = [
            [self._texts.of(self._key(p, checkpoint.region_tokens)) if p else None for p in row]
            for row in region_prompts
        ]
        # Before the pictures: their encoders may need the room of the text encoders.
        pooled = torch.cat([self._pooled.of(checkpoint.normalised(prompt)) for prompt in prompts])
        references = [[self._reference(p) if p else None for p in row] for row in pictures]
        layout = self._layout(texts, region_texts, references, rows, columns)
        mask = attention_mask(
            layout,
            region_cells(_boxes(placed, count), rows, columns),
            global_lengths=torch.tensor([len(text) for text in texts]),
            # Without regions the rows are empty, and the number of rows must be said.
            region_lengths=torch.tensor(
                [[0 if t is None else len(t) for t in row] for row in region_texts], dtype=torch.long
            ).view(len(texts), count),
            has_reference=torch.tensor(
                [[bool(picture) for picture in row] for row in pictures], dtype=torch.bool
            ).view(len(texts), count),
        )
        if not sampling.masked:
            mask = _unmasked(mask)
        obeyed = (
            weighted(mask, layout, sampling.reference_scale).to(self._device, self._dtype)
            if shown and sampling.reference_scale != 1
            else in_pieces(mask, self._device)
        )
        return Conditions(
            text=_joint_text(texts, region_texts, references, layout).to(self._device, self._dtype),
            pooled=pooled.to(self._device, self._dtype),
            text_ids=torch.zeros(layout.text, 3, device=self._device),
            image_ids=image_ids(layout).to(self._device),
            mask=obeyed,
            references=self._latents(references) if layout.reference else None,
            doubled=doubled,
        )

    def _layout(
        self,
        texts: Sequence[Tensor],
        region_texts: Sequence[Sequence[Tensor | None]],
        references: Sequence[Sequence[Tensor | None]],
        rows: int,
        columns: int,
    ) -> Layout:
        """Who stands where; a batch has room for the longest of each."""
        spoken = [len(text) for row in region_texts for text in row if text is not None]
        tokens = max((len(one) for row in references for one in row if one is not None), default=0)
        redux = self._checkpoint.variant.reference == REDUX
        side = self._checkpoint.reference // self._checkpoint.cell if tokens and not redux else 0
        return Layout(
            global_text=max(map(len, texts)),
            region_text=max(spoken, default=0),
            regions=len(region_texts[0]),
            rows=rows,
            columns=columns,
            reference_rows=side,
            reference_columns=side,
            picture=tokens if redux else 0,
        )

    def _key(self, prompt: str, limit: int) -> tuple[str, int]:
        return self._checkpoint.normalised(prompt), limit

    def _read(self, key: tuple[str, int]) -> Tensor:
        """(length, d) T5 states of a prompt, trimmed to its own tokens."""
        spoken, limit = key
        ids = self._parts.t5_tokenizer(
            spoken, max_length=limit, truncation=True, return_tensors="pt"
        ).input_ids
        return self._parts.t5(ids.to(self._parts.t5.device))[0][0].cpu()

    def _pool(self, spoken: str) -> Tensor:
        """(1, p) pooled CLIP text state of a prompt."""
        tokenizer, clip = self._parts.clip_tokenizer, self._parts.clip
        limit = min(tokenizer.model_max_length, clip.config.max_position_embeddings)
        ids = tokenizer(spoken, max_length=limit, truncation=True, return_tensors="pt").input_ids
        return clip(ids.to(clip.device)).pooler_output.cpu()

    def _reference(self, picture: BlobId) -> Tensor:
        """(tokens, c) of one reference picture, latents or picture prompt; encoded once."""
        if picture not in self._references:
            redux = self._parts.redux
            side = redux.side if redux is not None else self._checkpoint.reference
            square = square_picture(stored_picture(self._load_reference(picture)), side)
            encoded = redux.encode(square) if redux is not None else self._encode(square)[0]
            self._references[picture] = encoded.cpu()
        return self._references[picture]

    def _latents(self, references: Sequence[Sequence[Tensor | None]]) -> Tensor:
        """(B, n · tokens, c) packed latents of each region's reference; zeros where there is none."""
        blank = torch.zeros_like(next(one for row in references for one in row if one is not None))
        rows = [torch.cat([blank if one is None else one for one in row]) for row in references]
        return torch.stack(rows).to(self._device, self._dtype)


def square_picture(picture: Image.Image, side: int) -> Image.Image:
    """RGB, padded with white (transparency too) to a square, never cropped, and resized to `side`."""
    longest = max(picture.size)
    flat = Image.new("RGB", (longest, longest), "white")
    place = ((flat.width - picture.width) // 2, (flat.height - picture.height) // 2)
    rgba = picture.convert("RGBA")
    flat.paste(rgba.convert("RGB"), place, rgba.getchannel("A"))
    return flat.resize((side, side), Image.Resampling.LANCZOS)


def owned_cells(requests: Sequence[PanelRequest], rows: int, columns: int) -> Tensor:
    """(B, rows · columns) bool: cells that belong to a character."""
    count = max(len(request.regions) for request in requests)
    return region_cells(_boxes([request.regions for request in requests], count), rows, columns).any(1)


def _bytes(states: Tensor) -> int:
    return states.numel() * states.element_size()


def _boxes(placed: Sequence[Sequence[Region]], count: int) -> Tensor:
    """(B, count, 4) boxes; empty ones fill the rows up."""
    empty = (0.0, 0.0, 0.0, 0.0)
    rows = [[region.box.as_tuple() for region in row] + [empty] * (count - len(row)) for row in placed]
    return torch.tensor(rows, dtype=torch.float32).view(len(rows), count, 4)


def _joint_text(
    texts: Sequence[Tensor],
    region_texts: Sequence[Sequence[Tensor | None]],
    references: Sequence[Sequence[Tensor | None]],
    layout: Layout,
) -> Tensor:
    """(B, layout.text, d): each prompt's states at its place, zeros as padding (which the mask hides)."""
    joint = torch.zeros(len(texts), layout.text, texts[0].shape[-1])
    for index, text in enumerate(texts):
        joint[index, : len(text)] = text
        for region, states in enumerate(region_texts[index]):
            if states is not None:
                start = layout.region_slice(region).start
                joint[index, start : start + len(states)] = states
            picture = references[index][region] if layout.picture else None
            if picture is not None:
                joint[index, layout.picture_slice(region)] = picture.float()
    return joint


def _unmasked(mask: Tensor) -> Tensor:
    """Everything valid attends to everything valid: what a plain Flux call does. For measurements only."""
    valid = mask[:, 0].sum(1) > 1
    return mask | (valid[:, None, :, None] & valid[:, None, None, :])
