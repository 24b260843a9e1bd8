"""Words: text in pieces between which a line may end.

In: a text whose gaps are single spaces, with a style for each character, the widest line, a language. Out:
pieces; twice where there are long words, without and with the places at which their language breaks them, or
Japanese, as phrases and one by one. Where a line may end is said by Unicode (`unicode.py`), in which words a
hyphen may stand by `hyphenation.py`. Knows nothing of lines.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from model.page.type.hyphenation import break_positions, takes_hyphens
from model.page.type.unicode import clusters, line_ends

_LONG = 12  # letters: a word that may be broken although it has room
_WHOLE = 8  # letters of a word that is torn, without a hyphen, only where nothing else helps
_PHRASE = 7  # characters of a phrase that are kept together at most

_GAPS = re.compile(r"[^\S\u00a0\u2007\u202f]+")  # spaces at which a line may end
_SOFT_HYPHEN = "\u00ad"

Styles = tuple[str, ...]
Measure = Callable[[str, Styles], float]


@dataclass(frozen=True, slots=True)
class Piece:
    """What is never broken: a word, a part of one, or ideographs; `start` is where it begins in its text.

    `gap`: the space before it, if any. `splits`: inside a word, so that a line that ends here shows a hyphen.
    `torn`: inside a phrase, so that no line should end here that has another place to.
    """

    text: str
    styles: Styles
    start: int
    gap: str = ""
    splits: bool = False
    torn: bool = False


def tidied(text: str, styles: Styles) -> tuple[str, Styles]:
    """The text with one space in each gap, which is a wide one where one was, and none around it."""
    kept = ""
    its: list[str] = []
    end = len(text.rstrip())
    at = len(text) - len(text.lstrip())
    for gap in _GAPS.finditer(text, at, end):
        kept += text[at : gap.start()] + ("\u3000" if "\u3000" in gap[0] else " ")
        its += [*styles[at : gap.start()], styles[gap.start() - 1]]
        at = gap.end()
    return kept + text[at:end], (*its, *styles[at:end])


def pieces_of(
    text: str, styles: Styles, widest: float, measure: Measure, language: str, *, torn: bool = False
) -> tuple[tuple[Piece, ...], ...]:
    """The ways to take `text` apart; words wider than `widest` ems are broken in each of them.

    Args:
        torn: even short words of scripts without hyphens, or what may not be parted.
    """
    # Only hiragana tell where a phrase ends.
    phrased = any("\u3041" <= character <= "\u309f" for character in text)
    language = "ja" if phrased else language
    least = 3 if torn else _WHOLE
    whole = _pieces(text, styles, widest, measure, language, least, soft=False)
    if phrased:
        ends = frozenset(line_ends(text, language, phrases=True))
        whole = tuple(
            replace(piece, torn=piece.torn or not (piece.start + len(piece.text) in ends or after.gap))
            for piece, after in pairwise((*whole, Piece("", (), len(text), gap=" ")))
        )
        return (_phrases(whole), whole)
    if all(len(piece.text) < _LONG for piece in whole):
        return (whole,) if whole else ()
    soft = _pieces(text, styles, widest, measure, language, least, soft=True)
    return (whole,) if soft == whole else (whole, soft)


def _pieces(
    text: str, styles: Styles, widest: float, measure: Measure, language: str, least: int, soft: bool
) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    gap = ""
    for start, end in pairwise((0, *line_ends(text, language), len(text))):
        part = text[start:end].rstrip(" \u3000")
        softly = part.endswith(_SOFT_HYPHEN)
        part = part.rstrip(_SOFT_HYPHEN) if softly else part
        its = styles[start : start + len(part)]
        places = break_positions(part, language) if soft and len(part) >= _LONG else ()
        hyphenated = takes_hyphens(part)
        if not places and len(part) > (3 if hyphenated else least) and measure(part, its) > widest:
            places = _forced(part, its, widest, measure, language)
        for first, last in pairwise((0, *places, len(part))):
            inside = last < len(part)
            pieces.append(
                Piece(
                    text=part[first:last],
                    styles=its[first:last],
                    start=start + first,
                    gap=gap if first == 0 else "",
                    splits=hyphenated if inside else softly,
                    torn=inside and not hyphenated,
                )
            )
        gap = text[end - 1] if text[end - 1] in " \u3000" else ""
    return tuple(piece for piece in pieces if piece.text)


def _phrases(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Pieces that belong together as one, as long as that is not too long for a column."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last is not None and last.torn and len(last.text) + len(piece.text) <= _PHRASE:
            text, styles = last.text + piece.text, last.styles + piece.styles
            found[-1] = replace(piece, text=text, styles=styles, start=last.start, gap=last.gap)
        else:
            found.append(piece)
    return tuple(found)


def _forced(part: str, styles: Styles, widest: float, measure: Measure, language: str) -> tuple[int, ...]:
    """Where to break what is wider than a line: as its language does, or evenly where it has no patterns."""
    allowed = break_positions(part, language)
    places: list[int] = []
    begin = 0
    for place, following in pairwise((*allowed, len(part))):
        if measure(part[begin:following], styles[begin:following]) > 0.85 * widest:
            places.append(place)
            begin = place
    pairs = pairwise((0, *places, len(part)))
    if allowed and all(measure(part[a:b], styles[a:b]) <= 0.95 * widest for a, b in pairs):
        return tuple(places)
    # A letter keeps its marks.
    letters = clusters(part)
    length = max(2, math.ceil(len(letters) / math.ceil(measure(part, styles) / (widest * 0.9))))
    cuts = list(range(length, len(letters), length))
    if cuts and len(letters) - cuts[-1] == 1:
        cuts.pop()
    return tuple(len("".join(letters[:cut])) for cut in cuts)
