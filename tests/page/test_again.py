"""Again: a book that was set before is set with what is there, and comes out as if all of it were new."""

import tracemalloc
import zlib
from base64 import b85encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from model.page.export.book import export_book
from model.page.export.imprint import imprinted, read_imprint
from model.page.export.plates import Plates, plate_key, plate_of, plates_line
from model.page.export.sheet import WHOLE, lay_out
from model.page.values import Book, Line, PageArt

DPI = 60
FORMS = ("png", "pdf", "cbz")


def with_another_line(book: Book) -> Book:
    page = book.pages[1]
    panel = replace(
        page.panels[0], lines=(Line(text="*Something* else.", speaker=page.panels[0].figures[0]),)
    )
    page = replace(page, panels=(panel, *page.panels[1:]))
    return replace(book, pages=(book.pages[0], page, *book.pages[2:]))


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def test_a_changed_book_is_what_it_would_be_if_it_were_new(book: Callable[..., Book], tmp_path: Path) -> None:
    made = book(pages=3, panels=3)
    export_book(made, tmp_path / "old", DPI, FORMS)
    changed = with_another_line(made)
    assert export_book(changed, tmp_path / "old", DPI, FORMS).set_anew == (2,)
    export_book(changed, tmp_path / "new", DPI, FORMS)
    assert files(tmp_path / "old") == files(tmp_path / "new")


@pytest.mark.parametrize("where", [0.2, 0.4, 0.6, 0.8, 0.99])
def test_a_damaged_file_is_not_trusted(book: Callable[..., Book], tmp_path: Path, where: float) -> None:
    made = book(pages=3, panels=2)
    export_book(made, tmp_path / "old", DPI, FORMS)
    for path in (tmp_path / "old").rglob("*.*"):
        damaged = bytearray(path.read_bytes())
        at = int(where * len(damaged))
        damaged[at : at + 40] = bytes(40)
        path.write_bytes(damaged)
    changed = with_another_line(made)
    export_book(changed, tmp_path / "new", DPI, ["pdf"])
    export_book(changed, tmp_path / "old", DPI, ["pdf"])
    assert files(tmp_path / "old")["book.pdf"] == files(tmp_path / "new")["book.pdf"]


def test_a_page_tells_of_its_sheet(book: Callable[..., Book], tmp_path: Path) -> None:
    made = book(panels=4, direction="rtl")
    panel = made.pages[0].panels[1]
    noisy = replace(panel, lines=(*panel.lines, Line(text="CRASH *bang*", kind="sfx")))
    page = replace(made.pages[0], template="slanted", panels=(noisy, *made.pages[0].panels[1:]))
    sheet = lay_out(made, page)
    path = tmp_path / "page.png"
    path.write_bytes(imprinted(Image.new("RGB", (8, 8)), "stamp", sheet, DPI))
    imprint = read_imprint(path)
    assert imprint is not None
    assert (imprint.stamp, imprint.complete) == ("stamp", True)
    assert imprint.sheet(page) == sheet
    assert str(tmp_path).encode() not in path.read_bytes()
    assert imprint.sheet(PageArt(number=1)) is None
    Image.new("RGB", (8, 8)).save(path)
    assert read_imprint(path) is None


def test_an_imprint_that_grows_without_end_is_no_sheet(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    about = PngInfo()
    about.add_text("autostudio-page", "stamp")
    about.add_text("autostudio-notes", "[]")
    about.add_text("autostudio-sheet", b85encode(zlib.compress(b" " * (1 << 28), 9)).decode(), zip=True)
    Image.new("RGB", (8, 8)).save(path, pnginfo=about)
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    imprint = read_imprint(path)
    assert imprint is not None
    assert imprint.sheet(PageArt(number=1)) is None
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()


def test_plates_are_found_wherever_they_stand(tmp_path: Path) -> None:
    noise = np.random.default_rng(1)
    coded = [noise.integers(0, 256, size, dtype=np.uint8).tobytes() for size in (400, 300, 500)]
    keys = [plate_key("digest", WHOLE, (3, index), 92) for index in range(3)]
    plates = [plate_of(key, one) for key, one in zip(keys, coded, strict=True)]
    path = tmp_path / "book.pdf"
    path.write_bytes(b"%PDF" + coded[1] + b"between" + coded[2] + coded[0] + b"end")
    at = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.write(plates_line(file, plates))
    found = Plates(path, at)
    assert [found.coded(key) for key in keys] == coded
    assert found.coded("0" * 32) is None
    assert Plates(path, 3).coded(keys[0]) is None
    assert Plates(tmp_path / "absent.pdf", None).coded(keys[0]) is None
