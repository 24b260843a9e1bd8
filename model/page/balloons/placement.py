"""Placement: where in a panel each balloon goes.

In: per balloon the bodies it may have and the mouth it belongs to; the panel's rectangle; heads to spare.
Out: one place per balloon, all found together by a beam search for what costs least (`costs.py`). Knows
nothing of text or of drawing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.page.balloons.costs import (
    ORDER,
    Numbers,
    Places,
    Spared,
    Wanted,
    covering_cost,
    out_of_order,
    own_cost,
    together,
)
from model.page.plane import Point, Rect

_STEPS = 11  # places tried along each side of a panel
_CROWD, _FEWER = 8, 7  # for more balloons than that, so many places are tried
_BEAM = 20  # arrangements kept while balloons are added
_BEAM_STRICT, _ORDER_STRICT = 60, 90.0
_KINDS_OF_PLACE = 5  # coarse rows and columns; of each cell an arrangement is continued with the best place


@dataclass(frozen=True, slots=True)
class Placed:
    """Where one balloon goes: the index of the body chosen, and its rectangle."""

    body: int
    rect: Rect


@dataclass(frozen=True, slots=True)
class Placement:
    """Places in the order asked for.

    `clear`: no two balloons touch. `ordered`: a reader takes them in this order. `covered`: the share of the
    rectangle to be spared that suffers most.
    """

    places: tuple[Placed, ...]
    cost: float
    clear: bool
    ordered: bool
    covered: float


@dataclass(frozen=True, slots=True)
class _Choices:
    """Every place one balloon may take, with what each costs by itself."""

    wanted: Wanted
    places: Places
    bodies: NDArray[np.int64]
    cost: Numbers
    covered: Numbers
    cells: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _State:
    """A part of an arrangement: which choice each balloon so far took."""

    chosen: tuple[int, ...] = ()
    cost: float = 0.0
    touching: bool = False
    covered: float = 0.0


def arrangements(
    wanted: tuple[Wanted, ...],
    panel: Rect,
    spared: Spared,
    bodies: tuple[Rect, ...],
    direction: str,
    *,
    strict: bool = False,
) -> tuple[Placement, ...]:
    """Ways to place every balloon inside `panel`, cheapest first; none when one is larger. Deterministic.

    Args:
        wanted: in reading order.
        panel: where balloons may stand.
        spared: rectangles best left free, in points, each with what covering all of it costs.
        bodies: whole figures, better left free.
        direction: "ltr" or "rtl".
        strict: order counts before all else, and more arrangements are kept: for panels that fail otherwise.
    """
    mirrored = direction == "rtl"
    steps = _STEPS if len(wanted) <= _CROWD else _FEWER
    choices = [
        _choices(one, panel, spared, bodies, mirrored, len(wanted) - 1 - index, steps)
        for index, one in enumerate(wanted)
    ]
    if any(len(one.places) == 0 for one in choices):
        return ()
    beam, order = (_BEAM_STRICT, _ORDER_STRICT) if strict else (_BEAM, ORDER)
    states = [_State()]
    for index, one in enumerate(choices):
        grown: list[_State] = []
        # Arrangements of one beam share most of their earlier places.
        beside: dict[tuple[int, int], tuple[Numbers, NDArray[np.bool_]]] = {}
        for state in states:
            cost = one.cost + state.cost
            touching = np.zeros(len(cost), dtype=bool)
            for earlier, (before, chosen) in enumerate(zip(choices[:index], state.chosen, strict=True)):
                if (earlier, chosen) not in beside:
                    rect = _rect(before.places[chosen])
                    beside[earlier, chosen] = together(
                        before.wanted, rect, one.wanted, one.places, panel, mirrored, order
                    )
                extra, touches = beside[earlier, chosen]
                cost = cost + extra
                touching |= touches
            for best in _unlike(cost, one.cells):
                grown.append(
                    _State(
                        (*state.chosen, int(best)),
                        float(cost[best]),
                        state.touching or bool(touching[best]),
                        max(state.covered, float(one.covered[best])),
                    )
                )
        grown.sort(key=lambda state: state.cost)
        states = grown[:beam]
    return tuple(_placement(state, choices, mirrored) for state in states)


def _placement(state: _State, choices: list[_Choices], mirrored: bool) -> Placement:
    places = tuple(
        Placed(int(one.bodies[chosen]), _rect(one.places[chosen]))
        for one, chosen in zip(choices, state.chosen, strict=True)
    )
    ordered = all(
        out_of_order(places[one].rect, choices[other].places[[state.chosen[other]]], mirrored)[0] == 0.0
        for other in range(len(choices))
        for one in range(other)
        if not (choices[one].wanted.anywhere or choices[other].wanted.anywhere)
    )
    return Placement(places, state.cost, not state.touching, ordered, state.covered)


def _choices(
    wanted: Wanted,
    panel: Rect,
    spared: Spared,
    bodies: tuple[Rect, ...],
    mirrored: bool,
    later: int,
    steps: int,
) -> _Choices:
    """A grid of places for every body that fits the panel, costed."""
    places: list[Places] = []
    indices: list[int] = []
    strains: list[float] = []
    for index, (width, height, strain) in enumerate(wanted.bodies):
        if width > panel.width or height > panel.height:
            continue
        if wanted.held is not None:
            rect = held_at(wanted.held, width, height, panel)
            lefts, tops = np.array([rect.x]), np.array([rect.y])
        else:
            # A caption stands flush with a side, a balloon where it likes.
            lefts = np.linspace(panel.x, panel.right - width, 2 if wanted.boxed else steps)
            tops = np.linspace(panel.y, panel.bottom - height, steps)
        x, y = np.meshgrid(lefts, tops)
        grid = np.stack([x, y, x + width, y + height], axis=-1).reshape(-1, 4)
        places.append(grid)
        indices += [index] * len(grid)
        strains += [strain] * len(grid)
    if not places:
        nothing = np.zeros(0)
        none = np.zeros(0, dtype=np.int64)
        return _Choices(wanted, np.zeros((0, 4)), none, nothing, nothing, none)
    stacked = np.concatenate(places)
    covering, covered = covering_cost(stacked, spared, bodies)
    cost = np.array(strains) + covering
    cost = cost + own_cost(wanted, stacked, panel, spared, mirrored)
    # Who speaks early leaves the room below to those who follow.
    cost = cost + 0.5 * later * (stacked[:, 1] - panel.y) / panel.height
    column = ((stacked[:, 0] + stacked[:, 2]) / 2 - panel.x) / panel.width * _KINDS_OF_PLACE
    row = ((stacked[:, 1] + stacked[:, 3]) / 2 - panel.y) / panel.height * _KINDS_OF_PLACE
    cells = column.astype(np.int64) + _KINDS_OF_PLACE * row.astype(np.int64)
    return _Choices(wanted, stacked, np.array(indices, dtype=np.int64), cost, covered, cells)


def held_at(middle: Point, width: float, height: float, panel: Rect) -> Rect:
    """A body with its middle where somebody put it, as far as the panel lets it."""
    x = min(max(middle.x - width / 2, panel.x), panel.right - width)
    y = min(max(middle.y - height / 2, panel.y), panel.bottom - height)
    return Rect(x, y, width, height)


def _unlike(cost: Numbers, cells: NDArray[np.int64]) -> NDArray[np.intp]:
    """The cheapest place of each cell, cheapest first: a beam of near copies would search nothing."""
    order = np.argsort(cost, kind="stable")
    _, first = np.unique(cells[order], return_index=True)
    return order[np.sort(first)][:12]


def _rect(place: Numbers) -> Rect:
    left, top, right, bottom = (float(value) for value in place)
    return Rect(left, top, right - left, bottom - top)
