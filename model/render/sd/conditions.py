"""What one call of a Stable Diffusion UNet is told, for a batch of panels.

In: `PanelRequest`s of one size and one `Sampling`. Out: `Conditions`: text, SDXL's pooled text and sizes, the
references, and which of it is regional. With guidance every one of them has the half that is told nothing
first, in the same order. Knows nothing of noise or steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from model.render.request import PanelRequest, Region
from model.render.sd.attention import Regional, reference_places, region_shares, resolutions
from model.render.sd.parts import SDParts
from model.render.sd.references import SDReferences
from model.render.sd.text import Prompts, Spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The keyword arguments of a UNet2DConditionModel, for R rows: B panels, or with guidance 2B.

    Attributes:
        text: (R, T, D), the global prompts.
        valid: (R, T) bool, which of their tokens count; None: all do.
        added: `added_cond_kwargs`: image_embeds, and for SDXL text_embeds and time_ids.
        regional: what boxes are told.
    """

    text: Tensor
    valid: Tensor | None
    added: dict[str, Any]
    regional: Regional


class Conditioner:
    """Tells a checkpoint what panels ask for.

    Args:
        parts: the checkpoint.
        prompts, references: what encodes words and pictures for it.
        device, dtype: of the UNet.
    """

    def __init__(
        self, parts: SDParts, prompts: Prompts, references: SDReferences, *, device: str, dtype: torch.dtype
    ) -> None:
        self._parts, self._prompts, self._references = parts, prompts, references
        self._device, self._dtype = device, dtype

    def prefetch(self, requests: Sequence[PanelRequest]) -> None:
        """These panels will be asked for: their prompts are read together, with the first that is missing."""
        for one in requests:
            self._prompts.prefetch([one.prompt], one.sampling.max_sequence_length)
            further = [one.background, *(region.prompt for region in one.regions)] if one.regions else []
            self._prompts.prefetch([*further, *([one.negative] if one.sampling.guidance != 1 else [])])

    def of(self, requests: Sequence[PanelRequest], rows: int, columns: int, *, regions: bool) -> Conditions:
        """What a batch is told.

        Args:
            rows, columns: of the latents.
            regions: False: the global prompts alone, as in the refine steps.
        """
        sampling = requests[0].sampling
        guided = sampling.guidance != 1
        spoken = [self._prompts.of(one.prompt, sampling.max_sequence_length) for one in requests]
        if guided:
            spoken = [self._prompts.against(one.negative) for one in requests] + spoken
        text, valid = _padded([one.states for one in spoken])
        placed = [one.regions if regions else () for one in requests]
        count = max(map(len, placed))
        pictures = self._references.embeddings(placed, count, guided=guided)
        added = {"image_embeds": [pictures.to(self._device, self._dtype)]}
        return Conditions(
            text=text.to(self._device, self._dtype),
            valid=None if valid is None else valid.to(self._device),
            added=added | self._sizes(spoken, requests[0]),
            regional=self._regional(requests, placed, count, rows, columns),
        )

    def _sizes(self, spoken: Sequence[Spoken], request: PanelRequest) -> dict[str, Any]:
        """SDXL's pooled prompts and micro-conditions (this size, not cropped); nothing for SD 1.5."""
        pooled = [one.pooled for one in spoken if one.pooled is not None]
        if not pooled:
            return {}
        size = (request.height, request.width)
        sizes = torch.tensor([[*size, 0, 0, *size]]).expand(len(spoken), -1)
        return {
            "text_embeds": torch.stack(pooled).to(self._device, self._dtype),
            "time_ids": sizes.to(self._device, self._dtype),
        }

    def _regional(
        self,
        requests: Sequence[PanelRequest],
        placed: Sequence[Sequence[Region]],
        count: int,
        rows: int,
        columns: int,
    ) -> Regional:
        sampling = requests[0].sampling
        boxes = _boxes(placed, count)
        told = [[region.prompt for region in row] + [""] * (count - len(row)) for row in placed]
        # Of a panel without regions the global prompt says all.
        behind = [one.background if row else "" for one, row in zip(requests, placed, strict=True)]
        spoken, has = _flags(told, count), torch.tensor([bool(background) for background in behind])
        present = _flags([[region.reference for region in row] for row in placed], count)
        grids = resolutions(self._parts.unet, rows, columns)
        shares, places = {}, {}
        if spoken.any() or has.any():
            shares = {
                r * c: region_shares(boxes, spoken, has, r, c, masked=sampling.masked).to(self._device)
                for r, c in grids
            }
        if present.any():
            for r, c in grids:
                own = reference_places(boxes, present, r, c, masked=sampling.masked)
                places[r * c] = (torch.cat([own, own]) if sampling.guidance != 1 else own).to(self._device)
        prompts, valid = self._further(behind, told) if shares else (None, None)
        return Regional(
            prompts=prompts,
            valid=valid,
            shares=shares,
            places=places,
            reference_scale=sampling.reference_scale,
        )

    def _further(self, behind: Sequence[str], told: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor | None]:
        """(B, 1 + n, T, D) states of backgrounds and regions and which of their tokens count; of a prompt
        that is not there, those of an empty one, which no cell has a share of."""
        rows = [[background, *row] for background, row in zip(behind, told, strict=True)]
        states, valid = _padded([self._prompts.of(prompt).states for row in rows for prompt in row])
        states = states.unflatten(0, (len(rows), -1)).to(self._device, self._dtype)
        return states, None if valid is None else valid.unflatten(0, (len(rows), -1)).to(self._device)


def _boxes(placed: Sequence[Sequence[Region]], count: int) -> Tensor:
    """(B, count, 4) boxes; empty ones fill the rows up."""
    rows = [[region.box.as_tuple() for region in row] + [(0.0,) * 4] * (count - len(row)) for row in placed]
    return torch.tensor(rows).view(len(rows), count, 4)


def _flags(texts: Sequence[Sequence[str]], count: int) -> Tensor:
    """(B, count) bool, where there is something."""
    rows = [[bool(text) for text in row] + [False] * (count - len(row)) for row in texts]
    return torch.tensor(rows, dtype=torch.bool).view(len(rows), count)


def _padded(states: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """(N, T, D) prompts padded with zeros to the longest, and (N, T) bool where they are not padding; None
    when all are of one length, so that a batch of short prompts takes the unmasked path that the models
    know."""
    padded = torch.nn.utils.rnn.pad_sequence(list(states), batch_first=True)
    if all(len(one) == padded.shape[1] for one in states):
        return padded, None
    lengths = torch.tensor([len(one) for one in states])
    return padded, torch.arange(padded.shape[1]) < lengths[:, None]
