"""Where the heads in a picture are, and how well each is drawn, whatever the model: one protocol, two kinds.

The starter brings networks of its own for it (`faces.FaceJudge`); for other models a detector is asked for
heads, and nobody scores them. Another scorer (of faces, of looks) can be plugged in by anything that has
these two methods. Knows nothing of who was asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from PIL import Image

from model.errors import ConfigError
from model.geometry import Box
from model.vision.detect import Detector

PHRASE = "head"
AROUND = 1.3  # side of what a scorer is shown over the head's
INSIDE = 0.6  # share of a head's box that lies in the figure it belongs to


Scorer = Callable[[Sequence[Image.Image]], Sequence[float]]


class Heads(Protocol):
    """Finds heads and says how well they are drawn. `scores`: it can say; else nobody need look for them."""

    @property
    def scores(self) -> bool: ...

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

    scores = False

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


class ScoredHeads:
    """Heads as another finds them, scored by a function of somebody else's: of faces, of looks, of anything.

    Args:
        finder: where heads are.
        scorer: RGB pictures of single heads with a little of their surroundings → as many numbers, 0 (bad) to
            1 (good).
        name: of the scorer, for messages.
    """

    scores = True

    def __init__(self, finder: Heads, scorer: Scorer, name: str) -> None:
        self._finder, self._scorer, self._name = finder, scorer, name

    def heads(
        self, pictures: Sequence[Image.Image], figures: Sequence[Sequence[Box]]
    ) -> Sequence[Sequence[Box | None]]:
        """See `Heads`."""
        return self._finder.heads(pictures, figures)

    def score(
        self, pictures: Sequence[Image.Image], heads: Sequence[Sequence[Box]]
    ) -> list[list[float | None]]:
        """See `Heads`.

        Raises:
            ConfigError: the scorer does not return one number of 0 to 1 a picture.
        """
        crops = [_cut(one, box) for one, row in zip(pictures, heads, strict=True) for box in row]
        scores = [float(score) for score in self._scorer(crops)] if crops else []
        if len(scores) != len(crops) or not all(0 <= score <= 1 for score in scores):
            raise ConfigError(
                f"--face_scorer: {self._name} returned {scores[:4]} for {len(crops)} pictures; "
                "it must return one number of 0 to 1 for each"
            )
        rest = iter(scores)
        return [[next(rest) for _ in row] for row in heads]


def open_scorer(name: str) -> Scorer:
    """Import a scorer. What it is named after is run: name only what you trust.

    Args:
        name: MODULE:FUNCTION.
    Raises:
        ConfigError: there is no such function.
    """
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"--face_scorer: '{name}' cannot be imported ({error}); expected MODULE:FUNCTION, a function "
            "that takes a list of pictures and returns a list of numbers"
        ) from error
    if not callable(found):
        raise ConfigError(f"--face_scorer: {name} is no function")
    return cast(Scorer, found)


def _cut(picture: Image.Image, head: Box) -> Image.Image:
    """A head with a little of its surroundings."""
    (x, y), width, height = head.centre, head.width * AROUND, head.height * AROUND
    return picture.convert("RGB").crop(
        Box(x - width / 2, y - height / 2, width, height).clipped().pixels(*picture.size)
    )


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
