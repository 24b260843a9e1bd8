"""The palette of a drawn panel, for Stable Diffusion: what `style` does to flows, done to predicted noise.

In: what the UNet predicts at one step, and a `Palette`. Out: the prediction, moved. A noised picture
a · picture + s · noise is a flow's, at the noise s / (a + s), once it is divided by a + s; so the one rule
that moves palettes serves both families. Knows nothing of files or panels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from model.render.style import SETTLED, Palette, pull


def lean(prediction: Tensor, latents: Tensor, scheduler: Any, time: Tensor, palette: Palette) -> Tensor:
    """The prediction that leads to a panel nearer to the palette.

    Args:
        prediction: (B, C, h, w), the UNet's, guided: noise, or velocity where the checkpoint predicts that.
        latents: (B, C, h, w), where the panel stands, as the scheduler keeps it.
        time: one of the scheduler's timesteps.
        palette: its weight is (B, h · w, 1), its statistics (B, 1, C).
    Returns:
        (B, C, h, w); cells of weight 0 are returned as they are, to the bit.
    """
    one, zero = torch.ones(1, device=latents.device), torch.zeros(1, device=latents.device)
    a, s = (
        float(scheduler.add_noise(picture, noise, time.reshape(1)))
        for picture, noise in ((one, zero), (zero, one))
    )
    if s / (a + s) <= SETTLED:
        return prediction
    size = (a * a + s * s) ** 0.5
    turned = scheduler.config.prediction_type == "v_prediction"
    noise = (s * latents / size + a * prediction) / size if turned else prediction
    picture = (latents - s * noise) / a
    total = a + s
    moved = pull(_cells(noise - picture), _cells(latents / total), s / total, palette)
    drawn = latents / total - s / total * _grid(moved, latents)
    noise = (latents - a * drawn) / s
    told = (a * noise - s * drawn) / size if turned else noise
    return torch.where(_grid(palette.weight, latents) > 0, told, prediction)


def _cells(grid: Tensor) -> Tensor:
    """(B, C, h, w) → (B, h · w, C)."""
    return grid.flatten(2).transpose(1, 2)


def _grid(cells: Tensor, like: Tensor) -> Tensor:
    """(B, h · w, C) → (B, C, h, w), as large as `like`."""
    return cells.transpose(1, 2).unflatten(2, like.shape[2:])
