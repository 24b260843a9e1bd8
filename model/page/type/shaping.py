"""Shaping: a stretch of text in one typeface becomes glyphs with places, by HarfBuzz.

In: a font file's bytes. Out: glyph ids and where they stand, in ems. Kerning, marks and joined scripts come
from the font; ligatures are left out, so that each letter can be found again in a PDF.
"""

# pyright: standard, reportAttributeAccessIssue=false
# (uharfbuzz ships no types)

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import uharfbuzz as hb

_FEATURES = {"liga": False, "clig": False, "dlig": False}


@dataclass(frozen=True, slots=True)
class Shape:
    """Glyphs from left to right, each with its place (x, y) in ems, y downwards, and the advance."""

    glyphs: tuple[int, ...]
    places: tuple[tuple[float, float], ...]
    width: float


class Shaper:
    """One font file, ready to shape."""

    def __init__(self, file: Path) -> None:
        face = hb.Face(hb.Blob.from_file_path(str(file)))
        self._font = hb.Font(face)
        self._em = face.upem

    def shape(self, text: str, *, leftwards: bool = False) -> Shape:
        """Shape text of one direction. Deterministic."""
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = "rtl" if leftwards else "ltr"
        hb.shape(self._font, buffer, _FEATURES)
        glyphs: list[int] = []
        places: list[tuple[float, float]] = []
        x = 0.0
        for info, position in zip(buffer.glyph_infos, buffer.glyph_positions or (), strict=True):
            glyphs.append(info.codepoint)
            places.append(((x + position.x_offset) / self._em, -position.y_offset / self._em))
            x += position.x_advance
        return Shape(tuple(glyphs), tuple(places), x / self._em)


@lru_cache(maxsize=64)
def shaper_of(file: Path) -> Shaper:
    """The shaper of a font file, opened once."""
    return Shaper(file)
