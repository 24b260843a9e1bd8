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

from model.page.balloons.bodies import RIMS
from model.page.balloons.placed import Balloon, Tail
from model.page.balloons.tails import bubbles, tail_of, wedge
from model.page.plane import Point, Rect
from model.page.type.typesetting import FULLNESS

# A cubic quarter whose middle lies on the superellipse x^n + y^n = 1.
_HANDLE = (8 * 0.5 ** (1 / FULLNESS) - 4) / 3


@dataclass(frozen=True, slots=True)
class Outline:
    """What to fill and stroke: one body, and parts that stand apart from it."""

    body: skia.Path
    parts: tuple[skia.Path, ...] = ()


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
        body = skia.Op(body, wedge(tail, width), skia.PathOp.kUnion_PathOp)
    return Outline(body)


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
    """The bubbles from the cloud to the thinker."""
    spots = bubbles(tail, balloon.size) if tail is not None else ()
    return tuple(skia.Path().addCircle(spot.x, spot.y, radius) for spot, radius in spots)
