"""The prompt of a detector and its answers: phrases joined to one text, boxes with scores.

In: phrases. Out: one prompt; answers without duplicates. Knows no network; light to import.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image

from model.geometry import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing in a picture.

    Attributes:
        box: fractions of the picture, inside it.
        score: 0 to 1: the largest sigmoid logit among the phrase's tokens, GroundingDINO's confidence.
        phrase: as it was asked.
    """

    box: Box
    score: float
    phrase: str


def plain(phrase: str) -> str:
    """A phrase as the detector reads it: lower case, without the stops that would split it.

    Raises:
        ValueError: nothing is left.
    """
    words = " ".join(re.sub(r"[.?]", " ", phrase).lower().split())
    if not words:
        raise ValueError(f"phrase {phrase!r} has no words; say what to look for, such as 'a character'")
    return words


def question(phrases: Sequence[str]) -> str:
    """Phrases as GroundingDINO is asked: `a character . girl with red hair .`"""
    return " . ".join(plain(phrase) for phrase in phrases) + " ."


def check_question(pictures: Sequence[Image.Image], phrases: Sequence[Sequence[str]]) -> None:
    """Refuse what cannot be asked.

    Raises:
        ValueError: other numbers of pictures and lists, or a picture without pixels.
    """
    if len(pictures) != len(phrases):
        raise ValueError(
            f"{len(pictures)} pictures and {len(phrases)} lists of phrases; expected one list each"
        )
    for index, picture in enumerate(pictures):
        if 0 in picture.size:
            raise ValueError(
                f"picture {index} has {picture.width} × {picture.height} pixels; nothing to look at"
            )


def suppress(found: Iterable[Found], overlap: float) -> list[Found]:
    """Best first; of two boxes of one phrase with an IoU above `overlap` only the better one stays."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda one: -one.score):
        if not any(one.phrase == other.phrase and one.box.iou(other.box) > overlap for other in kept):
            kept.append(one)
    return kept
