"""Where the heads in a picture are, and how well each is drawn, whatever the model: one protocol, two kinds.

The starter brings networks of its own for it (`faces.FaceJudge`); for other models a detector is asked for
heads, and nobody scores them. Another scorer (of faces, of looks) can be plugged in by anything that has
these two methods. Knows nothing of who was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PIL import Image

from model.geometry import Box
from model.vision.detect import Detector

PHRASE = "head"
INSIDE = 0.6  # share of a head's box that lies in the figure it belongs to


class Heads(Protocol):
    """Finds heads and says how well they are drawn."""

    def heads(
        self, pictures: Sequence[Image.Image], figures: Sequence[Sequence[Box]]
    ) -> Sequence[Sequence[Box | None]]:
        """Where the head of each figure is, as fractions of its picture; None: it has none that was found."""
        ...

    def score(
        self, pictures: Sequence[Image.Image], heads: Sequence[Sequence[Box]]
    ) -> Sequence[Sequence[float | None]]:
        """How well each head is drawn, 0 to 1; None: it cannot say."""
        ...


class DetectedHeads:
    """Heads as a detector of phrases finds them; it cannot say how well they are drawn."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def heads(
        self, pictures: Sequence[Image.Image], figures: Sequence[Sequence[Box]]
    ) -> list[list[Box | None]]:
        """See `Heads`: of the heads that lie in a figure, the highest; each is one figure's."""
        found = self._detector.detect(pictures, [(PHRASE,)] * len(pictures))
        return [
            _of_figures([one.box for one in heads], boxes)
            for heads, boxes in zip(found, figures, strict=True)
        ]

    def score(
        self, pictures: Sequence[Image.Image], heads: Sequence[Sequence[Box]]
    ) -> list[list[float | None]]:
        """See `Heads`."""
        return [[None] * len(row) for row in heads]


def _of_figures(heads: Sequence[Box], figures: Sequence[Box]) -> list[Box | None]:
    mine: list[Box | None] = []
    free = sorted(heads, key=lambda head: head.y)
    for figure in figures:
        head = next((one for one in free if _inside(one, figure) >= INSIDE), None)
        if head is not None:
            free.remove(head)
        mine.append(head)
    return mine


def _inside(head: Box, figure: Box) -> float:
    """The share of a head's box that lies in a figure's."""
    width = min(head.x + head.width, figure.x + figure.width) - max(head.x, figure.x)
    height = min(head.y + head.height, figure.y + figure.height) - max(head.y, figure.y)
    area = head.width * head.height
    return max(width, 0.0) * max(height, 0.0) / area if area else 0.0
