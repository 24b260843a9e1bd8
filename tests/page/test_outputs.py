"""Other forms of a book: EPUB, webtoon strip, layers, empty balloons; each holds what it promises."""

import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.page.export.book import export_book
from model.page.export.webtoon import BYTES, HEIGHT, WIDTH, slices
from model.page.values import Book, Line

DPI = 60
WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
XHTML = "{http://www.w3.org/1999/xhtml}"
OPF = "{http://www.idpf.org/2007/opf}"
EPUBCHECK = shutil.which("epubcheck")


def epub(book: Book, folder: Path) -> zipfile.ZipFile:
    export_book(book, folder, DPI, ["epub"], modified=WHEN)
    return zipfile.ZipFile(folder / "book.epub")


# --- EPUB


@pytest.mark.parametrize(("direction", "sides"), [("ltr", ["right", "left"]), ("rtl", ["left", "right"])])
def test_an_epub_turns_its_pages_in_the_books_direction(
    book: Callable[..., Book], tmp_path: Path, direction: str, sides: list[str]
) -> None:
    with epub(book(pages=2, panels=2, direction=direction), tmp_path) as archive:
        assert archive.namelist()[0] == "mimetype"
        assert archive.getinfo("mimetype").compress_type == zipfile.ZIP_STORED
        package = ElementTree.fromstring(archive.read("book/package.opf"))
        spine = package.find(f"{OPF}spine")
        assert spine is not None
        assert spine.get("page-progression-direction") == direction
        assert [item.get("properties") for item in spine] == [f"page-spread-{side}" for side in sides]
        told = {meta.get("property"): meta.text for meta in package.iter(f"{OPF}meta")}
        assert told["rendition:layout"] == "pre-paginated"
        assert told["dcterms:modified"] == "2026-03-04T05:06:07Z"
        listed = {str(item.get("href")) for item in package.iter(f"{OPF}item")}
        stored = {name.removeprefix("book/") for name in archive.namelist() if name.startswith("book/")}
        assert listed == stored - {"package.opf"}


def test_an_epubs_pages_hold_every_word_over_its_balloon(book: Callable[..., Book], tmp_path: Path) -> None:
    made = book(pages=1, panels=3)
    odd = "A <tag>, an & and a \x07 bell"
    first = replace(made.pages[0].panels[0], lines=(Line(text=odd, kind="shout"),))
    made = replace(made, pages=(replace(made.pages[0], panels=(first, *made.pages[0].panels[1:])),))
    with epub(made, tmp_path) as archive:
        page = ElementTree.fromstring(archive.read("book/page_001.xhtml"))
        with Image.open(io.BytesIO(archive.read("book/page_001.jpg"))) as picture:
            width, height = picture.size
    (viewport,) = (meta.get("content") for meta in page.iter(f"{XHTML}meta"))
    assert viewport == f"width={width}, height={height}"
    panels = list(page.iter(f"{XHTML}section"))
    assert len(panels) == 3
    for panel, art in zip(panels, made.pages[0].panels, strict=True):
        words = [text.text for text in panel]
        assert words[0] == art.alt
        said = [art.caption] if art.caption else []
        assert words[1:] == [*said, *(line.text.replace("\x07", "") for line in art.lines)]
        left, top, across, down = numbers(panel)
        assert left >= 0
        assert top >= 0
        assert left + across <= width
        assert top + down <= height
        for text in panel[1:]:
            inside_left, inside_top, inside_across, inside_down = numbers(text)
            assert inside_left >= 0
            assert inside_top >= 0
            assert inside_left + inside_across <= across + 0.2
            assert inside_top + inside_down <= down + 0.2


def numbers(element: ElementTree.Element) -> list[float]:
    """Left, top, width and height of an element's style."""
    return [float(number) for number in re.findall(r"(-?[\d.]+)px", str(element.get("style")))[:4]]


def test_the_same_epub_is_the_same_bytes(book: Callable[..., Book], tmp_path: Path) -> None:
    made = book(pages=1, panels=2)
    for folder in ("one", "two"):
        epub(made, tmp_path / folder).close()
    assert (tmp_path / "one/book.epub").read_bytes() == (tmp_path / "two/book.epub").read_bytes()


