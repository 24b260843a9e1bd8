"""Cropping: which part of a picture a frame shows, so that no face is cut.

In: a picture's measure, the frame that waits for it, the figures found in it. Out: the frame as it will be
drawn, and the part of the picture that shows in it. Nothing is ever stretched.
"""

from __future__ import annotations

from collections.abc import Sequence

from model.geometry import Box
from model.page.anatomy import face_of, head_of, pose_of
from model.page.plane import Rect, crop_window

_SLACK = 1e-6


def crop(
    picture: tuple[int, int], slot: Rect, figures: Sequence[Box], shot: str = "medium"
) -> tuple[Rect, Box]:
    """Fit a picture into a slot.

    Args:
        picture: its width and height, in any unit.
        slot: where it is to go, in points.
        figures: boxes of the people in it, fractions of the picture.
        shot: wide, medium or close-up, which tells how much of a figure is head.

    Returns:
        The frame: the slot, or a smaller one in its middle when no crop of the slot's shape shows all faces
        whole. And the part of the picture that shows, in fractions of it, moved from the middle only as far
        as whole heads ask for.
    """
    paper = Rect(0.0, 0.0, float(picture[0]), float(picture[1]))
    heads = [
        head_of(paper.placed(box.clipped()), pose_of(box, shot, len(figures)))
        for box in figures
        if box.clipped().area > 0
    ]
    window = crop_window(picture[0] / picture[1], slot.width / slot.height)
    for kept in (heads, [face_of(head) for head in heads]):
        moved = _holding(window, [_fraction(rect, paper) for rect in kept])
        if moved is not None:
            return slot, moved
    return _shrunk(slot, window, [_fraction(face_of(head), paper) for head in heads], picture)


def _fraction(rect: Rect, paper: Rect) -> Box:
    return Box(
        rect.x / paper.width, rect.y / paper.height, rect.width / paper.width, rect.height / paper.height
    ).clipped()


def _holding(window: Box, kept: Sequence[Box]) -> Box | None:
    """The window moved by as little as shows all of `kept`; None when it is too small for that."""
    if not kept:
        return window
    left, right = min(box.x for box in kept), max(box.right for box in kept)
    top, bottom = min(box.y for box in kept), max(box.bottom for box in kept)
    if right - left > window.width + _SLACK or bottom - top > window.height + _SLACK:
        return None
    x = min(max(window.x, right - window.width), left)
    y = min(max(window.y, bottom - window.height), top)
    return Box(
        min(max(x, 0.0), 1.0 - window.width),
        min(max(y, 0.0), 1.0 - window.height),
        window.width,
        window.height,
    )


def _shrunk(slot: Rect, window: Box, faces: Sequence[Box], picture: tuple[int, int]) -> tuple[Rect, Box]:
    """A smaller frame in the slot's middle whose window reaches from the first face to the last."""
    left, right = min(box.x for box in faces), max(box.right for box in faces)
    top, bottom = min(box.y for box in faces), max(box.bottom for box in faces)
    width, height = max(window.width, right - left), max(window.height, bottom - top)
    if window.width < 1.0:
        seen = Box(min(left, 1.0 - width), 0.0, width, 1.0)
    else:
        seen = Box(0.0, min(top, 1.0 - height), 1.0, height)
    scale = min(slot.width / (seen.width * picture[0]), slot.height / (seen.height * picture[1]))
    wide, high = seen.width * picture[0] * scale, seen.height * picture[1] * scale
    return Rect(slot.centre.x - wide / 2, slot.centre.y - high / 2, wide, high), seen
