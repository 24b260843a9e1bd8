"""Shaping: a stretch of text in one typeface becomes glyphs with places, by HarfBuzz.

In: a font, as a file's bytes or as an opened typeface. Out: glyph ids and where they stand, in ems. Kerning,
marks and joined scripts come from the font; ligatures are left out, so that each letter can be found again in
a PDF. A stretch is shaped within its line, so that letters join across a change of style.
"""

# pyright: standard, reportAttributeAccessIssue=false
# (uharfbuzz and skia-python ship no types)

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import skia
import uharfbuzz as hb

_FEATURES = {"liga": False, "clig": False, "dlig": False}


@dataclass(frozen=True, slots=True)
class Shape:
    """Glyphs from left to right, each with its place (x, y) in ems, y downwards, and the advance.

    `sources`: for each glyph the index of the first character of what it draws.
    """

    glyphs: tuple[int, ...]
    places: tuple[tuple[float, float], ...]
    width: float
    sources: tuple[int, ...]


class Shaper:
    """One font, ready to shape."""

    def __init__(self, face: hb.Face) -> None:
        self._font = hb.Font(face)
        self._em = face.upem

    def shape(self, text: str, start: int = 0, end: int | None = None, *, leftwards: bool = False) -> Shape:
        """Shape a part of a line, in one direction and script. Deterministic."""
        end = len(text) if end is None else end
        buffer = hb.Buffer()
        buffer.add_str(text, start, end - start)
        buffer.guess_segment_properties()
        buffer.direction = "rtl" if leftwards else "ltr"
        hb.shape(self._font, buffer, _FEATURES)
        glyphs: list[int] = []
        places: list[tuple[float, float]] = []
        sources: list[int] = []
        x = 0.0
        for info, position in zip(buffer.glyph_infos, buffer.glyph_positions or (), strict=True):
            glyphs.append(info.codepoint)
            sources.append(info.cluster)
            places.append(((x + position.x_offset) / self._em, -position.y_offset / self._em))
            x += position.x_advance
        return Shape(tuple(glyphs), tuple(places), x / self._em, tuple(sources))


@lru_cache(maxsize=64)
def shaper_of(file: Path) -> Shaper:
    """The shaper of a font file, opened once."""
    return Shaper(hb.Face(hb.Blob.from_file_path(str(file))))


def shaper_within(typeface: skia.Typeface) -> Shaper:
    """The shaper of a typeface of the system, whose file is not known."""

    # HarfBuzz reads tables when it needs them, and not a copy of its own.
    tables: dict[str, bytes | None] = {}

    def table(_: object, tag: str, __: object) -> bytes | None:
        if tag not in tables:
            found = typeface.copyTableData(int.from_bytes(tag.encode("ascii"), "big"))
            tables[tag] = bytes(found) if found is not None and found.size() else None
        return tables[tag]

    return Shaper(hb.Face.create_for_tables(table, None))
