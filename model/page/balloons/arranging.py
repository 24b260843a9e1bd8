"""Arranging: sizes, places and tails for all that is said in a panel.

In: the parts of its words, its people, where balloons may stand. Out: balloons. Around the people where that
reads in order and every tail finds its way; else in rows, which always read in order. Knows nothing of text.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from model.page.anatomy import face_of
from model.page.balloons.bodies import SIZE, SMALLEST, STEP, bodies_for
from model.page.balloons.costs import Wanted
from model.page.balloons.hand import Hand
from model.page.balloons.mending import Judged, mended, misread, others
from model.page.balloons.people import Person
from model.page.balloons.placed import Balloon, balloon_of, close_by
from model.page.balloons.placement import Placement, arrangements, held_at
from model.page.balloons.routing import Routed, routed
from model.page.balloons.rows import Set, in_rows
from model.page.plane import Point, Rect
from model.page.type.typesetting import Setting
from model.page.values import Line

_FULL = 0.8  # of a panel's area: what balloons may take before they are set in rows
_COVERED = 0.06  # of a head or face: when more than this is covered, smaller letters are tried
_PATIENCE = 2  # smaller sizes in a row that may be worse before no more are tried
_SHRINKING = 14.0  # how much worse a page is when its letters shrink to nothing
_WAYS = 8  # arrangements of one size whose tails are looked for
_MISLEADING = 100  # how much worse a wrong order is than a wrong tail
_CROWD = 8  # lines: more of them leave little to choose from, and every choice takes long

Heads = tuple[Rect | None, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A line, or a part of one that goes on from the part before it. `held`: where its middle has to be."""

    line: Line
    follows: bool = False
    held: Point | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """Balloons with their tails, and how wrong they are: tails that fail, and an order that misleads."""

    balloons: tuple[Balloon, ...]
    wrong: int
    cost: float
    covered: float = 0.0
    places: Set = ()


def arrange(
    parts: tuple[Part, ...],
    heads: Heads,
    people: tuple[Person, ...],
    room: Rect,
    direction: str,
    hand: Hand,
) -> tuple[Balloon, ...] | None:
    """Balloons for all parts; None when they have no room. Deterministic.

    Args:
        parts: in reading order.
        heads: the head of each part's speaker, None when nobody sees it.
        people: all who stand in the panel.
        room: where balloons may stand.
        direction: "ltr" or "rtl".
    """
    if any(part.held for part in parts):
        kept = _around_held(parts, heads, people, room, direction, hand)
        if kept is not None:
            return kept
    found = _around_people(parts, heads, people, room, direction, hand)
    if found is not None and found.wrong and len(parts) <= _CROWD:
        strict = _around_people(parts, heads, people, room, direction, hand, strict=True)
        found = strict if strict is not None and strict.wrong < found.wrong else found
    if found is None or found.wrong:
        found = _in_rows(parts, heads, people, room, direction, hand, found)
    if found is None:
        return None
    if not found.wrong or len(parts) > _CROWD:
        return found.balloons
    lines = tuple(part.line for part in parts)
    spared = tuple((face_of(one.head), 16.0) for one in people)

    def moved(index: int, places: Set) -> Iterator[Set]:
        return others(index, places, lines, heads, spared, room, direction, hand)

    def judged(places: Set) -> Judged:
        ways = _routed(parts, heads, places, people)
        pairs = misread(places, lines, direction)
        troubled = {*ways.troubled, *(index for pair in pairs for index in pair)}
        return Judged(ways.balloons, ways.faults + _MISLEADING * len(pairs), tuple(sorted(troubled)))

    return mended(found.places, judged, moved)


def _around_held(
    parts: tuple[Part, ...],
    heads: Heads,
    people: tuple[Person, ...],
    room: Rect,
    direction: str,
    hand: Hand,
) -> tuple[Balloon, ...] | None:
    """Balloons round those that somebody put in their place, in letters as large as if nobody had: who moves
    a balloon wants it there, not smaller. None when they have no room so."""
    free = arrange(tuple(replace(part, held=None) for part in parts), heads, people, room, direction, hand)
    if free is None:
        return None
    size = max(balloon.size for balloon in free)
    found = _around_people(parts, heads, people, room, direction, hand, sizes=(size,))
    return None if found is None else found.balloons


def _in_rows(
    parts: tuple[Part, ...],
    heads: Heads,
    people: tuple[Person, ...],
    room: Rect,
    direction: str,
    hand: Hand,
    found: _Found | None,
) -> _Found | None:
    """Rows that are better than what was found; that if there are none."""
    lines = tuple(part.line for part in parts)
    above = tuple(head.centre.x if head else None for head in heads)
    sizes = _sizes()
    # The first rows are the fullest. Fewer balloons in each, near their heads, leave tails more room.
    kinds = [(4, sizes, ()), (4, sizes, above)]
    if len(parts) <= _CROWD:
        kinds += [(most, some, above) for most in (3, 2, 1) for some in (sizes, sizes[-1:])]
    for most, some, near in kinds:
        rows = in_rows(lines, some, room, direction, hand, most=most, above=near)
        if rows is None:
            continue
        rows = tuple(
            (setting, held_at(part.held, rect.width, rect.height, room) if part.held else rect)
            for part, (setting, rect) in zip(parts, rows, strict=True)
        )
        ways = _routed(parts, heads, rows, people)
        if found is None or ways.faults < found.wrong:
            found = _Found(ways.balloons, ways.faults, 0.0, places=rows)
        if not found.wrong:
            break
    return found


