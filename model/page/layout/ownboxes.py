"""Own boxes: frames that a story gives itself, checked.

In: boxes as fractions of the page, in the order in which they are read. Out: frames. Boxes stand apart or
one inside another; a side on the page's edge bleeds.
"""

from __future__ import annotations

from collections.abc import Sequence

from model.errors import StoryError
from model.geometry import Box
from model.page.layout.frames import Frame, bled, upright

_SLACK = 1e-6
_SMALLEST = 0.06  # of the page's width and height: smaller panels hold neither picture nor words


def own_frames(own: Sequence[Box], count: int, width_mm: float, height_mm: float) -> tuple[Frame, ...]:
    """The story's own boxes as frames.

    Raises:
        StoryError: another number of boxes than panels, a box too small, or two that overlap in part.
    """
    if len(own) != count:
        raise StoryError(
            f"the page has {len(own)} frames and {count} panels; expected one frame for each panel"
        )
    frames: list[Frame] = []
    for index, box in enumerate(own):
        if min(box.width, box.height) < _SMALLEST:
            raise StoryError(
                f"frame {index + 1} is {_percent(box)} and too small for a panel; expected at least "
                f"{_SMALLEST * 100:.0f} percent of the page in width and height"
            )
        over: int | None = None
        for before, other in enumerate(own[:index]):
            if other.intersection(box) <= _SLACK:
                continue
            if not _holds(other, box):
                here, there = f"{index + 1} {_percent(box)}", f"{before + 1} {_percent(other)}"
                raise StoryError(
                    f"frame {here} overlaps frame {there} in part; "
                    "expected frames apart, or an inset wholly inside an earlier frame"
                )
            over = before
        frames.append(upright(bled(box, width_mm, height_mm) if over is None else box, over))
    return tuple(frames)


def _holds(outer: Box, inner: Box) -> bool:
    return (
        inner.x >= outer.x - _SLACK
        and inner.y >= outer.y - _SLACK
        and inner.right <= outer.right + _SLACK
        and inner.bottom <= outer.bottom + _SLACK
    )


def _percent(box: Box) -> str:
    return f"[{', '.join(f'{100 * value:.4g}' for value in box.as_tuple())}]"
