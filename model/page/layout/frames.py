"""Frames: the places of a page's panels, upright or slanted, on the page or over another panel.

In: boxes and corners as fractions of the page. Out: `Frame` and `Arrangement`, mirrored for the other reading
direction, and carried past the edge where a panel bleeds. Knows nothing of what the panels show.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.geometry import Box

Corner = tuple[float, float]

BLEED_MM = 3.0  # how far a bleeding picture goes on past the trimmed edge
_TOUCHING = 0.004  # of the page: a side nearer to the edge than this bleeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One panel's place, in fractions of the page; a bleeding one reaches a little beyond it.

    `corners` go round from the top left one: top left, top right, bottom right, bottom left. `box` bounds
    them, and is the whole frame when it is upright. `over` is the index of the panel that an inset stands on.
    """

    box: Box
    corners: tuple[Corner, Corner, Corner, Corner]
    over: int | None = None

    @property
    def upright(self) -> bool:
        return self.corners == corners_of(self.box)

    @property
    def inner(self) -> Box:
        """The upright box between the four corners, all of which shows."""
        (left, top), (right, high), (far, low), (near, bottom) = self.corners
        x, y = max(left, near), max(top, high)
        return Box(x, y, min(right, far) - x, min(bottom, low) - y)

    def mirrored(self) -> Frame:
        """The same frame on the mirrored page."""
        turned = [(1.0 - x, y) for x, y in self.corners]
        corners = turned[1], turned[0], turned[3], turned[2]
        return replace(
            self, box=Box(1.0 - self.box.right, self.box.y, self.box.width, self.box.height), corners=corners
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """A page's paper in points and its frames in reading order."""

    width: float
    height: float
    frames: tuple[Frame, ...]

    def aspects(self) -> tuple[float, ...]:
        """Width over height of each frame, as it measures on paper."""
        return tuple(frame.box.width * self.width / (frame.box.height * self.height) for frame in self.frames)


def corners_of(box: Box) -> tuple[Corner, Corner, Corner, Corner]:
    """A box's corners, from the top left one round."""
    return (box.x, box.y), (box.right, box.y), (box.right, box.bottom), (box.x, box.bottom)


def upright(box: Box, over: int | None = None) -> Frame:
    """A frame that is its box."""
    return Frame(box=box, corners=corners_of(box), over=over)


def slanted(corners: tuple[Corner, Corner, Corner, Corner]) -> Frame:
    """A frame between four corners."""
    left, top = (min(corner[axis] for corner in corners) for axis in (0, 1))
    right, bottom = (max(corner[axis] for corner in corners) for axis in (0, 1))
    return Frame(box=Box(left, top, right - left, bottom - top), corners=corners)


def bled(box: Box, width_mm: float, height_mm: float) -> Box:
    """A box whose sides at the page's edges go on past them, so that the knife leaves no white."""
    across, down = BLEED_MM / width_mm, BLEED_MM / height_mm
    left = -across if box.x < _TOUCHING else box.x
    top = -down if box.y < _TOUCHING else box.y
    right = 1.0 + across if box.right > 1.0 - _TOUCHING else box.right
    bottom = 1.0 + down if box.bottom > 1.0 - _TOUCHING else box.bottom
    return Box(left, top, right - left, bottom - top)
