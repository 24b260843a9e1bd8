"""Lettering: a panel's caption and lines become balloons with a place, a shape and set text.

In: a panel's words, the rectangle it has on paper, which part of its picture shows. Out: balloons in reading
order, as values that any canvas can draw, and notes on what could not be had. Long speeches are parted
into joined balloons. Refuses, naming panel and line, only what cannot be set legibly at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from model.errors import StoryError
from model.geometry import Box
from model.page.balloons.arranging import Part, arrange
from model.page.balloons.bodies import SMALLEST, bodies_for
from model.page.balloons.hand import Hand
from model.page.balloons.people import people_in, person
from model.page.balloons.placed import Balloon
from model.page.balloons.splitting import split_line
from model.page.plane import Point, Rect
from model.page.type.missing import missing_note
from model.page.type.typesetting import LEADING
from model.page.values import Line, PanelArt

_INSET = 3.0  # points between a balloon and its panel's frame
_SPOKEN = ("speech", "thought", "whisper")
_WORDY = 210  # letters: a longer speech is parted before it is set
_SPLITS = 3  # how often what does not fit is parted once more


@dataclass(frozen=True, slots=True)
class Lettering:
    """A panel's balloons in reading order, and what had to be said about setting them."""

    balloons: tuple[Balloon, ...] = ()
    notes: tuple[str, ...] = ()


@lru_cache(maxsize=2048)  # who sets a page again while a line is typed asks for its other panels anew
def letter_panel(
    art: PanelArt, frame: Rect, window: Box, direction: str, hand: Hand, within: Rect | None = None
) -> Lettering:
    """Set and place everything a panel says.

    Args:
        art: the panel.
        frame: its rectangle on paper, in points.
        window: the part of its picture that shows, in fractions of the picture.
        direction: "ltr" or "rtl".
        hand: what to letter with, and how.
        within: the part of the frame where balloons may stand; all of it when None.

    Raises:
        StoryError: a line is so long that it cannot be set legibly in this panel.
    Deterministic.
    """
    lines = _said(art, hand)
    if not lines:
        return Lettering()
    people = people_in(art, frame, window)
    room = (within or frame).inset(_INSET)

    def arranged(parts: tuple[Part, ...]) -> tuple[Balloon, ...] | None:
        speakers = (person(art, part.line.speaker, frame, window) for part in parts)
        heads = tuple(speaker.head if speaker else None for speaker in speakers)
        return arrange(parts, heads, people, room, direction, hand)

    if _hopeless(lines, room):
        raise _too_much(art, lines, room, hand)
    parts = _parted(tuple(Part(line, held=_held(line, frame)) for line in lines), _WORDY)
    found = arranged(parts)
    for _ in range(_SPLITS):
        shorter = _parted(parts, 0)
        if found is not None or shorter == parts:
            break
        # What does not fit as one balloon may fit as two, side by side.
        parts = shorter
        found = arranged(parts)
    if found is None:
        raise _too_much(art, lines, room, hand)
    return Lettering(found, _notes(art, lines, hand))


def _held(line: Line, frame: Rect) -> Point | None:
    """Where the middle of a line's balloon has to be, on paper."""
    return Point(frame.x + line.at[0] * frame.width, frame.y + line.at[1] * frame.height) if line.at else None


def _parted(parts: tuple[Part, ...], longest: int) -> tuple[Part, ...]:
    """Speeches of more letters than `longest` in two; only the longest of all where that is 0."""
    spoken = [part for part in parts if part.line.kind in _SPOKEN]
    limit = longest or max((len(part.line.text) for part in spoken), default=0) - 1
    found: list[Part] = []
    for part in parts:
        long = part.line.kind in _SPOKEN and len(part.line.text) > limit
        halves = split_line(part.line) if long else None
        if halves is None:
            found.append(part)
        else:
            found += [replace(part, line=halves[0]), Part(halves[1], follows=True)]
    return tuple(found)


def _said(art: PanelArt, hand: Hand) -> tuple[Line, ...]:
    """Caption first, then the lines that hold anything to read; as the hand writes them."""
    caption = (Line(text=art.caption, kind="narration"),) if art.caption.strip() else ()
    said = (*caption, *(line for line in art.lines if line.text.strip()))
    return tuple(replace(line, text=hand.written(line.text)) for line in said)


def _too_much(art: PanelArt, lines: tuple[Line, ...], room: Rect, hand: Hand) -> StoryError:
    """Name the line that does not fit: the first that has no setting, or the longest of those that crowd."""
    whole = room.width, room.height
    index = next(
        (index for index, line in enumerate(lines) if not bodies_for(line, SMALLEST, whole, hand)),
        max(range(len(lines)), key=lambda index: len(lines[index].text)),
    )
    offset = 1 if art.caption.strip() else 0
    what = "the caption" if index < offset else f"line {index - offset + 1} of {len(lines) - offset}"
    words = len(lines[index].text.split())
    per_line = room.width / (0.5 * SMALLEST)
    letters = int(per_line * room.height / (LEADING * SMALLEST) * 0.4)
    return StoryError(
        f"panel {art.id}: {what} ({words} words, {lines[index].text[:40]!r}…) cannot be set legibly; "
        f"the panel holds about {letters} letters at {SMALLEST} points in all; shorten it, "
        "split the panel, or give the page fewer panels"
    )


def _hopeless(lines: tuple[Line, ...], room: Rect) -> bool:
    """Whether not even letters without any white would fit, so that trying is a waste of time."""
    letters = sum(len(line.text) for line in lines)
    return letters * 0.3 * LEADING * SMALLEST**2 > room.width * room.height


def _notes(art: PanelArt, lines: tuple[Line, ...], hand: Hand) -> tuple[str, ...]:
    missing = hand.faces.missing("".join(line.text for line in lines))
    return (f"panel {art.id}: {missing_note(missing)}",) if missing else ()
