"""Guide latents: the cast's references stand in their boxes before the first step.

In: pictures of characters and the boxes they belong to. Out: one picture of the panel's size with the figures
in their places, and which of its latents they cover; and, step by step, latents drawn towards it. It sets
size and place of each figure while noise still decides them, and lets go before poses and faces are drawn.
Knows nothing of prompts, and of models only their scheduler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

from model.geometry import Box
from model.render.sequence import region_cells

# Share of the steps that the guide is mixed in for, and how strongly at the first of them;
# it fades to nothing. The strength is by feeling: on a small model that knows its words 0, 0.2 and 0.6 draw
# equally right (scripts/bench/LOG.md).
THIRD = 1 / 3
PULL = 0.2
# A channel differs from the paper by more than this (of 255) where the figure is.
CONTRAST = 28
PAPER = (127, 127, 127)  # around the figures: 0 to a VAE, neither light nor dark


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """What a batch is drawn towards.

    Attributes:
        latents: (B, C, h, w), scaled as the UNet's.
        where: (B, 1, h, w), how much it counts: 0 = not at all, to the bit.
    """

    latents: Tensor
    where: Tensor

    def start(self, noise: Tensor, scheduler: Any) -> Tensor:
        """Where the latents start: noise, with the guide under it."""
        plain = noise * scheduler.init_noise_sigma
        return plain + self.where * (self._noisy(noise, scheduler, 0) - plain)

    def mix(self, latents: Tensor, noise: Tensor, scheduler: Any, done: int) -> Tensor:
        """Latents after `done` steps, drawn towards the guide at that noise; unchanged after the first
        third."""
        last = len(scheduler.timesteps) * THIRD
        if done >= last:
            return latents
        pull = PULL * (1 - done / last)
        return latents + pull * self.where * (self._noisy(noise, scheduler, done) - latents)

    def _noisy(self, noise: Tensor, scheduler: Any, done: int) -> Tensor:
        return scheduler.add_noise(self.latents, noise, scheduler.timesteps[done : done + 1])


def cut_figure(picture: Image.Image) -> Image.Image:
    """A reference as RGBA, cropped to its figure: what is opaque, or, without transparency, what stands out
    from the colour of its rim, with what that encloses. A picture in which nothing stands out stays whole."""
    cut = picture.convert("RGBA")
    cover = np.asarray(cut.getchannel("A"))
    if cover.min() == 255:
        pixels = np.asarray(cut.convert("RGB")).astype(np.int16)
        rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        differs = np.abs(pixels - np.median(rim, axis=0)).max(axis=2) > CONTRAST
        if differs.any():
            cover = (differs | _enclosed(differs)).astype(np.uint8) * 255
            cut.putalpha(Image.fromarray(cover))
    box = Image.fromarray(cover).getbbox()
    return cut.crop(box) if box else picture.convert("RGBA")


def _enclosed(differs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Paper that no way leads to from outside: a white shirt on white paper is part of its figure."""
    small = Image.fromarray(differs.astype(np.uint8) * 255)
    small.thumbnail((256, 256), Image.Resampling.BOX)  # the flood is slow, and latents are coarser than this
    lines = ImageOps.expand(small.point(lambda level: 255 if level else 0), 1, 0)
    ImageDraw.floodfill(lines, (0, 0), 128)
    holes = lines.crop((1, 1, lines.width - 1, lines.height - 1)).point(lambda level: 0 if level else 255)
    size = differs.shape[::-1]
    return np.asarray(holes.resize((size[0], size[1]), Image.Resampling.NEAREST)) > 0


def place_figures(
    width: int, height: int, figures: Sequence[tuple[Box, Image.Image]]
) -> tuple[Image.Image, Image.Image]:
    """Each figure as large as its box allows, unstretched, on the middle of the box's floor; later ones in
    front.

    Args:
        width, height: pixels of the panel.
        figures: boxes and RGBA pictures from `cut_figure`, back to front.
    Returns:
        The panel, RGB, and what the figures cover, L: 255 = covered.
    """
    panel, cover = Image.new("RGB", (width, height), PAPER), Image.new("L", (width, height))
    for box, figure in figures:
        left, top, right, bottom = box.pixels(width, height)
        scale = min((right - left) / figure.width, (bottom - top) / figure.height)
        size = (round(figure.width * scale), round(figure.height * scale))
        if min(size) < 1:
            continue
        small = figure.resize(size, Image.Resampling.LANCZOS)
        corner = ((left + right - size[0]) // 2, bottom - size[1])
        panel.paste(small.convert("RGB"), corner, small.getchannel("A"))
        cover.paste(255, corner, small.getchannel("A"))
    return panel, cover


def covered(
    cover: Image.Image, boxes: Sequence[Box], mine: Sequence[bool], rows: int, columns: int
) -> Tensor:
    """(1, rows, columns) float: 1 in cells that a figure covers at least half, in a box of its own.

    Args:
        boxes: of everybody in the panel, back to front; `mine`: which of them have a figure.
    """
    shares = np.array(cover.resize((columns, rows), Image.Resampling.BOX), np.float32) / 255
    places = torch.tensor([box.as_tuple() for box in boxes]).view(1, len(boxes), 4)
    owned = region_cells(places, rows, columns)[0, torch.tensor(list(mine))]
    return ((torch.from_numpy(shares) >= 0.5) & owned.any(0).view(rows, columns)).float()[None]
