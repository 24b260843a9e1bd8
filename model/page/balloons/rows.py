"""Rows: a panel so full of words that its balloons stand in rows, whatever they cover.

In: lines, the room, letter sizes to try. Out: each line's setting and place, in reading order; or None.
"""

from __future__ import annotations

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
    lines: tuple[Line, ...], sizes: Sequence[float], room: Rect, direction: str, hand: Hand
) -> Set | None:
    """Letter a crowded panel in rows at the largest size that fits; None when none does.

    Args:
        sizes: largest first.
    """
    # What has no room in the smallest letters has none at all.
    if _stacked(lines, sizes[-1], room, direction, hand) is None:
        return None
    return next(found for size in sizes if (found := _stacked(lines, size, room, direction, hand)))


def _stacked(lines: tuple[Line, ...], size: float, room: Rect, direction: str, hand: Hand) -> Set | None:
    """Rows of letters of one size; None when they do not fit."""
    # The least height in which the lines from each one on can stand, and how many share its row.
    rows: _Rows = [(-GAP, ())]
    lowest: dict[tuple[int, int], Setting | None] = {}
    for first in range(len(lines) - 1, -1, -1):
        options: list[tuple[float, tuple[Setting, ...]]] = []
        for count in range(1, min(_MOST_IN_ROW, len(lines) - first) + 1):
            cell = (room.width - GAP * (count - 1)) / count
            sharing = range(first, first + count)
            for index in sharing:
                if (index, count) not in lowest:
                    fitting = bodies_for(lines[index], size, (cell, room.height), hand)
                    lowest[index, count] = min(fitting, key=lambda setting: setting.height, default=None)
            row = tuple(body for index in sharing if (body := lowest[index, count]) is not None)
            if len(row) == count:
                rest = rows[len(rows) - count][0]
                options.append((max(setting.height for setting in row) + GAP + rest, row))
        rows.append(min(options, key=lambda option: option[0], default=(float("inf"), ())))
    return _spread(rows, room, direction) if rows[-1][0] <= room.height else None


def _spread(rows: _Rows, room: Rect, direction: str) -> Set:
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
        x = room.x + free
        for setting in row:
            mirrored = 2 * room.centre.x - x - setting.width
            found.append(
                (setting, Rect(mirrored if direction == "rtl" else x, y, setting.width, setting.height))
            )
            x += setting.width + free
        y += max(setting.height for setting in row) + air
    return tuple(found)
