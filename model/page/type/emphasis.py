"""Emphasis: `*italic*`, `**bold**` and `***both***` in what people say, as styles of single characters.

In: text as it was written. Out: the text without marks, and a style for each character; or the plain text.
One rule: asterisks are marks when they stand in pairs, outside of words, around something that can be said: a
letter, a digit, or one of ?!…. Any other asterisk (`2 * 3`, `****`, `f*ck`, `*_*`, or one after a backslash)
stays what it is. `actions` tells where the rule may have taken marks that were not of emphasis.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

STYLES = ("regular", "bold", "italic", "bold_italic")

_MARKED = re.compile(r"(?<!\*)(\*{1,3})(?=[^\s*])(.+?)(?<=[^\s*])\1(?!\*)", re.DOTALL)
_SAID = frozenset("?!…？！‽")  # signs that can be stressed by themselves
_ENDS = ".!?…"  # of sentences
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


def actions(text: str) -> tuple[str, ...]:
    """What stands between single asterisks as a sentence of its own in small letters, as `*sigh*` does.

    It is set as emphasis, like all that is marked so; who wrote it may have meant the asterisks to show.
    """
    return tuple(
        match[0]
        for match in _MARKED.finditer(text.replace("\\*", _LITERAL))
        if len(match[1]) == 1 and match[2][0].islower() and _is_mark(match.string, match) and _alone(match)
    )


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
        if not _is_mark(text, match):
            continue
        found.append((text[start : match.start()], style))
        found += _parsed(match[2], _changed(style, len(match[1])))
        start = match.end()
    return [(part, which) for part, which in (*found, (text[start:], style)) if part]


def _alone(match: re.Match[str]) -> bool:
    """Whether a marked stretch is a whole sentence: no other goes on before it, in it or after it."""
    before, after = match.string[: match.start()].rstrip(), match.string[match.end() :].lstrip(_ENDS + " ")
    return (
        (not before or before[-1] in _ENDS + "*")
        and not any(sign in match[2] for sign in _ENDS)
        and (not after or after[0] == "*" or after[0].isupper())
    )


def _is_mark(text: str, match: re.Match[str]) -> bool:
    """Whether a pair of asterisks marks what is between them, the match's second group."""
    before, after = text[: match.start()][-1:], text[match.end() : match.end() + 1]
    return any(one.isalnum() or one in _SAID for one in match[2]) and not (
        _in_word(before, match[2][0]) or _in_word(match[2][-1], after)
    )


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
