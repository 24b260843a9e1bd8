"""The times of a rectified flow that training looks at: 0 is the picture, 1 is noise.

Half of them lie between .55 and .95, evenly: a picture's faces are decided there, and there they go wrong.
One in twenty is almost noise, the rest are logit-normal. Within a batch each kind is spread evenly, so that
no batch is all early or all late.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

BAND = (0.55, 0.95)
IN_BAND, NEAR_NOISE = 0.5, 0.05


def spread(size: int, device: str | torch.device) -> Tensor:
    """`size` numbers in (0, 1), one in each of as many equal parts, in random order."""
    numbers = (torch.arange(size, device=device) + torch.rand(size, device=device)) / max(size, 1)
    return numbers[torch.randperm(size, device=device)].clamp(1e-4, 1 - 1e-4)


def training_times(size: int, *, shift: float, device: str | torch.device = "cpu") -> Tensor:
    """(size,) times in (0, 1), shuffled.

    Args:
        shift: how far the logit-normal share leans towards noise; 1 for not at all.
    """
    kind = spread(size, device)
    middle, top = int((kind < IN_BAND).sum()), int((kind > 1 - NEAR_NOISE).sum())
    low, high = BAND
    banded = low + (high - low) * spread(middle, device)
    noisy = high + (1 - high) * spread(top, device)
    normal = math.sqrt(2) * torch.erfinv(2 * spread(size - middle - top, device) - 1)
    usual = torch.sigmoid(normal)
    usual = shift * usual / (1 + (shift - 1) * usual)
    return torch.cat([banded, noisy, usual])[torch.randperm(size, device=device)]
