"""Placement: where in a panel each balloon goes.

In: per balloon the bodies it may have and the mouth it belongs to; the panel's rectangle; heads to spare.
Out: one place per balloon, all found together by a beam search. A good page has balloons above and beside
heads, near their speakers, apart from each other, in reading order, with tails that cross nothing.
Knows nothing of text or of drawing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.page.anatomy import mouth_of
from model.page.plane import Point, Rect

Places = NDArray[np.float64]  # (n, 4): left, top, right, bottom in points
Numbers = NDArray[np.float64]
Spared = tuple[tuple[Rect, float], ...]

GAP = 3.5  # points of air between balloons
_SHORT_TAIL = 9.0  # points: a balloon nearer to its speaker's head has hardly room for a tail
_CHIN = 14.0  # points below its speaker's chin that a low balloon keeps: nearer ones gag the mouth
_STEPS = 11  # places tried along each side of a panel
_BEAM = 20  # arrangements kept while balloons are added
_KINDS_OF_PLACE = 5  # coarse rows and columns; of each cell an arrangement is continued with the best place
_TOUCHING = 200.0  # cost that only balloons without any room elsewhere pay
_ALONG = np.linspace(0.0, 1.0, 9)[None, :, None]  # where a tail is tested for crossings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A balloon that wants a place.

    `bodies` are its possible widths and heights with a cost each; `head` is the speaker's.
    `boxed` bodies (captions) go to corners and edges; `free` ones (sound) may stand out of order.
    """

    bodies: tuple[tuple[float, float, float], ...]
    head: Rect | None = None
    boxed: bool = False
    free: bool = False


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


def arrange(
    wanted: tuple[Wanted, ...], panel: Rect, spared: Spared, bodies: tuple[Rect, ...], direction: str
) -> Placement | None:
    """Place every balloon inside `panel`; None when one of them is larger than it. Deterministic.

    Args:
        wanted: in reading order.
        panel: where balloons may stand.
        spared: rectangles best left free, in points, each with what covering all of it costs.
        bodies: whole figures, better left free.
        direction: "ltr" or "rtl".
    """
    mirrored = direction == "rtl"
    choices = [
        _choices(one, panel, spared, bodies, mirrored, len(wanted) - 1 - index)
        for index, one in enumerate(wanted)
    ]
    if any(len(one.places) == 0 for one in choices):
        return None
    states = [_State()]
    for index, one in enumerate(choices):
        grown: list[_State] = []
        for state in states:
            cost = one.cost + state.cost
            touching = np.zeros(len(cost), dtype=bool)
            for before, chosen in zip(choices[:index], state.chosen, strict=True):
                extra, touches = _together(before, chosen, one, panel, mirrored)
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
        states = grown[:_BEAM]
    best = states[0]
    places = tuple(
        Placed(int(one.bodies[chosen]), _rect(one.places[chosen]))
        for one, chosen in zip(choices, best.chosen, strict=True)
    )
    ordered = all(
        _out_of_order(places[one].rect, choices[other].places[[best.chosen[other]]], mirrored)[0] == 0.0
        for other in range(len(wanted))
        for one in range(other)
        if not (wanted[one].free or wanted[other].free)
    )
    return Placement(places, best.cost, not best.touching, ordered, best.covered)


