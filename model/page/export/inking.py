"""Inking: glyph runs put on a canvas, along a line, down a column or on an arc.

In: a canvas, balloons' lines, faces. Out: ink. Letters stay text, so that a PDF can be searched; what to do
with those that glyphs do not tell (`unseen.py`) is said by whoever has the canvas. The letters of sounds are
shapes, and their words lie over them unseen. Knows nothing of balloons' outlines.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import skia

from model.page.balloons.arcs import Arc
from model.page.balloons.placed import Balloon
from model.page.export.unseen import FAINT, Spot, draw_shapes, tells
from model.page.type.columns import dots, hang, stressed
from model.page.type.faces import Faces, Run, font
from model.page.type.typesetting import SetLine

DOT = 0.085  # ems: the radius of a dot that stresses
_ABOVE = 0.98  # ems from the baseline up to such a dot

# Draws a run whose glyphs do not tell its characters: canvas, run, size, spots, paint, squeeze.
Odd = Callable[[skia.Canvas, Run, float, Sequence[Spot], skia.Paint, float], None]


def ink_text(
    canvas: skia.Canvas,
    text: str,
    x: float,
    baseline: float,
    size: float,
    style: str,
    colour: int,
    faces: Faces,
) -> None:
    """One line of text of one style, at the right of `x`."""
    paint = skia.Paint(AntiAlias=True, Color=colour)
    for run in faces.runs(text, style):
        spots = [(x + u * size, baseline + v * size, 0.0) for u, v in run.places]
        _ink(canvas, run, size, spots, paint, 1.0)
        x += run.width * size


def ink_words(
    canvas: skia.Canvas, balloon: Balloon, colour: int, faces: Faces, odd: Odd | None = None
) -> None:
    """A balloon's lines, each character in its style; `odd` draws what glyphs do not tell, unless None."""
    paint = skia.Paint(AntiAlias=True, Color=colour)
    for row in balloon.lines:
        # A line is written in the order in which it is read.
        for run, spots, squeeze in sorted(spots_of(row, balloon, faces), key=lambda spot: spot[0].start):
            draw = _ink if odd is None or (tells(run) and not row.levels) else odd
            draw(canvas, run, balloon.size, spots, paint, squeeze)
        for x, y in dots_of(row, balloon, faces):
            canvas.drawCircle(x, y, DOT * balloon.size, paint)


def ink_sound(
    canvas: skia.Canvas,
    balloon: Balloon,
    rims: Sequence[tuple[int, float]],
    faces: Faces,
    odd: Odd | None = None,
) -> None:
    """A sound's letters on their arc, in the first rim's colour, within rims (colour, width in ems).

    Widest first. Text on an arc is found letter by letter at best, so the letters are drawn as shapes, and
    the words go over them along a straight line, too faint to be seen.
    """
    for colour, width in rims:
        paint = skia.Paint(
            AntiAlias=True,
            Color=colour,
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=width * balloon.size,
            StrokeJoin=skia.Paint.kRound_Join,
        )
        for row in balloon.lines:
            for run, spots, squeeze in spots_of(row, balloon, faces):
                draw_shapes(canvas, run, balloon.size, spots, paint, squeeze)
    inside = skia.Paint(AntiAlias=True, Color=rims[0][0])
    for row in balloon.lines:
        for run, spots, squeeze in spots_of(row, balloon, faces):
            draw_shapes(canvas, run, balloon.size, spots, inside, squeeze)
    ink_words(canvas, replace(balloon, arc=None), FAINT, faces, odd)


def spots_of(row: SetLine, balloon: Balloon, faces: Faces) -> list[tuple[Run, list[Spot], float]]:
    """Where each glyph of a line stands."""
    size = balloon.size
    styles = row.styles or (balloon.style,) * len(row.text)
    if row.vertical:
        return [
            (
                hung.run,
                [(row.x + x * size, row.baseline + y * size, angle) for x, y, angle in hung.places],
                hung.squeeze,
            )
            for hung in hang(row.text, styles, faces)
        ]
    found: list[tuple[Run, list[Spot], float]] = []
    x = row.x
    for run in faces.line(row.text, styles, row.levels):
        spots = [(x + u * size, row.baseline + v * size, 0.0) for u, v in run.places]
        if balloon.arc is not None:
            spots = _bent(run, spots, balloon.arc, x, size)
        found.append((run, spots, 1.0))
        x += run.width * size
    return found


def dots_of(row: SetLine, balloon: Balloon, faces: Faces) -> list[tuple[float, float]]:
    """Where a dot stresses a character that cannot lean: beside it in columns, above it in lines."""
    size, styles = balloon.size, row.styles
    # Scripts that run leftwards lean.
    if row.levels or (len(set(styles)) < 2 and styles[:1] in ((), (balloon.style,))):
        return []
    if row.vertical:
        found = dots(row.text, styles, balloon.style, faces)
        return [(row.x + x * size, row.baseline + y * size) for x, y in found]
    return [
        (
            row.x + (faces.marked_width(row.text[:at], styles[:at]) + 0.5) * size,
            row.baseline - _ABOVE * size,
        )
        for at, character in enumerate(row.text)
        if stressed(character, styles[at], balloon.style)
    ]


def _bent(run: Run, spots: list[Spot], arc: Arc, start: float, size: float) -> list[Spot]:
    """Each glyph turned about the middle of its foot, which stands on the arc."""
    ends = [*(x for x, _, _ in spots[1:]), start + run.width * size]
    found: list[Spot] = []
    for (x, y, _), end in zip(spots, ends, strict=True):
        middle = (x + end) / 2
        place, angle = arc.bent(middle, y)
        half = middle - x
        found.append((place.x - half * math.cos(angle), place.y - half * math.sin(angle), angle))
    return found


def _ink(
    canvas: skia.Canvas, run: Run, size: float, spots: Sequence[Spot], paint: skia.Paint, squeeze: float
) -> None:
    builder = skia.TextBlobBuilder()
    made = font(run, size, squeeze)
    if all(angle == 0.0 for _, _, angle in spots):
        builder.allocRunPos(made, run.glyphs, [skia.Point(x, y) for x, y, _ in spots])
    else:
        forms = [skia.RSXform(math.cos(angle), math.sin(angle), x, y) for x, y, angle in spots]
        builder.allocRunRSXform(made, run.glyphs, forms)
    blob = builder.make()
    if blob is not None:
        canvas.drawTextBlob(blob, 0.0, 0.0, paint)
