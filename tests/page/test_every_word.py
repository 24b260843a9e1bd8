"""Every word: a PDF and an EPUB hold each character of what is said, in order, in whatever language."""

import random
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from model.errors import StoryError
from model.geometry import Box
from model.page.export.book import export_book
from model.page.export.sheet import lay_out
from model.page.layout.templates import templates_for
from model.page.values import LINE_KINDS, Book, Line, PageArt, PanelArt
from tests.page.test_pages import WORDS, squeezed

LANGUAGES = tuple(WORDS)
PLACES = (Box(0.06, 0.35, 0.34, 0.65), Box(0.6, 0.35, 0.34, 0.65))
PARAGRAPH = "{http://www.w3.org/1999/xhtml}p"

POPPLER = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler is not installed")


def said(chance: random.Random, language: str, most: int) -> str:
    words = chance.choices(WORDS[language].split(" "), k=chance.randint(1, most))
    if chance.random() < 0.3:
        words[0] = f"*{words[0]}*" if chance.random() < 0.5 else f"**{words[0]}**"
    return ("" if language == "ja" else " ").join(words)


def talkative(language: str, pages: int, seed: int) -> Book:
    """Pages of every template, one to five panels, up to three lines each, in all kinds."""
    chance = random.Random(f"{language}{seed}")
    made: list[PageArt] = []
    for number in range(1, pages + 1):
        count = chance.randint(1, 5)
        panels = tuple(
            PanelArt(
                id=f"p{number:03d}_{index + 1:02d}",
                caption=said(chance, language, 5) if chance.random() < 0.4 else "",
                lines=tuple(
                    Line(
                        text=said(chance, language, 2 if kind == "sfx" else 12),
                        kind=kind,
                        speaker=chance.choice((*PLACES, None)),
                    )
                    for kind in chance.choices(LINE_KINDS, k=chance.randint(0, 3))
                ),
                figures=PLACES,
            )
            for index in range(count)
        )
        made.append(PageArt(number=number, template=chance.choice(templates_for(count)), panels=panels))
    return Book(
        title="x",
        language=language,
        reading_direction="rtl" if language == "ja" else "ltr",
        capitals=language == "en" and seed % 2 == 1,
        pages=tuple(made),
    )


def spoken(page: PageArt, *, capitals: bool) -> list[str]:
    """What a page says, in order, without white space, hyphens and marks."""
    lines = (
        words for panel in page.panels for words in (panel.caption, *(line.text for line in panel.lines))
    )
    plain = [squeezed(words.replace("*", "")) for words in lines if words.strip()]
    return [words.upper() for words in plain] if capitals else plain


def has_all(text: str, words: list[str]) -> None:
    at = 0
    for word in words:
        found = text.find(word, at)
        assert found >= 0, (word, text[at : at + 80])
        at = found + len(word)


def settable(book: Book) -> Book:
    """The book without the few pages that chance made too wordy for their panels."""
    pages: list[PageArt] = []
    for page in book.pages:
        try:
            lay_out(book, page)
        except StoryError:
            continue
        pages.append(page)
    assert len(pages) >= 0.95 * len(book.pages)
    return replace(book, pages=tuple(pages))


def check_epub(book: Book, folder: Path) -> None:
    export_book(book, folder, 18, ["epub"])
    with zipfile.ZipFile(folder / "book.epub") as archive:
        for page in book.pages:
            root = ElementTree.fromstring(archive.read(f"book/page_{page.number:03d}.xhtml"))
            text = "".join(element.text or "" for element in root.iter(PARAGRAPH))
            has_all(squeezed(text.replace("*", "")), spoken(page, capitals=book.capitals))


def check_pdf(book: Book, folder: Path) -> None:
    export_book(book, folder, 18, ["pdf"])
    words = ["pdftotext", "-raw", folder / "book.pdf", "-"]
    told = subprocess.run(words, check=True, capture_output=True, text=True, encoding="utf-8").stdout
    for page, text in zip(book.pages, told.removesuffix("\f").split("\f"), strict=True):
        has_all(squeezed(text.replace("*", "")), spoken(page, capitals=book.capitals))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_character_is_in_the_epub(tmp_path: Path, language: str) -> None:
    check_epub(talkative(language, 5, 0), tmp_path)


@POPPLER
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_character_is_in_the_pdf(tmp_path: Path, language: str) -> None:
    check_pdf(talkative(language, 5, 0), tmp_path)


@pytest.mark.slow
@POPPLER
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_character_of_hundreds_of_pages_is_in_pdf_and_epub(tmp_path: Path, language: str) -> None:
    for seed in range(1, 6):
        book = settable(talkative(language, 50, seed))
        check_epub(book, tmp_path / str(seed))
        check_pdf(book, tmp_path / str(seed))
