"""PDF: pages as vectors. Balloons and frames stay outlines, words stay text in reading order.

In: the pages of a book. Out: a file, the same bytes for the same book: neither dates nor ids are written. Its
last lines say in which direction and language it is read, and carry the stamp of what it was made of.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

import skia
from PIL import Image

from model.errors import StorageError
from model.files import replacing
from model.page.compose import fitted_pictures
from model.page.drawing import LAYERS, draw_sheet
from model.page.faces import Faces
from model.page.press import Press
from model.page.sheet import Sheet
from model.page.values import Book

_QUALITY = 92  # of the pictures' JPEG coding; screentone shows no ringing from here on
_STAMP = b"%autostudio-book "
_TAIL = 4096  # bytes at the end of a file that hold its trailer and stamp


def write_pdf(path: Path, press: Press) -> None:
    """The book as a PDF."""
    with replacing(path, keep_same=True) as file:
        with _Writer(press.book.title, file.name) as pdf:
            for index in range(len(press)):
                sheet = press.sheet(index)
                pdf.add(sheet, fitted_pictures(sheet, press.dpi), press.faces, press.layers)
        _append_catalog(file, press.book, press.stamp)


def same_book(path: Path, stamp: str) -> bool:
    """Whether the file is a PDF that was made of what has this stamp."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return _STAMP + stamp.encode() in file.read()


class _Writer:
    """Pages become a file: inside `with`, add them in order. Leaving closes the document."""

    def __init__(self, title: str, path: str) -> None:
        metadata = skia.PDF.Metadata()
        metadata.fTitle = title
        metadata.fCreator = "AutoStudio"
        # Straight to the disk: a long book in memory would be there several times.
        self._stream: Any = skia.FILEWStream(path)
        if not self._stream.isValid():
            raise StorageError(
                f"cannot write {path}: it could not be opened; choose another folder with --out"
            )
        self._document: Any = skia.PDF.MakeDocument(self._stream, metadata)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # An open document that outlives its stream writes into freed memory, so it is ended here.
        if kind is None:
            self._document.close()
        else:
            self._document.abort()
        self._document = None
        self._stream.flush()
        self._stream = None

    def add(
        self,
        sheet: Sheet,
        pictures: Mapping[str, Image.Image],
        faces: Faces,
        layers: Collection[str] = LAYERS,
    ) -> None:
        """Draw one page."""
        images = {name: _coded(picture) for name, picture in pictures.items()}
        canvas = self._document.beginPage(sheet.width, sheet.height)
        draw_sheet(canvas, sheet, images, faces, layers)
        self._document.endPage()


def _coded(picture: Image.Image) -> skia.Image:
    """A picture in JPEG form, which the PDF takes over as it is."""
    coded = io.BytesIO()
    picture.save(coded, "JPEG", quality=_QUALITY, subsampling=0)
    return skia.Image.MakeFromEncoded(skia.Data.MakeWithCopy(coded.getvalue()))


def _append_catalog(file: IO[bytes], book: Book, stamp: str) -> None:
    """Say language and direction, which skia cannot, in an incremental update (ISO 32000-1, 7.5.6)."""
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - _TAIL))
    tail = file.read()
    root, info, size, start = (
        int(re.findall(pattern, tail)[-1])
        for pattern in (rb"/Root (\d+) 0 R", rb"/Info (\d+) 0 R", rb"/Size (\d+)", rb"startxref\s+(\d+)")
    )
    # The table of offsets begins with `xref` and `0 N`, a line each; an entry has twenty bytes.
    file.seek(start)
    file.readline()
    file.readline()
    file.seek(20 * root, io.SEEK_CUR)
    file.seek(int(file.read(10)))
    pages = int(re.findall(rb"/Pages (\d+) 0 R", file.read(512))[0])
    direction = b"R2L" if book.reading_direction == "rtl" else b"L2R"
    catalog = (
        b"%d 0 obj\n<</Type /Catalog\n/Pages %d 0 R\n/Lang (%b)\n/PageLayout /SinglePage\n"
        b"/ViewerPreferences <</Direction /%b\n/DisplayDocTitle true>>>>\nendobj\n"
        % (root, pages, book.language.encode(), direction)
    )
    file.seek(0, io.SEEK_END)
    file.write(catalog)
    file.write(b"xref\n0 1\n0000000000 65535 f \n%d 1\n%010d 00000 n \n" % (root, end))
    file.write(b"trailer\n<</Size %d\n/Root %d 0 R\n/Info %d 0 R\n/Prev %d>>\n" % (size, root, info, start))
    file.write(_STAMP + stamp.encode() + b"\nstartxref\n%d\n%%%%EOF\n" % (end + len(catalog)))
