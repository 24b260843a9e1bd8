"""Unicode: what its algorithms say of a text, computed by ICU.

In: text, a BCP 47 tag. Out: embedding levels and visual order (UAX #9), places where a line may end (UAX
#14), characters as readers see them (UAX #29), scripts. Places count Python's characters, not ICU's UTF-16
units. Knows nothing of typefaces.
"""

# pyright: standard, reportAttributeAccessIssue=false
# (PyICU ships no types)

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

import icu

# Classes of UAX #9 that can give a character another level than its paragraph's, where that is 0.
_TURNING = frozenset(("R", "AL", "AN", "RLE", "RLO", "LRE", "LRO", "RLI", "LRI", "FSI"))

# What JIS X 4051 keeps from the start of a line and UAX #14, even when strict, does not: wide dashes, the
# upper halves of kana repeat marks, and measures, which belong to what is before them.
_NO_START = frozenset("～－〳〴%％‰°′″℃¢") | {
    chr(code) for code in (*range(0x3300, 0x3358), *range(0x3371, 0x33E0))
}
_LEANING = ("", "Latn", "Grek", "Cyrl", "Armn", "Geor")
_DASHES = frozenset("-‐–—―/…‥")


def leftwards(language: str) -> bool:
    """Whether the script that a language is mostly written in runs from right to left."""
    code = _script_code(language)
    return bool(code and icu.Script(icu.Script.getCode(code)[0]).isRightToLeft())


def text_direction(language: str) -> str:
    """`rtl` or `ltr`, as HTML and its kin say it."""
    return "rtl" if leftwards(language) else "ltr"


def leans(language: str) -> bool:
    """Whether the script that a language is mostly written in has italics, as an unknown one is taken to."""
    return _script_code(language) in _LEANING


@lru_cache(maxsize=64)
def _script_code(language: str) -> str:
    locale = icu.Locale.forLanguageTag(language)
    locale.addLikelySubtags()
    return str(locale.getScript())


def levels(text: str, *, base: bool | None = None) -> tuple[int, ...]:
    """The embedding level of each character of one paragraph; odd ones run leftwards.

    Args:
        base: whether the paragraph runs leftwards; as its first strong character does when None.

    Returns:
        Nothing when all are 0, as in most of the world's texts.
    """
    if not text or (
        not base and not any(unicodedata.bidirectional(character) in _TURNING for character in set(text))
    ):
        return ()
    bidi = icu.Bidi()
    # It has to outlive the calls: ICU keeps a pointer to the text.
    whole = icu.UnicodeString(text)
    bidi.setPara(whole, icu.Bidi.DEFAULT_LTR if base is None else int(base))
    found = bidi.getLevels()
    return tuple(int(found[place]) for place in _starts(text)[:-1])


def visual_order(found: Sequence[int]) -> tuple[int, ...]:
    """The indices of things with these levels as they stand from left to right (rule L2)."""
    order = list(range(len(found)))
    for level in range(max(found, default=0), 0, -1):
        start = 0
        while start < len(order):
            end = start
            while end < len(order) and found[order[end]] >= level:
                end += 1
            order[start:end] = order[start:end][::-1]
            start = end + 1
    return tuple(order)


@lru_cache(maxsize=4096)
def line_ends(text: str, language: str, *, phrases: bool = False) -> tuple[int, ...]:
    """Where lines of a text in a language may end: ascending, without its start and its end.

    Args:
        phrases: only between phrases, where the language's texts show none by spaces (Japanese).
    """
    if len(text) < 2:
        return ()
    tag = language.split("-")[0].lower()
    # Korean's phrases are what it writes between spaces, Chinese letters among them.
    tag += "-u-lb-strict" + ("-lw-phrase" if phrases or tag == "ko" else "")
    breaker = icu.BreakIterator.createLineInstance(icu.Locale.forLanguageTag(tag))
    return tuple(end for end in _boundaries(text, breaker) if end < len(text) and _may_end(text, end))


@lru_cache(maxsize=4096)
def clusters(text: str) -> tuple[str, ...]:
    """A text in characters as readers see them: a letter with its marks, a family of emoji."""
    if text.isascii():
        return tuple(text)
    breaker = icu.BreakIterator.createCharacterInstance(icu.Locale.getRoot())
    return tuple(text[start:end] for start, end in pairwise((0, *_boundaries(text, breaker))))


@lru_cache(maxsize=4096)
def script_of(character: str) -> str:
    """The script of a character as Unicode names it, "Hebrew"; "Common" and "Inherited" are none."""
    return str(icu.Script.getScript(character).getName())


def _may_end(text: str, end: int) -> bool:
    """Whether a place that UAX #14 allows is one after our tailorings of it."""
    before, after = text[end - 1], text[end]
    if after in _NO_START:
        return False
    if before.isspace():
        return True
    # Western words may end a line after a dash that closes something, and after no other sign.
    if after in "–—" or (before in _DASHES and len(text[:end].split()[-1]) < 2):
        return False
    if before.isascii() and before not in _DASHES and unicodedata.east_asian_width(after) not in ("W", "F"):
        return False
    # Korean is broken at spaces, and particles stay with their words.
    return not _is_hangul(before) and (not _is_hangul(after) or before in _DASHES)


def _is_hangul(character: str) -> bool:
    return script_of(character) == "Hangul"


def _boundaries(text: str, breaker: icu.BreakIterator) -> list[int]:
    """What a breaker finds in a text, its end among it."""
    # It has to outlive the loop: ICU keeps a pointer to the text.
    whole = icu.UnicodeString(text)
    breaker.setText(whole)
    places = {unit: place for place, unit in enumerate(_starts(text))}
    return [places[int(end)] for end in breaker if int(end) in places]


def _starts(text: str) -> list[int]:
    """Where each character begins in UTF-16, and where the last one ends."""
    return [0, *accumulate(2 if character > "\uffff" else 1 for character in text)]
