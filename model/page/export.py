"""Export: a book written as page pictures, PDF, comic archive and HTML reader.

In: a book and a folder. Out: files, byte for byte the same for the same book; a file whose bytes would not
change is left alone. Each page is laid out once and drawn twice, as pixels and as vectors.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from model.errors import StoryError
from model.files import storage_errors, write_bytes
from model.page.cbz import comic_archive
from model.page.compose import DPI, fitted_pictures, raster
from model.page.faces import house_faces
from model.page.pdf import PdfWriter
from model.page.reader import reader_page
from model.page.sheet import lay_out
from model.page.values import Book

_PNG_LEVEL = 3  # a third of the default's time for a tenth more bytes


def export_book(book: Book, out: Path, dpi: int = DPI) -> tuple[Path, ...]:
    """Write pages/page_NNN.png, book.pdf, book.cbz and index.html into `out`.

    Page pictures of an earlier, longer version of the book are removed. Deterministic.

    Returns:
        Every file of the book, pages first.
    Raises:
        StoryError: no pages, a template that cannot hold its panels, or a text that cannot be set legibly.
        IntegrityError: a panel's picture cannot be read.
        StorageError: the disk refuses.
    """
    if not book.pages:
        raise StoryError(f"book {book.title!r} has no pages; expected at least one")
    faces = house_faces(book.font)
    # Everything is laid out before anything is written: a text that cannot be set leaves the old book whole.
    sheets = [lay_out(book, page, faces) for page in book.pages]
    pages: list[Path] = []
    size = (0, 0)
    with PdfWriter(book.title) as pdf:
        for sheet in sheets:
            pictures = fitted_pictures(sheet, dpi)
            pdf.add(sheet, pictures, faces)
            page = raster(sheet, pictures, faces, dpi)
            size = page.size
            pages.append(out / "pages" / f"page_{sheet.number:03d}.png")
            _write(pages[-1], _png(page, dpi))
        _remove_others(out / "pages", pages)
        _write(out / "book.pdf", pdf.finish())
    _write(out / "book.cbz", comic_archive(book, pages))
    names = [f"pages/{page.name}" for page in pages]
    _write(out / "index.html", reader_page(book, names, size).encode())
    return (*pages, out / "book.pdf", out / "book.cbz", out / "index.html")


def lettering_notes(book: Book) -> tuple[str, ...]:
    """What the letterer has to say about a book: characters that no typeface here has, by name.

    Raises:
        As `export_book`, except that nothing is written.
    """
    faces = house_faces(book.font)
    return tuple(note for page in book.pages for note in lay_out(book, page, faces).notes)


def _png(picture: Image.Image, dpi: int) -> bytes:
    coded = io.BytesIO()
    picture.save(coded, "PNG", compress_level=_PNG_LEVEL, dpi=(dpi, dpi))
    return coded.getvalue()


def _write(path: Path, data: bytes) -> None:
    """Write unless the file holds these bytes already."""
    with storage_errors(path):
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    write_bytes(path, data)


def _remove_others(folder: Path, pages: list[Path]) -> None:
    """Remove pages that the book no longer has, and nothing else."""
    with storage_errors(folder):
        for stale in sorted(folder.glob("page_[0-9][0-9][0-9].png")):
            if stale not in pages:
                stale.unlink()
