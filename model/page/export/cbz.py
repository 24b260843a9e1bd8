"""CBZ: pages in a zip with a ComicInfo.xml that readers and libraries understand.

In: the pages of a book. Out: a file, the same bytes for the same book.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from model.files import replacing
from model.page.export.press import Press
from model.page.export.sheet import open_picture, picture_size
from model.page.values import Book

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold: archives do not depend on the clock
_SAMPLES = 8  # pictures that are looked at for colour
_COLOURFUL = 12  # of 255: how far a pixel's channels lie apart before it counts as coloured


def write_archive(path: Path, press: Press) -> None:
    """The book as a comic archive: ComicInfo.xml, then the page pictures in order, stored as they are."""
    pages = [press.path(index) for index in range(len(press))]
    with (
        replacing(path, keep_same=True) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
    ):
        archive.writestr(entry("ComicInfo.xml"), comic_info(press.book, pages))
        for page in pages:
            archive.writestr(entry(page.name), page.read_bytes())


def comic_info(book: Book, pages: Sequence[Path]) -> bytes:
    """ComicInfo.xml in version 2.0 of its schema, which fixes the order of the elements."""
    root = ElementTree.Element("ComicInfo")
    names = (name.replace(",", " ") for page in book.pages for panel in page.panels for name in panel.names)
    facts = {
        "Title": book.title,
        "Series": book.title,
        "Number": "1",
        "Notes": "Made with AutoStudio",
        "PageCount": str(len(pages)),
        "LanguageISO": book.language,
        "Format": "Digital",
        "BlackAndWhite": _black_and_white(book),
        "Manga": "YesAndRightToLeft" if book.reading_direction == "rtl" else "No",
        "Characters": ", ".join(dict.fromkeys(name for name in names if name.strip())),
    }
    for name, value in facts.items():
        if value:
            ElementTree.SubElement(root, name).text = printable(value)
    listed = ElementTree.SubElement(root, "Pages")
    for index, page in enumerate(pages):
        width, height = picture_size(page)
        about = {
            "Image": str(index),
            "Type": "FrontCover" if index == 0 else "Story",
            "DoublePage": "false",
            "ImageSize": str(page.stat().st_size),
            "Bookmark": printable(book.title) if index == 0 else "",
            "ImageWidth": str(width),
            "ImageHeight": str(height),
        }
        ElementTree.SubElement(listed, "Page", {name: value for name, value in about.items() if value})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def printable(text: str) -> str:
    """XML 1.0 has neither control characters nor halves of surrogate pairs, not even escaped."""
    return "".join(
        character
        for character in text
        if (character >= " " or character in "\t\n")
        and not 0xD800 <= ord(character) <= 0xDFFF
        and character not in "\ufffe\uffff"
    )


def entry(name: str, *, deflated: bool = False) -> zipfile.ZipInfo:
    """A file in an archive, with neither clock nor system in it."""
    made = zipfile.ZipInfo(name, EPOCH)
    made.create_system = 3  # the same bytes on every system
    made.external_attr = 0o644 << 16
    made.compress_type = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    return made


def _black_and_white(book: Book) -> str:
    """Whether the pictures have colours, judged by some from all over the book."""
    drawn = [panel.picture for page in book.pages for panel in page.panels if panel.picture is not None]
    if not drawn:
        return "Unknown"
    for picture in drawn[:: max(1, len(drawn) // _SAMPLES)]:
        small = open_picture(picture).convert("RGB").resize((48, 48), Image.Resampling.BOX)
        pixels = np.asarray(small).astype(int)
        if (np.ptp(pixels, axis=-1) > _COLOURFUL).mean() > 0.02:
            return "No"
    return "Yes"
