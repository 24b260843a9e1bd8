"""Splitting: a long speech becomes two balloons, parted where a speaker would breathe.

In: a line. Out: its two halves, or None when it has no place to part. Marks of emphasis stay whole.
"""

from __future__ import annotations

import re
from dataclasses import replace

from model.page.type.emphasis import plain
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
    whole = _letters(text)
    for breath in _BREATHS:
        places = [(match.start(), match.end()) for match in breath.finditer(text)]
        for start, end in sorted(places, key=lambda place: abs(place[0] + place[1] - len(text))):
            before, after = text[:start] + _closing(text[start:end]), text[end:]
            parts = _letters(before), _letters(after)
            least = min(len(part) for part in parts)
            # A mark that opens in one half and closes in the other would be printed as an asterisk.
            if "".join(parts) == whole and least > 1 and least >= _LEAST * len(whole):
                return replace(line, text=before), replace(line, text=after, at=None)
    return None


def _letters(text: str) -> str:
    """The text as it is read, without what parts its words."""
    return "".join(plain(text).split())


def _closing(gap: str) -> str:
    """Quotation marks that close before the gap belong to what comes before it."""
    return gap.strip()