@pytest.mark.skipif(EPUBCHECK is None or shutil.which("java") is None, reason="epubcheck is not installed")
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_epubcheck_finds_nothing(book: Callable[..., Book], tmp_path: Path, direction: str) -> None:
    epub(book(pages=3, panels=2, direction=direction, language="pt-BR"), tmp_path).close()
    # Debian's file is a jar that can be executed only where the kernel was told so.
    words = ["java", "-jar", str(EPUBCHECK), "--failonwarnings", str(tmp_path / "book.epub")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# --- webtoon


@given(st.lists(st.integers(20, 1100), min_size=1, max_size=40), st.data())
def test_slices_cut_gutters_and_lose_nothing(heights: list[int], data: st.DataObject) -> None:
    count = len(heights) - 1
    gaps = data.draw(st.lists(st.integers(0, 112), min_size=count, max_size=count))
    found = list(slices(heights, gaps, HEIGHT))
    assert [first for first, *_ in found] == [0, *(last for _, last, *_ in found[:-1])]
    assert found[-1][1] == len(heights)
    for (_, last, _, below), (_, _, above, _) in pairwise(found):
        assert below + above == gaps[last - 1]
    for first, last, above, below in found:
        assert above + sum(heights[first:last]) + sum(gaps[first : last - 1]) + below <= HEIGHT


def test_a_strip_holds_all_panels_within_the_limits(
    book: Callable[..., Book], picture: Callable[..., Path], tmp_path: Path
) -> None:
    made = book(pages=2, panels=3)
    tall = replace(made.pages[0].panels[0], picture=picture(192, 384, "tall"))
    made = replace(
        made, pages=(replace(made.pages[0], panels=(tall, *made.pages[0].panels[1:])), made.pages[1])
    )
    files = export_book(made, tmp_path, formats=["webtoon"]).files
    strips = [np.asarray(Image.open(file).convert("L")) for file in files]
    assert [file.name for file in files] == [f"strip_{n:03d}.jpg" for n in range(1, len(files) + 1)]
    for file, strip in zip(files, strips, strict=True):
        assert strip.shape[1] == WIDTH
        assert strip.shape[0] <= HEIGHT
        assert file.stat().st_size <= BYTES
    # Panels are what is not white between gutters: six, and none is cut.
    rows = np.concatenate(strips).min(axis=1) < 200
    assert int(np.diff(rows.astype(int), prepend=0).clip(0).sum()) == 6
    assert not rows[0]
    assert not rows[-1]
    assert not any(strip[row].min() < 200 for strip in strips for row in (0, -1))
    short = replace(made, pages=made.pages[:1])
    left = export_book(short, tmp_path, formats=["webtoon"]).files
    assert sorted((tmp_path / "webtoon").iterdir()) == sorted(left)


# --- layers and empty balloons


def test_layers_lie_on_each_other_as_the_page(book: Callable[..., Book], tmp_path: Path) -> None:
    made = book(pages=1, panels=3)
    panel = made.pages[0].panels[1]
    noisy = replace(panel, lines=(*panel.lines, Line(text="CRASH", kind="sfx")))
    page = replace(made.pages[0], panels=(made.pages[0].panels[0], noisy, made.pages[0].panels[2]))
    files = export_book(replace(made, pages=(page,)), tmp_path, DPI, ["png", "layers"]).files
    names = [file.relative_to(tmp_path).as_posix() for file in files]
    assert names == ["pages/page_001.png"] + [
        f"layers/page_001/{name}" for name in ("art.png", "balloons.png", "lettering.png", "page.svg")
    ]
    art, balloons, lettering = (Image.open(file).convert("RGBA") for file in files[1:4])
    assert (np.asarray(balloons)[..., 3] == 0).mean() > 0.5
    assert (np.asarray(lettering)[..., 3] == 0).mean() > 0.8
    stacked = Image.alpha_composite(Image.alpha_composite(art, balloons), lettering).convert("RGB")
    whole = np.asarray(Image.open(files[0]).convert("RGB")).astype(int)
    apart = np.abs(np.asarray(stacked).astype(int) - whole).max(axis=-1)
    # Edges are blended in another order, and where a sound lies on a balloon the order differs.
    assert (apart > 8).mean() < 0.001


def test_an_svg_has_words_as_text_in_layers(book: Callable[..., Book], tmp_path: Path) -> None:
    made = book(pages=1, panels=2)
    files = export_book(made, tmp_path, DPI, ["layers"]).files
    root = ElementTree.parse(files[-1]).getroot()
    svg = "{http://www.w3.org/2000/svg}"
    label = "{http://www.inkscape.org/namespaces/inkscape}label"
    layers = {str(group.get(label)): group for group in root.findall(f"{svg}g")}
    assert list(layers) == ["Art", "Balloons", "Lettering"]
    assert [image.get("href") for image in layers["Art"].iter(f"{svg}image")] == ["art.png"]
    assert not list(layers["Balloons"].iter(f"{svg}text"))
    assert list(layers["Balloons"].iter(f"{svg}path"))
    text = " ".join("".join(element.itertext()) for element in layers["Lettering"].iter(f"{svg}text"))
    for panel in made.pages[0].panels:
        for line in panel.lines:
            assert all(word in text for word in line.text.split())
    assert not re.search(r'[xy]="[^"]*,\s*"', files[-1].read_text(encoding="utf-8"))


def test_empty_balloons_are_balloons_without_words(book: Callable[..., Book], tmp_path: Path) -> None:
    made = book(pages=1, panels=2)
    full = export_book(made, tmp_path / "full", DPI, ["png"]).files[0]
    files = export_book(
        made, tmp_path / "empty", DPI, ["png", "pdf", "epub", "layers"], empty_balloons=True
    ).files
    with zipfile.ZipFile(tmp_path / "empty/book.epub") as archive:
        page = archive.read("book/page_001.xhtml").decode()
    assert "Second words" not in page
    assert made.pages[0].panels[0].alt.split()[0] in page
    lettering = np.asarray(Image.open(tmp_path / "empty/layers/page_001/lettering.png"))
    assert not lettering[..., 3].any()
    balloons = np.asarray(Image.open(tmp_path / "empty/layers/page_001/balloons.png"))
    with_words, without = (np.asarray(Image.open(file).convert("L")).astype(int) for file in (full, files[0]))
    inside = (balloons[..., 3] == 255) & (balloons[..., :3].min(axis=-1) > 200)
    differ = with_words != without
    assert differ.sum() > 100
    assert differ[~inside].sum() < 0.05 * differ.sum()
    assert without[inside].min() > 200
