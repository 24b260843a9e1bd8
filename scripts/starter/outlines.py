"""What the starter's segmenter learns from: panels, and which of their pixels belong to whom.

The studio will cut figures out of generated panels, so a share of the pictures here passes through the VAE
with noise on its latents, and others are softened or grainy. In: seeds. Out: pictures fitted into the
network's square, masks of their visible figures, boxes. Knows nothing of the model that learns.
"""

from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from model.geometry import Box
from model.vision.sam import fitted
from scripts.starter.gallery import panel_size
from scripts.starter.vae import decode, encode, open_vae, pictures, pixels, place
from scripts.starter.world import Scene, ground_truth, render

SIDE = 256  # of the network's square
GRID = 128  # side of the masks that are learnt: half of the square's, so that edges are soft
PAPER = 128  # what fills the square beside the picture: the mean that the network subtracts
INK_SHARE = 0.25
COUNT_WEIGHTS = (0.36, 0.42, 0.22)  # one, two, three characters in a panel
LATENT_NOISE = 0.35  # most noise on latents, of their standard deviation
CHUNK = 500  # panels that are held in full size at one time

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlined:
    """One panel and its figures.

    Attributes:
        picture: RGB, 8 bit, shape (height, width, 3).
        masks: bool, shape (height, width), of the figures that can be seen.
        boxes: their tight boxes.
        ink: ink with screentone instead of colour.
    """

    picture: Picture
    masks: tuple[Mask, ...]
    boxes: tuple[Box, ...]
    ink: bool


def draw_outlined(seed: int) -> Outlined:
    """The panel of a seed."""
    rng = random.Random(seed)
    width, height = panel_size(rng)
    count = rng.choices((1, 2, 3), COUNT_WEIGHTS)[0]
    scene = Scene.random(rng, width, height, count=count, ink=rng.random() < INK_SHARE)
    seen = [truth for truth in ground_truth(scene) if truth.box.area > 0]
    return Outlined(
        picture=render(scene),
        masks=tuple(truth.mask for truth in seen),
        boxes=tuple(truth.box for truth in seen),
        ink=scene.ink,
    )


def draw_many(seeds: Iterable[int], workers: int) -> list[Outlined]:
    """The panels of all seeds. `workers` 0: drawn in this process."""
    if not workers:
        return [draw_outlined(seed) for seed in seeds]
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        return list(pool.imap(draw_outlined, seeds, chunksize=16))


@torch.no_grad()
def through_vae(
    panels: Sequence[Outlined], folder: Path, share: float, rng: random.Random, device: str = "cpu"
) -> list[Outlined]:
    """The panels, a share of them encoded and decoded with noise in between, as if a model had drawn them."""
    vae = place(open_vae(folder), device)
    found = list(panels)
    generator = torch.Generator().manual_seed(rng.getrandbits(32))
    chosen = rng.sample(range(len(panels)), round(share * len(panels)))

    def shape(index: int) -> tuple[int, ...]:
        return panels[index].picture.shape

    for _, alike in itertools.groupby(sorted(chosen, key=shape), shape):
        members = list(alike)
        for start in range(0, len(members), 16):
            some = members[start : start + 16]
            latents = encode(vae, pixels(np.stack([panels[index].picture for index in some]), device)).float()
            strength = (
                torch.rand(len(some), 1, 1, 1, generator=generator) * LATENT_NOISE * latents.std().cpu()
            )
            noise = torch.randn(latents.shape, generator=generator) * strength
            drawn = pictures(decode(vae, latents + noise.to(device)))
            for index, picture in zip(some, drawn, strict=True):
                found[index] = dataclasses.replace(panels[index], picture=picture)
    return found


def softened(picture: Picture, rng: random.Random) -> Picture:
    """The picture, in some cases blurred, in some grainy, in most as it is."""
    if rng.random() < 0.35:
        blur = ImageFilter.GaussianBlur(rng.uniform(0.3, 1.4))
        picture = np.array(Image.fromarray(picture).filter(blur))
    if rng.random() < 0.25:
        grain = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(2, 9), picture.shape)
        picture = (picture + grain).clip(0, 255).astype(np.uint8)
    return picture


