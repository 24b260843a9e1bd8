"""Webtoon: the book as one long strip, panel under panel, cut in the gutters into slices that sites take.

In: the pages of a book. Out: JPEG files, none wider, higher or larger than the sites allow. Panels are
lettered anew for a screen held in a hand; page frames and page numbers are left behind.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image

from model.errors import StoryError
from model.files import write_bytes
from model.ours import MARK, remove_ours
from model.page.balloons.hand import hand_of
from model.page.balloons.lettering import letter_panel
from model.page.export.compose import fitted_pictures, raster
from model.page.export.drawing import NUMBER
from model.page.export.press import Press
from model.page.export.sheet import WHOLE, Sheet, SheetPanel, picture_size
from model.page.plane import Rect
from model.page.values import PanelArt

# What WEBTOON takes: 800 × 1280 pixels and 2 MB a picture; Tapas takes more of each.
WIDTH, HEIGHT, BYTES = 800, 1280, 2_000_000
# The strip's width in points, best first: the narrower, the larger the letters; crowded panels take more.
_WIDTHS = (290.0, 360.0, 440.0)
_MARGIN = 0.025  # of the strip's width, on either side of a panel
_GUTTER, _PAGE_GUTTER = 48, 112  # pixels between panels, and between those of two pages
_BLANK_ASPECT = 1.0  # of a panel that was not drawn
_QUALITIES = (92, 85, 75, 60)


def write_strip(folder: Path, press: Press) -> list[Path]:
    """The book as slices strip_001.jpg, …; those of an earlier, longer strip are removed.

    Raises:
        StoryError: a text cannot be set legibly in the strip.
    """
    panels = [(page, panel) for page, art in enumerate(press.book.pages) for panel in art.panels]
    sheets = [_sheet(panel, press) for _, panel in panels]
    press.add_notes(note for sheet in sheets for note in sheet.notes)
    gaps = [_GUTTER if before == after else _PAGE_GUTTER for (before, _), (after, _) in pairwise(panels)]
    heights = [round(sheet.height * WIDTH / sheet.width) for sheet in sheets]
    files: list[Path] = []
    for first, last, above, below in slices(heights, gaps, HEIGHT):
        strip = Image.new(
            "RGB", (WIDTH, above + sum(heights[first:last]) + sum(gaps[first : last - 1]) + below)
        )
        strip.paste("white", (0, 0, *strip.size))
        top = above
        for index in range(first, last):
            strip.paste(_drawn(sheets[index], press, heights[index]), (0, top))
            top += heights[index] + (gaps[index] if index < last - 1 else 0)
        files.append(folder / f"strip_{len(files) + 1:03d}.jpg")
        write_bytes(files[-1], _coded(strip), keep_same=True)
    remove_ours(folder, r"strip_\d{3,}\.jpg", {file.name for file in files})
    return files


def slices(heights: Sequence[int], gaps: Sequence[int], limit: int) -> Iterable[tuple[int, int, int, int]]:
    """Where to cut a strip: each slice's first panel, the one after its last, and the gutter above and below.

    Cuts lie in the middle of gutters, so that slices shown under each other are the strip again.

    Args:
        heights: of the panels; none is higher than `limit` less the gutters around it.
        gaps: between neighbours, so one fewer.
        limit: of a slice's height.
    """
    around = (_GUTTER, *gaps, _GUTTER)
    first = 0
    while first < len(heights):
        above = around[first] - around[first] // 2
        height, last = above, first
        while last < len(heights):
            grown = height + (around[last] if last > first else 0) + heights[last]
            if last > first and grown + around[last + 1] // 2 > limit:
                break
            height, last = grown, last + 1
        yield first, last, above, around[last] // 2
        first = last


def _sheet(panel: PanelArt, press: Press) -> Sheet:
    """One panel, set for the strip: as large letters as it has room for."""
    for width in _WIDTHS[:-1]:
        try:
            return _set(panel, press, width)
        except StoryError:
            continue
    return _set(panel, press, _WIDTHS[-1])


def _set(panel: PanelArt, press: Press, width: float) -> Sheet:
    """One panel on a strip `width` points wide. Its frame has its picture's shape: nothing is cropped."""
    aspect = _BLANK_ASPECT
    if panel.picture is not None:
        across, down = picture_size(panel.picture)
        aspect = across / down
    # The gutters around the highest panel still fit into its slice.
    highest = (HEIGHT - _PAGE_GUTTER) * width / WIDTH
    height = min(width * (1 - 2 * _MARGIN) / aspect, highest)
    frame = Rect((width - height * aspect) / 2, 0.0, height * aspect, height)
    hand = hand_of(press.book, press.faces)
    lettering = letter_panel(panel, frame, WHOLE, press.book.reading_direction, hand)
    art = SheetPanel(art=panel, frame=frame, window=WHOLE, balloons=lettering.balloons, corners=frame.corners)
    return Sheet(number=0, width=width, height=height, panels=(art,), notes=lettering.notes)


def _drawn(sheet: Sheet, press: Press, height: int) -> Image.Image:
    """A strip's panel, `height` pixels high; half of the frame's line at top and bottom is beyond it."""
    dpi = 72 * WIDTH / sheet.width
    layers = [layer for layer in press.layers if layer != NUMBER]
    drawn = raster(sheet, fitted_pictures(sheet, dpi), press.faces, dpi, layers).convert("RGB")
    return drawn if drawn.height == height else drawn.resize((WIDTH, height))


def _coded(strip: Image.Image) -> bytes:
    """As JPEG, small enough for every site."""
    coded = io.BytesIO()
    for quality in _QUALITIES:
        coded = io.BytesIO()
        strip.save(coded, "JPEG", quality=quality, subsampling=0, comment=MARK.encode())
        if coded.tell() <= BYTES:
            break
    return coded.getvalue()
