"""A weak style reference: pull the palette of a panel that is being drawn towards that of a drawn one.

In: what the transformer predicts at one step, and the mean and spread of each latent channel over another
panel. Out: the prediction, moved. Only these statistics cross over, two numbers a channel: where somebody
stands, and who, is not in them, so nobody can walk from one panel into another. Knows nothing of files, of
panels or of why this one was chosen.

The predicted panel's statistics are exchanged for the other's as in AdaIN (Huang and Belongie,
arXiv:1703.06868), in part, while noise still decides colours; the last steps are the model's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from model.files import BlobId
from model.pictures import stored_picture
from model.render.request import Style

# Noise level from which on a picture's colours are settled and only its lines are being drawn.
SETTLED = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """What panels lean towards.

    Attributes:
        mean, spread: (B, 1, C), of each packed latent channel over the tokens of the other panel.
        weight: (B, tokens, 1), 0 to 1; 0 in every cell that belongs to a character.
    """

    mean: Tensor
    spread: Tensor
    weight: Tensor


class Palettes:
    """The palettes of pictures, each looked at once.

    Args:
        load: sha256 → the bytes of a picture.
        encode: an RGB picture whose sides are whole cells → (1, tokens, C) packed latents.
        cell: pixels of a token's side.
    """

    def __init__(
        self, load: Callable[[BlobId], bytes], encode: Callable[[Image.Image], Tensor], cell: int
    ) -> None:
        self._load, self._encode, self._cell = load, encode, cell
        self._known: dict[str, tuple[Tensor, Tensor]] = {}

    def of(self, styles: Sequence[Style | None], owned: Tensor) -> Palette | None:
        """What a batch leans towards; None when none of it leans.

        Args:
            owned: (B, tokens) bool, cells that belong to a character.
        """
        if not any(styles):
            return None
        known = [self._of(style.picture) if style else None for style in styles]
        blank = torch.zeros_like(next(one[0] for one in known if one))
        pairs = [one or (blank, blank) for one in known]
        weights = torch.tensor([style.weight if style else 0.0 for style in styles])
        return Palette(
            mean=torch.cat([mean for mean, _ in pairs]).to(owned.device),
            spread=torch.cat([spread for _, spread in pairs]).to(owned.device),
            weight=(weights.to(owned.device)[:, None] * ~owned)[..., None],
        )

    def _of(self, picture: BlobId) -> tuple[Tensor, Tensor]:
        if picture not in self._known:
            opened = stored_picture(self._load(picture)).convert("RGB")
            mean, spread = statistics(self._encode(_on_cells(opened, self._cell)))
            self._known[picture] = mean.cpu(), spread.cpu()
        return self._known[picture]


def _on_cells(picture: Image.Image, cell: int) -> Image.Image:
    """The picture with sides that are whole cells, at least one."""
    width, height = (max(cell, round(side / cell) * cell) for side in picture.size)
    sides = (width, height)
    return picture if picture.size == sides else picture.resize(sides, Image.Resampling.LANCZOS)


def statistics(latents: Tensor) -> tuple[Tensor, Tensor]:
    """(B, tokens, C) → mean and spread over tokens, (B, 1, C) each."""
    return latents.mean(-2, keepdim=True), latents.std(-2, keepdim=True)


def pull(velocity: Tensor, latents: Tensor, noise: float, palette: Palette) -> Tensor:
    """The velocity that leads to a panel nearer to the palette.

    Args:
        velocity: (B, tokens, C), the model's, towards noise: it means the panel latents − noise · velocity.
        latents: (B, tokens, C), where the panel stands.
        noise: how much of `latents` is noise, above 0 to 1; from SETTLED on nothing is moved.
    Returns:
        (B, tokens, C); tokens of weight 0 are returned as they are, to the bit.
    """
    if noise <= SETTLED:
        return velocity
    meant = latents - noise * velocity
    mean, spread = statistics(meant)
    moved = (meant - mean) / spread.clamp_min(1e-6) * palette.spread + palette.mean
    return torch.where(palette.weight > 0, velocity + palette.weight * (meant - moved) / noise, velocity)
