"""Squares for the face judge's two networks, cut out of the panels of `panels.py`.

In: files of panels. Out: figures with where their head is (drawn panels only), and heads with a label. Both
are cut exactly as `model.vision.faces` cuts them. Knows nothing of networks.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from model.geometry import Box
from model.vision.faces import HEAD_ZOOM, figure_window, window

LEAST = 14  # pixels: a head that is lower is hidden by somebody
FRAMES = ("full body", "bust", "close-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """A figure of a panel: where the scene has it and its head, and how the panel came about."""

    picture: Image.Image
    box: Box
    head: Box
    kind: str
    drawn: bool
    frame: str
    ink: bool


def box_of(edges: Sequence[float]) -> Box:
    """A shard's (x, y, width, height) as a box."""
    return Box(*(float(edge) for edge in edges))


def everybody(paths: Sequence[Path]) -> Iterator[Somebody]:
    """All figures whose head can be seen."""
    for path in paths:
        file: dict[str, Any] = torch.load(path, weights_only=True)
        for pixels, figures, about in zip(file["pictures"], file["figures"], file["about"], strict=True):
            picture = Image.fromarray(pixels.numpy())
            kind, label, frame, ink, _ = about
            for figure in figures:
                box, head = box_of(figure[:4]), box_of(figure[4:])
                if head.height * picture.height >= LEAST and head.width * picture.width >= LEAST:
                    yield Somebody(
                        picture=picture,
                        box=box,
                        head=head,
                        kind=kind,
                        drawn=bool(label),
                        frame=frame,
                        ink=ink,
                    )


def shaken(box: Box, rng: random.Random, by: float) -> Box:
    """A box whose edges are off by about `by` of its sides, as a detector's are."""
    left, right = (edge + rng.gauss(0, by) * box.width for edge in (box.x, box.right))
    top, bottom = (edge + rng.gauss(0, by) * box.height for edge in (box.y, box.bottom))
    return Box(left, top, max(right - left, 0.01), max(bottom - top, 0.01))


def figures(people: Sequence[Somebody], rng: random.Random, times: int) -> tuple[np.ndarray, np.ndarray]:
    """Drawn figures `times` over, with boxes shaken: squares (N, SIDE, SIDE, 3) uint8, and the head's middle
    and
    size in them (N, 4) float32."""
    squares, targets = [], []
    for who in people:
        width, height = who.picture.size
        for _ in range(times):
            square, (left, top, side) = figure_window(who.picture, shaken(who.box, rng, 0.04))
            x, y = who.head.centre
            squares.append(np.asarray(square))
            targets.append(
                ((x * width - left) / side, (y * height - top) / side,
                 who.head.width * width / side, who.head.height * height / side)
            )  # fmt: skip
    return np.stack(squares), np.array(targets, np.float32)


def heads(people: Sequence[Somebody], boxes: Sequence[Box], rng: random.Random, times: int) -> np.ndarray:
    """(N · times, SIDE, SIDE, 3) uint8: what the judge looks at, the box a little shaken from the second time
    on."""
    return np.stack(
        [
            np.asarray(window(who.picture, shaken(box, rng, 0.03) if turn else box, HEAD_ZOOM)[0])
            for who, box in zip(people, boxes, strict=True)
            for turn in range(times)
        ]
    )
