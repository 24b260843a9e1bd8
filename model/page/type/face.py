"""Face: one typeface as it is used, and where to find one for characters that a family lacks.

In: font files, characters as readers see them. Out: faces that draw them whole. Characters outside the family
are looked for in the bundled faces, then among the system's. Knows nothing of lines.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import skia

from model.page.type.fontfiles import typeface_of
from model.page.type.shaping import Shaper, shaper_of, shaper_within
from model.page.type.typefaces import Family
from model.quiet import without_fontconfig

_LEAN = -0.2  # of a face that has no italic
# Which style stands in for a missing one, best first.
_STAND_INS = {
    "regular": ("regular",),
    "bold": ("bold", "regular"),
    "italic": ("italic", "regular"),
    "bold_italic": ("bold_italic", "bold", "italic", "regular"),
}
# Variation selectors and the joiner of graphemes: marks that change how others look, and are not seen.
_SELECTORS = frozenset((0x034F, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))


@dataclass(frozen=True, slots=True)
class Face:
    """One typeface as it is used: narrowed by `scale`, leaned, thickened."""

    typeface: skia.Typeface
    shaper: Shaper
    scale: float = 1.0
    leans: bool = False
    thickened: bool = False

    def has(self, cluster: str) -> bool:
        """Whether it draws all that is seen of a character, composed or not."""
        shapes = dict.fromkeys((seen(cluster), seen(unicodedata.normalize("NFC", cluster))))
        return any(all(self.typeface.unicharToGlyph(ord(one)) for one in shape) for shape in shapes)

    def font(self, size: float, squeeze: float = 1.0) -> skia.Font:
        """The font that draws at `size` points exactly as was measured, or squeezed."""
        made = skia.Font(self.typeface, size, self.scale * squeeze, _LEAN if self.leans else 0.0)
        made.setEmbolden(self.thickened)
        # Unhinted and subpixel: text measures the same at every resolution and in the PDF.
        made.setHinting(skia.FontHinting.kNone)
        made.setSubpixel(True)
        made.setLinearMetrics(True)
        made.setEdging(skia.Font.Edging.kAntiAlias)
        return made


def seen(cluster: str) -> str:
    """What a face has to have of a character: not its spaces, joiners and selectors."""
    return "".join(
        one
        for one in cluster
        if not (one.isspace() or unicodedata.category(one) == "Cf" or ord(one) in _SELECTORS)
    )


def face_of(chosen: Family, style: str) -> Face:
    """The family's face for a style, or what is made of the nearest it has."""
    stand_in = next(name for name in _STAND_INS[style] if name in chosen.files)
    file = chosen.files[stand_in]
    return Face(
        typeface=typeface_of(file),
        shaper=shaper_of(file),
        scale=chosen.scale,
        leans="italic" in style and "italic" not in stand_in,
        thickened="bold" in style and "bold" not in stand_in,
    )


@lru_cache(maxsize=64)
def bundled_face(file: Path, style: str) -> Face:
    """A fallback's face for a style; opened when it is first needed."""
    return Face(typeface_of(file), shaper_of(file), leans="italic" in style, thickened="bold" in style)


def system_face(cluster: str, style: str) -> Face | None:
    """A face of the system's that draws a character; None when there is none."""
    typeface = _system_typeface(ord(seen(cluster)[0]))
    if typeface is None:
        return None
    face = Face(typeface, _system_shaper(typeface), leans="italic" in style, thickened="bold" in style)
    return face if face.has(cluster) else None


@lru_cache(maxsize=4096)
def _system_typeface(code: int) -> skia.Typeface | None:
    with without_fontconfig():
        found = skia.FontMgr().matchFamilyStyleCharacter("", skia.FontStyle(), [], code)
    # A "last resort" face draws a box for everything, which is what must not happen.
    if found is None or not found.unicharToGlyph(code) or "LastResort" in found.getFamilyName():
        return None
    # One object a typeface, so that one shaper serves all of its characters.
    return _SYSTEM.setdefault(found.uniqueID(), found)


_SYSTEM: dict[int, skia.Typeface] = {}
_SHAPERS: dict[int, Shaper] = {}


def _system_shaper(typeface: skia.Typeface) -> Shaper:
    key = typeface.uniqueID()
    if key not in _SHAPERS:
        _SHAPERS[key] = shaper_within(typeface)
    return _SHAPERS[key]
