"""Export: a book written in whatever forms are asked for.

In: a book and a folder. Out: files, byte for byte the same for the same book; a file whose bytes would not
change is left alone, and a page that is there already is not set again. Each page is laid out once and drawn
once, as pixels or as vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from model.errors import ConfigError, StoryError
from model.files import write_bytes
from model.ours import remove_ours, set_aside
from model.page.export.cbz import write_archive
from model.page.export.compose import DPI
from model.page.export.drawing import ART, BALLOONS, LAYERS, NUMBER
from model.page.export.epub import write_epub
from model.page.export.layers import write_layers
from model.page.export.pdf import same_book, write_pdf
from model.page.export.press import Press
from model.page.export.reader import reader_page
from model.page.export.sheet import lay_out
from model.page.export.stamps import book_stamp, page_stamps, picture_digests
from model.page.export.webtoon import write_strip
from model.page.type.emphasis import actions
from model.page.type.faces import house_faces
from model.page.values import Book

BOOK = ("png", "pdf", "cbz", "html")  # what a run writes
LARGEST_DPI = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export did.

    Attributes:
        stamp: of what the book shows and says, as `stamp_of` gives it.
        files: every file of the forms asked for, whether it was written now or is as it was.
        notes: what the letterer had to say.
        set_anew: numbers of the pages whose picture was drawn.
    """

    stamp: str
    files: tuple[Path, ...]
    notes: tuple[str, ...]
    set_anew: tuple[int, ...]


def export_book(
    book: Book,
    out: Path,
    dpi: int = DPI,
    formats: Sequence[str] = BOOK,
    *,
    empty_balloons: bool = False,
    modified: datetime | None = None,
) -> Exported:
    """Write a book into `out`, in some of FORMATS.

    Page pictures of an earlier, longer version of the book are removed. Deterministic.

    Args:
        dpi: of page pictures, and of the pictures in the PDF.
        formats: which forms; their order does not matter.
        empty_balloons: balloons and captions are drawn, but no word of the story.
        modified: when the story or its pictures last changed; an EPUB has to say it.

    Raises:
        StoryError: no pages, a template that cannot hold its panels, or a text that cannot be set legibly.
        ConfigError: an unknown form, or a resolution out of range.
        IntegrityError: a panel's picture cannot be read.
        StorageError: the disk refuses.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ConfigError(f"--format: {unknown[0]!r} is unknown; use one of {', '.join(FORMATS)}")
    if not 18 <= dpi <= LARGEST_DPI:
        raise ConfigError(f"--dpi: {dpi} is out of range; use 18 to {LARGEST_DPI}")
    if not book.pages:
        raise StoryError(f"book {book.title!r} has no pages; expected at least one")
    layers = (ART, NUMBER, BALLOONS) if empty_balloons else LAYERS
    with Press(book, dpi=dpi, layers=layers, found=out / "pages") as press:
        # Everything is laid out before anything is written: what cannot be set leaves the old book whole.
        whole = "layers" in formats or ("pdf" in formats and not _same_pdf(press, out))
        if whole or set(formats) - {"webtoon", "pdf"}:
            press.prepare(everything=whole)
        files: list[Path] = []
        for name, write in FORMATS.items():
            if name in formats:
                files += write(press, out, modified)
        return Exported(
            stamp=stamp_of(book),
            files=tuple(dict.fromkeys(files)),
            notes=(*press.notes, *emphasis_notes(book)),
            set_anew=tuple(press.set_anew),
        )


def lettering_notes(book: Book) -> tuple[str, ...]:
    """What the letterer has to say about a book: characters that no typeface here has, asterisks it takes.

    Raises:
        As `export_book`, except that nothing is written.
    """
    faces = house_faces(book.font)
    missing = (note for page in book.pages for note in lay_out(book, page, faces).notes)
    return (*missing, *emphasis_notes(book))


def emphasis_notes(book: Book) -> tuple[str, ...]:
    """Where asterisks are taken for marks of emphasis that may have been meant to show."""
    found: list[str] = []
    for panel in (panel for page in book.pages for panel in page.panels):
        for text in (panel.caption, *(line.text for line in panel.lines)):
            found += [
                f"panel {panel.id}: {written} is set as emphasis, without its asterisks; "
                f"to show them, write a backslash before each (in JSON two)"
                for written in actions(text)
            ]
    return tuple(dict.fromkeys(found))


def stamp_of(book: Book) -> str:
    """Of what a book shows and says, whatever its resolution: forms with the same stamp tell the same."""
    faces = house_faces(book.font)
    return book_stamp(book, page_stamps(book, faces, DPI, LAYERS, picture_digests(book)))


def forms_in(out: Path) -> tuple[str, ...]:
    """The forms of which there is something in a folder."""
    return tuple(name for name, pattern in _PLACES.items() if next(out.glob(pattern), None) is not None)


def _pages(press: Press, out: Path, _: datetime | None) -> Sequence[Path]:
    pages = [out / "pages" / press.name(index) for index in range(len(press))]
    for index, page in enumerate(pages):
        press.put(index, page)
    remove_ours(out / "pages", r"page_\d{3,}\.png", {page.name for page in pages})
    return pages


def _same_pdf(press: Press, out: Path) -> bool:
    return same_book(out / "book.pdf", press.stamp)


def _pdf(press: Press, out: Path, _: datetime | None) -> Sequence[Path]:
    if not _same_pdf(press, out):
        set_aside(out / "book.pdf")
        write_pdf(out / "book.pdf", press)
    return [out / "book.pdf"]


def _cbz(press: Press, out: Path, _: datetime | None) -> Sequence[Path]:
    set_aside(out / "book.cbz")
    write_archive(out / "book.cbz", press)
    return [out / "book.cbz"]


def _epub(press: Press, out: Path, modified: datetime | None) -> Sequence[Path]:
    set_aside(out / "book.epub")
    write_epub(out / "book.epub", press, modified)
    return [out / "book.epub"]


def _html(press: Press, out: Path, modified: datetime | None) -> Sequence[Path]:
    pages = _pages(press, out, modified)
    names = [page.relative_to(out).as_posix() for page in pages]
    set_aside(out / "index.html")
    page = reader_page(press.book, names, [press.size(index) for index in range(len(press))])
    write_bytes(out / "index.html", page.encode(), keep_same=True)
    return [*pages, out / "index.html"]


def _webtoon(press: Press, out: Path, _: datetime | None) -> Sequence[Path]:
    return write_strip(out / "webtoon", press)


def _layers(press: Press, out: Path, _: datetime | None) -> Sequence[Path]:
    return write_layers(out / "layers", press)


# In the order of writing: pages come first, for whatever else shows them takes them from there.
FORMATS: dict[str, Callable[[Press, Path, datetime | None], Sequence[Path]]] = {
    "png": _pages,
    "pdf": _pdf,
    "cbz": _cbz,
    "html": _html,
    "epub": _epub,
    "webtoon": _webtoon,
    "layers": _layers,
}

# What each form has in its folder.
_PLACES = {
    "png": "pages/page_[0-9][0-9][0-9].png",
    "pdf": "book.pdf",
    "cbz": "book.cbz",
    "html": "index.html",
    "epub": "book.epub",
    "webtoon": "webtoon/strip_[0-9][0-9][0-9].jpg",
    "layers": "layers/*/page.svg",
}