def _choices(
    wanted: Wanted, panel: Rect, spared: Spared, bodies: tuple[Rect, ...], mirrored: bool, later: int
) -> _Choices:
    """A grid of places for every body that fits the panel, costed."""
    places: list[Places] = []
    indices: list[int] = []
    strains: list[float] = []
    for index, (width, height, strain) in enumerate(wanted.bodies):
        if width > panel.width or height > panel.height:
            continue
        # A caption stands flush with a side, a balloon where it likes.
        lefts = np.linspace(panel.x, panel.right - width, 2 if wanted.boxed else _STEPS)
        tops = np.linspace(panel.y, panel.bottom - height, _STEPS)
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
    covered = np.zeros(len(stacked))
    cost = np.array(strains)
    for rect, weight in spared:
        share = _shared(stacked, rect) / max(rect.width * rect.height, 1e-9)
        covered = np.maximum(covered, share)
        # Touching an edge is no harm; beyond that every further part hurts more.
        cost = cost + weight * (0.5 * share + 2.5 * np.maximum(share - 0.05, 0.0))
    for body in bodies:
        cost = cost + 1.2 * _shared(stacked, body) / max(body.width * body.height, 1e-9)
    cost = cost + _own_cost(wanted, stacked, panel, spared, mirrored)
    # Who speaks early leaves the room below to those who follow.
    cost = cost + 0.5 * later * (stacked[:, 1] - panel.y) / panel.height
    column = ((stacked[:, 0] + stacked[:, 2]) / 2 - panel.x) / panel.width * _KINDS_OF_PLACE
    row = ((stacked[:, 1] + stacked[:, 3]) / 2 - panel.y) / panel.height * _KINDS_OF_PLACE
    cells = column.astype(np.int64) + _KINDS_OF_PLACE * row.astype(np.int64)
    return _Choices(wanted, stacked, np.array(indices, dtype=np.int64), cost, covered, cells)


def _unlike(cost: Numbers, cells: NDArray[np.int64]) -> NDArray[np.intp]:
    """The cheapest place of each cell, cheapest first: a beam of near copies would search nothing."""
    order = np.argsort(cost, kind="stable")
    _, first = np.unique(cells[order], return_index=True)
    return order[np.sort(first)][:12]


def _own_cost(wanted: Wanted, places: Places, panel: Rect, spared: Spared, mirrored: bool) -> Numbers:
    """What a place costs by where it is: height on the panel, way to the speaker, what its tail crosses."""
    middle_x = (places[:, 0] + places[:, 2]) / 2
    top = (places[:, 1] - panel.y) / panel.height
    start = (panel.right - places[:, 2] if mirrored else places[:, 0] - panel.x) / panel.width
    if wanted.boxed:
        bottom = (panel.bottom - places[:, 3]) / panel.height
        side = np.minimum(start, (1.0 - (places[:, 2] - places[:, 0]) / panel.width) - start)
        # A caption lies flush with a corner: at the start it is read first.
        return 2.2 * top + 1.8 * start + 3.0 * np.minimum(np.minimum(top, bottom), 0.3) + 2.0 * side
    if wanted.free:
        return 0.3 * top + _way(wanted, places, panel)
    cost = 1.3 * top + 0.15 * start
    if wanted.head is None:
        return cost
    mouth = mouth_of(wanted.head)
    below = np.maximum(places[:, 1] - mouth.y, 0.0) / panel.height
    cost = cost + _way(wanted, places, panel) + 3.0 * below + 0.7 * (below > 0.0)
    cost = cost + 0.7 * np.abs(middle_x - mouth.x) / panel.width
    under = (places[:, 1] > mouth.y) & (places[:, 0] < wanted.head.right) & (places[:, 2] > wanted.head.x)
    cost = cost + 0.12 * under * np.maximum(_CHIN - (places[:, 1] - wanted.head.bottom), 0.0)
    for rect, _ in spared:
        if not (rect.x <= mouth.x <= rect.right and rect.y <= mouth.y <= rect.bottom):
            cost = cost + 2.5 * _crosses(places, mouth, rect)
    return cost


def _way(wanted: Wanted, places: Places, panel: Rect) -> Numbers:
    """The distance from a body's edge to the head; too near is no good either, a tail wants some length."""
    if wanted.head is None:
        return np.zeros(len(places))
    head = wanted.head
    # Corners of a head's rectangle are air: the head is an oval in it.
    slim_x, slim_y = 0.1 * head.width, 0.06 * head.height
    across = np.maximum(places[:, 0] - head.right + slim_x, head.x + slim_x - places[:, 2])
    down = np.maximum(places[:, 1] - head.bottom + slim_y, head.y + slim_y - places[:, 3])
    way = np.hypot(np.maximum(across, 0.0), np.maximum(down, 0.0))
    return 1.5 * way / float(np.hypot(panel.width, panel.height)) + 0.09 * np.maximum(_SHORT_TAIL - way, 0.0)


