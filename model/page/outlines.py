"""Outlines: the drawn shape of each kind of balloon, as vector paths.

In: a placed balloon. Out: its body with its tail in one path, and loose parts such as a thought's bubbles.
Deterministic: what looks hand-made is decided by the words themselves. Knows nothing of colours.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import skia

from model.page.anatomy import mouth_of
from model.page.bodies import RIMS
from model.page.lettering import Balloon
from model.page.plane import Point, Rect
from model.page.typesetting import FULLNESS, oval_profile

_LONGEST_TAIL = 8.0  # ems
_SHORTEST_TAIL = 0.85
# A cubic quarter whose middle lies on the superellipse x^n + y^n = 1.
_HANDLE = (8 * 0.5 ** (1 / FULLNESS) - 4) / 3


@dataclass(frozen=True, slots=True)
class Outline:
    """What to fill and stroke: one body, and parts that stand apart from it."""

    body: skia.Path
    parts: tuple[skia.Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a tail leaves the middle of its balloon, where its outline begins, and where it ends."""

    root: Point
    edge: Point
    tip: Point


def outlines(balloons: Sequence[Balloon]) -> tuple[tuple[Balloon, Outline], ...]:
    """The shapes of a panel's balloons: joined ones as one shape, with the first of them."""
    found: list[tuple[Balloon, Outline]] = []
    last: Balloon | None = None
    for balloon in balloons:
        shape = outline(balloon)
        if balloon.joined and last is not None:
            first, whole = found.pop()
            body = skia.Op(whole.body, shape.body, skia.PathOp.kUnion_PathOp)
            body = skia.Op(body, _neck(last, balloon), skia.PathOp.kUnion_PathOp)
            found.append((first, Outline(body, (*whole.parts, *shape.parts))))
        else:
            found.append((balloon, shape))
        last = balloon
    return tuple(found)


def _neck(one: Balloon, other: Balloon) -> skia.Path:
    """What joins two balloons of one speech: a band from the middle of one to that of the other."""
    start, end = one.rect.centre, other.rect.centre
    length = start.distance(end) or 1.0
    half = 0.55 * one.size
    x, y = (start.y - end.y) / length * half, (end.x - start.x) / length * half
    path = skia.Path().moveTo(start.x + x, start.y + y).lineTo(end.x + x, end.y + y)
    return path.lineTo(end.x - x, end.y - y).lineTo(start.x - x, start.y - y).close()


def outline(balloon: Balloon) -> Outline:
    """The shape of one balloon. Sounds have none: an empty path."""
    if balloon.kind == "sfx":
        return Outline(skia.Path())
    if balloon.kind == "narration":
        rect = balloon.rect
        return Outline(skia.Path().addRect(skia.Rect.MakeXYWH(rect.x, rect.y, rect.width, rect.height)))
    rim = RIMS.get(balloon.kind, 0.0) * balloon.size
    inner = balloon.rect.inset(rim)
    tail = tail_of(balloon)
    if balloon.kind == "thought":
        return Outline(_cloud(balloon, inner, rim), _bubbles(balloon, tail))
    body = _burst(balloon, inner, rim) if balloon.kind == "shout" else oval(inner)
    if tail is not None:
        width = (1.0 if balloon.kind == "shout" else 0.8) * balloon.size
        body = skia.Op(body, _wedge(tail, width), skia.PathOp.kUnion_PathOp)
    return Outline(body)


def tail_of(balloon: Balloon) -> Tail | None:
    """The tail's course towards the speaker's mouth, ending before the face; None when too near."""
    if balloon.head is None:
        return None
    rect, head = balloon.rect, balloon.head
    mouth = mouth_of(head)
    centre = rect.centre
    # The root slides sideways under the balloon, so that the tail leaves it steeply.
    reach = 0.45 * rect.width / 2
    root = Point(min(max(mouth.x, centre.x - reach), centre.x + reach), centre.y)
    edge = _leaves(rect.inset(RIMS.get(balloon.kind, 0.0) * balloon.size), root, mouth)
    if edge is None:
        return None
    near = _reaches(head, root, mouth, 0.3 * balloon.size)
    way, whole = root.distance(near) - root.distance(edge), edge.distance(mouth)
    shortest = min(_SHORTEST_TAIL * balloon.size, 0.7 * whole)
    # A balloon that stands in the hair still points at its speaker.
    length = max(min(0.88 * way, _LONGEST_TAIL * balloon.size), shortest)
    return Tail(root, edge, edge.towards(mouth, length / whole))


def oval(rect: Rect) -> skia.Path:
    """The balloon's superellipse as four cubics."""
    centre, a, b = rect.centre, rect.width / 2, rect.height / 2
    x, y, k = centre.x, centre.y, _HANDLE
    path = skia.Path().moveTo(x + a, y)
    path.cubicTo(x + a, y + k * b, x + k * a, y + b, x, y + b)
    path.cubicTo(x - k * a, y + b, x - a, y + k * b, x - a, y)
    path.cubicTo(x - a, y - k * b, x - k * a, y - b, x, y - b)
    path.cubicTo(x + k * a, y - b, x + a, y - k * b, x + a, y)
    return path.close()


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


