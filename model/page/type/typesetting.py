"""Typesetting: text broken into lines that fill an oval or a box evenly.

In: words, a style, a size, the room there is. Out: settings, each a block of lines with the balloon body it
needs. Lines in an oval are short, long, short, as letterers set them; columns are lines stood on end. Long
words are broken by their language's patterns where that looks better. Lines are broken before their
characters are put in visual order, and each keeps the levels it has in the whole text. Knows nothing of where
balloons go.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

from model.page.type.breaking import Broken, narrowest
from model.page.type.columns import length
from model.page.type.emphasis import marked
from model.page.type.faces import Faces
from model.page.type.unicode import leftwards, levels
from model.page.type.words import Measure, Styles, pieces_of, tidied

LEADING = 1.17  # line pitch in ems
ASCENT = 0.93  # of the pitch's box, from its top to the baseline, in ems
FULLNESS = 2.4  # the exponent of a balloon's outline; 2 is an ellipse
_OFFERED = 7
_COUNTS = 14  # numbers of lines that are tried at most, or a few more
_LONG = 70  # words
_FLAT = 2.0  # times its ideal stretch: from here on an oval is a cigar
_SHAPES = (1.16, 1.3, 1.48)  # an oval's height over its text block's height, to choose from

_COLUMN_PITCH = 1.3  # ems from column to column
_IDEALS = {(True, False): 1.75, (False, False): 3.6, (True, True): 1.25, (False, True): 2.2}


@dataclass(frozen=True, slots=True)
class SetLine:
    """One line of text; `x` and `baseline` are in points from the body's centre and top.

    Characters stand in the order in which they are read. Each has its style (none: all have the setting's)
    and its embedding level by the Unicode bidirectional algorithm (none: all are 0). Of a `vertical` line `x`
    is the middle of the column and `baseline` its top.
    """

    text: str
    x: float
    baseline: float
    styles: Styles = ()
    levels: tuple[int, ...] = ()
    vertical: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """Text set at a size: its lines and the width and height of the body around them, in points.

    `strain` says how unlike good lettering it looks: 0 is fine, 1 is poor.
    """

    lines: tuple[SetLine, ...]
    size: float
    style: str
    width: float
    height: float
    strain: float


def oval_profile(y: float) -> float:
    """Half width of the unit balloon at height `y` (-1 to 1): a superellipse, fuller than a circle."""
    return max(0.0, 1.0 - min(abs(y), 1.0) ** FULLNESS) ** (1 / FULLNESS)


def set_in_oval(
    text: str,
    style: str,
    size: float,
    faces: Faces,
    room: tuple[float, float],
    language: str = "en",
    *,
    vertical: bool = False,
    torn: bool = False,
) -> list[Setting]:
    """Settings of `text`, marks of emphasis obeyed, in ovals that fit `room` (width, height).

    Best looking first; may be empty.
    """
    return _settings(text, style, size, faces, room, language, vertical, torn, oval=True)


def set_in_box(
    text: str,
    style: str,
    size: float,
    faces: Faces,
    room: tuple[float, float],
    language: str = "en",
    *,
    vertical: bool = False,
    torn: bool = False,
) -> list[Setting]:
    """Settings of `text` in boxes that fit `room`, as `set_in_oval`."""
    return _settings(text, style, size, faces, room, language, vertical, torn, oval=False)


def _settings(
    text: str,
    style: str,
    size: float,
    faces: Faces,
    room: tuple[float, float],
    language: str,
    vertical: bool,
    torn: bool,
    oval: bool,
) -> list[Setting]:
    pitch = (_COLUMN_PITCH if vertical else LEADING) * size
    pad = ((0.66 if oval else 0.6) * size, (0.4 if oval else 0.42) * size)
    # Columns are lines stood on end, so the room is turned for them.
    along, across = room[::-1] if vertical else room
    measure: Measure = partial(length, faces=faces) if vertical else faces.marked_width
    widest = (along - 2 * pad[0]) * (0.9 if oval else 1.0)
    letters, styles = tidied(*marked(text, style))
    if widest <= size or not letters:
        return []
    turned = leftwards(language)
    order = () if vertical else levels(letters, base=turned)
    ideal = _IDEALS[oval, vertical]
    found: list[Setting] = []
    for pieces in pieces_of(letters, styles, widest / size, measure, language, torn=torn):
        widths = tuple(measure(piece.text, piece.styles) * size for piece in pieces)
        gaps = tuple(faces.width(piece.gap, style) * size if piece.gap else 0.0 for piece in pieces)
        hyphen = faces.width("-", style) * size
        # A long speech looks much the same in every oval, and each costs time.
        shapes = (_SHAPES if len(pieces) < _LONG else _SHAPES[:1]) if oval else (1.0,)
        total = sum(widths) + sum(gaps)
        for count in _line_counts(total, pitch, ideal, len(pieces)):
            for shape in shapes:
                block = count * pitch
                height = block * shape + 2 * pad[1]
                if height > across:
                    continue
                shares = tuple(_share(line, count, pitch, height, oval) for line in range(count))
                broken = narrowest(pieces, widths, gaps, hyphen, shares, along - 2 * pad[0])
                if broken is None:
                    continue
                reach, lines = broken
                width = reach + 2 * pad[0]
                strain = _strain(lines, shares, reach, width / height / ideal, shape)
                placed = _rows(lines, (width, height), reach, pitch, size, oval, vertical, turned)
                rows = tuple(
                    replace(row, levels=tuple(order[place] for place in line.places)) if order else row
                    for row, line in zip(placed, lines, strict=True)
                )
                body = (height, width) if vertical else (width, height)
                found.append(Setting(rows, size, style, *body, strain))
    found.sort(key=lambda setting: setting.strain)
    # One setting per number of lines: bodies of different shapes are what a placer can choose from.
    offered: dict[int, Setting] = {}
    for setting in found:
        offered.setdefault(len(setting.lines), setting)
    return list(offered.values())[:_OFFERED]


def _rows(
    lines: list[Broken],
    body: tuple[float, float],
    reach: float,
    pitch: float,
    size: float,
    oval: bool,
    vertical: bool,
    turned: bool,
) -> tuple[SetLine, ...]:
    """Broken lines at their places in a body of (along, across) the lines."""
    top = (body[1] - len(lines) * pitch) / 2
    rows: list[SetLine] = []
    for row, line in enumerate(lines):
        start = line.width if oval else reach
        if vertical:
            # The first column stands on the right.
            x = body[1] / 2 - top - (row + 0.5) * pitch
            rows.append(SetLine(line.text, x, (body[0] - start) / 2, line.styles, vertical=True))
        else:
            # In a box, lines that run leftwards begin at its right side.
            x = start / 2 - line.width if turned else -start / 2
            rows.append(SetLine(line.text, x, top + ASCENT * size + row * pitch, line.styles))
    return tuple(rows)


def _line_counts(total: float, pitch: float, ideal: float, most: int) -> range:
    """Numbers of lines that give blocks from twice too wide to twice too tall; every few of many."""
    middle = math.sqrt(total / (ideal * pitch))
    first, last = max(1, math.floor(middle * 0.6)), min(most, math.ceil(middle * 1.75) + 1)
    return range(first, last + 1, 1 + max(last - first, 0) // _COUNTS)


def _share(line: int, count: int, pitch: float, height: float, oval: bool) -> float:
    """How much of the widest line's width this line may take, 0 to 1."""
    if not oval:
        return 1.0
    top = line * pitch - count * pitch / 2
    # Letters do not fill the pitch's box: its outer tenth is air.
    edge = max(abs(top + 0.1 * pitch), abs(top + 0.9 * pitch))
    return oval_profile(edge / (height / 2))


def _strain(
    lines: list[Broken], shares: tuple[float, ...], reach: float, stretch: float, shape: float
) -> float:
    slack = [1.0 - line.width / (share * reach) for line, share in zip(lines, shares, strict=True)]
    strain = sum(value**2 for value in slack) / len(slack)
    if len(lines) > 1 and slack[-1] > 0.55:
        strain += 0.25  # an orphan on the last line
    if len(lines) > 2 and len(lines[-1].text.strip(".!?…")) < 4:
        strain += 0.12  # so is a short word
    strain += sum(line.wrong for line in lines)
    return (
        strain
        + (0.35 if stretch > 1 else 0.8) * math.log(stretch) ** 2
        + 1.5 * max(0.0, math.log(stretch / _FLAT)) ** 2
        + 0.25 * (shape - 1.16 if len(lines) > 1 else 0.0)
    )
