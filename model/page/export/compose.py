"""Compose: a page as pixels.

In: a book and a page of it. Out: an RGB picture, either the finished page or its plan.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import skia
from PIL import Image

from model.geometry import Box
from model.page.export.drawing import (
    INK,
    LAYERS,
    PAPER,
    SOFT_INK,
    draw_balloons,
    draw_frame,
    draw_number,
    draw_sheet,
    frame_path,
    rect_of,
)
from model.page.export.inking import ink_text
from model.page.export.sheet import Sheet, SheetPanel, lay_out, open_picture
from model.page.type.faces import Faces, house_faces
from model.page.type.typesetting import LEADING, set_in_box
from model.page.values import Book, PageArt

DPI = 150
_TINT = skia.Color(232, 238, 246)
_FIGURES = (
    skia.Color(196, 64, 52),
    skia.Color(34, 110, 178),
    skia.Color(46, 132, 70),
    skia.Color(150, 84, 170),
)


def compose_page(book: Book, page: PageArt, dpi: int = DPI) -> Image.Image:
    """Set one page and draw it at `dpi`: an RGB picture. Deterministic.

    Raises:
        StoryError: the template cannot hold the panels, or a text cannot be set legibly.
        IntegrityError: a panel's picture cannot be read.
    """
    faces = house_faces(book.font)
    sheet = lay_out(book, page, faces)
    return raster(sheet, fitted_pictures(sheet, dpi), faces, dpi).convert("RGB")


def raster(
    sheet: Sheet,
    pictures: Mapping[str, Image.Image],
    faces: Faces,
    dpi: float,
    layers: Collection[str] = LAYERS,
) -> Image.Image:
    """Draw a sheet that is laid out already, or some of its layers, with pictures that are fitted already.

    Returns:
        RGBA; opaque when the art is among the layers, straight alpha otherwise.
    """
    surface, canvas = _surface(sheet, dpi)
    images = {
        name: skia.Image.fromarray(np.asarray(picture.convert("RGBA")), skia.kRGBA_8888_ColorType)
        for name, picture in pictures.items()
    }
    draw_sheet(canvas, sheet, images, faces, layers)
    return Image.fromarray(surface.toarray(colorType=skia.kRGBA_8888_ColorType))


def draw_layout(book: Book, page: PageArt, dpi: int = DPI, *, sheet: Sheet | None = None) -> Image.Image:
    """The plan of a page: frames, figure boxes with names, scenes in words, balloons. Needs no pictures.

    Args:
        sheet: the page as it was laid out already, without its pictures.

    Raises:
        StoryError: as for `compose_page`.
    """
    faces = house_faces(book.font)
    sheet = sheet or lay_out(book, page, faces, pictures=False)
    surface, canvas = _surface(sheet, dpi)
    canvas.clear(PAPER)
    for order, panel in enumerate(sheet.panels, start=1):
        canvas.drawPath(frame_path(panel), skia.Paint(AntiAlias=True, Color=_TINT))
        _draw_scene(canvas, panel, order, faces)
        _draw_figures(canvas, panel, faces)
        draw_frame(canvas, panel)
    for panel in sheet.panels:
        draw_balloons(canvas, panel, faces)
    draw_number(canvas, sheet, faces)
    return _picture(surface)


def fitted_pictures(sheet: Sheet, dpi: float) -> dict[str, Image.Image]:
    """The sheet's pictures by panel id: RGB, cropped to what frames show, scaled to their pixels at `dpi`."""
    return {
        panel.art.id: fitted(panel.art.picture, panel.window, pixels_of(panel, dpi))
        for panel in sheet.panels
        if panel.art.picture is not None
    }


def pixels_of(panel: SheetPanel, dpi: float) -> tuple[int, int]:
    """Width and height in pixels of a panel's picture at `dpi`."""
    return max(1, round(panel.frame.width * dpi / 72)), max(1, round(panel.frame.height * dpi / 72))


def fitted(picture: Path, window: Box, size: tuple[int, int]) -> Image.Image:
    """The part of a picture that shows, in so many pixels: RGB."""
    opened = open_picture(picture)
    width, height = opened.size
    box = window.x * width, window.y * height, window.right * width, window.bottom * height
    return opened.convert("RGB").resize(size, Image.Resampling.LANCZOS, box=box)


def _draw_scene(canvas: skia.Canvas, panel: SheetPanel, order: int, faces: Faces) -> None:
    """The scene's words at the foot of the panel, after the panel's place in the reading order."""
    size = 6.6
    text = f"{order}. {panel.art.scene}".strip()
    room = panel.frame.width - 8, panel.frame.height - 8
    for setting in set_in_box(text, "italic", size, faces, room)[:1]:
        top = panel.frame.bottom - 4 - len(setting.lines) * LEADING * size
        for index, row in enumerate(setting.lines):
            baseline = top + index * LEADING * size + 0.9 * size
            ink_text(canvas, row.text, panel.frame.x + 5, baseline, size, "italic", SOFT_INK, faces)


def _draw_figures(canvas: skia.Canvas, panel: SheetPanel, faces: Faces) -> None:
    """Dashed boxes with names."""
    names = (*panel.art.names, *("" for _ in panel.art.figures))
    for index, (box, name) in enumerate(zip(panel.art.figures, names, strict=False)):
        colour = _FIGURES[index % len(_FIGURES)]
        line = skia.Paint(AntiAlias=True, Color=colour, Style=skia.Paint.kStroke_Style, StrokeWidth=0.9)
        line.setPathEffect(skia.DashPathEffect.Make([4.0, 2.5], 0.0))
        figure = panel.frame.placed(box.clipped())
        canvas.drawRect(rect_of(figure), line)
        size = 7.0
        x = figure.centre.x - faces.width(name, "bold") * size / 2
        ink_text(canvas, name, x, figure.y + 0.3 * figure.height, size, "bold", colour or INK, faces)


def _surface(sheet: Sheet, dpi: float) -> tuple[skia.Surface, skia.Canvas]:
    surface = skia.Surface(round(sheet.width * dpi / 72), round(sheet.height * dpi / 72))
    canvas = surface.getCanvas()
    canvas.scale(dpi / 72, dpi / 72)
    return surface, canvas


def _picture(surface: skia.Surface) -> Image.Image:
    return Image.fromarray(surface.toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3])
