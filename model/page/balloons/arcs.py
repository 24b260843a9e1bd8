"""Arcs: the curve that a sound is lettered along.

In: where a sound stands, and its words, which decide how it leans. Out: places and angles along the curve.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

from model.page.plane import Point, Rect

RISE = 0.085  # of the width: how far the middle of an arc stands above its ends
LEAN = 0.055  # of the width: how far one end stands above the middle, the other below it


@dataclass(frozen=True, slots=True, kw_only=True)
class Arc:
    """A parabola over `width` points about `middle`, risen by `rise` points there, leaning by `lean`."""

    middle: float
    width: float
    rise: float
    lean: float

    def bent(self, x: float, y: float) -> tuple[Point, float]:
        """Where the point (x, y) of straight lettering comes to stand, and the angle it is turned by."""
        u = 2.0 * (x - self.middle) / self.width
        slope = (2.0 * self.rise * 2.0 * u + 2.0 * self.lean) / self.width
        return Point(x, y + self.rise * u * u + self.lean * u), math.atan(slope)


def arc_of(text: str, rect: Rect) -> Arc:
    """The arc of a sound that fills `rect`; the same words always lean the same way."""
    leaning = 1.0 if zlib.crc32(text.encode()) % 2 else -1.0
    return Arc(
        middle=rect.centre.x,
        width=rect.width,
        rise=RISE * rect.width,
        lean=leaning * LEAN * rect.width,
    )
