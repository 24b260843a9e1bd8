"""Font files: opened so that what they draw can be found again as text.

In: a font file. Out: a typeface. A PDF says which character a glyph is, and where a font draws several
alike it takes the first: then 走 is read as ⾛, a radical for dictionaries, and no search finds it. So
radicals are taken out of fonts that draw them with the ideographs' glyphs; a text that means the radical
gets it from elsewhere.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import io
import unicodedata
from functools import lru_cache
from pathlib import Path

import skia

from model.errors import PackageMissing

# The radical blocks of Unicode: CJK Radicals Supplement and Kangxi Radicals.
_RADICALS = range(0x2E80, 0x2FE0)


@lru_cache(maxsize=64)
def typeface_of(file: Path) -> skia.Typeface:
    """A font file as a typeface; the first of a collection.

    Raises:
        PackageMissing: it is not a font, or damaged.
    """
    # A manager without system fonts: a named file needs none, and asking the system takes time.
    fonts = skia.FontMgr.New_Custom_Empty()
    face = fonts.makeFromFile(str(file))
    if face is not None and _has_twins(face):
        face = fonts.makeFromData(skia.Data.MakeWithCopy(_without_radicals(file)))
    if face is None:
        raise PackageMissing(f"typeface {file} cannot be read; expected a TrueType or OpenType file")
    return face


def _has_twins(face: skia.Typeface) -> bool:
    """Whether a radical has the glyph of an ideograph."""
    for code in _RADICALS:
        ideograph = unicodedata.normalize("NFKC", chr(code))
        glyph = face.unicharToGlyph(code)
        if glyph and ideograph != chr(code) and glyph == face.unicharToGlyph(ord(ideograph[0])):
            return True
    return False


def _without_radicals(file: Path) -> bytes:
    """The font without its entries for radicals; glyphs keep their numbers."""
    from fontTools.ttLib import TTFont

    with TTFont(file, fontNumber=0, lazy=True) as font:
        for table in font["cmap"].tables:
            for code in [code for code in table.cmap if code in _RADICALS]:
                del table.cmap[code]
        written = io.BytesIO()
        font.save(written, reorderTables=False)
    return written.getvalue()
