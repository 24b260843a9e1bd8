"""Drawing: a sheet put on a canvas, whether the canvas makes pixels, a PDF or an SVG.

In: a canvas scaled to points, a sheet, the panels' pictures. Out: paper, pictures, frames, balloons, words,
or only some of these layers.
Words are drawn in reading order, line by line, so that a PDF's text reads as the page does: `inking.py` puts
down their glyphs, along lines, columns and arcs. A panel is cut along its corners; an inset keeps some white;
joined balloons have one outline.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

from collections.abc import Collection, Mapping

import skia

from model.page.balloons.outlines import Outline, outlines
from model.page.balloons.placed import Balloon
from model.page.export.inking import Odd, ink_sound, ink_text, ink_words
from model.page.export.sheet import Sheet, SheetPanel
from model.page.plane import Rect
from model.page.type.faces import Faces

ART, NUMBER, BALLOONS, WORDS = "art", "number", "balloons", "words"
LAYERS = (ART, BALLOONS, WORDS, NUMBER)  # from the paper upwards
INK = skia.Color(18, 18, 20)
PAPER = skia.Color(255, 255, 255)
CAPTION_PAPER = skia.Color(253, 250, 240)
SOFT_INK = skia.Color(74, 74, 80)
FRAME_LINE = 1.1
BALLOON_LINE = 0.95
_INSET_RIM = 7.0  # half of it lies under the inset
NOT_DRAWN = "not drawn"
_HATCH = skia.Color(196, 196, 200)
_HATCH_STEP = 7.0


def draw_sheet(
    canvas: skia.Canvas,
    sheet: Sheet,
    pictures: Mapping[str, skia.Image],
    faces: Faces,
    layers: Collection[str] = LAYERS,
    odd: Odd | None = None,
) -> None:
    """Draw a page, or some layers of it. A panel whose id is not among `pictures` is marked as not drawn.

    `odd` draws words whose glyphs do not tell their characters; they are drawn as glyphs when it is None.
    """
    if ART in layers:
        draw_art(canvas, sheet, pictures, faces)
    for panel in sheet.panels:
        draw_balloons(canvas, panel, faces, layers, odd)
    if NUMBER in layers:
        draw_number(canvas, sheet, faces)


def draw_art(canvas: skia.Canvas, sheet: Sheet, pictures: Mapping[str, skia.Image], faces: Faces) -> None:
    """Paper, pictures and frames."""
    canvas.drawRect(skia.Rect.MakeWH(sheet.width, sheet.height), _fill(PAPER))
    for panel in sheet.panels:
        picture = pictures.get(panel.art.id)
        if picture is None:
            mark_missing(canvas, panel, faces)
        else:
            draw_picture(canvas, panel, picture)
        draw_frame(canvas, panel)


def draw_picture(canvas: skia.Canvas, panel: SheetPanel, picture: skia.Image) -> None:
    """A panel's picture, cut along its corners; an inset keeps some white around it."""
    if panel.inset:
        canvas.drawPath(frame_path(panel), _stroke(PAPER, _INSET_RIM, skia.Paint.kMiter_Join))
    canvas.save()
    if not panel.upright:
        canvas.clipPath(frame_path(panel), doAntiAlias=True)
    sampling = skia.SamplingOptions(skia.CubicResampler.Mitchell())
    canvas.drawImageRect(picture, rect_of(panel.frame), sampling, None)
    canvas.restore()


def draw_frame(canvas: skia.Canvas, panel: SheetPanel) -> None:
    """The line around a panel."""
    paint = _stroke(INK, FRAME_LINE, skia.Paint.kMiter_Join)
    if panel.upright:
        canvas.drawRect(rect_of(panel.frame), paint)
    else:
        canvas.drawPath(frame_path(panel), paint)


def frame_path(panel: SheetPanel) -> skia.Path:
    """A panel's corners as a closed path."""
    first, *others = panel.corners
    path = skia.Path().moveTo(first.x, first.y)
    for corner in others:
        path.lineTo(corner.x, corner.y)
    return path.close()


def draw_balloons(
    canvas: skia.Canvas,
    panel: SheetPanel,
    faces: Faces,
    layers: Collection[str] = LAYERS,
    odd: Odd | None = None,
) -> None:
    """A panel's balloons and sounds, in reading order; a sound is all words."""
    if BALLOONS in layers:
        for balloon, shape in outlines(panel.balloons):
            if balloon.kind != "sfx":
                _draw_shape(canvas, balloon, shape)
    if WORDS in layers:
        for balloon in panel.balloons:
            if balloon.kind == "sfx":
                ink_sound(canvas, balloon, ((PAPER, 0.3), (INK, 0.17)), faces, odd)
            else:
                colour = SOFT_INK if balloon.kind == "whisper" else INK
                ink_words(canvas, balloon, colour, faces, odd)


def draw_number(canvas: skia.Canvas, sheet: Sheet, faces: Faces) -> None:
    """The page number, in the middle of the lower margin; none on a strip, or where a panel took that."""
    text, size = str(sheet.number), 7.0
    x = sheet.width / 2 - faces.width(text, "regular") * size / 2
    lowest = max((panel.frame.bottom for panel in sheet.panels), default=sheet.height)
    if not sheet.numbered or sheet.height - lowest < 1.6 * size:
        return
    ink_text(canvas, text, x, (lowest + sheet.height) / 2 + 0.36 * size, size, "regular", SOFT_INK, faces)


def mark_missing(canvas: skia.Canvas, panel: SheetPanel, faces: Faces) -> None:
    """Light hatching and a short word where a panel's picture should be."""
    frame = panel.frame
    canvas.save()
    canvas.clipPath(frame_path(panel), doAntiAlias=True)
    if panel.inset:
        canvas.drawPaint(_fill(PAPER))
    hatch = _stroke(_HATCH, 0.6)
    x = frame.x - frame.height
    while x < frame.right:
        canvas.drawLine(x, frame.bottom, x + frame.height, frame.y, hatch)
        x += _HATCH_STEP
    canvas.restore()
    size = 8.0
    width = faces.width(NOT_DRAWN, "regular") * size
    centre = frame.centre
    label = Rect(centre.x - width / 2 - size, frame.bottom - 2.6 * size, width + 2 * size, 1.7 * size)
    canvas.drawRect(rect_of(label), _fill(PAPER))
    ink_text(canvas, NOT_DRAWN, centre.x - width / 2, label.y + 1.15 * size, size, "regular", SOFT_INK, faces)


def rect_of(rect: Rect) -> skia.Rect:
    return skia.Rect.MakeXYWH(rect.x, rect.y, rect.width, rect.height)


def _draw_shape(canvas: skia.Canvas, balloon: Balloon, shape: Outline) -> None:
    line = _stroke(INK, BALLOON_LINE * (1.25 if balloon.kind == "shout" else 1.0))
    if balloon.kind == "whisper":
        line.setPathEffect(skia.DashPathEffect.Make([3.2, 2.2], 0.0))
        line.setColor(SOFT_INK)
    paper = _fill(CAPTION_PAPER if balloon.kind == "narration" else PAPER)
    for path in (*shape.parts, shape.body):
        canvas.drawPath(path, paper)
        canvas.drawPath(path, line)


def _fill(colour: int) -> skia.Paint:
    return skia.Paint(AntiAlias=True, Color=colour)


def _stroke(colour: int, width: float, join: skia.Paint.Join = skia.Paint.kRound_Join) -> skia.Paint:
    paint = skia.Paint(AntiAlias=True, Color=colour, Style=skia.Paint.kStroke_Style, StrokeWidth=width)
    paint.setStrokeJoin(join)
    return paint
