"""Lettering: a panel's caption and lines become balloons with a place, a shape and set text.

In: a panel's words, the rectangle it has on paper, which part of its picture shows. Out: balloons in reading
order, as values that any canvas can draw, and notes on what could not be had. Long speeches are parted
into joined balloons. Refuses, naming panel and line, only what cannot be set legibly at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.errors import StoryError
from model.geometry import Box
from model.page.anatomy import face_of
from model.page.balloons.bodies import SIZE, SMALLEST, STEP, bodies_for
from model.page.balloons.costs import Wanted
from model.page.balloons.hand import Hand
from model.page.balloons.people import Person, people_in, person
from model.page.balloons.placed import Balloon, balloon_of, close_by
from model.page.balloons.placement import arrange
from model.page.balloons.rows import Set, in_rows
from model.page.balloons.splitting import split_line
from model.page.plane import Rect
from model.page.type.missing import missing_note
from model.page.type.typesetting import LEADING, Setting
from model.page.values import Line, PanelArt

_INSET = 3.0  # points between a balloon and its panel's frame
_FULL = 0.8  # of a panel's area: what balloons may take before they are set in rows
_COVERED = 0.06  # of a head or face: when more than this is covered, smaller letters are tried
_SPOKEN = ("speech", "thought", "whisper")
_WORDY = 210  # letters: a longer speech is parted before it is set
_SPLITS = 3  # how often what does not fit is parted once more
_PATIENCE = 2  # smaller sizes in a row that may be worse before no more are tried
_SHRINKING = 14.0  # how much worse a page is when its letters shrink to nothing


@dataclass(frozen=True, slots=True)
class Lettering:
    """A panel's balloons in reading order, and what had to be said about setting them."""

    balloons: tuple[Balloon, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """A line, or a part of one that goes on from the part before it."""

    line: Line
    follows: bool = False


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

    def heads(parts: tuple[_Part, ...]) -> tuple[Rect | None, ...]:
        speakers = (person(art, part.line.speaker, frame, window) for part in parts)
        return tuple(speaker.head if speaker else None for speaker in speakers)

    if _hopeless(lines, room):
        raise _too_much(art, lines, room, hand)
    parts = _parted(tuple(_Part(line) for line in lines), _WORDY)
    found = _placed(parts, heads(parts), people, room, direction, hand)
    for _ in range(_SPLITS):
        shorter = _parted(parts, 0)
        if found is not None or shorter == parts:
            break
        # What does not fit as one balloon may fit as two, side by side.
        parts = shorter
        found = _placed(parts, heads(parts), people, room, direction, hand)
    if found is None:
        raise _too_much(art, lines, room, hand)
    return Lettering(_balloons(parts, heads(parts), found), _notes(art, lines, hand))


def _placed(
    parts: tuple[_Part, ...],
    heads: tuple[Rect | None, ...],
    people: tuple[Person, ...],
    room: Rect,
    direction: str,
    hand: Hand,
) -> Set | None:
    """Settings and places of all parts; None when they have no room."""
    lines = tuple(part.line for part in parts)
    found = _around_people(lines, heads, people, room, direction, hand)
    if found is None or not found[0]:
        # Rows always read in order; balloons that do not are the last resort.
        rows = in_rows(lines, _sizes(), room, direction, hand)
        found = (True, rows) if rows is not None else found
    return found[1] if found is not None else None


def _parted(parts: tuple[_Part, ...], longest: int) -> tuple[_Part, ...]:
    """Speeches of more letters than `longest` in two; only the longest of all where that is 0."""
    spoken = [part for part in parts if part.line.kind in _SPOKEN]
    limit = longest or max((len(part.line.text) for part in spoken), default=0) - 1
    found: list[_Part] = []
    for part in parts:
        long = part.line.kind in _SPOKEN and len(part.line.text) > limit
        halves = split_line(part.line) if long else None
        if halves is None:
            found.append(part)
        else:
            found += [replace(part, line=halves[0]), _Part(halves[1], follows=True)]
    return tuple(found)


def _balloons(parts: tuple[_Part, ...], heads: tuple[Rect | None, ...], found: Set) -> tuple[Balloon, ...]:
    made: list[Balloon] = []
    for part, head, (setting, rect) in zip(parts, heads, found, strict=True):
        balloon = balloon_of(part.line, setting, rect, head)
        if part.follows and close_by(made[-1].rect, rect, setting.size):
            balloon = replace(balloon, head=None, joined=True)
        made.append(balloon)
    return tuple(made)


def _sizes() -> tuple[float, ...]:
    """Letter sizes to try, largest first."""
    sizes = [SIZE]
    while sizes[-1] * STEP > SMALLEST:
        sizes.append(sizes[-1] * STEP)
    return (*sizes, SMALLEST)


def _around_people(
    lines: tuple[Line, ...],
    heads: tuple[Rect | None, ...],
    people: tuple[Person, ...],
    room: Rect,
    direction: str,
    hand: Hand,
) -> tuple[bool, Set] | None:
    """Letter a panel as its picture asks for, and say whether it reads in order; None when it is too full."""
    spared = tuple((one.head, 5.0) for one in people) + tuple((face_of(one.head), 16.0) for one in people)
    figures = tuple(one.figure for one in people)
    best: tuple[tuple[bool, float], Set] | None = None
    in_vain = 0
    for size in _sizes():
        settings = tuple(bodies_for(line, size, (room.width, room.height), hand) for line in lines)
        if not all(settings):
            continue
        # So full a panel has no free choice of places, and searching for them takes long.
        least = sum(min(setting.width * setting.height for setting in bodies) for bodies in settings)
        if least > _FULL * room.width * room.height:
            continue
        wanted = tuple(
            _wanted(line, bodies, head) for line, bodies, head in zip(lines, settings, heads, strict=True)
        )
        placement = arrange(wanted, room, spared, figures, direction)
        if placement is None or not placement.clear:
            continue
        # Smaller letters must earn their keep, by faces that show.
        rank = not placement.ordered, placement.cost + _SHRINKING * (1.0 - size / SIZE)
        in_vain += 1
        if best is None or rank < best[0]:
            places = zip(settings, placement.places, strict=True)
            best = rank, tuple((bodies[place.body], place.rect) for bodies, place in places)
            in_vain = 0
        if (placement.ordered and placement.covered <= _COVERED) or in_vain == _PATIENCE:
            break
    return (not best[0][0], best[1]) if best else None


def _said(art: PanelArt, hand: Hand) -> tuple[Line, ...]:
    """Caption first, then the lines that hold anything to read; as the hand writes them."""
    caption = (Line(text=art.caption, kind="narration"),) if art.caption.strip() else ()
    said = (*caption, *(line for line in art.lines if line.text.strip()))
    return tuple(replace(line, text=hand.written(line.text)) for line in said)


def _wanted(line: Line, settings: tuple[Setting, ...], head: Rect | None) -> Wanted:
    return Wanted(
        bodies=tuple((setting.width, setting.height, setting.strain) for setting in settings),
        head=head if line.kind != "narration" else None,
        boxed=line.kind == "narration",
        free=line.kind == "sfx",
    )


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
    if not missing:
        return ()
    return (f"panel {art.id}: {missing_note(missing)}",)