def _reaches(head: Rect, root: Point, mouth: Point, gap: float) -> Point:
    """The last point on the way to the mouth that is not yet on the head, an oval in its rectangle."""
    middle = head.centre
    a, b = head.width * 0.42 + gap, head.height * 0.46 + gap
    last = root
    for step in range(1, 101):
        point = root.towards(mouth, step / 100)
        if ((point.x - middle.x) / a) ** 2 + ((point.y - middle.y) / b) ** 2 < 1:
            break
        last = point
    return last


def _wedge(tail: Tail, width: float) -> skia.Path:
    """A tail that bends a little, wide at the balloon and pointed at the speaker."""
    inside = tail.root.towards(tail.edge, 0.8)
    dx, dy = tail.tip.x - tail.root.x, tail.tip.y - tail.root.y
    length = math.hypot(dx, dy)
    side_x, side_y = -dy / length * width / 2, dx / length * width / 2
    # Leaning the middle towards the upright gives the stroke a hand's curve.
    bend = Point(
        tail.edge.x + 0.3 * (tail.tip.x - tail.edge.x), tail.edge.y + 0.55 * (tail.tip.y - tail.edge.y)
    )
    path = skia.Path().moveTo(inside.x + side_x, inside.y + side_y)
    path.quadTo(bend.x + 0.45 * side_x, bend.y + 0.45 * side_y, tail.tip.x, tail.tip.y)
    path.quadTo(bend.x - 0.45 * side_x, bend.y - 0.45 * side_y, inside.x - side_x, inside.y - side_y)
    return path.close()


def _around(rect: Rect, count: int, turn: float) -> list[tuple[Point, Point]]:
    """Points at even distances along the oval, each with the outward direction there."""
    centre, a, b = rect.centre, rect.width / 2, rect.height / 2
    fine: list[Point] = []
    for step in range(361):
        angle = 2 * math.pi * step / 360
        cos, sin = math.cos(angle), math.sin(angle)
        power = 2 / FULLNESS
        fine.append(
            Point(
                centre.x + a * math.copysign(abs(cos) ** power, cos),
                centre.y + b * math.copysign(abs(sin) ** power, sin),
            )
        )
    lengths = [0.0]
    for one, other in pairwise(fine):
        lengths.append(lengths[-1] + one.distance(other))
    found: list[tuple[Point, Point]] = []
    index = 0
    for step in range(count):
        goal = lengths[-1] * ((step + turn) / count % 1.0)
        index = 0 if lengths[index] > goal else index
        while lengths[index + 1] < goal:
            index += 1
        point = fine[index]
        away = Point((point.x - centre.x) / a**2, (point.y - centre.y) / b**2)
        size = math.hypot(away.x, away.y) or 1.0
        found.append((point, Point(away.x / size, away.y / size)))
    return found


def _perimeter(rect: Rect) -> float:
    return math.pi * (rect.width + rect.height) / 2 * 1.04


def _burst(balloon: Balloon, inner: Rect, rim: float) -> skia.Path:
    """Spikes of uneven length around the oval the text fills."""
    chance = random.Random(zlib.crc32(balloon.text.encode()))
    count = max(12, round(_perimeter(inner) / (1.15 * balloon.size)))
    path = skia.Path()
    for index, (point, away) in enumerate(_around(inner, 2 * count, chance.random())):
        out = rim * (0.6 + 0.4 * chance.random()) if index % 2 else 0.06 * rim
        x, y = point.x + away.x * out, point.y + away.y * out
        path = path.lineTo(x, y) if index else path.moveTo(x, y)
    return path.close()


def _cloud(balloon: Balloon, inner: Rect, rim: float) -> skia.Path:
    """Bumps of uneven width around the oval the text fills."""
    chance = random.Random(zlib.crc32(balloon.text.encode()))
    count = max(8, round(_perimeter(inner) / (2.0 * balloon.size)))
    points = _around(inner.inset(-0.12 * rim), count, chance.random())
    path = skia.Path().moveTo(points[0][0].x, points[0][0].y)
    for (one, away), (other, other_away) in zip(points, [*points[1:], points[0]], strict=True):
        middle = one.towards(other, 0.5)
        # A quadratic's crest lies halfway to its control point.
        out = 2 * rim * (0.72 + 0.16 * chance.random())
        control = Point(
            middle.x + (away.x + other_away.x) / 2 * out, middle.y + (away.y + other_away.y) / 2 * out
        )
        path.quadTo(control.x, control.y, other.x, other.y)
    return path.close()


def _bubbles(balloon: Balloon, tail: Tail | None) -> tuple[skia.Path, ...]:
    """Three bubbles, ever smaller, from the cloud to the thinker."""
    if tail is None:
        return ()
    found: list[skia.Path] = []
    start = tail.edge.towards(
        tail.tip, min(0.9, 0.75 * balloon.size / max(tail.edge.distance(tail.tip), 0.1))
    )
    for share, radius in ((0.0, 0.38), (0.52, 0.27), (1.0, 0.18)):
        spot = start.towards(tail.tip, share)
        found.append(skia.Path().addCircle(spot.x, spot.y, radius * balloon.size))
    return tuple(found)
