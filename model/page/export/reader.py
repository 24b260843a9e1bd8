"""Reader: one HTML file that turns the pages, by keys, clicks and swipes, in the book's direction.

In: a book and its page files' names relative to the HTML. Out: the file's text. It needs no network and
works from a folder; without scripts the pages stand below each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from model.ours import MARK
from model.page.layout.templates import WEBTOON
from model.page.type.emphasis import plain
from model.page.type.unicode import text_direction
from model.page.values import Book, PageArt

# Drawn, not written: no typeface has these signs everywhere.
_SIGN = (
    '<svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" aria-hidden="true">'
    '<path d="{}"/></svg>'
)
_BUTTONS = (
    ("left", _SIGN.format("M14 8H2M7 3L2 8l5 5"), "Left (left arrow)"),
    ("right", _SIGN.format("M2 8h12M9 3l5 5-5 5"), "Right (right arrow)"),
    ("double", _SIGN.format("M1.5 2.5h6v11h-6zM8.5 2.5h6v11h-6z"), "Two pages side by side (d)"),
    ("zoom", _SIGN.format("M11 6.5a4.5 4.5 0 1 0-9 0a4.5 4.5 0 1 0 9 0zM10 10l4.5 4.5"), "Zoom (z, + and -)"),
)


def reader_page(book: Book, pages: Sequence[str], sizes: Sequence[tuple[int, int]]) -> str:
    """The reader's HTML. A webtoon's pages are one strip that scrolls; others are turned.

    Args:
        book: title, language, direction and the words for those who cannot see.
        pages: page pictures relative to the HTML, in the order of `book.pages`.
        sizes: the pages' widths and heights in pixels, so that nothing jumps while they load.
    """
    title = escape(book.title)
    direction = text_direction(book.language)
    images = "\n".join(
        f'<img src="{escape(name)}" width="{width}" height="{height}" dir="{direction}"'
        f' alt="{escape(page_words(page))}"'
        f"{'' if index == 0 else ' loading=' + chr(34) + 'lazy' + chr(34)}>"
        for index, (name, (width, height), page) in enumerate(zip(pages, sizes, book.pages, strict=True))
    )
    width, height = sizes[0]
    strip = book.page_size == WEBTOON
    left, right, *others = (
        f'<button id="{name}" title="{told}" aria-label="{told.split(" (")[0]}">{sign}</button>'
        for name, sign, told in _BUTTONS
    )
    style, script = (_part(name) for name in ("reader.css", "reader.js"))
    return f"""<!DOCTYPE html>
<html lang="{escape(book.language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="{MARK}">
<title dir="{direction}">{title}</title>
<style>
{style}
</style>
</head>
<body data-direction="{book.reading_direction}"{' class="strip"' if strip else ""}>
<header>
<h1 dir="{direction}">{title}</h1>
<nav aria-label="Pages">
{left}
<span id="count" aria-live="polite"></span>
{right}
{"".join(others)}
</nav>
</header>
<main style="--aspect: {width / height:.5f}">
{images}
</main>
{"" if strip else f"<script>{chr(10)}{script}{chr(10)}</script>"}
</body>
</html>
"""


def page_words(page: PageArt) -> str:
    """A page told in words: each panel's description, caption and lines, in reading order."""
    told: list[str] = []
    for order, panel in enumerate(page.panels, start=1):
        said = [panel.alt, plain(panel.caption), *(f"\u201c{plain(line.text)}\u201d" for line in panel.lines)]
        words = " ".join(part.strip() for part in said if part.strip())
        told.append(f"Panel {order}: {words}" if words else f"Panel {order}.")
    return f"Page {page.number}. " + " ".join(told)


def _part(name: str) -> str:
    """A file of this room as text."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8").strip()
