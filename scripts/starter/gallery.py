"""Panels of the drawn world in memory, as the VAE sees them: crops, half of them around heads.

Worker processes draw panels of every training shape; while crops are taken, the oldest panels give way to
new ones, so that nothing is learnt by heart. In: seeds. Out: arrays of pixels. Knows nothing of torch or of
what is learnt.
"""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult, Pool

import numpy as np
from numpy.typing import NDArray

from scripts.starter.pool import CELL, SHAPES
from scripts.starter.world import Scene, ground_truth, render

Picture = NDArray[np.uint8]

INK_SHARE = 0.4  # the hardest to keep
LATENT = 16  # pixels a latent cell is wide
COUNT_WEIGHTS = (0.04, 0.48, 0.32, 0.16)  # nobody, one, two, three characters
CROPS_PER_PANEL = 4  # how many crops are taken for every panel that is replaced
CHUNK = 16  # panels drawn at one time
WANDER = 25.0  # pixels (standard deviation) between a head and the centre of its crop


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One drawn panel.

    Attributes:
        picture: RGB, 8 bit, shape (height, width, 3).
        heads: centres (x, y) in pixels of the heads that can be seen.
        ink: ink with screentone instead of colour.
    """

    picture: Picture
    heads: tuple[tuple[float, float], ...]
    ink: bool


def panel_size(rng: random.Random) -> tuple[int, int]:
    """Width and height in pixels of a panel, as often as the transformer is trained on them."""
    rows, columns = rng.choices(list(SHAPES), list(SHAPES.values()))[0]
    return columns * CELL, rows * CELL


def draw_panel(seed: int) -> Panel:
    """The panel of a seed."""
    rng = random.Random(seed)
    width, height = panel_size(rng)
    count = rng.choices(range(len(COUNT_WEIGHTS)), COUNT_WEIGHTS)[0]
    scene = Scene.random(rng, width, height, count=count, ink=rng.random() < INK_SHARE)
    centres = (truth.head.centre for truth in ground_truth(scene) if truth.head.area > 0)
    heads = tuple((x * width, y * height) for x, y in centres)
    return Panel(picture=render(scene), heads=heads, ink=scene.ink)


def crop(panel: Panel, rng: np.random.Generator, side: int) -> Picture:
    """A square of `side` pixels out of a panel, in every second case around a head, its corner on the grid of
    latent cells: screentone lies alike in every cell, and only so it can be learnt."""
    height, width = panel.picture.shape[:2]
    if panel.heads and rng.random() < 0.5:
        x, y = panel.heads[rng.integers(len(panel.heads))]
        left, top = x - side / 2 + rng.normal(0, WANDER), y - side / 2 + rng.normal(0, WANDER)
    else:
        left, top = rng.uniform(0, width - side), rng.uniform(0, height - side)
    column, row = (
        int(np.clip(start, 0, size - side)) // LATENT * LATENT
        for start, size in ((left, width), (top, height))
    )
    return panel.picture[row : row + side, column : column + side]


class Gallery:
    """`size` panels that change while crops are taken from them.

    Args:
        size: panels held in memory (0.2 MB each).
        first_seed: seed of the first panel; later ones count up from it.
        workers: processes that draw; 0 draws in this one. They are forked here, so make the gallery before
            anything that starts threads or a GPU.
    """

    def __init__(self, size: int, first_seed: int, *, workers: int) -> None:
        self.next_seed = first_seed
        self._workers: Pool | None = multiprocessing.get_context("fork").Pool(workers) if workers else None
        self._pending: AsyncResult[list[Panel]] | None = None
        self._taken = self._oldest = 0
        seeds = self._seeds(size)
        self.panels = self._workers.map(draw_panel, seeds) if self._workers else [*map(draw_panel, seeds)]

    def crops(self, rng: np.random.Generator, count: int, side: int) -> Picture:
        """`count` crops, (count, side, side, 3); asks for new panels, takes in those that are done."""
        self._taken += count
        if self._taken >= CHUNK * CROPS_PER_PANEL:
            self._refresh()
        chosen = rng.integers(len(self.panels), size=count)
        return np.stack([crop(self.panels[index], rng, side) for index in chosen])

    def close(self) -> None:
        """End the worker processes."""
        if self._workers:
            self._workers.terminate()
            self._workers.join()

    def _refresh(self) -> None:
        if self._workers is None:
            self._hang(map(draw_panel, self._seeds(CHUNK)))
        else:
            if self._pending is not None:
                if not self._pending.ready():
                    return  # training never waits for the painters
                self._hang(self._pending.get())
            self._pending = self._workers.map_async(draw_panel, self._seeds(CHUNK), 4)
        self._taken = 0

    def _hang(self, panels: Iterable[Panel]) -> None:
        for panel in panels:
            self.panels[self._oldest] = panel
            self._oldest = (self._oldest + 1) % len(self.panels)

    def _seeds(self, count: int) -> range:
        seeds = range(self.next_seed, self.next_seed + count)
        self.next_seed += count
        return seeds