def jittered(box: Box, most: float, rng: random.Random) -> Box:
    """The box, each of its four edges moved by up to `most` of the side that it moves along."""
    left, right = (x + rng.uniform(-most, most) * box.width for x in (box.x, box.right))
    top, bottom = (y + rng.uniform(-most, most) * box.height for y in (box.y, box.bottom))
    return Box(left, top, right - left, bottom - top).clipped()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Panels fitted into the network's square, in arrays.

    Attributes:
        pictures: (panels, SIDE, SIDE, 3) uint8, upper left, `PAPER` beside them.
        sizes: (panels, 2) int64: width and height of what is used of the square.
        masks: (figures, GRID, GRID) uint8: how much of each cell is the figure's, 255 for all.
        boxes: (figures, 4) float64: x, y, width, height, fractions of the panel.
        firsts: (panels + 1,) int64: panel k has the figures firsts[k] to firsts[k + 1].
    """

    pictures: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    masks: NDArray[np.uint8]
    boxes: NDArray[np.float64]
    firsts: NDArray[np.int64]

    @classmethod
    def of(cls, panels: Sequence[Outlined]) -> Pool:
        """Fit panels as the segmenter will fit what it is given."""
        squares = np.full((len(panels), SIDE, SIDE, 3), PAPER, np.uint8)
        sizes: list[tuple[int, int]] = []
        masks: list[NDArray[np.uint8]] = []
        for square, panel in zip(squares, panels, strict=True):
            picture = fitted(Image.fromarray(panel.picture), SIDE)
            square[: picture.height, : picture.width] = np.asarray(picture)
            sizes.append(picture.size)
            masks += [_cells(mask, picture.size) for mask in panel.masks]
        figures = [len(panel.masks) for panel in panels]
        return cls(
            pictures=squares,
            sizes=np.array(sizes),
            masks=np.array(masks),
            boxes=np.array([box.as_tuple() for panel in panels for box in panel.boxes]),
            firsts=np.cumsum([0, *figures]),
        )

    @classmethod
    def joined(cls, pools: Sequence[Pool]) -> Pool:
        """All of them as one."""
        offsets = np.cumsum([0, *(pool.firsts[-1] for pool in pools)])
        firsts = [pool.firsts[:-1] + offset for pool, offset in zip(pools, offsets[:-1], strict=True)]
        return cls(
            pictures=np.concatenate([pool.pictures for pool in pools]),
            sizes=np.concatenate([pool.sizes for pool in pools]),
            masks=np.concatenate([pool.masks for pool in pools]),
            boxes=np.concatenate([pool.boxes for pool in pools]),
            firsts=np.concatenate([*firsts, offsets[-1:]]),
        )

    def save(self, path: Path) -> None:
        """Write the arrays so that either none or all of them are there."""
        temporary = path.with_name(path.stem + ".part.npz")
        np.savez(temporary, **{f.name: getattr(self, f.name) for f in dataclasses.fields(self)})
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Pool:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{f.name: arrays[f.name] for f in dataclasses.fields(cls)})


def _cells(mask: Mask, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A panel's mask, fitted like its picture, as shares of the grid's cells."""
    square = Image.new("L", (SIDE, SIDE))
    square.paste(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR))
    return np.array(square.resize((GRID, GRID), Image.Resampling.BOX))


def make_pool(first_seed: int, panels: int, vae: Path | None, share: float, workers: int) -> Pool:
    """Draw a pool: the panels of `panels` seeds from `first_seed` on."""
    rng = random.Random(first_seed)
    parts: list[Pool] = []
    for start in range(first_seed, first_seed + panels, CHUNK):
        some = draw_many(range(start, min(start + CHUNK, first_seed + panels)), workers)
        some = through_vae(some, vae, share, rng) if vae else some
        soft = [dataclasses.replace(panel, picture=softened(panel.picture, rng)) for panel in some]
        parts.append(Pool.of(soft))
    return Pool.joined(parts)
