"""Layers: every page taken apart, for people who letter by hand.

In: the pages of a book. Out: a folder a page with `art.png` (pictures, frames, page number), `balloons.png`
(shapes without words) and `lettering.png` (words and sounds), which lie on each other as they are, and
`page.svg`: the art as a picture, balloons as outlines and words as text, each in a layer of its own. Text is
in the order in which it is read; each stretch of one direction has its place.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import io
import math
import re
from collections.abc import Collection, Sequence
from html import escape
from pathlib import Path

import skia
from PIL import Image

from model.files import write_bytes
from model.page.export.cbz import printable
from model.page.export.compose import fitted_pictures, raster
from model.page.export.drawing import ART, BALLOONS, NUMBER, WORDS, draw_sheet
from model.page.export.press import Press
from model.page.export.sheet import Sheet
from model.page.export.unseen import Spot
from model.page.type.faces import Faces, Run

_PARTS = {"art": (ART, NUMBER), "balloons": (BALLOONS,), "lettering": (WORDS,)}
_POINTS_PER_MM = 72 / 25.4
# What stands for a text in skia's document until it is written there.
_KEPT_PLACE = re.compile(r'<rect x="-1" y="-1" width="(\d+)" height="1"/>')


def write_layers(folder: Path, press: Press) -> list[Path]:
    """A folder a page, with its layers as pictures and as one SVG."""
    files: list[Path] = []
    for index in range(len(press)):
        sheet = press.sheet(index)
        page = folder / press.name(index).removesuffix(".png")
        pictures = fitted_pictures(sheet, press.dpi)
        for part, layers in _PARTS.items():
            shown = [layer for layer in layers if layer in press.layers]
            drawn = raster(sheet, pictures, press.faces, press.dpi, shown)
            files.append(page / f"{part}.png")
            write_bytes(
                files[-1], _png(drawn.convert("RGB") if part == "art" else drawn, press.dpi), keep_same=True
            )
        files.append(page / "page.svg")
        write_bytes(
            files[-1], _svg(press.book.title, sheet, press.faces, press.layers).encode(), keep_same=True
        )
    return files


def _png(picture: Image.Image, dpi: int) -> bytes:
    coded = io.BytesIO()
    picture.save(coded, "PNG", compress_level=3, dpi=(dpi, dpi))
    return coded.getvalue()


def _svg(title: str, sheet: Sheet, faces: Faces, layers: Collection[str]) -> str:
    """The page in layers as Inkscape and its kin know them."""
    width, height = f"{sheet.width:.2f}", f"{sheet.height:.2f}"
    # Three pictures in one file: the art beside it, and two groups of outlines and text.
    groups = [f'<image href="art.png" xlink:href="art.png" width="{width}" height="{height}"/>']
    groups += [_vectors(sheet, faces, [layer] if layer in layers else []) for layer in (BALLOONS, WORDS)]
    body = "\n".join(
        f'<g id="{name}" inkscape:groupmode="layer" inkscape:label="{name.title()}">\n{group}\n</g>'
        for name, group in zip(_PARTS, groups, strict=True)
    )
    return f"""<?xml version="1.0" encoding="utf-8"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"
 width="{sheet.width / _POINTS_PER_MM:.2f}mm" height="{sheet.height / _POINTS_PER_MM:.2f}mm"
 viewBox="0 0 {width} {height}">
<title>{escape(printable(title))}, page {sheet.number}</title>
{body}
</svg>
"""


def _vectors(sheet: Sheet, faces: Faces, layers: Collection[str]) -> str:
    """Some layers of a sheet as SVG elements."""
    texts: list[str] = []

    def keep_place(
        canvas: skia.Canvas,
        run: Run,
        size: float,
        spots: Sequence[Spot],
        paint: skia.Paint,
        squeeze: float,
    ) -> None:
        texts.append(_text(run, size, spots, paint, squeeze))
        canvas.drawRect(skia.Rect.MakeXYWH(-1.0, -1.0, len(texts), 1.0), skia.Paint(Color=skia.ColorBLACK))

    stream = skia.DynamicMemoryWStream()
    bounds = skia.Rect.MakeWH(sheet.width, sheet.height)
    canvas = skia.SVGCanvas.Make(bounds, stream, skia.SVGCanvas.kNoPrettyXML_Flag)
    draw_sheet(canvas, sheet, {}, faces, layers, keep_place)
    del canvas  # which ends the document
    written = bytes(stream.detachAsData()).decode()
    inside = re.sub(r"^.*?<svg[^>]*?(/>|>)|</svg>\s*$", "", written, flags=re.DOTALL)
    # skia ends its lists of coordinates with a comma, which SVG does not allow.
    inside = re.sub(r'(\s[xy]="[^"]*?),\s*"', r'\1"', inside)
    inside = _KEPT_PLACE.sub(lambda place: texts[int(place[1]) - 1], inside)
    return re.sub(r'font-family="([^"]*)"', _with_others, inside)


def _text(run: Run, size: float, spots: Sequence[Spot], paint: skia.Paint, squeeze: float) -> str:
    """A run in the order in which it is read, for the viewer to shape: joined, mirrored, or with marks."""
    width = run.width * size * squeeze
    start = run.places[0][0] * size * squeeze if spots else 0.0
    x, y, angle = spots[0] if spots else (0.0, 0.0, 0.0)
    x, y = x - start * math.cos(angle), y - start * math.sin(angle)
    if run.leftwards:
        # Text that runs leftwards begins at its right end.
        x, y = x + width * math.cos(angle), y + width * math.sin(angle)
    style = run.face.typeface.fontStyle()
    facts = {
        "x": f"{x:.2f}",
        "y": f"{y:.2f}",
        "direction": "rtl" if run.leftwards else "",
        "unicode-bidi": "bidi-override" if run.leftwards else "",
        "transform": f"rotate({math.degrees(angle):.1f} {x:.2f} {y:.2f})" if angle else "",
        "textLength": f"{width:.2f}",
        "lengthAdjust": "spacingAndGlyphs",
        "fill": f"#{paint.getColor() & 0xFFFFFF:06x}",
        "fill-opacity": f"{paint.getAlphaf():.3f}" if paint.getAlpha() < 255 else "",
        "font-size": f"{size:.4g}",
        "font-family": escape(run.face.typeface.getFamilyName()),
        "font-style": "italic" if run.face.leans or run.face.typeface.isItalic() else "",
        "font-weight": "bold" if run.face.thickened or style.weight() >= 600 else "",
    }
    told = " ".join(f'{name}="{value}"' for name, value in facts.items() if value)
    return f'<text xml:space="preserve" {told}>{escape(printable(run.text))}</text>'


def _with_others(family: re.Match[str]) -> str:
    """The family and what may stand in for it elsewhere; DejaVu is set as narrow as its condensed cut."""
    return (
        f'font-family="{family[1].replace("DejaVu Sans", "DejaVu Sans Condensed, DejaVu Sans")}, sans-serif"'
    )
