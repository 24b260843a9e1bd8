"""Press: the pages of one book, laid out and drawn at most once, and not at all when they are there.

In: a book, a resolution, the layers to draw, and the folder where pages of an earlier export may lie. Out:
sheets, page pictures as PNG, and the letterer's notes. A page's PNG carries the stamp of all that decided it,
and its sheet (`imprint.py`); while the stamp is the same, both are taken from the file. Knows nothing of what
pages are bound into.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from types import TracebackType

from PIL import Image

from model.files import storage_errors, write_bytes
from model.ours import set_aside
from model.page.export.compose import DPI, fitted_pictures, raster
from model.page.export.drawing import LAYERS, WORDS
from model.page.export.imprint import Imprint, imprinted, read_imprint
from model.page.export.sheet import Sheet, lay_out, open_picture, picture_size
from model.page.export.stamps import book_stamp, page_stamps, picture_digests
from model.page.type.faces import house_faces
from model.page.values import Book


class Press:
    """Use inside `with`: pages that belong nowhere else are kept in a temporary folder until then."""

    def __init__(
        self, book: Book, *, dpi: int = DPI, layers: Collection[str] = LAYERS, found: Path | None = None
    ) -> None:
        """Look up which pages are there. `found`: the folder of an earlier export's page pictures.

        Raises:
            IntegrityError: a panel's picture cannot be read.
        """
        self.book = book
        self.dpi = dpi
        self.layers = tuple(layers)
        self.faces = house_faces(book.font)
        self.set_anew: list[int] = []
        self._found = found
        self._sheets: dict[int, Sheet] = {}
        self._notes: dict[int, tuple[str, ...]] = {}
        self._further: list[str] = []
        self.digests = picture_digests(book)
        self._stamps = page_stamps(book, self.faces, dpi, self.layers, self.digests)
        self._imprints: dict[int, Imprint] = {}
        self._drawn: dict[int, Path] = {}
        self._kept = tempfile.TemporaryDirectory(prefix="autostudio-pages-")
        for index in range(len(self)):
            self._look_up(index)

    def __enter__(self) -> Press:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kept.cleanup()

    def __len__(self) -> int:
        return len(self.book.pages)

    @property
    def worded(self) -> bool:
        """Whether words are set into the balloons."""
        return WORDS in self.layers

    @property
    def stamp(self) -> str:
        """Of the whole book, as it is drawn here."""
        return book_stamp(self.book, self._stamps)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the letterer has to say of all pages: characters that no typeface has, and the like."""
        of_pages = (note for index in range(len(self)) for note in self._notes.get(index, ()))
        return tuple(dict.fromkeys((*of_pages, *self._further)))

    def add_notes(self, notes: Iterable[str]) -> None:
        """Keep what the letterer has to say of panels that were set elsewhere than on their page."""
        self._further += notes

    def name(self, index: int) -> str:
        """A page's file name."""
        return f"page_{self.book.pages[index].number:03d}.png"

    def prepare(self, *, everything: bool = False) -> None:
        """Lay out the pages that are not there, or all of them: what cannot be set is refused here.

        Raises:
            StoryError: a template cannot hold its panels, or a text cannot be set legibly.
        """
        for index in range(len(self)):
            if everything or index not in self._drawn:
                self.sheet(index)

    def sheet(self, index: int) -> Sheet:
        """One page, laid out; as its file tells, where it is there."""
        if index not in self._sheets:
            page, imprint = self.book.pages[index], self._imprints.get(index)
            told = imprint.sheet(page) if imprint else None
            self._sheets[index] = told or lay_out(self.book, page, self.faces)
            self._notes[index] = self._sheets[index].notes
        return self._sheets[index]

    def picture(self, index: int) -> Image.Image:
        """One page, drawn: RGB."""
        return open_picture(self.path(index)).convert("RGB")

    def size(self, index: int) -> tuple[int, int]:
        """Width and height of one drawn page in pixels."""
        return picture_size(self.path(index))

    def path(self, index: int) -> Path:
        """The file of one drawn page: where it was found, or in the temporary folder."""
        if index not in self._drawn:
            sheet = self.sheet(index)
            pictures = fitted_pictures(sheet, self.dpi)
            page = raster(sheet, pictures, self.faces, self.dpi, self.layers).convert("RGB")
            path = Path(self._kept.name) / self.name(index)
            write_bytes(path, imprinted(page, self._stamps[index], sheet, self.dpi))
            self._drawn[index] = path
            self.set_anew.append(self.book.pages[index].number)
        return self._drawn[index]

    def put(self, index: int, path: Path) -> None:
        """Write one drawn page to `path`, unless it is that file already."""
        with storage_errors(path):
            drawn = self.path(index)
            if drawn != path:
                set_aside(path)
                write_bytes(path, drawn.read_bytes(), keep_same=True)
        self._drawn[index] = path

    def _look_up(self, index: int) -> None:
        path = self._found / self.name(index) if self._found else None
        if path is None or not path.is_file():
            return
        imprint = read_imprint(path)
        if imprint is None or imprint.stamp != self._stamps[index]:
            return  # whatever it is, it is replaced
        # What lacked a character may have it now: a typeface may have been installed.
        if imprint.complete:
            self._drawn[index] = path
            self._imprints[index] = imprint