def _around_people(
    parts: tuple[Part, ...],
    heads: Heads,
    people: tuple[Person, ...],
    room: Rect,
    direction: str,
    hand: Hand,
    *,
    strict: bool = False,
    sizes: tuple[float, ...] = (),
) -> _Found | None:
    """Letter a panel as its picture asks for; None when it is too full.

    Args:
        strict: in smaller letters.
        sizes: in these alone.
    """
    spared = tuple((one.head, 5.0) for one in people) + tuple((face_of(one.head), 16.0) for one in people)
    figures = tuple(one.figure for one in people)
    best: _Found | None = None
    in_vain = 0
    crowded = len(parts) > _CROWD
    sizes = sizes or (_sizes()[-3:] if strict else _sizes()[:: 3 if crowded else 1])
    for size in sizes:
        settings = _loose(parts, size, room, hand)
        if settings is None:
            # What is too full in the smallest letters is so in all.
            if size == sizes[0] and _loose(parts, SMALLEST, room, hand) is None:
                return None
            continue
        wanted = tuple(
            _wanted(part, bodies, head) for part, bodies, head in zip(parts, settings, heads, strict=True)
        )
        ways = arrangements(wanted, room, spared, figures, direction, strict=strict)
        placements = [one for one in ways if one.clear]
        if not placements:
            continue
        found = _best_of(placements[: 1 if crowded else _WAYS], parts, heads, settings, people)
        # Smaller letters must earn their keep, by faces that show.
        found = replace(found, cost=found.cost + _SHRINKING * (1.0 - size / SIZE))
        in_vain += 1
        if best is None or (found.wrong, found.cost) < (best.wrong, best.cost):
            best, in_vain = found, 0
        if (not found.wrong and found.covered <= _COVERED) or in_vain == (1 if crowded else _PATIENCE):
            break
    return best


def _loose(
    parts: tuple[Part, ...], size: float, room: Rect, hand: Hand
) -> tuple[tuple[Setting, ...], ...] | None:
    """The settings of all parts; None when they would fill the panel."""
    settings: list[tuple[Setting, ...]] = []
    # So full a panel has no free choice of places, and searching for them takes long.
    left = _FULL * room.width * room.height
    for part in parts:
        found = bodies_for(part.line, size, (room.width, room.height), hand)
        left -= min((setting.width * setting.height for setting in found), default=math.inf)
        if left < 0:
            return None
        settings.append(found)
    return tuple(settings)


def _best_of(
    placements: list[Placement],
    parts: tuple[Part, ...],
    heads: Heads,
    settings: tuple[tuple[Setting, ...], ...],
    people: tuple[Person, ...],
) -> _Found:
    """The cheapest arrangement in which nothing is wrong, or the one with the least that is."""
    best: _Found | None = None
    for placement in placements:
        chosen = zip(settings, placement.places, strict=True)
        places = tuple((bodies[one.body], one.rect) for bodies, one in chosen)
        ways = _routed(parts, heads, places, people)
        wrong = ways.faults + _MISLEADING * (not placement.ordered)
        if best is None or wrong < best.wrong:
            best = _Found(ways.balloons, wrong, placement.cost, placement.covered, places)
        if not best.wrong:
            break
    assert best is not None
    return best


def _routed(parts: tuple[Part, ...], heads: Heads, found: Set, people: tuple[Person, ...]) -> Routed:
    """Balloons of set and placed parts, with their tails."""
    made: list[Balloon] = []
    for part, head, (setting, rect) in zip(parts, heads, found, strict=True):
        balloon = balloon_of(part.line, setting, rect, head)
        if part.follows and close_by(made[-1].rect, rect, setting.size):
            balloon = replace(balloon, head=None, joined=True)
        made.append(balloon)
    return routed(made, people)


def _sizes() -> tuple[float, ...]:
    """Letter sizes to try, largest first."""
    sizes = [SIZE]
    while sizes[-1] * STEP > SMALLEST:
        sizes.append(sizes[-1] * STEP)
    return (*sizes, SMALLEST)


def _wanted(part: Part, settings: tuple[Setting, ...], head: Rect | None) -> Wanted:
    line = part.line
    return Wanted(
        bodies=tuple((setting.width, setting.height, setting.strain) for setting in settings),
        head=head if line.kind != "narration" else None,
        boxed=line.kind == "narration",
        free=line.kind == "sfx",
        held=part.held,
    )
