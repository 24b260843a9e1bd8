"""Faces: how wide text sets in which style, with which glyphs, and which characters no face has.

In: a family of font files (`typefaces.py`). Out: runs of glyphs. Characters outside the family are looked for
in the bundled faces, then among the system's; what nobody has is set as `?` and can be asked for. A style
that the family lacks is leaned or thickened from one it has. Knows nothing of balloons.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import skia

from model.page.type.emphasis import STYLES, spans
from model.page.type.fontfiles import typeface_of
from model.page.type.shaping import Shape, Shaper, shaper_of
from model.page.type.typefaces import Family, fallbacks, family

REPLACEMENT = "?"

_LEAN = -0.2  # of a face that has no italic
_MEASURE_SIZE = 128.0
# Which style stands in for a missing one, best first.
_STAND_INS = {
    "regular": ("regular",),
    "bold": ("bold", "regular"),
    "italic": ("italic", "regular"),
    "bold_italic": ("bold_italic", "bold", "italic", "regular"),
}


@dataclass(frozen=True, slots=True)
class Face:
    """One typeface as it is used: narrowed by `scale`, leaned, thickened; plainly set without a shaper."""

    typeface: skia.Typeface
    shaper: Shaper | None = None
    scale: float = 1.0
    leans: bool = False
    thickened: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text in one face; `width` and the glyphs' places (x, y, downwards) are in ems."""

    text: str
    face: Face
    width: float
    glyphs: tuple[int, ...]
    places: tuple[tuple[float, float], ...]


class Faces:
    """One face per style, with fallbacks. What was shaped is kept; an instance is cheap to keep."""

    def __init__(self, chosen: Family, others: Sequence[Path], *, by_content: bool = False) -> None:
        """Open a family's files and those of its fallbacks.

        Args:
            by_content: the name, which tells one set of faces from another, tells versions of a file apart.
        """
        # Another fallback may draw what was a question mark before.
        self.name = "+".join((chosen.name, *(file.stem for file in others)))
        if by_content:
            self.name += "-" + hashlib.sha256(chosen.files["regular"].read_bytes()).hexdigest()[:12]
        self._main = {style: _face(chosen, style) for style in STYLES}
        self._fallbacks = tuple(others)
        self._chosen: dict[tuple[str, str], Face | None] = {}
        self._runs: dict[tuple[str, str], tuple[Run, ...]] = {}

    def runs(self, text: str, style: str) -> tuple[Run, ...]:
        """`text` as runs from left to right; characters nobody has become `?`."""
        key = (text, style)
        if key not in self._runs:
            found: list[Run] = []
            leftwards = _first_strong_is_leftwards(text)
            for stretch, turned in _directions(text):
                runs = [_run(face, part, turned) for face, part in self._stretches(stretch, style)]
                runs = runs[::-1] if turned else runs
                found = [*runs, *found] if leftwards else [*found, *runs]
            self._runs[key] = tuple(found)
        return self._runs[key]

    def width(self, text: str, style: str) -> float:
        """How wide `text` sets, in ems."""
        return sum(run.width for run in self.runs(text, style))

    def marked_width(self, text: str, styles: tuple[str, ...]) -> float:
        """How wide `text` sets when each character has a style of its own, in ems."""
        return sum(self.width(part, style) for part, style in spans(text, styles))

    def missing(self, text: str) -> tuple[str, ...]:
        """The characters of `text` that no face has, in order of appearance, each once."""
        return tuple(
            character for character in dict.fromkeys(text) if self._face_for(character, "regular") is None
        )

    def _stretches(self, text: str, style: str) -> list[tuple[Face, str]]:
        """Split text where the face changes."""
        found: list[tuple[Face, list[str]]] = []
        for character in text:
            face = self._face_for(character, style)
            if face is None:
                character, face = REPLACEMENT, self._main[style]
            elif unicodedata.combining(character) and found:
                # A mark stays in its letter's face when that can draw it, so the two meet.
                last = found[-1][0]
                face = last if last.typeface.unicharToGlyph(ord(character)) else face
            if found and found[-1][0] is face:
                found[-1][1].append(character)
            else:
                found.append((face, [character]))
        return [(face, "".join(characters)) for face, characters in found]

    def _face_for(self, character: str, style: str) -> Face | None:
        key = (character, style)
        if key not in self._chosen:
            self._chosen[key] = self._find(character, style)
        return self._chosen[key]

    def _find(self, character: str, style: str) -> Face | None:
        main = self._main[style]
        if character.isspace() or unicodedata.category(character) in ("Cf", "Mn"):
            # Spaces are advanced over; joiners and variation selectors are nothing to see.
            return main
        code = ord(character)
        if main.typeface.unicharToGlyph(code):
            return main
        for file in self._fallbacks:
            face = _fallback(file, "bold" in style)
            if face.typeface.unicharToGlyph(code):
                return face
        found = skia.FontMgr().matchFamilyStyleCharacter("", skia.FontStyle(), [], code)
        # A "last resort" face draws a box for everything, which is what must not happen.
        if found is None or not found.unicharToGlyph(code) or "LastResort" in found.getFamilyName():
            return None
        return Face(found)


