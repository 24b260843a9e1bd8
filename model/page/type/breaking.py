"""Breaking: pieces of text poured into lines of given shares, as narrow as they go.

In: pieces with their widths, the share of the widest line that each line may take. Out: the lines, each with
what is wrong with where it ends. Knows nothing of balloons and sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.page.type.words import Piece, Styles

_SPLIT, _TORN = 0.12, 0.3  # of strain: a hyphen at a line's end, an end inside a phrase


@dataclass(frozen=True, slots=True)
class Broken:
    """One line: its characters, each with its style and its place in the whole text, and its width.

    A hyphen at its end has the style and place of the letter before it. `wrong`: what is wrong with its end.
    """

    text: str
    styles: Styles
    places: tuple[int, ...]
    width: float
    wrong: float


def narrowest(
    pieces: tuple[Piece, ...],
    widths: tuple[float, ...],
    gaps: tuple[float, ...],
    hyphen: float,
    shares: tuple[float, ...],
    widest: float,
) -> tuple[float, list[Broken]] | None:
    """The least reach at which the pieces fill exactly as many lines as there are shares, and those lines."""
    # Even lines without a gap between them need this much.
    low, high = min(sum(widths) / sum(shares), widest), widest
    best = _fill(pieces, widths, gaps, hyphen, [share * high for share in shares])
    if best is None:
        return None
    while high - low > 0.004 * widest:
        middle = (low + high) / 2
        cuts = _fill(pieces, widths, gaps, hyphen, [share * middle for share in shares])
        if cuts is None:
            low = middle
        else:
            high, best = middle, cuts
    return (high, _cut(pieces, best)) if len(best) == len(shares) else None


def _fill(
    pieces: tuple[Piece, ...],
    widths: tuple[float, ...],
    gaps: tuple[float, ...],
    hyphen: float,
    rooms: list[float],
) -> list[tuple[int, float]] | None:
    """Pour the pieces into lines: where each line ends, and its width; None when they do not fit."""
    lines: list[tuple[int, float]] = []
    used, begun, split = 0.0, False, False
    for index, (piece, width, before) in enumerate(zip(pieces, widths, gaps, strict=True)):
        gap = before if begun else 0.0
        tail = hyphen if piece.splits else 0.0
        if begun and used + gap + width + tail > rooms[len(lines)]:
            lines.append((index, used + hyphen if split else used))
            used, gap = 0.0, 0.0
        if len(lines) == len(rooms) or used + gap + width + tail > rooms[len(lines)]:
            return None
        used, begun, split = used + gap + width, True, piece.splits
    return [*lines, (len(pieces), used)]


def _cut(pieces: tuple[Piece, ...], ends: list[tuple[int, float]]) -> list[Broken]:
    """The pieces of each line joined."""
    lines: list[Broken] = []
    first = 0
    for end, width in ends:
        text = ""
        styles: list[str] = []
        places: list[int] = []
        for piece in pieces[first:end]:
            if piece.gap and text:
                text += piece.gap
                styles.append(styles[-1])
                places.append(piece.start - 1)
            text += piece.text
            styles += piece.styles
            places += range(piece.start, piece.start + len(piece.text))
        last = pieces[end - 1]
        if last.splits:
            text += "-"
            styles.append(styles[-1])
            places.append(places[-1])
        wrong = _TORN if last.torn else _SPLIT if last.splits else 0.0
        lines.append(Broken(text, tuple(styles), tuple(places), width, wrong if end < len(pieces) else 0.0))
        first = end
    return lines
