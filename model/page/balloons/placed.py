"""Balloons: placed utterances as values that any canvas can draw.

In: a line, its setting, its place, its speaker's head. Out: a balloon in points on paper. Knows nothing of
how places and tails are found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.page.balloons.arcs import Arc, arc_of
from model.page.plane import Point, Rect
from model.page.type.emphasis import plain
from model.page.type.typesetting import SetLine, Setting
from model.page.values import Line

_NECK = 2.5  # ems: the longest neck between two joined balloons


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a tail leaves the middle of its balloon, where its outline begins, and where it ends."""

    root: Point
    edge: Point
    tip: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Balloon:
    """One placed utterance. `lines` are in points on paper: x is a line's left end, baseline where it stands.

    `text` is what it says, without marks. `rect` is the outline's bounding box without the tail; `head` is
    the speaker's head, whose mouth the `tail` points at and whose face it spares; None without a speaker. A
    `joined` balloon goes on where the one before it ends: their outlines are one. A sound's letters stand on
    its `arc`. `number` is its line's. A `held` one stands where somebody put it.
    """

    kind: str
    text: str
    rect: Rect
    lines: tuple[SetLine, ...]
    size: float
    style: str
    head: Rect | None = None
    tail: Tail | None = None
    joined: bool = False
    arc: Arc | None = None
    number: int = -1
    held: bool = False


def balloon_of(line: Line, setting: Setting, rect: Rect, head: Rect | None) -> Balloon:
    """A line as it was set and placed; its lines' places become those on paper."""
    middle = rect.centre.x
    return Balloon(
        kind=line.kind,
        text=plain(line.text),
        rect=rect,
        lines=tuple(replace(row, x=middle + row.x, baseline=rect.y + row.baseline) for row in setting.lines),
        size=setting.size,
        style=setting.style,
        head=head if line.kind not in ("narration", "sfx") else None,
        arc=arc_of(line.text, rect) if line.kind == "sfx" else None,
        number=line.number,
        held=line.at is not None,
    )


def close_by(one: Rect, other: Rect, size: float) -> bool:
    """Whether two balloons stand close enough for a neck between them."""
    across = max(other.x - one.right, one.x - other.right, 0.0)
    down = max(other.y - one.bottom, one.y - other.bottom, 0.0)
    return across + down < _NECK * size
