"""Rows: a panel so full of words that its balloons stand in rows, whatever they cover.

In: lines, the room, letter sizes to try. Out: each line's setting and place, in reading order; or None.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from model.page.balloons.bodies import bodies_for
from model.page.balloons.costs import GAP
from model.page.balloons.hand import Hand
from model.page.plane import Rect
from model.page.type.typesetting import Setting
from model.page.values import Line

_MOST_IN_ROW = 4

Set = tuple[tuple[Setting, Rect], ...]  # each line's setting and place
_Rows = list[tuple[float, tuple[Setting, ...]]]


def in_rows(
    lines: tuple[Line, ...],
    sizes: Sequence[float],
    room: Rect,
    direction: str,
    hand: Hand,
    *,
    most: int = _MOST_IN_ROW,
    above: Sequence[float | None] = (),
) -> Set | None:
    """Letter a crowded panel in rows at the largest size that fits; None when none does.

    Args:
        sizes: largest first.
        most: balloons in a row.
        above: for each line where along the room its speaker's head is, if it is seen: balloons of a row move
            there as far as their order lets them. None at all: they are spread evenly.
    """

    def stacked(size: float) -> Set | None:
        return _stacked(lines, size, room, direction, hand, most, above)

    # What has no room in the smallest letters has none at all.
    if stacked(sizes[-1]) is None:
        return None
    return next(found for size in sizes if (found := stacked(size)))


def _stacked(
    lines: tuple[Line, ...],
    size: float,
    room: Rect,
    direction: str,
    hand: Hand,
    most: int,
    above: Sequence[float | None],
) -> Set | None:
    """Rows of letters of one size; None when they do not fit."""
    shapes = [
        [
            setting
            for count in range(1, min(most, len(lines)) + 1)
            for setting in bodies_for(
                line, size, ((room.width - GAP * (count - 1)) / count, room.height), hand
            )
        ]
        for line in lines
    ]
    # The least height in which the lines from each one on can stand, and those that share its row.
    rows: _Rows = [(-GAP, ())]
    for first in range(len(lines) - 1, -1, -1):
        options: list[tuple[float, tuple[Setting, ...]]] = []
        for count in range(1, min(most, len(lines) - first) + 1):
            row = _lowest(shapes[first : first + count], room.width - GAP * (count - 1))
            if row:
                rest = rows[len(rows) - count][0]
                options.append((max(setting.height for setting in row) + GAP + rest, row))
        rows.append(min(options, key=lambda option: option[0], default=(float("inf"), ())))
    return _spread(rows, room, direction, above) if rows[-1][0] <= room.height else None


def _lowest(shapes: Sequence[Sequence[Setting]], width: float) -> tuple[Setting, ...]:
    """One setting of each line, so that all share a row of that width and are as low as can be; nothing when
    they cannot."""
    heights = sorted({setting.height for some in shapes for setting in some})

    def within(height: float) -> tuple[Setting, ...]:
        row: list[Setting] = []
        for some in shapes:
            low = [setting for setting in some if setting.height <= height]
            if not low:
                return ()
            row.append(min(low, key=lambda setting: setting.width))
        return tuple(row) if sum(setting.width for setting in row) <= width else ()

    # What fits a height fits a greater one.
    index = bisect_left(heights, True, key=lambda height: bool(within(height)))
    return within(heights[index]) if index < len(heights) else ()


def _spread(rows: _Rows, room: Rect, direction: str, above: Sequence[float | None]) -> Set:
    """Give rows their places, with what height and width is left spread between them."""
    chosen: list[tuple[Setting, ...]] = []
    left = len(rows) - 1
    while left:
        chosen.append(rows[left][1])
        left -= len(rows[left][1])
    air = (room.height - rows[-1][0]) / max(len(chosen) - 1, 1) + GAP
    found: list[tuple[Setting, Rect]] = []
    y = room.y
    for row in chosen:
        free = (room.width - sum(setting.width for setting in row)) / (len(row) + 1)
        lefts: list[float] = []
        x = room.x + free
        for setting in row:
            lefts.append(x)
            x += setting.width + free
        if above:
            heads = above[len(found) : len(found) + len(row)]
            mirrored = [
                2 * room.centre.x - head if head is not None and direction == "rtl" else head
                for head in heads
            ]
            lefts = _drawn_to(mirrored, lefts, [setting.width for setting in row], room)
        for x, setting in zip(lefts, row, strict=True):
            turned = 2 * room.centre.x - x - setting.width
            left = turned if direction == "rtl" else x
            found.append((setting, Rect(left, y, setting.width, setting.height)))
        y += max(setting.height for setting in row) + air
    return tuple(found)


def _drawn_to(
    heads: Sequence[float | None], lefts: Sequence[float], widths: Sequence[float], room: Rect
) -> list[float]:
    """Left ends as near to the heads as may be: in their order, with air between them, in the room."""
    wished = [
        left if head is None else head - width / 2
        for head, left, width in zip(heads, lefts, widths, strict=True)
    ]
    found: list[float] = []
    least = room.x
    for index, (wish, width) in enumerate(zip(wished, widths, strict=True)):
        rest = sum(other + GAP for other in widths[index + 1 :])
        found.append(min(max(wish, least), room.right - rest - width))
        least = found[-1] + width + GAP
    return found