def font(run: Run, size: float, squeeze: float = 1.0) -> skia.Font:
    """The font that draws `run` at `size` points exactly as it was measured, or squeezed."""
    return _font(run.face, size, squeeze)


def glyph_names(characters: tuple[str, ...]) -> str:
    """Characters by their Unicode names and numbers, for a message."""
    return ", ".join(
        f"{unicodedata.name(character, 'unnamed character')} (U+{ord(character):04X})"
        for character in characters
    )


@lru_cache(maxsize=8)
def house_faces(font: str = "") -> Faces:
    """The faces to letter with: the named family or font file, or for "" what this machine has.

    That is a comic face when one is present, DejaVu Sans otherwise.

    Raises:
        StoryError: the named font is not on this machine.
        PackageMissing: no font at all is.
    """
    return Faces(family(font), fallbacks(), by_content=bool(font))


def _face(chosen: Family, style: str) -> Face:
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
def _fallback(file: Path, bold: bool) -> Face:
    """The face that stands in for a style, bold or not; opened when it is first needed."""
    return Face(typeface_of(file), shaper_of(file), thickened=bold)


def _run(face: Face, text: str, leftwards: bool) -> Run:
    shape = face.shaper.shape(text, leftwards=leftwards) if face.shaper else _plainly(face, text)
    return Run(
        text,
        face,
        shape.width * face.scale,
        shape.glyphs,
        tuple((x * face.scale, y) for x, y in shape.places),
    )


def _plainly(face: Face, text: str) -> Shape:
    """Glyph after glyph, for a face of the system, whose file is not known."""
    made = _font(face, _MEASURE_SIZE)
    glyphs = tuple(made.textToGlyphs(text))
    places: list[tuple[float, float]] = []
    x = 0.0
    for advance in made.getWidths(glyphs):
        places.append((x / _MEASURE_SIZE, 0.0))
        x += advance
    return Shape(glyphs, tuple(places), x / _MEASURE_SIZE)


def _directions(text: str) -> list[tuple[str, bool]]:
    """Stretches of one direction in logical order, each with whether it runs leftwards."""
    found: list[tuple[str, bool]] = []
    turned = _first_strong_is_leftwards(text)
    for character in text:
        strong = unicodedata.bidirectional(character)
        if strong in ("R", "AL", "L", "EN"):
            turned = strong in ("R", "AL")
        if found and found[-1][1] == turned:
            found[-1] = found[-1][0] + character, turned
        else:
            found.append((character, turned))
    return found


def _first_strong_is_leftwards(text: str) -> bool:
    strong = (unicodedata.bidirectional(character) for character in text)
    return next((kind for kind in strong if kind in ("L", "R", "AL")), "L") != "L"


def _font(face: Face, size: float, squeeze: float = 1.0) -> skia.Font:
    made = skia.Font(face.typeface, size, face.scale * squeeze, _LEAN if face.leans else 0.0)
    made.setEmbolden(face.thickened)
    # Unhinted and subpixel: text measures the same at every resolution and in the PDF.
    made.setHinting(skia.FontHinting.kNone)
    made.setSubpixel(True)
    made.setLinearMetrics(True)
    made.setEdging(skia.Font.Edging.kAntiAlias)
    return made
