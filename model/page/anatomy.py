"""Anatomy: where a figure's head, face and mouth are, judged from its box and the shot."""

from __future__ import annotations

from model.geometry import Box
from model.page.plane import Point, Rect

WHOLE, BUST, NEAR = "whole", "bust", "near"

# Of a figure's height, how much is head when its feet, or its shoulders, are outside the picture: drawn
# people have large heads, and a head taken for too large only keeps balloons off a collar.
_LEAST = {WHOLE: 0.36, BUST: 0.68, NEAR: 0.9}
_MOST = {WHOLE: 0.72, BUST: 0.74, NEAR: 0.9}
_CUT = 0.96  # of the picture's height: a box that ends below this goes on outside


def pose_of(box: Box, shot: str, figures: int) -> str:
    """How much of a figure a picture shows, by its box in fractions of that, the shot, how many there are."""
    if shot == "wide" or box.bottom < _CUT:
        return WHOLE
    # A close-up of several people is drawn as a medium shot.
    return NEAR if shot == "close-up" and figures == 1 else BUST


def head_of(figure: Rect, pose: str = WHOLE) -> Rect:
    """Where a figure's head is: the upper part of a bust, the top of a whole figure, most of a close-up."""
    # The wider a figure is for its height, the nearer it was drawn and the more of it is head.
    closeness = figure.width / max(figure.height, 1e-9)
    height = figure.height * min(max(0.3 + 0.38 * closeness, _LEAST[pose]), _MOST[pose])
    width = min(figure.width, 0.95 * height)
    return Rect(figure.x + (figure.width - width) / 2, figure.y, width, height)


def face_of(head: Rect) -> Rect:
    """The part of a head with eyes and mouth, which hair does not cover."""
    return Rect(head.x + 0.2 * head.width, head.y + 0.42 * head.height, 0.6 * head.width, 0.54 * head.height)


def mouth_of(head: Rect) -> Point:
    """Where a head's mouth is."""
    return Point(head.centre.x, head.y + 0.8 * head.height)
