"""PDF: pages as vectors. Balloons and frames stay outlines, words stay text in reading order.

In: the pages of a book. Out: a file, the same bytes for the same book: neither dates nor ids are written. Its
last lines say in which direction and language it is read, carry the stamp of what it was made of, and tell
where its pictures stand, so that the next version takes them over.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import PIL
import skia

from model.errors import StorageError
from model.files import replacing
from model.page.export.compose import fitted, pixels_of
from model.page.export.drawing import LAYERS, draw_sheet
from model.page.export.plates import Plate, Plates, plate_key, plate_of, plates_line
from model.page.export.press import Press
from model.page.export.sheet import Sheet, SheetPanel
from model.page.export.unseen import lay_over
from model.page.type.faces import Faces
from model.page.values import Book

_QUALITY = 92  # of the pictures' JPEG coding; screentone shows no ringing from here on
_STAMP = b"%autostudio-book "
_UNFINISHED = "0"  # in place of a stamp
_TAIL = 4096  # bytes at the end of a file that hold its trailer and stamp


def write_pdf(path: Path, press: Press) -> None:
    """The book as a PDF. Pictures that the file of earlier has are taken from it as they are."""
    before = Plates(path, _plates_at(path))
    with replacing(path, keep_same=True) as file:
        plates: list[Plate] = []
        with _Writer(press.book.title, file.name) as pdf:
            for index in range(len(press)):
                sheet = press.sheet(index)
                coded = {panel.art.id: _coded(panel, press, before, plates) for panel in sheet.panels}
                pdf.add(sheet, coded, press.faces, press.layers)
        # What lacks a character is written again next time: a typeface may have been installed.
        _append_catalog(file, press.book, _UNFINISHED if press.notes else press.stamp, plates)


def same_book(path: Path, stamp: str) -> bool:
    """Whether the file is a PDF that was made of what has this stamp."""
    return _STAMP + stamp.encode() in _end_of(path)


def _plates_at(path: Path) -> int | None:
    """Where a PDF of ours says which pictures it has."""
    found = re.search(re.escape(_STAMP) + rb"[0-9a-f]+ (\d+)\n", _end_of(path))
    return int(found[1]) if found else None


def _end_of(path: Path) -> bytes:
    """The last bytes of a file; none where there is no file."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return file.read()


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
        pictures: Mapping[str, bytes],
        faces: Faces,
        layers: Collection[str] = LAYERS,
    ) -> None:
        """Draw one page; its pictures are JPEGs, which the PDF takes over as they are."""
        images = {
            name: skia.Image.MakeFromEncoded(skia.Data.MakeWithCopy(coded))
            for name, coded in pictures.items()
            if coded
        }
        canvas = self._document.beginPage(sheet.width, sheet.height)
        draw_sheet(canvas, sheet, images, faces, layers, lay_over)
        self._document.endPage()


def _coded(panel: SheetPanel, press: Press, before: Plates, plates: list[Plate]) -> bytes:
    """A panel's picture as JPEG, which is added to the plates; nothing when there is none."""
    picture = panel.art.picture
    if picture is None:
        return b""
    size = pixels_of(panel, press.dpi)
    key = plate_key(press.digests[picture], panel.window, size, _QUALITY, PIL.__version__)
    coded = before.coded(key)
    if coded is None:
        written = io.BytesIO()
        fitted(picture, panel.window, size).save(written, "JPEG", quality=_QUALITY, subsampling=0)
        coded = written.getvalue()
    plates.append(plate_of(key, coded))
    return coded


def _append_catalog(file: IO[bytes], book: Book, stamp: str, plates: Sequence[Plate]) -> None:
    """Say language and direction, which skia cannot, in an incremental update (ISO 32000-1, 7.5.6)."""
    told = file.seek(0, io.SEEK_END)
    file.seek(max(0, told - _TAIL))
    tail = file.read()
    file.write(plates_line(file, plates))
    end = file.tell()
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
    file.write(_STAMP + stamp.encode() + b" %d\nstartxref\n%d\n%%%%EOF\n" % (told, end + len(catalog)))
