"""Emphasis: `*italic*`, `**bold**` and `***both***` in what people say, as styles of single characters.

In: text as it was written. Out: the text without marks, and a style for each character; or the plain text.
An asterisk that marks nothing (`2 * 3`, `****`, `f*ck`, or one after a backslash) stays what it is.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

STYLES = ("regular", "bold", "italic", "bold_italic")

_MARKED = re.compile(r"(?<!\*)(\*{1,3})(?=[^\s*])(.+?)(?<=[^\s*])\1(?!\*)", re.DOTALL)
_LITERAL = "\ue000"  # stands for an escaped asterisk while marks are looked for


def marked(text: str, style: str) -> tuple[str, tuple[str, ...]]:
    """The text without its marks, and the style of each character, where `style` is the unmarked one's."""
    found = _parsed(text.replace("\\*", _LITERAL), style)
    return "".join(part for part, _ in found).replace(_LITERAL, "*"), tuple(
        which for part, which in found for _ in part
    )


def plain(text: str) -> str:
    """The text without its marks: what a reader of text should get."""
    return marked(text, "regular")[0]


def spans(text: str, styles: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Stretches of one style, each with that style."""
    pairs = zip(text, styles, strict=True)
    return tuple(
        ("".join(character for character, _ in stretch), style)
        for style, stretch in groupby(pairs, key=lambda pair: pair[1])
    )


def _parsed(text: str, style: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    start = 0
    for match in _MARKED.finditer(text):
        before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
        if _in_word(before, match[2][0]) or _in_word(match[2][-1], after):
            continue
        found.append((text[start : match.start()], style))
        found += _parsed(match[2], _changed(style, len(match[1])))
        start = match.end()
    return [(part, which) for part, which in (*found, (text[start:], style)) if part]


def _in_word(before: str, after: str) -> bool:
    """Whether a mark between two characters stands inside a word; ideographs have no words to stand in."""
    return all(
        character.isalnum() and unicodedata.east_asian_width(character) not in ("W", "F")
        for character in (before, after)
        if character
    ) and bool(before and after)


def _changed(style: str, marks: int) -> str:
    """The style inside one, two or three asterisks: italic within italic stands upright."""
    bold, italic = "bold" in style, "italic" in style
    if marks != 2:
        italic = not italic
    if marks > 1:
        # What is bold already can only lean.
        bold, italic = True, italic or bold
    return STYLES[bold + 2 * italic]
