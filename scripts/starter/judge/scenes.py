"""Panels of the drawn world with everything the judge has to say about them, in files on disk.

    python -m scripts.starter.judge.scenes --out lab/judge/scenes --count 12000    # again: what is missing

In: seeds of the judge's own ranges. Out: `Sheet`s, one file for some hundred panels of one shape. Knows
nothing of networks, and nothing of pictures that a model drew.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scripts.starter.judge.labels import ATTRIBUTES, PLACES
from scripts.starter.pool import CELL, SHAPES
from scripts.starter.world import Figure, Scene, Truth, ground_truth, render

# Nothing else is trained on these: see tests/starter/test_seeds.py.
TRAINING_SEEDS, HELD_OUT_SEEDS = 5_000_000_000, 5_500_000_000

MOST = 3
INK_SHARE = 0.22
COUNT_WEIGHTS = (0.04, 0.42, 0.34, 0.20)  # nobody, one, two, three characters
FRAMES, FRAME_WEIGHTS = ("full body", "bust", "close-up"), (0.40, 0.42, 0.18)
SHEET = 400  # panels in one file

# In the character's own coordinates: the face is a disc round the head's centre, the torso a rectangle.
FACE_RADIUS = 40.0
TORSO = (-27.0, 64.0, 27.0, 120.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Labelled panels of one shape; N panels, up to MOST figures each.

    Attributes:
        pictures: (N, H, W, 3) uint8, RGB.
        place: (N,) index into `PLACES`.
        ink: (N,) bool.
        boxes, heads: (N, MOST, 4) left, top, right, bottom, fractions of the panel; zero where nobody is.
        looks: (N, MOST, attributes) index into each attribute's values; -1 where nobody is.
        face, torso: (N, MOST) share of face and of torso that can be seen.
    """

    pictures: NDArray[np.uint8]
    place: NDArray[np.int64]
    ink: NDArray[np.bool_]
    boxes: NDArray[np.float32]
    heads: NDArray[np.float32]
    looks: NDArray[np.int64]
    face: NDArray[np.float32]
    torso: NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write all arrays into one file, whole or not at all."""
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file:
            np.savez(file, **{name: getattr(self, name) for name in self.__slots__})
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Sheet:
        """Read what `save` wrote."""
        with np.load(path) as held:
            return cls(**{name: held[name] for name in cls.__slots__})


def make_scene(seed: int, width: int, height: int) -> Scene:
    """The labelled panel of a seed, in a given shape."""
    rng = random.Random(seed)
    count = rng.choices(range(len(COUNT_WEIGHTS)), COUNT_WEIGHTS)[0]
    frame = rng.choices(FRAMES, FRAME_WEIGHTS)[0]
    return Scene.random(rng, width, height, count=count, ink=rng.random() < INK_SHARE, frame=frame)


def seen(figure: Figure, truth: Truth) -> tuple[float, float]:
    """Which shares of a figure's face and torso are inside the panel and not behind somebody else."""
    height, width = truth.mask.shape
    x, y, scale = figure.x, figure.y, figure.scale
    rows, columns = np.ogrid[:height, :width]
    disc = (rows - y) ** 2 + (columns - x) ** 2 <= (FACE_RADIUS * scale) ** 2
    face = (truth.mask & disc).sum() / (np.pi * (FACE_RADIUS * scale) ** 2)
    left, top, right, bottom = (
        round(origin + scale * value) for origin, value in zip((x, y, x, y), TORSO, strict=True)
    )
    inside = truth.mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)].sum()
    return min(1.0, float(face)), min(1.0, float(inside) / max(1, (right - left) * (bottom - top)))


def label(scenes: Iterable[Scene]) -> Sheet:
    """Draw scenes, all of one shape, and write down what is in them."""
    scenes = list(scenes)
    size = len(scenes)
    boxes, heads = np.zeros((2, size, MOST, 4), np.float32)
    face, torso = np.zeros((2, size, MOST), np.float32)
    looks = np.full((size, MOST, len(ATTRIBUTES)), -1, np.int64)
    for row, scene in enumerate(scenes):
        for k, (figure, truth) in enumerate(zip(scene.figures, ground_truth(scene), strict=True)):
            for held, box in ((boxes, truth.box), (heads, truth.head)):
                held[row, k] = (box.x, box.y, box.right, box.bottom)
            face[row, k], torso[row, k] = seen(figure, truth)
            about = (figure.identity, figure.state)
            for a, (name, values) in enumerate(ATTRIBUTES.items()):
                owner = next(part for part in about if hasattr(part, name))
                looks[row, k, a] = values.index(getattr(owner, name))
    return Sheet(
        pictures=np.stack([render(scene) for scene in scenes]),
        place=np.array([PLACES.index(scene.background) for scene in scenes]),
        ink=np.array([scene.ink for scene in scenes]),
        boxes=boxes,
        heads=heads,
        looks=looks,
        face=face,
        torso=torso,
    )


def shape_of(number: int) -> tuple[int, int]:
    """(width, height) of the sheet with a number: shapes come as often as the drawer is trained on them."""
    rows, columns = random.Random(number).choices(list(SHAPES), list(SHAPES.values()))[0]
    return columns * CELL, rows * CELL


def draw_sheet(base: int, number: int, size: int = SHEET) -> Sheet:
    """The `number`-th sheet of a range of seeds."""
    first = base + number * size
    return label(make_scene(seed, *shape_of(number)) for seed in range(first, first + size))


def main() -> int:
    parser = argparse.ArgumentParser(description="Draw labelled panels for the judge to learn from.")
    parser.add_argument("--out", type=Path, default=Path("lab/judge/scenes"))
    parser.add_argument("--count", type=int, default=12_000)
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    for number in range(-(-flags.count // SHEET)):
        path = flags.out / f"sheet_{number:04d}.npz"
        if not path.exists():
            started = time.perf_counter()
            draw_sheet(TRAINING_SEEDS, number).save(path)
            spent = (time.perf_counter() - started) / SHEET * 1000
            print(f"{path}: {spent:.1f} ms a panel", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
