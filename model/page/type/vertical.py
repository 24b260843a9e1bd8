"""Vertical: a column of text from top to bottom, as Japanese is set in balloons.

In: text. Out: cells, each with what stands in it and how: upright, turned, squeezed side by side
(tate-chu-yoko), or moved to the corner where a column wants its full stop. Every cell keeps its characters,
so that the text of a page stays what was written. Knows nothing of columns and balloons.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# What lies along the line, and is turned with it.
_TURNED = frozenset("ー〜～…‥—–―-−（）「」『』［］｛｝〈〉《》【】〔〕()[]{}<>=＝:;：；→←／")
# What stands in the lower left corner of its square, and belongs in the upper right one.
_CORNER = frozenset("、。，．")
# Small kana sit a little higher and further right than across.
_SMALL = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ")

_TOKENS = re.compile(
    r"[!?！？]{2,3}"  # two or three signs share a cell
    r"|(?<![0-9A-Za-z])[0-9]{1,3}(?![0-9A-Za-z])"  # so does a short number
    r"|(?<![0-9A-Za-z])[A-Z]{1,3}(?![0-9A-Za-z])"  # short capitals stand one above the other
    r"|[0-9A-Za-z\u00c0-\u024f][0-9A-Za-z\u00c0-\u024f'’.,&%-]*"  # anything else in Latin lies on its side
    r"|.",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one place of a column.

    `turned` text lies on its side and is as long as it is wide; `together` is squeezed into one square; other
    text is upright in a square. `dx` and `dy` move it from the square's middle, in ems.
    """

    text: str
    start: int
    turned: bool = False
    together: bool = False
    dx: float = 0.0
    dy: float = 0.0


def cells(text: str) -> tuple[Cell, ...]:
    """The cells of one column, from its top."""
    found: list[Cell] = []
    for match in _TOKENS.finditer(text):
        token, start = match[0], match.start()
        if len(token) > 1 and token.isascii() and token.isalpha() and token.isupper() and len(token) <= 3:
            found += [Cell(letter, start + index) for index, letter in enumerate(token)]
        elif len(token) > 1 and ((token.isdigit() and len(token) <= 3) or not token[0].isalnum()):
            found.append(Cell(token, start, together=True))
        elif len(token) > 1:
            found.append(Cell(token, start, turned=True))
        elif found and unicodedata.combining(token):
            last = found[-1]
            found[-1] = Cell(last.text + token, last.start, last.turned, last.together, last.dx, last.dy)
        else:
            found.append(_single(token, start))
    return tuple(found)


def _single(character: str, start: int) -> Cell:
    if character in _CORNER:
        return Cell(character, start, dx=0.58, dy=-0.58)
    if character in _SMALL:
        return Cell(character, start, dx=0.1, dy=-0.1)
    return Cell(character, start, turned=character in _TURNED or character.isspace())