def _together(
    before: _Choices, chosen: int, after: _Choices, panel: Rect, mirrored: bool
) -> tuple[Numbers, NDArray[np.bool_]]:
    """What it costs to place `after` anywhere, given where `before` is; and which places touch it."""
    earlier = _rect(before.places[chosen])
    places = after.places
    crowded = _shared(places, earlier.inset(-GAP))
    touches = crowded > 0.0
    cost = np.where(touches, _TOUCHING, 0.0) + 2.0 * _TOUCHING * crowded / max(
        earlier.width * earlier.height, 1.0
    )
    if not (before.wanted.free or after.wanted.free):
        cost = cost + 14.0 * _out_of_order(earlier, places, mirrored)
    for head, rect, others in (
        (before.wanted.head, earlier, places),
        (after.wanted.head, None, places),
    ):
        if head is None:
            continue
        mouth = mouth_of(head)
        if rect is not None:
            # The earlier tail runs through the later body.
            along = _segment(np.array([[rect.centre.x, rect.centre.y]]), mouth)
            cost = cost + 9.0 * _any_inside(along, others)
        else:
            cost = cost + 9.0 * _crosses(others, mouth, earlier)
    if before.wanted.head is not None and before.wanted.head == after.wanted.head:
        apart = np.hypot(
            (places[:, 0] + places[:, 2]) / 2 - earlier.centre.x,
            (places[:, 1] + places[:, 3]) / 2 - earlier.centre.y,
        )
        cost = cost + 0.8 * apart / float(np.hypot(panel.width, panel.height))
    return cost, touches


def _out_of_order(earlier: Rect, places: Places, mirrored: bool) -> Numbers:
    """How surely a reader would take a place before `earlier`, 0 to 1.

    A body is read after another when it begins below its middle, or stands on the far side of it and not
    above it.
    """
    height = places[:, 3] - places[:, 1]
    near, far = (places[:, 2], earlier.x) if mirrored else (places[:, 0], earlier.right)
    beyond = near <= far + GAP if mirrored else near >= far - GAP
    beside = beyond & (places[:, 1] >= earlier.y - 0.2 * np.minimum(height, earlier.height))
    behind = places[:, 0] >= earlier.right - GAP if mirrored else places[:, 2] <= earlier.x + GAP
    under = np.where(
        behind, places[:, 1] >= earlier.bottom - 0.35 * earlier.height, places[:, 1] >= earlier.centre.y
    )
    return np.where(beside | under, 0.0, 1.0)


def _shared(places: Places, rect: Rect) -> Numbers:
    """Area each place shares with `rect`."""
    across = np.minimum(places[:, 2], rect.right) - np.maximum(places[:, 0], rect.x)
    down = np.minimum(places[:, 3], rect.bottom) - np.maximum(places[:, 1], rect.y)
    return np.maximum(across, 0.0) * np.maximum(down, 0.0)


def _segment(starts: Numbers, end: Point) -> Numbers:
    """Points along the way from each start to `end`: (n, 9, 2)."""
    goal = np.array([end.x, end.y])[None, None, :]
    return starts[:, None, :] * (1.0 - _ALONG) + goal * _ALONG


def _crosses(places: Places, mouth: Point, obstacle: Rect) -> Numbers:
    """1 where the way from a place's centre to `mouth` runs through `obstacle`."""
    centres = np.stack([(places[:, 0] + places[:, 2]) / 2, (places[:, 1] + places[:, 3]) / 2], axis=-1)
    along = _segment(centres, mouth)
    inside = (
        (along[..., 0] > obstacle.x)
        & (along[..., 0] < obstacle.right)
        & (along[..., 1] > obstacle.y)
        & (along[..., 1] < obstacle.bottom)
    )
    return np.asarray(inside.any(axis=1), dtype=np.float64)


def _any_inside(along: Numbers, places: Places) -> Numbers:
    """1 where one of the points of a single way lies in a place."""
    x, y = along[0, :, 0][None, :], along[0, :, 1][None, :]
    inside = (x > places[:, :1]) & (x < places[:, 2:3]) & (y > places[:, 1:2]) & (y < places[:, 3:4])
    return np.asarray(inside.any(axis=1), dtype=np.float64)


def _rect(place: Numbers) -> Rect:
    left, top, right, bottom = (float(value) for value in place)
    return Rect(left, top, right - left, bottom - top)
