"""Hyphenation: where a word may be broken, by the patterns of its language, and whether a hyphen shows it.

In: a word, a BCP 47 tag. Out: positions, none for a language without patterns or a script without hyphens.
The patterns are pyphen's, which takes them from the dictionaries of LibreOffice.
"""

from __future__ import annotations

from functools import lru_cache

import pyphen

from model.page.type.unicode import script_of

_KEPT = 3  # letters that stay together at either end of a word
# Scripts that show a hyphen where a line ends inside a word; Common are digits and signs.
_HYPHENATED = frozenset(("Latin", "Greek", "Cyrillic", "Armenian", "Georgian", "Common", "Inherited"))


def takes_hyphens(word: str) -> bool:
    """Whether a hyphen shows where a line ends inside this word."""
    return word.isascii() or all(script_of(letter) in _HYPHENATED for letter in word)


def break_positions(word: str, language: str) -> tuple[int, ...]:
    """The indices before which `word` may be broken, ascending."""
    patterns = _patterns(language) if takes_hyphens(word) else None
    if patterns is None:
        return ()
    first = next((index for index, letter in enumerate(word) if letter.isalpha()), len(word))
    last = max((index for index, letter in enumerate(word) if letter.isalpha()), default=0) + 1
    return tuple(
        int(position)
        for position in patterns.positions(word.lower())
        if first + _KEPT <= position <= last - _KEPT
    )


@lru_cache(maxsize=8)
def _patterns(language: str) -> pyphen.Pyphen | None:
    found = pyphen.language_fallback(language.replace("-", "_"))
    return pyphen.Pyphen(lang=found) if found else None
