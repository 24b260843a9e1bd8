"""Tails: the way from a balloon to its speaker's mouth, as a wedge or as a thought's bubbles.

In: a placed balloon. Out: where its tail begins and ends, and shapes for it. A tail may lie on hair and
clothes; the face, with its eyes and mouth, stays free. Knows nothing of colours.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import math
from itertools import pairwise

import skia

from model.page.anatomy import face_of, mouth_of
from model.page.balloons.bodies import RIMS
from model.page.balloons.placed import Balloon, Tail
from model.page.plane import Point, Rect
from model.page.type.typesetting import oval_profile

LONGEST = 8.0  # ems
_SHORTEST = 1.35  # ems: under this a tail reads as a flaw of the outline
_MORE = {"thought": 0.45, "shout": 0.7}  # three bubbles want more room; a burst's spikes hide a short tail
_AIR = 0.3  # ems between a tail and what it must not touch
_STUB = 0.35  # ems: a tail that has no more room than this is left out
# A thought's bubbles, from the cloud to the thinker: their radii, and the air between them, in ems.
_BUBBLES = (0.38, 0.27, 0.18)
_BETWEEN = 0.14


def tail_of(balloon: Balloon) -> Tail | None:
    """A balloon's tail: the one that was found for it in its panel, or else the straight one."""
    return balloon.tail or straight_tail(balloon)


def straight_tail(balloon: Balloon) -> Tail | None:
    """The tail's course towards the speaker's mouth, ending before the face; None when too near."""
    if balloon.head is None:
        return None
    rect, head = balloon.rect, balloon.head
    mouth = mouth_of(head)
    centre = rect.centre
    # The root slides sideways under the balloon, so that the tail leaves it steeply.
    reach = 0.45 * rect.width / 2
    root = Point(min(max(mouth.x, centre.x - reach), centre.x + reach), centre.y)
    edge = _leaves(body_of(balloon), root, mouth)
    if edge is None:
        return None
    air = _AIR * balloon.size
    to_head = edge.distance(_before(head, 0.84, 0.92, air, edge, mouth))
    to_face = edge.distance(_before(face_of(head), 1.0, 1.0, air, edge, mouth))
    # A balloon that stands in the hair, or close above it, still points at its speaker.
    length = min(max(0.88 * to_head, shortest(balloon)), LONGEST * balloon.size, to_face)
    if length < _STUB * balloon.size:
        return None
    return Tail(root, edge, edge.towards(mouth, length / edge.distance(mouth)))


def body_of(balloon: Balloon) -> Rect:
    """What a tail leaves: bubbles begin outside a cloud's bumps, a wedge inside a burst's spikes."""
    rim = RIMS.get(balloon.kind, 0.0) * balloon.size * (0.3 if balloon.kind == "thought" else 1.0)
    return balloon.rect.inset(rim)


def shortest(balloon: Balloon) -> float:
    """The length in points from which on a tail of this balloon is seen as one."""
    return (_SHORTEST + _MORE.get(balloon.kind, 0.0)) * balloon.size


def bend_of(edge: Point, tip: Point) -> Point:
    """What a tail bends towards: leaning its middle to the upright gives it a hand's curve."""
    return Point(edge.x + 0.3 * (tip.x - edge.x), edge.y + 0.55 * (tip.y - edge.y))


def wedge(tail: Tail, width: float) -> skia.Path:
    """A tail that bends a little, wide at the balloon and pointed at the speaker."""
    inside = tail.root.towards(tail.edge, 0.8)
    dx, dy = tail.tip.x - tail.root.x, tail.tip.y - tail.root.y
    length = math.hypot(dx, dy)
    side_x, side_y = -dy / length * width / 2, dx / length * width / 2
    bend = bend_of(tail.edge, tail.tip)
    path = skia.Path().moveTo(inside.x + side_x, inside.y + side_y)
    path.quadTo(bend.x + 0.45 * side_x, bend.y + 0.45 * side_y, tail.tip.x, tail.tip.y)
    path.quadTo(bend.x - 0.45 * side_x, bend.y - 0.45 * side_y, inside.x - side_x, inside.y - side_y)
    return path.close()


def bubbles(tail: Tail, size: float) -> tuple[tuple[Point, float], ...]:
    """A thought's bubbles, ever smaller: middles and radii. Fewer where the way is too short for three."""
    whole = tail.edge.distance(tail.tip)
    radii = [radius * size for radius in _BUBBLES]
    while len(radii) > 1 and _trail(radii, size) > whole:
        radii.pop(0)
    # What is left of the way goes between them.
    spare = max(whole - _trail(radii, size), 0.0) / max(len(radii) - 1, 1)
    at = radii[0] + _BETWEEN * size
    found = [(at, radii[0])]
    for before, radius in pairwise(radii):
        at += before + radius + _BETWEEN * size + spare
        found.append((at, radius))
    return tuple((tail.edge.towards(tail.tip, place / whole), radius) for place, radius in found)


def _trail(radii: list[float], size: float) -> float:
    """How long the way to the middle of the last bubble is at least."""
    return 2 * sum(radii) - radii[-1] + _BETWEEN * size * len(radii)


def _leaves(rect: Rect, root: Point, goal: Point) -> Point | None:
    """Where the way from `root`, inside the oval in `rect`, to `goal` leaves the oval, if it does."""
    if _inside(rect, goal):
        return None
    low, high = 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(rect, root.towards(goal, middle)) else (low, middle)
    return root.towards(goal, high)


def _inside(rect: Rect, point: Point) -> bool:
    height = (point.y - rect.centre.y) / (rect.height / 2)
    return abs(height) < 1 and abs(point.x - rect.centre.x) < oval_profile(height) * rect.width / 2


def _before(rect: Rect, across: float, down: float, air: float, start: Point, goal: Point) -> Point:
    """The last point on the way that is not yet in an oval, as wide and high as shares of a rectangle."""
    middle = rect.centre
    a, b = rect.width / 2 * across + air, rect.height / 2 * down + air
    last = start
    for step in range(1, 101):
        point = start.towards(goal, step / 100)
        if ((point.x - middle.x) / a) ** 2 + ((point.y - middle.y) / b) ** 2 < 1:
            break
        last = point
    return last
