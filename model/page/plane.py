"""Points and rectangles on paper, in points (1/72 inch), origin top left.

A `Rect` is not a `Box`: boxes are fractions of whatever frames them; two types keep the two apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from model.geometry import Box


@dataclass(frozen=True, slots=True)
class Point:
    """A place on paper."""

    x: float
    y: float

    def distance(self, other: Point) -> float:
        return math.hypot(other.x - self.x, other.y - self.y)

    def towards(self, other: Point, share: float) -> Point:
        """The point `share` of the way to `other`: 0 is here, 1 is there."""
        return Point(self.x + (other.x - self.x) * share, self.y + (other.y - self.y) * share)


@dataclass(frozen=True, slots=True)
class Rect:
    """An upright rectangle on paper: left and top edge, width and height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def centre(self) -> Point:
        return Point(self.x + self.width / 2, self.y + self.height / 2)

    def inset(self, by: float) -> Rect:
        """This rectangle with `by` taken off every side; a negative `by` grows it."""
        return Rect(self.x + by, self.y + by, self.width - 2 * by, self.height - 2 * by)

    def placed(self, box: Box) -> Rect:
        """Where a box given in fractions of this rectangle lies on paper."""
        return Rect(
            self.x + box.x * self.width,
            self.y + box.y * self.height,
            box.width * self.width,
            box.height * self.height,
        )

    @property
    def corners(self) -> tuple[Point, Point, Point, Point]:
        """From the top left one round."""
        return (
            Point(self.x, self.y),
            Point(self.right, self.y),
            Point(self.right, self.bottom),
            Point(self.x, self.bottom),
        )

    def contains(self, other: Rect, slack: float = 1e-6) -> bool:
        return (
            other.x >= self.x - slack
            and other.y >= self.y - slack
            and other.right <= self.right + slack
            and other.bottom <= self.bottom + slack
        )

    def shared(self, other: Rect) -> Rect:
        """The part that both have; without width or height when they have none."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Rect(x, y, max(right - x, 0.0), max(bottom - y, 0.0))

    def overlap(self, other: Rect) -> float:
        """Area shared with `other`, in square points."""
        part = self.shared(other)
        return part.width * part.height


def crop_window(picture_aspect: float, frame_aspect: float) -> Box:
    """The largest centred part of a picture that has the frame's aspect, in fractions of the picture."""
    if picture_aspect > frame_aspect:
        width = frame_aspect / picture_aspect
        return Box((1.0 - width) / 2, 0.0, width, 1.0)
    height = picture_aspect / frame_aspect
    return Box(0.0, (1.0 - height) / 2, 1.0, height)


def seen_through(window: Box, box: Box) -> Box:
    """A box of the picture, in fractions of the window that shows the picture; clipped to the window."""
    return Box(
        (box.x - window.x) / window.width,
        (box.y - window.y) / window.height,
        box.width / window.width,
        box.height / window.height,
    ).clipped()
