"""One turn of an AutoStudio dialogue, checked: who is named, where, and the turn's texts.

In: the JSON of one turn, `{size, objects: [[text, [x, y, w, h], id], …], background, caption, negative}`.
Out: a `Turn` whose boxes are fractions, and notes on what was changed. Knows nothing of other turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, cast

from model.errors import StoryError
from model.geometry import Box
from model.story.reading import describe, place_of, refusal, shorten

Tree = dict[str, Any]
Steps = tuple[str | int, ...]

_KEYS = {"size", "objects", "background", "caption", "negative"}
_ID_CHARACTERS = 64
# Without a size: CMIGBench draws its boxes on 512 x 512, AutoStudio's own default is 1024 x 1024.
_CANVASES = (512.0, 1024.0)
# Boxes none of whose numbers exceeds this are fractions, a little beyond the frame perhaps, and not pixels.
_LARGEST_FRACTION = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One object of a turn. `id` as text; `shape` is width / height in pixels, None without a box."""

    text: str
    id: str
    box: Box | None
    shape: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn: what is in it, in its order, and its three texts."""

    things: tuple[Thing, ...]
    background: str
    caption: str
    negative: str


def as_object(value: object) -> Tree | None:
    return cast("Tree", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[Any] | None:
    return cast("list[Any]", value) if isinstance(value, list) else None


def read_turn(path: Path, steps: Steps, value: object, notes: list[str]) -> Turn:
    """Check one turn; what is clipped, assumed or left out is added to `notes`.

    Raises:
        StoryError: the turn cannot be understood.
    """
    turn = as_object(value)
    if turn is None:
        raise _refuse(path, steps, value, "an object with objects and background")
    for key in turn:
        if key not in _KEYS:
            notes.append(f"{place_of((*steps, key))}: left out, no turn has such a key")
    written = turn.get("objects")
    objects = [] if written in (None, "") else as_list(written)
    if objects is None:
        raise _refuse(path, (*steps, "objects"), turn["objects"], "a list of [text, box, id]")
    entries = [_read_entry(path, (*steps, "objects", i), entry) for i, entry in enumerate(objects)]
    width, height = _canvas(path, steps, turn, [box for _, box, _ in entries if box is not None], notes)
    things: list[Thing] = []
    for index, (text, raw, name) in enumerate(entries):
        box = None if raw is None else Box(raw[0] / width, raw[1] / height, raw[2] / width, raw[3] / height)
        shape = None if raw is None else raw[2] / raw[3]
        box = box and _clip(box, place_of((*steps, "objects", index)), notes)
        things.append(Thing(text=text, id=name, box=box, shape=shape))
    negative = _text(path, steps, turn, "negative")
    return Turn(
        things=tuple(things),
        background=_text(path, steps, turn, "background"),
        caption=_text(path, steps, turn, "caption"),
        negative="" if negative.strip().lower() == "none" else negative,
    )


def _read_entry(path: Path, steps: Steps, value: object) -> tuple[str, list[float] | None, str]:
    """(text, box as written, id) of one object."""
    entry = as_list(value)
    if entry is None or len(entry) != 3:
        raise _refuse(path, steps, value, "[text, [x, y, width, height], id]")
    text, box, name = entry
    if not isinstance(text, str) or not text.strip():
        raise _refuse(path, (*steps, 0), text, "a text that says who it is")
    label = str(name) if isinstance(name, int) and not isinstance(name, bool) else name
    if not isinstance(label, str) or not _is_id(label):
        raise _refuse(path, (*steps, 2), name, 'an id such as 1, "1" or "1-1"')
    if box is None or box in ([], ""):
        return text, None, label
    numbers = [float(number) for number in as_list(box) or [] if _is_number(number)]
    if len(numbers) != 4 or len(cast("list[Any]", box)) != 4:
        raise _refuse(path, (*steps, 1), box, "[x, y, width, height]")
    if min(numbers[2:]) <= 0:
        raise refusal(path, place_of((*steps, 1)), str(box), "width and height above 0", "correct the box")
    return text, numbers, label


def _canvas(
    path: Path, steps: Steps, turn: Tree, boxes: list[list[float]], notes: list[str]
) -> tuple[float, float]:
    """(width, height) that the boxes of one turn are measured in; (1, 1) when they are fractions."""
    fractions = bool(boxes) and max(max(box) for box in boxes) <= _LARGEST_FRACTION
    size = turn.get("size")
    if size not in (None, ""):
        sides = [float(side) for side in as_list(size) or [] if _is_number(side) and 0 < side <= 100_000]
        if len(sides) != 2 or len(size) != 2:
            raise _refuse(path, (*steps, "size"), size, "[height, width] in pixels")
        return (1.0, 1.0) if fractions else (sides[1], sides[0])
    if fractions or not boxes:
        return 1.0, 1.0
    reach = max(max(x + width, y + height) for x, y, width, height in boxes)
    side = _CANVASES[0] if reach <= _CANVASES[0] else _CANVASES[1]
    notes.append(f"{place_of(steps)}: no size, took its boxes as pixels of {side:.0f} x {side:.0f}")
    return side, side


def _clip(box: Box, place: str, notes: list[str]) -> Box | None:
    inside = box.clipped()
    if inside.area <= 0.0:
        notes.append(f"{place}: its box lies outside the panel; placed it anew")
        return None
    if max(abs(a - b) for a, b in zip(box.as_tuple(), inside.as_tuple(), strict=True)) > 1e-6:
        notes.append(f"{place}: its box reached out of the panel; clipped it")
    return inside


def _text(path: Path, steps: Steps, turn: Tree, key: str) -> str:
    value = turn.get(key)
    if value is not None and not isinstance(value, str):
        raise _refuse(path, (*steps, key), value, "a text")
    return value or ""


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_id(label: str) -> bool:
    parts = label.split("-")
    return (
        len(label) <= _ID_CHARACTERS and len(parts) <= 2 and all(p.replace("_", "a").isalnum() for p in parts)
    )


def _refuse(path: Path, steps: Steps, found: object, expected: str) -> StoryError:
    return refusal(path, place_of(steps), shorten(describe(found)), expected, "correct it")
