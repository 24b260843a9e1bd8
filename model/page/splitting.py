"""Splitting: a long speech becomes two balloons, parted where a speaker would breathe.

In: a line. Out: its two halves, or None when it has no place to part. Marks of emphasis stay whole.
"""

from __future__ import annotations

import re
from dataclasses import replace

from model.page.emphasis import plain
from model.page.values import Line

# Where to part, best first: after a sentence, after a clause, between words, between ideographs.
_BREATHS = (
    re.compile(r"(?<=[.!?…])[\"”»’)]*\s+|(?<=[。！？])(?![」』）。！？])"),
    re.compile(r"(?<=[,;:–—])\s+|(?<=、)"),
    re.compile(r"\s+"),
    re.compile(r"(?<=[\u3041-\u9fff])(?=[\u3041-\u9fff])"),
)
_LEAST = 0.2  # of the letters: what the smaller half must have


def split_line(line: Line) -> tuple[Line, Line] | None:
    """Part a line near its middle."""
    text = line.text.strip()
    whole = len(plain(text))
    for breath in _BREATHS:
        places = [(match.start(), match.end()) for match in breath.finditer(text)]
        for start, end in sorted(places, key=lambda place: abs(place[0] + place[1] - len(text))):
            before, after = text[:start] + _closing(text[start:end]), text[end:]
            parts = len(plain(before)), len(plain(after))
            # A mark that opens in one half and closes in the other would be printed as an asterisk.
            balanced = whole - sum(parts) == len(text) - len(before) - len(after)
            if balanced and min(parts) >= _LEAST * whole and min(parts) > 1:
                return replace(line, text=before), replace(line, text=after)
    return None


def _closing(gap: str) -> str:
    """Quotation marks that close before the gap belong to what comes before it."""
    return gap.strip()
