"""Routing: the tails of a panel, found together, so that none crosses another, a balloon or a face.

In: placed balloons in reading order, the panel's people. Out: the balloons with their tails, and how many
tails are wrong. A tail is the straight one where that is clear. Otherwise it is the best of many that leave
the balloon anywhere and lead to the speaker's mouth or the rim of the head. Knows nothing of outlines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.page.anatomy import face_of, mouth_of
from model.page.balloons.bodies import RIMS
from model.page.balloons.people import Person
from model.page.balloons.placed import Balloon, Tail
from model.page.balloons.tails import LONGEST, body_of, shortest, straight_tail
from model.page.plane import Point, Rect
from model.page.type.typesetting import FULLNESS

Numbers = NDArray[np.float64]

_AIR = 1.2  # points between a tail and what it must not touch
_HALF = 0.5  # ems: half of a tail's width where it leaves its balloon; it ends in a point
_BUBBLES = (0.38, 0.18)  # ems: what a thought's bubbles take to each side, at its cloud and at its thinker
_EDGES = 24  # places around a balloon where its tail may begin
_RIM = 8  # places around a head where it may end
_LENGTHS = (1.0, 0.65, 0.35)  # of the whole way
_CROWD = 8  # balloons: for each of more than that, half as many
_KEPT = 16  # of the tails that touch nothing, how many are tried with those of other balloons
_ALONG = np.linspace(0.08, 1.0, 20)  # where a tail is tested
_LOOKED_AT = 160  # of a balloon's ways at once, best first
_TRIES = 1500  # steps in looking for ways that do not cross
_SEEN = 0.45  # ems: what has to be seen of a tail
_STEEP = 0.3  # the cosine of the flattest angle at which a tail leaves its balloon


@dataclass(frozen=True, slots=True)
class Routed:
    """Balloons with their tails; how many lack one, how many tails run into something or each other, and the
    numbers of the balloons that this is of."""

    balloons: tuple[Balloon, ...]
    tailless: int
    crossing: int
    troubled: tuple[int, ...] = ()

    @property
    def faults(self) -> int:
        return self.tailless + self.crossing


def routed(balloons: Sequence[Balloon], people: Sequence[Person]) -> Routed:
    """Find the tails of a panel. Deterministic."""
    speaking = [index for index, one in enumerate(balloons) if one.head is not None]
    straight = {index: straight_tail(balloons[index]) for index in speaking}
    ways: dict[int, Numbers] = {}
    for index, tail in straight.items():
        way = _stack(tail if tail is not None and _shows(balloons[index], tail) else None)
        ways[index] = way[~_touches(index, way, balloons, people)]
    chosen, crossing, meeting = _together(ways, balloons)
    # Only those in trouble look for other ways, and all of them when that is not enough.
    for wanting in ([index for index in speaking if index in meeting or index not in chosen], speaking):
        if len(chosen) == len(speaking) and not crossing:
            break
        for index in wanting:
            if len(ways[index]) < 2:
                ways[index] = np.concatenate([ways[index], _clear_ways(index, balloons, people)])
        chosen, crossing, meeting = _together(ways, balloons)
    found = list(balloons)
    tailless = 0
    for index in speaking:
        way, tail = chosen.get(index), straight[index]
        if way is not None and (tail is None or not np.array_equal(way, _stack(tail)[0])):
            tail = _tail(balloons[index], way)
        crossing += way is None and tail is not None
        tailless += tail is None
        found[index] = replace(balloons[index], tail=tail)
    troubled = tuple(index for index in speaking if index in meeting or index not in chosen)
    return Routed(tuple(found), tailless, crossing, troubled)


def _shows(balloon: Balloon, tail: Tail) -> bool:
    """Whether a tail is long enough to be seen, beyond the spikes of a shout."""
    return tail.edge.distance(tail.tip) > _least(balloon)


def _least(balloon: Balloon) -> float:
    return (_SEEN + (RIMS["shout"] if balloon.kind == "shout" else 0.0)) * balloon.size


def _together(
    ways: dict[int, Numbers], balloons: Sequence[Balloon]
) -> tuple[dict[int, Numbers], int, set[int]]:
    """One way for each balloon that has any, so that few cross; how many do, and which balloons' they are.

    Args:
        ways: of each balloon, best first.
    """
    order = sorted((index for index in ways if len(ways[index])), key=lambda index: len(ways[index]))
    if not order:
        return {}, 0, set()
    everything = np.concatenate([ways[index] for index in order])
    courses = np.concatenate([_course(balloons[index], ways[index]) for index in order])
    wide = np.concatenate([np.tile(_half_width(balloons[index]), (len(ways[index]), 1)) for index in order])
    meeting = np.array(
        [_cross(everything, courses, wide, one) for one in range(len(everything))], dtype=np.int64
    )
    starts = np.cumsum([0, *(len(ways[index]) for index in order)])
    best: tuple[int, tuple[int, ...]] | None = None
    tries = _TRIES

    def search(at: int, chosen: tuple[int, ...], crossed: int) -> None:
        nonlocal best, tries
        tries -= 1
        if best is not None and (crossed >= best[0] or tries < 0):
            return
        if at == len(order):
            best = crossed, chosen
            return
        crossings = meeting[starts[at] : starts[at + 1], list(chosen)].sum(axis=1)
        for way in np.argsort(crossings, kind="stable"):
            search(at + 1, (*chosen, int(starts[at] + way)), crossed + int(crossings[way]))
            if best is not None and best[0] == 0:
                return

    search(0, (), 0)
    assert best is not None
    chosen = list(best[1])
    crossed = meeting[np.ix_(chosen, chosen)]
    np.fill_diagonal(crossed, 0)
    return (
        {index: everything[way] for index, way in zip(order, chosen, strict=True)},
        best[0],
        {index for index, row in zip(order, crossed, strict=True) if row.any()},
    )


def _clear_ways(index: int, balloons: Sequence[Balloon], people: Sequence[Person]) -> Numbers:
    """The best ways of a balloon that touch nothing, best first: (n, 2, 2)."""
    balloon = balloons[index]
    ways, costs = _ways(balloon, people)
    ways = ways[np.argsort(costs, kind="stable")]
    found: list[Numbers] = []
    for start in range(0, len(ways), _LOOKED_AT):
        some = ways[start : start + _LOOKED_AT]
        some = some[~_touches(index, some, balloons, people)]
        kept = _KEPT if len(balloons) <= _CROWD else _KEPT // 2
        while len(some) and len(found) < kept:
            # Ways that are nearly alike are crossed by the same others.
            if all(np.linalg.norm(some[0] - one, axis=-1).sum() > balloon.size for one in found):
                found.append(some[0])
            some = some[np.linalg.norm(some - some[0], axis=-1).sum(axis=-1) > balloon.size]
        if len(found) >= kept // 2:
            break
    return np.array(found).reshape(-1, 2, 2)


def _ways(balloon: Balloon, people: Sequence[Person]) -> tuple[Numbers, Numbers]:
    """Tails that a balloon might have, (n, 2, 2) from edges to tips, and what each costs by itself."""
    head = balloon.head
    assert head is not None
    body, size = body_of(balloon), balloon.size
    mouth, centre = mouth_of(head), body.centre
    angles = np.linspace(0.0, 2 * math.pi, _EDGES, endpoint=False)
    across, down = (
        np.sign(part) * np.abs(part) ** (2 / FULLNESS) for part in (np.cos(angles), np.sin(angles))
    )
    edges = np.stack([centre.x + across * body.width / 2, centre.y + down * body.height / 2], axis=-1)
    slopes = (np.sign(part) * np.abs(part) ** (FULLNESS - 1) for part in (across, down))
    away = np.stack([slope / side for slope, side in zip(slopes, (body.width, body.height), strict=True)], -1)
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    hidden = balloon.rect.contains(Rect(mouth.x, mouth.y, 0.0, 0.0))
    goals = _shown(head, people) if hidden else [(mouth.x, mouth.y), *_rim(head)]
    tips: list[Numbers] = []
    for x, y in goals:
        whole = np.array([x, y]) - edges
        length = np.linalg.norm(whole, axis=-1, keepdims=True)
        for share in _LENGTHS:
            reach = np.minimum(share * length, LONGEST * size)
            tips.append(edges + whole / np.maximum(length, 1e-9) * reach)
    tip = np.concatenate(tips)
    edge = np.tile(edges, (len(tips), 1))
    ways = np.stack([edge, tip], axis=1)
    way = tip - edge
    length = np.linalg.norm(way, axis=-1)
    unit = way / np.maximum(length[:, None], 1e-9)
    steep = (unit * np.tile(away, (len(tips), 1))).sum(axis=-1)
    rest = np.array([mouth.x, mouth.y]) - tip
    left = np.linalg.norm(rest, axis=-1)
    leads = np.ones(len(tip)) if hidden else (unit * rest).sum(axis=-1) / np.maximum(left, 1e-9)
    least = shortest(balloon)
    cost = (
        0.12 * length / size
        + 0.3 * left / size
        + 2.0 * (1.0 - steep)
        + 2.5 * (1.0 - leads) * (left > 0.3 * head.height)
        + 4.0 * np.maximum(least - length, 0.0) / size
    )
    for other in people:
        if other.head != head:
            theirs = mouth_of(other.head)
            nearer = np.hypot(tip[:, 0] - theirs.x, tip[:, 1] - theirs.y) < left
            cost = cost + 3.0 * nearer
    possible = (steep > _STEEP) & (length > _least(balloon)) & (leads > 0.2)
    return ways[possible], cost[possible]


def _rim(head: Rect) -> list[tuple[float, float]]:
    """Places around a head, just inside its outline."""
    turns = (2 * math.pi * step / _RIM for step in range(_RIM))
    return [
        (
            head.centre.x + 0.46 * head.width * math.cos(turn),
            head.centre.y + 0.48 * head.height * math.sin(turn),
        )
        for turn in turns
    ]


def _shown(head: Rect, people: Sequence[Person]) -> list[tuple[float, float]]:
    """Places on the figure below its head, for a balloon that covers that."""
    figure = next((one.figure for one in people if one.head == head), head)
    return [
        (figure.x + share * figure.width, figure.y + height * figure.height)
        for height in (0.6, 0.8, 0.95)
        for share in (0.2, 0.5, 0.8)
    ]


def _touches(
    index: int, ways: Numbers, balloons: Sequence[Balloon], people: Sequence[Person]
) -> NDArray[np.bool_]:
    """Which ways run into another balloon, or into a face that the balloon itself does not cover."""
    own = balloons[index]
    along = _points(ways)
    wide = np.tile(_half_width(own), 2)
    touching = np.zeros(len(ways), dtype=bool)
    for other, balloon in enumerate(balloons):
        if other != index:
            touching |= _inside(along, balloon.rect, wide + _AIR)
    for one in people:
        face = face_of(one.head)
        if not own.rect.overlap(face):
            touching |= _in_oval(along, face, wide)
            if one.head != own.head:
                touching |= _inside(along, face)
    return touching


def _half_width(balloon: Balloon) -> Numbers:
    """How far a tail reaches to each side of its way, in points, at each of `_ALONG`."""
    if balloon.kind == "thought":
        return balloon.size * (_BUBBLES[0] + (_BUBBLES[1] - _BUBBLES[0]) * _ALONG)
    return balloon.size * _HALF * (1.0 - _ALONG)


def _points(ways: Numbers) -> Numbers:
    """Places along each way, on the straight line and on the tail's own bend: (n, m, 2)."""
    t = _ALONG[None, :, None]
    edge, tip = ways[:, :1], ways[:, 1:]
    bend = edge + np.array([0.3, 0.55]) * (tip - edge)
    straight = edge + t * (tip - edge)
    bent = (1 - t) ** 2 * edge + 2 * t * (1 - t) * bend + t**2 * tip
    return np.concatenate([straight, bent], axis=1)


