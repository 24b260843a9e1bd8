"""Quality of a crop: whether it shows well what the character looks like.

In: a crop and the reference, as pictures, and where the figure and its neighbours were found. Out: a number
from 0 to 1 and the weakest of its parts. Pure; knows nothing of identity, panels or what becomes of the crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.geometry import Box

# Of crops of the drawn world, 99 % of the whole, sharp ones reach this; of blurred (Gaussian, 2 pixels of
# 128), half covered and tiny (a third of the reference's side) ones 2 % do. tests/vision/test_quality.py
LEAST = 0.55
_SIDE = 128
_WINDOW = 9  # pixels of the blur that a picture is compared with


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How good a crop is as a picture of somebody. A chain is as strong as its weakest link.

    Attributes:
        place: IoU of where it was found and where it was asked for: whether it is the one that was meant.
        free: share of its box that no neighbour's box covers.
        size: its longest side over the reference's side in pixels, at most 1.
        sharpness: in comparison with the reference, at most 1.
    """

    place: float
    free: float
    size: float
    sharpness: float

    @property
    def value(self) -> float:
        return min(self.place, self.free, self.size, self.sharpness)

    @property
    def weakest(self) -> str:
        """What holds it down."""
        return min(("place", "free", "size", "sharpness"), key=lambda name: getattr(self, name))


def quality(
    crop: Image.Image,
    reference: Image.Image,
    *,
    box: Box,
    neighbours: Sequence[Box],
    overlap: float,
    side: int,
) -> Quality:
    """Weigh a crop.

    Args:
        crop, reference: any mode, any size.
        box: where the figure was found.
        neighbours: where others were.
        overlap: IoU of the found and the asked box.
        side: pixels of the square that references are shown in to the model that draws.
    """
    covered = max((box.intersection(other) for other in neighbours), default=0.0)
    return Quality(
        place=overlap,
        free=1 - covered / box.area if box.area > 0 else 0.0,
        size=min(1.0, max(crop.size) / side),
        sharpness=min(1.0, sharpness(crop) / max(sharpness(reference), 1e-6)),
    )


def sharpness(picture: Image.Image) -> float:
    """How much of the change between neighbouring pixels a blur would take away: 0 (blurred already) to 1.

    The no-reference measure of Crété-Roffet, Dolmiere, Ladret and Nicolas, "The blur effect" (2007), turned
    round, on a grey copy of 128 pixels a side, the less sharp direction counting.
    """
    square = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    grey: NDArray[np.float64] = np.asarray(square, np.float64)
    return min(_along(grey), _along(grey.T))


def _along(grey: NDArray[np.float64]) -> float:
    """Of changes along the rows."""
    padded = np.pad(grey, ((0, 0), (_WINDOW // 2 + 1, _WINDOW // 2)), mode="edge")
    sums = np.cumsum(padded, axis=1)
    blurred = (sums[:, _WINDOW:] - sums[:, :-_WINDOW]) / _WINDOW
    change, left = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(blurred, axis=1))
    total = change.sum()
    return float(np.maximum(change - left, 0).sum() / total) if total > 0 else 0.0
