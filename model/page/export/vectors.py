"""Vectors: a panel's balloons as SVG path data, letter for letter as they are printed, for a page on a
screen.

In: balloons, faces. Out: strings and colours. Nothing is drawn.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import skia

from model.page.balloons.outlines import outlines
from model.page.balloons.placed import Balloon
from model.page.export.drawing import BALLOON_LINE, CAPTION_PAPER, INK, PAPER, SOFT_INK
from model.page.export.inking import DOT, dots_of, spots_of
from model.page.type.faces import Faces, font

_RIMS = ((PAPER, 0.3), (INK, 0.17))  # of sounds: colour, width in ems; widest first
_DASHES = (3.2, 2.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """How one balloon is drawn.

    Attributes:
        shapes: path data to fill and then stroke, one after the other; none for a sound, and for a balloon
            that is joined to the one before it.
        words: path data of all letters, filled with `ink` after each of `rims` (colour, width in points) is
            stroked.
        dashes: of the stroke, in points; none = an unbroken line.
    """

    balloon: Balloon
    shapes: tuple[str, ...]
    fill: str
    stroke: str
    stroke_width: float
    dashes: tuple[float, ...]
    words: str
    ink: str
    rims: tuple[tuple[str, float], ...]


@lru_cache(maxsize=4096)
def vectors_of(balloons: tuple[Balloon, ...], faces: Faces) -> tuple[Vectors, ...]:
    """The balloons of one panel, in reading order."""
    shapes = {id(balloon): (*shape.parts, shape.body) for balloon, shape in outlines(balloons)}
    return tuple(_vectors(balloon, shapes.get(id(balloon), ()), faces) for balloon in balloons)


def _vectors(balloon: Balloon, shapes: Sequence[skia.Path], faces: Faces) -> Vectors:
    sound, quiet = balloon.kind == "sfx", balloon.kind == "whisper"
    return Vectors(
        balloon=balloon,
        shapes=tuple(path_data(shape) for shape in shapes) if not sound else (),
        fill=_hex(CAPTION_PAPER if balloon.kind == "narration" else PAPER),
        stroke=_hex(SOFT_INK if quiet else INK),
        stroke_width=BALLOON_LINE * (1.25 if balloon.kind == "shout" else 1.0),
        dashes=_DASHES if quiet else (),
        words=path_data(_letters(balloon, faces)),
        ink=_hex(PAPER if sound else SOFT_INK if quiet else INK),
        rims=tuple((_hex(colour), width * balloon.size) for colour, width in _RIMS) if sound else (),
    )


def _letters(balloon: Balloon, faces: Faces) -> skia.Path:
    """All letters of a balloon where they stand. Emoji, which are pictures, are left out."""
    whole = skia.Path()
    for row in balloon.lines:
        for run, spots, squeeze in spots_of(row, balloon, faces):
            made = font(run, balloon.size, squeeze)
            for glyph, (x, y, angle) in zip(run.glyphs, spots, strict=True):
                path = made.getPath(glyph)
                if path is not None:
                    place = skia.Matrix.Translate(x, y)
                    whole.addPath(path, place.preRotate(math.degrees(angle)) if angle else place)
        for x, y in dots_of(row, balloon, faces):
            whole.addCircle(x, y, DOT * balloon.size)
    return whole


def path_data(path: skia.Path) -> str:
    """A path as SVG writes it, to a hundredth of a point."""
    parts: list[str] = []
    for verb, points in path:
        match verb:
            case skia.Path.Verb.kMove_Verb:
                parts.append(f"M{_numbers(points)}")
            case skia.Path.Verb.kLine_Verb:
                parts.append(f"L{_numbers(points[1:])}")
            case skia.Path.Verb.kQuad_Verb:
                parts.append(f"Q{_numbers(points[1:])}")
            case skia.Path.Verb.kCubic_Verb:
                parts.append(f"C{_numbers(points[1:])}")
            case skia.Path.Verb.kConic_Verb:  # of circles; four quadratics stand for a quarter
                weight = math.sqrt(0.5)
                quads = skia.Path.ConvertConicToQuads(*points[:3], weight, 2)
                parts += [f"Q{_numbers(quads[at : at + 2])}" for at in range(1, len(quads) - 1, 2)]
            case skia.Path.Verb.kClose_Verb:
                parts.append("Z")
            case _:
                pass
    return "".join(parts)


def _numbers(points: Sequence[skia.Point]) -> str:
    return " ".join(f"{point.x():.2f} {point.y():.2f}" for point in points)


def _hex(colour: int) -> str:
    return f"#{colour & 0xFFFFFF:06x}"
