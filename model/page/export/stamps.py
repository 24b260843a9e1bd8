"""Stamps: a digest of all that decides how a page looks, so that a page that is there is not set again.

In: a book, and how it is to be drawn. Out: a hex digest a page. The room's own code and its libraries count:
another version sets every page anew.
"""

# pyright: standard, reportAttributeAccessIssue=false
# (skia-python, PyICU and uharfbuzz ship no types)

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import icu
import PIL
import skia
import uharfbuzz as hb

from model.errors import IntegrityError
from model.files import sha256_of
from model.page.type.faces import Faces
from model.page.values import Book, PageArt


def picture_digests(book: Book) -> dict[Path, str]:
    """The sha256 of each picture in a book.

    Raises:
        IntegrityError: a picture cannot be read.
    """
    found: dict[Path, str] = {}
    for path in (panel.picture for page in book.pages for panel in page.panels):
        if path is not None and path not in found:
            try:
                found[path] = sha256_of(path)
            except OSError as error:
                raise IntegrityError(
                    f"picture {path} of the book: cannot be read ({error.strerror}); "
                    "draw the story again to replace it"
                ) from error
    return found


def page_stamps(
    book: Book, faces: Faces, dpi: int, layers: Collection[str], digests: Mapping[Path, str]
) -> tuple[str, ...]:
    """One digest a page, in order. Pictures count by their bytes, not by their names."""
    around = _room(), faces.name, dpi, tuple(layers), replace(book, title="", pages=())
    return tuple(_digest(around, *_page(page, digests)) for page in book.pages)


def book_stamp(book: Book, pages: Collection[str]) -> str:
    """Of a whole book whose pages have these stamps."""
    return _digest(_room(), book.title, *pages)


def _page(page: PageArt, digests: Mapping[Path, str]) -> tuple[PageArt, tuple[str, ...]]:
    """The page without its pictures, and their digests."""
    bare = replace(page, panels=tuple(replace(panel, picture=None) for panel in page.panels))
    return bare, tuple(digests[panel.picture] if panel.picture else "" for panel in page.panels)


@lru_cache(maxsize=1)
def _room() -> str:
    """The code that sets pages: the page room's files, and the libraries that break, shape and draw."""
    room = Path(__file__).parents[1]
    files = sorted(path for path in room.rglob("*") if path.suffix in (".py", ".js", ".css"))
    versions = skia.__version__, PIL.__version__, hb.__version__, icu.ICU_VERSION
    return _digest(*versions, *(path.read_bytes() for path in files))


def _digest(*facts: object) -> str:
    # The repr of frozen values says all that is in them, in the order of their fields.
    return hashlib.sha256(repr(facts).encode()).hexdigest()
