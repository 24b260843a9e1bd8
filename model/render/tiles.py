"""Tiles: a picture cut into squares of one size that overlap, and put together again without their rims.

Pure arithmetic on pixels; knows nothing of what happens to a tile in between.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One tile along one axis, in pixels: it reads `start` to `stop` and answers for `first` to `last`."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One tile of a picture."""

    rows: Span
    columns: Span

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what it reads."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


def spans(length: int, side: int, margin: int) -> tuple[Span, ...]:
    """Cover `length` pixels with tiles of `side`, each reading at least `margin` pixels beyond what it
    answers for, except at the picture's own borders. Together they answer for every pixel once.

    Raises:
        ValueError: `side` leaves nothing between two margins.
    """
    if side <= 2 * margin or margin < 0:
        raise ValueError(f"a tile of {side} pixels has no room between margins of {margin}")
    if length <= side:
        return (Span(start=0, stop=length, first=0, last=length),)
    count = -(-(length - 2 * margin) // (side - 2 * margin))
    starts = [round(index * (length - side) / (count - 1)) for index in range(count)]
    seams = [(start + side + after) // 2 for start, after in itertools.pairwise(starts)]
    return tuple(
        Span(start=start, stop=start + side, first=first, last=last)
        for start, first, last in zip(starts, (0, *seams), (*seams, length), strict=True)
    )


def tiles(height: int, width: int, side: int, margin: int) -> tuple[Tile, ...]:
    """Cover a picture, row by row."""
    return tuple(
        Tile(rows=rows, columns=columns)
        for rows in spans(height, side, margin)
        for columns in spans(width, side, margin)
    )