def _inside(along: Numbers, rect: Rect, wide: Numbers | float = 0.0) -> NDArray[np.bool_]:
    """Whether a place of a way, or what lies so near to it, is in a rectangle."""
    across = np.abs(along[..., 0] - rect.centre.x) < rect.width / 2 + wide
    down = np.abs(along[..., 1] - rect.centre.y) < rect.height / 2 + wide
    return np.asarray((across & down).any(axis=1))


def _in_oval(along: Numbers, rect: Rect, wide: Numbers) -> NDArray[np.bool_]:
    """Whether a place of a way, or what lies so near to it, is in the oval in a rectangle."""
    x = (along[..., 0] - rect.centre.x) / np.maximum(rect.width / 2 + wide, 1e-9)
    y = (along[..., 1] - rect.centre.y) / np.maximum(rect.height / 2 + wide, 1e-9)
    return np.asarray((x**2 + y**2 < 1.0).any(axis=1))


def _tail(balloon: Balloon, way: Numbers) -> Tail:
    edge, tip = (Point(float(x), float(y)) for x, y in way)
    # The wedge begins inside the body, behind its edge.
    depth = 0.5 * min(balloon.rect.width, balloon.rect.height)
    length = max(edge.distance(tip), 1e-9)
    return Tail(edge.towards(tip, -depth / length), edge, tip)


