"""Columns: how long vertical text is, and where each of its glyphs stands.

In: text with a style for each character, faces. Out: lengths, and glyphs with places and angles, in ems
from the middle of a column's top. Knows nothing of balloons.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass

from model.page.type.faces import Faces, Run
from model.page.type.vertical import Cell, cells

_RISE = 0.88  # from the top of a full square to the baseline of what stands in it
_MIDDLE = 0.38  # from the baseline up to the middle of letters that lie on their side
_QUARTER = math.pi / 2
_DOT = 0.65  # from a column's middle to the dots beside it


@dataclass(frozen=True, slots=True)
class Hung:
    """A run in a column: one (x, y, angle) a glyph, in ems and radians; squeezed to a share of its width."""

    run: Run
    places: tuple[tuple[float, float, float], ...]
    squeeze: float = 1.0


def length(text: str, styles: tuple[str, ...], faces: Faces) -> float:
    """How long a column of `text` is, in ems."""
    return sum(_advance(cell, styles[cell.start], faces) for cell in cells(text))


def hang(text: str, styles: tuple[str, ...], faces: Faces) -> tuple[Hung, ...]:
    """Every glyph of a column."""
    found: list[Hung] = []
    top = 0.0
    for cell in cells(text):
        style = styles[cell.start]
        advance = _advance(cell, style, faces)
        runs = faces.runs(cell.text, style)
        width = sum(run.width for run in runs)
        squeeze = min(1.0, 0.96 / width) if cell.together and width else 1.0
        along = 0.0
        for run in runs:
            if cell.turned:
                places = tuple((_left(y), top + along + x, _QUARTER) for x, y in run.places)
            else:
                left = -width * squeeze / 2 + along * squeeze + cell.dx
                places = tuple((left + x * squeeze, top + _RISE + y + cell.dy, 0.0) for x, y in run.places)
            found.append(Hung(run, places, squeeze))
            along += run.width
        top += advance
    return tuple(found)


def dots(text: str, styles: tuple[str, ...], style: str, faces: Faces) -> tuple[tuple[float, float], ...]:
    """Where the dots stand beside a column's characters that lean where `style` does not.

    Kana and ideographs have no italics; what is stressed gets a dot at its right.
    """
    found: list[tuple[float, float]] = []
    top = 0.0
    for cell in cells(text):
        advance = _advance(cell, styles[cell.start], faces)
        if stressed(cell.text[0], styles[cell.start], style) and not cell.turned:
            found.append((_DOT, top + advance / 2))
        top += advance
    return tuple(found)


def stressed(character: str, its: str, style: str) -> bool:
    """Whether a character in the style `its` among others in `style` is stressed by a dot."""
    wide = unicodedata.east_asian_width(character) in ("W", "F")
    return wide and character.isalpha() and "italic" in its and "italic" not in style


def _left(y: float) -> float:
    """Where the baseline of turned text runs: left of the column's middle by half the letters' height."""
    return -_MIDDLE - y


def _advance(cell: Cell, style: str, faces: Faces) -> float:
    return faces.width(cell.text, style) if cell.turned else 1.0
