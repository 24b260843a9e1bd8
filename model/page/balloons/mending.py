"""Mending: one balloon after another is moved until every tail finds its way and all is read in order.

In: an arrangement in which something is wrong. Out: the balloons of the best arrangement found near it. For
the few panels that neither the search nor rows could letter. Knows nothing of text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from model.page.balloons.bodies import SMALLEST, bodies_for
from model.page.balloons.costs import (
    GAP,
    Places,
    Spared,
    Wanted,
    covering_cost,
    out_of_order,
    own_cost,
    shared_area,
)
from model.page.balloons.hand import Hand
from model.page.balloons.placed import Balloon
from model.page.balloons.rows import Set
from model.page.plane import Rect
from model.page.values import Line

_STEPS = 15  # places tried along each side of the room
_MOVES = 40  # of one balloon, cheapest first
_ROUNDS = 3
_APART = 6.0  # points: moves that are nearer to each other are one


@dataclass(frozen=True, slots=True)
class Judged:
    """An arrangement with its tails, how much is wrong in it, and the numbers of the balloons it is of."""

    balloons: tuple[Balloon, ...]
    faults: int
    troubled: tuple[int, ...]


def mended(
    places: Set, judge: Callable[[Set], Judged], moved: Callable[[int, Set], Iterator[Set]]
) -> tuple[Balloon, ...]:
    """The balloons of the arrangement with the fewest faults. Deterministic.

    Args:
        places: each part's setting and place, in reading order.
        judge: finds the tails of an arrangement, and what is wrong.
        moved: the arrangements in which the balloon of that number stands elsewhere, best first.
    """
    best = judge(places)
    troubled: Sequence[int] = best.troubled
    for _ in range(_ROUNDS):
        before = best.faults
        for index in troubled:
            for other in islice(moved(index, places), _MOVES):
                found = judge(other)
                if found.faults < best.faults:
                    best, places = found, other
                    break
            if not best.faults:
                return best.balloons
        troubled = best.troubled
        if best.faults == before:
            # Who stands in the way may be one whose own tail is well.
            troubled = range(len(places))
    return best.balloons


def misread(places: Set, lines: Sequence[Line], direction: str) -> list[tuple[int, int]]:
    """Pairs of balloons of which a reader would take the later one first. Sounds stand where they like."""
    told = [index for index, line in enumerate(lines) if line.kind != "sfx"]
    return [
        (one, other)
        for one, other in combinations(told, 2)
        if out_of_order(places[one][1], _place(places[other][1]), direction == "rtl")[0]
    ]


def others(
    index: int,
    places: Set,
    lines: Sequence[Line],
    heads: Sequence[Rect | None],
    spared: Spared,
    room: Rect,
    direction: str,
    hand: Hand,
) -> Iterator[Set]:
    """The arrangements in which one balloon stands elsewhere, touches none, and is read in order."""
    mirrored = direction == "rtl"
    line, own = lines[index], places[index][0]
    settings = [own, *bodies_for(line, own.size, (room.width, room.height), hand)]
    if own.size > SMALLEST:
        settings += bodies_for(line, SMALLEST, (room.width, room.height), hand)
    wanted = Wanted(
        bodies=(),
        head=heads[index] if line.kind != "narration" else None,
        boxed=line.kind == "narration",
        free=line.kind == "sfx",
    )
    found: list[tuple[float, int, Rect]] = []
    for number, setting in enumerate(settings):
        if setting.width > room.width or setting.height > room.height:
            continue
        lefts = np.linspace(room.x, room.right - setting.width, _STEPS)
        tops = np.linspace(room.y, room.bottom - setting.height, _STEPS)
        x, y = (one.ravel() for one in np.meshgrid(lefts, tops))
        grid = np.stack([x, y, x + setting.width, y + setting.height], axis=-1)
        good = np.ones(len(grid), dtype=bool)
        for other, (_, rect) in enumerate(places):
            if other == index:
                continue
            good &= shared_area(grid, rect.inset(-GAP)) == 0.0
            if not wanted.free and lines[other].kind != "sfx":
                good &= _in_order(grid, rect, other < index, mirrored)
        grid = grid[good]
        cost = covering_cost(grid, spared, ())[0] + own_cost(wanted, grid, room, spared, mirrored)
        found += [
            (float(value), number, Rect(float(left), float(top), setting.width, setting.height))
            for value, (left, top, _, _) in zip(cost, grid, strict=True)
        ]
    tried: list[Rect] = []
    for _, number, rect in sorted(found, key=lambda one: one[0]):
        if all(rect.centre.distance(one.centre) > _APART for one in tried):
            tried.append(rect)
            yield (*places[:index], (settings[number], rect), *places[index + 1 :])


def _in_order(grid: Places, rect: Rect, earlier: bool, mirrored: bool) -> NDArray[np.bool_]:
    """Which places are read after a balloon that comes earlier, or before one that comes later."""
    if earlier:
        return out_of_order(rect, grid, mirrored) == 0.0
    later = _place(rect)
    return np.array(
        [
            out_of_order(Rect(left, top, right - left, bottom - top), later, mirrored)[0] == 0.0
            for left, top, right, bottom in grid.tolist()
        ],
        dtype=bool,
    )


def _place(rect: Rect) -> Places:
    return np.array([[rect.x, rect.y, rect.right, rect.bottom]])
