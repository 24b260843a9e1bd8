"""What happens to a picture on its way to the judge: blur, noise, compression, wobbling lines, off colours.

The judge reads pictures that a model drew, and must not be thrown by softness and smears it never sees in
the drawn world; what a picture says stays as it was. In and out: a batch of pictures. Uses no generated
picture and no part of the model.
"""

from __future__ import annotations

import io
import random

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

CLEAN_SHARE = 0.15


def wear(pictures: Tensor, rng: random.Random) -> Tensor:
    """(N, 3, H, W) in −1 … 1 → the same, each picture worn in its own way."""
    worn = torch.stack([_one(picture[None], rng)[0] for picture in pictures])
    return worn.clamp(-1, 1)


def _one(picture: Tensor, rng: random.Random) -> Tensor:
    if rng.random() < CLEAN_SHARE:
        return picture
    noise = torch.Generator().manual_seed(rng.getrandbits(62))
    if rng.random() < 0.45:
        picture = wobble(picture, rng.uniform(0.4, 2.2), rng.choice((8, 16, 24)), noise)
    if rng.random() < 0.4:
        picture = coarse(picture, rng.uniform(0.35, 0.85))
    if rng.random() < 0.4:
        picture = blur(picture, rng.uniform(0.4, 1.5))
    if rng.random() < 0.35:
        picture = blotches(picture, rng.uniform(0.02, 0.10), rng.choice((4, 8, 16)), noise)
    if rng.random() < 0.4:
        picture = picture + torch.randn(picture.shape, generator=noise) * rng.uniform(0.01, 0.10)
    if rng.random() < 0.6:
        picture = off_colours(picture, rng)
    if rng.random() < 0.25:
        picture = compressed(picture, rng.randint(35, 90))
    return picture


def wobble(picture: Tensor, pixels: float, cell: int, noise: torch.Generator) -> Tensor:
    """Move every point by about `pixels`, neighbours within `cell` pixels together."""
    _, _, height, width = picture.shape
    coarse_shape = (1, 2, height // cell + 1, width // cell + 1)
    shift = torch.randn(coarse_shape, generator=noise) * pixels
    shift = F.interpolate(shift, (height, width), mode="bilinear", align_corners=True)
    across = (torch.arange(width) + 0.5 + shift[0, 0]) * 2 / width - 1
    down = (torch.arange(height)[:, None] + 0.5 + shift[0, 1]) * 2 / height - 1
    grid = torch.stack([across, down], -1)[None]
    return F.grid_sample(picture, grid, padding_mode="border", align_corners=False)


def coarse(picture: Tensor, share: float) -> Tensor:
    """Made smaller, then as large as before."""
    size = picture.shape[-2:]
    small = F.interpolate(picture, scale_factor=share, mode="bilinear", antialias=True)
    return F.interpolate(small, size, mode="bicubic")


def blur(picture: Tensor, sigma: float) -> Tensor:
    """Gaussian, `sigma` in pixels."""
    at = torch.arange(-4.0, 5.0)
    kernel = torch.exp(-(at**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).repeat(3, 1)
    padded = F.pad(picture, (4, 4, 4, 4), mode="replicate")
    across = F.conv2d(padded, kernel[:, None, None, :], groups=3)
    return F.conv2d(across, kernel[:, None, :, None], groups=3)


def blotches(picture: Tensor, strength: float, cell: int, noise: torch.Generator) -> Tensor:
    """Soft stains, `cell` pixels wide."""
    _, _, height, width = picture.shape
    stains = torch.randn((1, 3, height // cell, width // cell), generator=noise)
    return picture + strength * F.interpolate(stains, (height, width), mode="bilinear")


def off_colours(picture: Tensor, rng: random.Random) -> Tensor:
    """Lighter or darker, a slight cast, more or less colour; too little to make one hair colour another."""
    gain = torch.tensor([rng.uniform(0.95, 1.05) for _ in range(3)])[:, None, None]
    bias = torch.tensor([rng.uniform(-0.035, 0.035) for _ in range(3)])[:, None, None]
    grey = picture.mean(1, keepdim=True)
    return (grey + (picture - grey) * rng.uniform(0.85, 1.12)) * gain * rng.uniform(0.93, 1.05) + bias


def compressed(picture: Tensor, quality: int) -> Tensor:
    """As a JPEG file of that quality gives it back."""
    pixels = ((picture[0].permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(file, "JPEG", quality=quality)
    back = torch.from_numpy(np.asarray(Image.open(file)).copy())
    return back.permute(2, 0, 1)[None].float() / 127.5 - 1
