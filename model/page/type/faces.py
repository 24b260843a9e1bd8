"""Faces: how wide text sets in which style, with which glyphs, and which characters no face has.

In: a family of font files (`typefaces.py`), lines with a style and a level for each character. Out: runs of
glyphs from left to right. What no face has is set as `?` and can be asked for. Knows nothing of balloons.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import skia

from model.page.type.emphasis import STYLES
from model.page.type.face import Face, bundled_face, face_of, seen, system_face
from model.page.type.typefaces import Family, fallbacks, family
from model.page.type.unicode import clusters, levels, script_of, visual_order

REPLACEMENT = "?"

_ONE_SCRIPT = "\u02ff"  # up to here letters are Latin
_ANY_SCRIPT = ("Common", "Inherited")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text in one face and direction; `width` and glyphs' places (x, y, downwards) are in ems.

    `text`, which begins at `start` in its line, stands in the order in which it is read. Each glyph has in
    `sources` the index in `text` of the first character that it draws.
    """

    text: str
    face: Face
    width: float
    glyphs: tuple[int, ...]
    places: tuple[tuple[float, float], ...]
    sources: tuple[int, ...]
    start: int
    leftwards: bool


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What stands for a character: what is drawn in which faces, and what nobody has."""

    parts: tuple[tuple[Face, str], ...]
    missing: str = ""


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
        self._main = {style: face_of(chosen, style) for style in STYLES}
        self._fallbacks = tuple(others)
        self._chosen: dict[tuple[str, str], _Drawn] = {}
        self._runs: dict[tuple[str, str], tuple[Run, ...]] = {}

    def line(self, text: str, styles: Sequence[str], order: Sequence[int] = ()) -> tuple[Run, ...]:
        """A line as runs from left to right; characters nobody has become `?`.

        Args:
            text: as it is read.
            styles: of each character.
            order: the embedding level of each character; none when all are 0.
        """
        characters: list[str] = []
        marks: list[tuple[int, str, Face, str]] = []
        script = next((its for cluster in clusters(text) if (its := _script(cluster, ""))), "")
        at = 0
        for cluster in clusters(text):
            script = _script(cluster, script)
            for face, part in self._drawn(cluster, styles[at]).parts:
                characters += part
                marks += [(order[at] if order else 0, styles[at], face, script)] * len(part)
            at += len(cluster)
        whole = "".join(characters)
        found: list[Run] = []
        turned: list[int] = []
        at = 0
        for (level, _, face, _), stretch in groupby(marks):
            length = len(list(stretch))
            found.append(_run(face, whole, at, at + length, level % 2 == 1))
            turned.append(level)
            at += length
        return tuple(found[index] for index in visual_order(turned))

    def runs(self, text: str, style: str) -> tuple[Run, ...]:
        """A text of one style by itself, in the direction of its first letter, as `line`."""
        key = (text, style)
        if key not in self._runs:
            self._runs[key] = self.line(text, (style,) * len(text), levels(text))
        return self._runs[key]

    def width(self, text: str, style: str) -> float:
        """How wide `text` sets, in ems."""
        return sum(run.width for run in self.runs(text, style))

    def marked_width(self, text: str, styles: tuple[str, ...]) -> float:
        """How wide `text` sets when each character has a style of its own, in ems."""
        if len(set(styles)) == 1:
            return self.width(text, styles[0])
        return sum(run.width for run in self.line(text, styles, levels(text)))

    def missing(self, text: str) -> tuple[str, ...]:
        """What no face has of `text`, in order of appearance, each once.

        A single character, or a sequence such as a family of emoji, which is one thing to a reader.
        """
        found = (self._drawn(cluster, "regular").missing for cluster in clusters(text))
        return tuple(dict.fromkeys(missing for missing in found if missing))

    def _drawn(self, cluster: str, style: str) -> _Drawn:
        key = (cluster, style)
        if key not in self._chosen:
            self._chosen[key] = self._find(cluster, style)
        return self._chosen[key]

    def _find(self, cluster: str, style: str) -> _Drawn:
        main = self._main[style]
        shown = seen(cluster)
        if not shown:
            # Spaces are advanced over; joiners and selectors by themselves are nothing to see.
            return _Drawn(((main, cluster),))
        face = self._face_with(cluster, style)
        if face is not None:
            return _Drawn(((face, cluster),))
        letter = self._face_with(cluster[0], style) if seen(cluster[0]) else None
        if letter is None or not all(unicodedata.combining(mark) for mark in shown[1:]):
            return _Drawn(((main, REPLACEMENT),), shown if len(shown) == 1 else cluster)
        # A letter that has a face is not lost with a mark that has none.
        kept = "".join(mark for mark in cluster if mark not in shown or letter.has(mark))
        lost = "".join(mark for mark in shown if not letter.has(mark))
        return _Drawn(((letter, kept), (main, REPLACEMENT)), lost)

    def _face_with(self, cluster: str, style: str) -> Face | None:
        """The first face that draws all of a character, in a style as far as it is a letter that leans."""
        main = self._main[style]
        if main.has(cluster):
            return main
        upright = not cluster[0].isalpha() or unicodedata.east_asian_width(cluster[0]) in ("W", "F")
        fitting = style.replace("bold_italic", "bold").replace("italic", "regular") if upright else style
        for file in self._fallbacks:
            face = bundled_face(file, fitting)
            if face.has(cluster):
                return face
        return system_face(cluster, fitting)


@lru_cache(maxsize=8)
def house_faces(font: str = "") -> Faces:
    """The faces to letter with: the named family or font file, or for "" what this machine has.

    That is a comic face when one is present, DejaVu Sans otherwise.

    Raises:
        StoryError: the named font is not on this machine.
        PackageMissing: no font at all is.
    """
    return Faces(family(font), fallbacks(), by_content=bool(font))


def font(run: Run, size: float, squeeze: float = 1.0) -> skia.Font:
    """The font that draws `run` at `size` points exactly as it was measured, or squeezed."""
    return run.face.font(size, squeeze)


def _run(face: Face, text: str, start: int, end: int, leftwards: bool) -> Run:
    shape = face.shaper.shape(text, start, end, leftwards=leftwards)
    return Run(
        text[start:end],
        face,
        shape.width * face.scale,
        shape.glyphs,
        tuple((x * face.scale, y) for x, y in shape.places),
        tuple(source - start for source in shape.sources),
        start,
        leftwards,
    )


def _script(cluster: str, before: str) -> str:
    """The script of a character; that of the one before it, if it belongs to any."""
    if cluster[0] <= _ONE_SCRIPT:
        its = "Latin" if cluster[0].isalpha() else "Common"
    else:
        its = script_of(cluster[0])
    return before if its in _ANY_SCRIPT else its
