"""Start a drawing from a picture: its latents at part noise, and what a mask keeps of them.

In: requests that name a picture (`Redrawn`) and the renderer's own encoder. Out: latents to start from,
latents held to the picture outside of the mask while steps go on, and the drawn picture with everything
outside of the mask as it was, to the bit. Needs no inpainting weights. Knows nothing of models, and of noise
only its share σ on the straight path (1 - σ) · picture + σ · noise, or what the caller makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model.files import BlobId
from model.pictures import stored_picture
from model.render.request import PanelRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a batch starts from.

    Attributes:
        strength: share of noise at the start, 0 to 1.
        latents: of the pictures, laid out as the renderer's own, on its device.
        free: 1 where latents are drawn again and 0 where they keep to the picture, broadcast to `latents`;
            None = all are drawn again.
        pictures: RGB; masks: L, or None where all is drawn again.
    """

    strength: float
    latents: Tensor
    free: Tensor | None
    pictures: tuple[Image.Image, ...]
    masks: tuple[Image.Image | None, ...]

    def noisy(self, noise: Tensor, sigma: float) -> Tensor:
        """The pictures' latents at σ of a flow model."""
        return (1 - sigma) * self.latents + sigma * noise

    def hold(self, latents: Tensor, kept: Tensor) -> Tensor:
        """Latents, with those that keep to the picture replaced. `kept`: the picture's at the same noise."""
        return latents if self.free is None else kept + self.free * (latents - kept)

    def paste(self, drawn: Sequence[Image.Image]) -> tuple[Image.Image, ...]:
        """What was drawn, over what was there, along the masks."""
        return tuple(
            one if mask is None else Image.composite(one, before, mask)
            for one, before, mask in zip(drawn, self.pictures, self.masks, strict=True)
        )


def source_of(
    requests: Sequence[PanelRequest],
    *,
    load: Callable[[BlobId], bytes],
    encode: Callable[[Image.Image], Tensor],
    lay_out: Callable[[Tensor], Tensor],
    rows: int,
    columns: int,
) -> Source | None:
    """What a batch starts from; None when it starts from noise.

    Args:
        requests: all of them start from a picture at one strength, or none does.
        load: sha256 → the bytes of a picture.
        encode: an RGB picture → (1, …) latents as the renderer keeps them.
        lay_out: (B, 1, rows, columns) → the same in the shape of the latents.
        rows, columns: of the latents before they are laid out.
    Raises:
        ValueError: a picture or mask has not the request's size.
    """
    named = [request.redrawn for request in requests if request.redrawn is not None]
    if not named:
        return None
    pictures: list[Image.Image] = []
    masks: list[Image.Image | None] = []
    for request, one in zip(requests, named, strict=True):
        size = (request.width, request.height)
        picture = stored_picture(load(one.picture)).convert("RGB")
        mask = stored_picture(load(one.mask)).convert("L") if one.mask else None
        if picture.size != size or (mask is not None and mask.size != size):
            raise ValueError(f"a panel of {size} cannot start from a picture of {picture.size}")
        pictures.append(picture)
        masks.append(mask)
    latents = torch.cat([encode(picture) for picture in pictures])
    free = None
    if any(mask is not None for mask in masks):
        free = lay_out(torch.stack([_touched(mask, rows, columns) for mask in masks])).to(latents)
    return Source(
        strength=named[0].strength, latents=latents, free=free, pictures=tuple(pictures), masks=tuple(masks)
    )


def _touched(mask: Image.Image | None, rows: int, columns: int) -> Tensor:
    """(1, rows, columns): 1 for latents of which the mask frees any pixel."""
    if mask is None:
        return torch.ones(1, rows, columns)
    some = mask.point(lambda level: 255 if level else 0).resize((columns, rows), Image.Resampling.BOX)
    return torch.from_numpy((np.asarray(some) > 0).astype(np.float32))[None]
