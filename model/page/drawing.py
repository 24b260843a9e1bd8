"""Drawing: a sheet put on a canvas, whether the canvas makes pixels, a PDF or an SVG.

In: a canvas scaled to points, a sheet, the panels' pictures. Out: paper, pictures, frames, balloons, words,
or only some of these layers.
Words are drawn in reading order, line by line, so that a PDF's text reads as the page does.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping

import skia

from model.page.faces import Faces, font
from model.page.lettering import Balloon
from model.page.outlines import outline
from model.page.plane import Rect
from model.page.sheet import Sheet, SheetPanel

ART, BALLOONS, WORDS = "art", "balloons", "words"
LAYERS = (ART, BALLOONS, WORDS)  # from the paper upwards
EMPTY_BALLOONS = (ART, BALLOONS)
INK = skia.Color(18, 18, 20)
PAPER = skia.Color(255, 255, 255)
CAPTION_PAPER = skia.Color(253, 250, 240)
SOFT_INK = skia.Color(74, 74, 80)
FRAME_LINE = 1.1
BALLOON_LINE = 0.95
NOT_DRAWN = "not drawn"
_HATCH = skia.Color(196, 196, 200)
_HATCH_STEP = 7.0
_SOUND_TILT = 6.0  # degrees


def draw_sheet(
    canvas: skia.Canvas,
    sheet: Sheet,
    pictures: Mapping[str, skia.Image],
    faces: Faces,
    layers: Collection[str] = LAYERS,
) -> None:
    """Draw a page, or some layers of it. A panel whose id is not among `pictures` is marked as not drawn."""
    if ART in layers:
        draw_art(canvas, sheet, pictures, faces)
    for panel in sheet.panels:
        draw_balloons(canvas, panel, faces, layers)


def draw_art(canvas: skia.Canvas, sheet: Sheet, pictures: Mapping[str, skia.Image], faces: Faces) -> None:
    """Paper, pictures, frames and the page number: all that holds no word of the story."""
    canvas.drawRect(skia.Rect.MakeWH(sheet.width, sheet.height), _fill(PAPER))
    for panel in sheet.panels:
        picture = pictures.get(panel.art.id)
        if picture is None:
            mark_missing(canvas, panel, faces)
        else:
            sampling = skia.SamplingOptions(skia.CubicResampler.Mitchell())
            canvas.drawImageRect(picture, rect_of(panel.frame), sampling, None)
        draw_frame(canvas, panel.frame)
    draw_number(canvas, sheet, faces)


def draw_frame(canvas: skia.Canvas, frame: Rect) -> None:
    """The line around a panel."""
    canvas.drawRect(rect_of(frame), _stroke(INK, FRAME_LINE, skia.Paint.kMiter_Join))


def draw_balloons(
    canvas: skia.Canvas, panel: SheetPanel, faces: Faces, layers: Collection[str] = LAYERS
) -> None:
    """A panel's balloons and sounds, in reading order; a sound is all words."""
    for balloon in panel.balloons:
        if balloon.kind != "sfx" and BALLOONS in layers:
            _draw_shape(canvas, balloon)
        if WORDS in layers:
            (_draw_sound if balloon.kind == "sfx" else _draw_words)(canvas, balloon, faces)


def draw_number(canvas: skia.Canvas, sheet: Sheet, faces: Faces) -> None:
    """The page number, in the middle of the lower margin."""
    text, size = str(sheet.number), 7.0
    x = sheet.width / 2 - faces.width(text, "regular") * size / 2
    lowest = max((panel.frame.bottom for panel in sheet.panels), default=sheet.height)
    draw_text(canvas, text, x, (lowest + sheet.height) / 2 + 0.36 * size, size, "regular", SOFT_INK, faces)


def mark_missing(canvas: skia.Canvas, panel: SheetPanel, faces: Faces) -> None:
    """Light hatching and a short word where a panel's picture should be."""
    frame = panel.frame
    canvas.save()
    canvas.clipRect(rect_of(frame))
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
    draw_text(
        canvas, NOT_DRAWN, centre.x - width / 2, label.y + 1.15 * size, size, "regular", SOFT_INK, faces
    )


def draw_text(
    canvas: skia.Canvas,
    text: str,
    x: float,
    baseline: float,
    size: float,
    style: str,
    colour: int,
    faces: Faces,
) -> None:
    """One line of text from `x` rightwards."""
    for run in faces.runs(text, style):
        canvas.drawString(run.text, x, baseline, font(run, size), _fill(colour))
        x += run.width * size


def rect_of(rect: Rect) -> skia.Rect:
    return skia.Rect.MakeXYWH(rect.x, rect.y, rect.width, rect.height)


def _draw_shape(canvas: skia.Canvas, balloon: Balloon) -> None:
    shape = outline(balloon)
    line = _stroke(INK, BALLOON_LINE * (1.25 if balloon.kind == "shout" else 1.0))
    if balloon.kind == "whisper":
        line.setPathEffect(skia.DashPathEffect.Make([3.2, 2.2], 0.0))
        line.setColor(SOFT_INK)
    paper = _fill(CAPTION_PAPER if balloon.kind == "narration" else PAPER)
    for path in (*shape.parts, shape.body):
        canvas.drawPath(path, paper)
        canvas.drawPath(path, line)


def _draw_words(canvas: skia.Canvas, balloon: Balloon, faces: Faces) -> None:
    colour = SOFT_INK if balloon.kind == "whisper" else INK
    for row in balloon.lines:
        draw_text(canvas, row.text, row.x, row.baseline, balloon.size, balloon.style, colour, faces)


def _draw_sound(canvas: skia.Canvas, balloon: Balloon, faces: Faces) -> None:
    """Letters with a heavy outline and a light rim, slanted; the inside is text, so that it can be found."""
    centre = balloon.rect.centre
    tilt = _SOUND_TILT if zlib.crc32(balloon.text.encode()) % 2 else -_SOUND_TILT
    canvas.save()
    canvas.rotate(tilt, centre.x, centre.y)
    for colour, width in ((PAPER, 0.3), (INK, 0.17)):
        paint = _stroke(colour, width * balloon.size)
        for row in balloon.lines:
            x = row.x
            for run in faces.runs(row.text, balloon.style):
                x = _stroke_run(canvas, run.text, x, row.baseline, font(run, balloon.size), paint)
    for row in balloon.lines:
        draw_text(canvas, row.text, row.x, row.baseline, balloon.size, balloon.style, PAPER, faces)
    canvas.restore()


def _stroke_run(
    canvas: skia.Canvas, text: str, x: float, baseline: float, face: skia.Font, paint: skia.Paint
) -> float:
    """Stroke letters as shapes, not as text, which would be found twice; returns where they end."""
    glyphs = face.textToGlyphs(text)
    for glyph, advance in zip(glyphs, face.getWidths(glyphs), strict=True):
        path = face.getPath(glyph)
        if path is not None:
            path.offset(x, baseline)
            canvas.drawPath(path, paint)
        x += advance
    return x


def _fill(colour: int) -> skia.Paint:
    return skia.Paint(AntiAlias=True, Color=colour)


def _stroke(colour: int, width: float, join: skia.Paint.Join = skia.Paint.kRound_Join) -> skia.Paint:
    paint = skia.Paint(AntiAlias=True, Color=colour, Style=skia.Paint.kStroke_Style, StrokeWidth=width)
    paint.setStrokeJoin(join)
    return paint
