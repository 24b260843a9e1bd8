"""Words: text in pieces between which a line may end.

In: text with a style for each character, the widest line, a language. Out: pieces; twice where there are long
words, without and with the places at which their language breaks them, or ideographs, as phrases and one by
one. Knows nothing of lines.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from model.page.type.hyphenation import break_positions

# Kinsoku: what may not begin a line, and what may not end one.
_NO_START = frozenset(
    "、。，．・：；？！ー〜…‥）］｝」』】〉》〕’”,.!?:;)]}%»ぁぃぅぇぉっゃゅょァィゥェォッャュョヵヶ々"
)
_STOPS = frozenset("、。，．！？…‥―—」』）〉》】”’・")  # after which a phrase is over
_NO_END = frozenset("（［｛「『【〈《〔‘“([{«¿¡")
_LONG = 12  # letters: a word that may be broken although it has room
_PHRASE = 7  # ideographs that are kept together at most

# A word, with signs that a space parts from it and that may not begin a line, as French sets them.
_WORD = re.compile(r"(?:[«‹][ \u00a0\u202f])?(?:\S|[\u00a0\u202f])+(?: [?!:;»›…]+[.,)]*(?!\S))*")

_Styles = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """What is never broken: a word, a part of one, or ideographs. `spaced` when a space stands before it.

    `splits`: inside a word, so that a line that ends here shows a hyphen. `torn`: inside a phrase, so that no
    line should end here that has another place to.
    """

    text: str
    styles: _Styles
    spaced: bool = False
    splits: bool = False
    torn: bool = False


def pieces_of(
    text: str,
    styles: _Styles,
    widest: float,
    measure: Callable[[str, _Styles], float],
    language: str,
) -> tuple[tuple[Piece, ...], ...]:
    """The ways to take `text` apart; words wider than `widest` ems are broken in each of them."""
    whole = _pieces(text, styles, widest, measure, language, soft=False)
    if not whole:
        return ()
    if any(piece.torn for piece in whole):
        return (_phrases(whole), whole)
    if all(len(piece.text) < _LONG for piece in whole):
        return (whole,)
    soft = _pieces(text, styles, widest, measure, language, soft=True)
    return (whole,) if soft == whole else (whole, soft)


def _pieces(
    text: str,
    styles: _Styles,
    widest: float,
    measure: Callable[[str, _Styles], float],
    language: str,
    soft: bool,
) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    # Only hiragana tell where a phrase ends.
    phrased = any(_is_hiragana(character) for character in text)
    for match in _WORD.finditer(text):
        start = match.start()
        for part in _breakable(match[0]):
            places = break_positions(part, language) if soft and len(part) >= _LONG else ()
            if not places and len(part) > 3 and measure(part, styles[start : start + len(part)]) > widest:
                places = _forced(part, styles[start : start + len(part)], widest, measure, language)
            ends = (*places, len(part))
            for begin, end in zip((0, *places), ends, strict=True):
                pieces.append(
                    Piece(
                        text=part[begin:end],
                        styles=styles[start + begin : start + end],
                        spaced=bool(pieces) and begin == 0 and start == match.start(),
                        splits=end < len(part),
                    )
                )
                if phrased and len(pieces) > 1 and not pieces[-1].spaced and not pieces[-2].splits:
                    pieces[-2] = replace(pieces[-2], torn=_within_phrase(pieces[-2].text, pieces[-1].text))
            start += len(part)
    return tuple(pieces)


def _phrases(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Pieces that belong together as one, as long as that is not too long for a column."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last is not None and last.torn and len(last.text) + len(piece.text) <= _PHRASE:
            found[-1] = replace(
                piece, text=last.text + piece.text, styles=last.styles + piece.styles, spaced=last.spaced
            )
        else:
            found.append(piece)
    return tuple(found)


def _within_phrase(before: str, after: str) -> bool:
    """Whether one would not breathe between two pieces of Japanese.

    Phrases end in hiragana, with a particle or an ending, and begin with a kanji, a katakana or a number.
    """
    last, first = before[-1], after[0]
    if not (_is_ideograph(last) or _is_ideograph(first)) or last in _STOPS or first in _NO_END:
        return False
    return not (_is_hiragana(last) and not _is_hiragana(first) and before not in ("お", "ご"))


def _forced(
    part: str, styles: _Styles, widest: float, measure: Callable[[str, _Styles], float], language: str
) -> tuple[int, ...]:
    """Where to break what is wider than a line: as its language does, or evenly where it has no patterns."""
    allowed = break_positions(part, language)
    places: list[int] = []
    begin = 0
    for place, following in pairwise((*allowed, len(part))):
        if measure(part[begin:following], styles[begin:following]) > 0.85 * widest:
            places.append(place)
            begin = place
    ends = (*places, len(part))
    pairs = zip((0, *places), ends, strict=True)
    if allowed and all(measure(part[a:b], styles[a:b]) <= 0.95 * widest for a, b in pairs):
        return tuple(places)
    length = max(2, math.ceil(len(part) / math.ceil(measure(part, styles) / (widest * 0.9))))
    cuts = list(range(length, len(part), length))
    if cuts and len(part) - cuts[-1] == 1:
        cuts.pop()
    return tuple(cuts)


def _breakable(word: str) -> list[str]:
    """A word in parts between which a line may end: after hyphens and dashes, around ideographs."""
    parts: list[str] = []
    for character in word:
        if not parts:
            parts.append(character)
            continue
        last = parts[-1][-1]
        may_part = (
            _is_ideograph(character)
            or _is_ideograph(last)
            or (last in "-–—/…" and character.isalnum() and len(parts[-1]) > 1)
        )
        if may_part and character not in _NO_START and last not in _NO_END:
            parts.append(character)
        else:
            parts[-1] += character
    return parts


def _is_hiragana(character: str) -> bool:
    return "\u3041" <= character <= "\u309f"


def _is_ideograph(character: str) -> bool:
    """Whether `character` is one of kana, kanji, hangul and their full-width company."""
    return unicodedata.east_asian_width(character) in ("W", "F")
