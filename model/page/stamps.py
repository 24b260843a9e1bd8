"""Stamps: a digest of all that decides how a page looks, so that a page that is there is not set again.

In: a book, and how it is to be drawn. Out: a hex digest a page. The room's own code and its libraries count:
another version sets every page anew.
"""

# pyright: standard
# (skia-python ships no types)

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import PIL
import skia

from model.files import sha256_of
from model.page.faces import Faces
from model.page.sheet import readable
from model.page.values import Book, PageArt


def page_stamps(book: Book, faces: Faces, dpi: int, layers: Collection[str]) -> tuple[str, ...]:
    """One digest a page, in order. Pictures count by their bytes, not by their names.

    Raises:
        IntegrityError: a picture cannot be read.
    """
    around = _room(), faces.name, dpi, tuple(layers), replace(book, title="", pages=())
    return tuple(_digest(around, *_page(page)) for page in book.pages)


def book_stamp(book: Book, pages: Collection[str]) -> str:
    """Of a whole book whose pages have these stamps."""
    return _digest(_room(), book.title, *pages)


def _page(page: PageArt) -> tuple[PageArt, tuple[str, ...]]:
    """The page without its pictures, and their digests."""
    bare = replace(page, panels=tuple(replace(panel, picture=None) for panel in page.panels))
    digests: list[str] = []
    for panel in page.panels:
        if panel.picture is None:
            digests.append("")
        else:
            with readable(panel.picture):
                digests.append(sha256_of(panel.picture))
    return bare, tuple(digests)


@lru_cache(maxsize=1)
def _room() -> str:
    """The code that sets pages: this room's files, and the libraries that draw."""
    room = Path(__file__).parent
    files = sorted(path for path in room.iterdir() if path.suffix in (".py", ".js", ".css"))
    return _digest(skia.__version__, PIL.__version__, *(path.read_bytes() for path in files))


def _digest(*facts: object) -> str:
    # The repr of frozen values says all that is in them, in the order of their fields.
    return hashlib.sha256(repr(facts).encode()).hexdigest()