def _stack(tail: Tail | None) -> Numbers:
    """A tail as a way: (1, 2, 2); none as no way."""
    if tail is None:
        return np.zeros((0, 2, 2))
    return np.array([[[tail.edge.x, tail.edge.y], [tail.tip.x, tail.tip.y]]])


def _course(balloon: Balloon, ways: Numbers) -> Numbers:
    """The middles of tails as they are drawn, at each of `_ALONG`: (n, m, 2). Bubbles go straight."""
    points = _points(ways)
    return points[:, : len(_ALONG)] if balloon.kind == "thought" else points[:, len(_ALONG) :]


def _cross(ways: Numbers, courses: Numbers, wide: Numbers, one: int) -> NDArray[np.bool_]:
    """Which of n ways meet the one of that number; their courses and half widths are theirs too."""
    apart = courses[:, :, None] - courses[one]
    reach = _AIR / 2 + wide[:, :, None] + wide[one]
    near = (np.einsum("nijk,nijk->nij", apart, apart) < reach * reach).any(axis=(1, 2))
    start, end = ways[..., 0, :], ways[..., 1, :]
    first, last = ways[one]
    parted = _side(start, end, first) != _side(start, end, last)
    return near | (parted & (_side(first, last, start) != _side(first, last, end)))


def _side(start: Numbers, end: Numbers, point: Numbers) -> NDArray[np.bool_]:
    across, down = end[..., 0] - start[..., 0], end[..., 1] - start[..., 1]
    return across * (point[..., 1] - start[..., 1]) > down * (point[..., 0] - start[..., 0])
