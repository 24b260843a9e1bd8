"""Bodies: the shapes and sizes that one line may take in a panel, by its kind.

In: a line, a letter size, the room. Out: settings of its text, each with the body its balloon needs, rim
included. Knows nothing of where balloons go.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from model.page.balloons.arcs import LEAN, RISE
from model.page.balloons.hand import Hand
from model.page.type.typesetting import Setting, set_in_box, set_in_oval
from model.page.values import Line

SIZE = 9.2  # points; what a letterer sets on a page of this format
SMALLEST = 5.8  # points; under this a printed page is not read with pleasure
STEP = 0.91

# What a kind's outline needs around the oval its text fills, in ems.
RIMS = {"thought": 0.5, "shout": 0.75}
_STYLES = {
    "speech": "regular",
    "thought": "italic",
    "shout": "bold",
    "whisper": "italic",
    "narration": "italic",
}
_LOUD = 1.16  # a shout is lettered so much larger than speech, unless that is set as small as can be
_SOUND_SHARE = 0.15  # of the panel's height: how tall a sound's letters are drawn when there is room
_SOUND_SIZES = (12.0, 40.0)
# Smaller drawings of a sound, which cost a page some of its noise but may stand beside a face.
_QUIETER = ((1.0, 0.0), (0.8, 0.35), (0.64, 0.8), (0.5, 1.4))


@lru_cache(maxsize=4096)
def bodies_for(line: Line, size: float, room: tuple[float, float], hand: Hand) -> tuple[Setting, ...]:
    """The settings a line may have at this size in a room of (width, height) points; empty when none fits."""
    if line.kind == "sfx":
        return _sound(line, room, hand)
    if line.kind == "shout" and size > SMALLEST:
        size *= _LOUD
    style = _STYLES[line.kind]
    if style == "italic" and not hand.leans:
        style = "regular"
    # Words are torn only when they are as small as can be.
    torn = size <= SMALLEST
    if line.kind == "narration":
        space = (room[0], room[1] * 0.9)
        return tuple(
            set_in_box(
                line.text, style, size, hand.faces, space, hand.language, vertical=hand.vertical, torn=torn
            )
        )
    rim = RIMS.get(line.kind, 0.0) * size
    space = (room[0] - 2 * rim, room[1] - 2 * rim)
    found = set_in_oval(
        line.text, style, size, hand.faces, space, hand.language, vertical=hand.vertical, torn=torn
    )
    return tuple(
        replace(
            setting,
            width=setting.width + 2 * rim,
            height=setting.height + 2 * rim,
            lines=tuple(replace(row, baseline=row.baseline + rim) for row in setting.lines),
        )
        for setting in found
    )


def _sound(line: Line, room: tuple[float, float], hand: Hand) -> tuple[Setting, ...]:
    """Sounds are drawn, not set: as large as the panel bears, or smaller where that covers too much."""
    low, high = _SOUND_SIZES
    em = min(max(room[1] * _SOUND_SHARE, low), high)
    while em > SMALLEST:
        if _bold_enough(_drawn(line, em, room, hand)):
            sizes = ((max(em * share, SMALLEST), strain) for share, strain in _QUIETER)
            drawn = ((_drawn(line, size, room, hand), strain) for size, strain in sizes)
            return tuple(replace(found, strain=strain) for found, strain in drawn if found is not None)
        em *= 0.85
    found = _drawn(line, SMALLEST, room, hand)
    return (found,) if found is not None else ()


def _bold_enough(found: Setting | None) -> bool:
    """Whether a sound stands on two lines at most and none of its words is torn."""
    return (
        found is not None and len(found.lines) <= 2 and not any(row.text.endswith("-") for row in found.lines)
    )


def _drawn(line: Line, em: float, room: tuple[float, float], hand: Hand) -> Setting | None:
    """A sound in centred rows, with room for its arc and its rim; None when it does not fit."""
    bend = RISE + 2 * LEAN  # of the width: how much height the arc takes
    space = room[0] * 0.86, room[1] * 0.8 - bend * room[0] * 0.86
    for setting in set_in_box(line.text, "bold", em, hand.faces, space, hand.language)[:1]:
        rows = tuple(
            replace(
                row,
                x=-hand.faces.marked_width(row.text, row.styles) * em / 2,
                baseline=row.baseline + LEAN * setting.width,
            )
            for row in setting.lines
        )
        return replace(setting, lines=rows, height=setting.height + bend * setting.width)
    return None
