"""Where the figures of a panel stand, and in which size the panel is drawn.

In: how many figures, the shot, the panel's aspect, the boxes that the story gives. Out: one box a figure,
fractions of the panel. Pure; knows nothing of characters, prompts or pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from model.geometry import Box

# More figures than this have no room to stand in.
MAX_FIGURES = 8
# Overlap that needs no correction, as a share of the smaller box: people may touch shoulders.
SMALL_OVERLAP = 0.15
# A box keeps at least this share of its width and of its height when boxes are moved apart.
KEPT = 0.5

# Means over 1,500 drawn scenes per cell (1 to 3 characters, aspects 2 to 1/2) of the world that the starter
# model learns: a figure's width in panel heights, its height and its lower edge as fractions of the panel,
# and the room one figure alone has, in panel widths, before it must shrink. A box above the frame is cut.
_SHOTS = {
    "wide": (0.472, 0.875, 0.985, 0.90),
    "medium": (0.653, 0.855, 1.0, 1.0),
    "close-up": (1.02, 0.963, 1.0, 1.60),
}
# Several figures share the width, and reach into each other's slot by this factor before they shrink.
_REACH = 1.3
# Narrower than this, two people in a medium shot stand one behind the other: means over 150 drawn scenes at
# aspects 0.5, 0.6 and 0.78 give heights of aspect + 0.15 behind and aspect - 0.02 in front.
_TALL = 0.85
# Narrower still, the third of three people stands before the other two: means over 60 drawn scenes at aspects
# 0.5 and 0.6 (a wide shot; the drawn world has no closer one of three in so narrow a panel).
_PYRAMID = 0.7


def default_boxes(count: int, shot: str, aspect: float) -> tuple[Box, ...]:
    """Boxes for `count` figures side by side, left to right; of three in a narrow panel the middle one stands
    in front.

    Args:
        count: 0 or more.
        shot: wide, medium or close-up; a close-up of several people is drawn as a medium shot.
        aspect: width / height of the panel.
    """
    shot = "medium" if shot == "close-up" and count > 1 else shot
    if shot == "medium" and count == 2 and aspect < _TALL:
        behind, before = min(aspect + 0.15, 1.0), aspect - 0.02
        return Box(0.0, 1.0 - behind, 0.55, behind), Box(0.47, 1.0 - before, 0.53, before)
    if count == 3 and aspect < _PYRAMID:
        width, height = min(0.9 - 0.65 * aspect, 0.6), 0.61
        behind = Box(0.005, 0.055, width, height), Box(0.995 - width, 0.055, width, height)
        return behind[0], Box(0.5 - width / 2, 0.375, width, height), behind[1]
    ratio, height, bottom, alone = _SHOTS[shot]
    width = ratio / aspect
    room = alone if count == 1 else _REACH / max(count, 1)
    scale = min(1.0, room / width)
    width, height = width * scale, height * scale
    return tuple(
        Box((index + 0.5) / count - width / 2, bottom - height, width, height).clipped()
        for index in range(count)
    )


def place_figures(
    given: Sequence[Box | None],
    shot: str,
    aspect: float,
    *,
    right_to_left: bool = False,
    speaking: Sequence[int] = (),
) -> tuple[Box, ...]:
    """One box for each figure: given ones clipped, missing ones placed, all moved apart where they overlap
    (unless all are default places, which overlap as people do who stand before each other).

    Missing boxes take the default places that are freest; the figure named first takes the place that is read
    first (the right-most one when `right_to_left`). Those of `speaking`, indices in the order in which they
    first speak, change places among themselves so that who speaks first stands where one reads first.
    """
    slots = list(default_boxes(len(given), shot, aspect))
    fixed = [box.clipped() for box in given if box is not None]
    missing = len(given) - len(fixed)
    crowding = {slot: sum(slot.intersection(box) for box in fixed) for slot in slots}
    free = sorted(sorted(slots, key=lambda slot: crowding[slot])[:missing], key=lambda slot: slot.centre[0])
    unplaced = [index for index, box in enumerate(given) if box is None]
    turns = iter([index for index in dict.fromkeys(speaking) if index in unplaced])
    seated = [next(turns) if index in speaking else index for index in unplaced]
    places = dict(zip(seated, free[::-1] if right_to_left else free, strict=True))
    placed = tuple(box.clipped() if box is not None else places[index] for index, box in enumerate(given))
    return move_apart(placed) if fixed else placed


def move_apart(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """Shift, then shrink, boxes until no two overlap by more than `SMALL_OVERLAP` of the smaller one.

    A box stays in the frame and keeps `KEPT` of its width and height; a move that would change who stands
    left of (or above) whom is not made. Boxes with one centre stay as they are: one stands before the other.
    """
    placed = list(boxes)
    for _ in range(12):
        moved = False
        for first in range(len(placed)):
            for second in range(first + 1, len(placed)):
                moved |= _part(placed, boxes, first, second)
        if not moved:
            break
    return tuple(placed)


def overlap_share(first: Box, second: Box) -> float:
    """The shared area as a share of the smaller box."""
    smaller = min(first.area, second.area)
    return first.intersection(second) / smaller if smaller > 0 else 0.0


def snap_size(aspect: float, shapes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The (width, height) of `shapes` whose aspect is nearest to `aspect`, by the ratio of the two."""
    return min(shapes, key=lambda shape: (abs(math.log(shape[0] / shape[1] / aspect)), shape))


def _part(placed: list[Box], original: Sequence[Box], first: int, second: int) -> bool:
    """Move two boxes apart along the axis that needs less; say whether anything changed."""
    if overlap_share(placed[first], placed[second]) <= SMALL_OVERLAP:
        return False
    for axis in sorted((0, 1), key=lambda axis: _depth(placed[first], placed[second], axis)):
        low, high = sorted((first, second), key=lambda index: placed[index].centre[axis])
        if placed[high].centre[axis] - placed[low].centre[axis] < 1e-6:
            continue
        spans = [_span(box, axis) for box in placed]
        least = [_span(box, axis)[1] * KEPT for box in original]
        spans[low], spans[high] = _separate(spans[low], spans[high], least[low], least[high])
        if spans[low] == _span(placed[low], axis) and spans[high] == _span(placed[high], axis):
            continue
        changed = [_with_span(box, axis, span) for box, span in zip(placed, spans, strict=True)]
        if _same_order(original, changed, axis):
            placed[:] = changed
            return True
    return False


def _separate(
    low: tuple[float, float], high: tuple[float, float], least_low: float, least_high: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Part two (start, length) spans: first into the free room beside them, then by trimming what faces."""
    push = low[0] + low[1] - high[0]
    left_room, right_room = low[0], 1.0 - high[0] - high[1]
    left = min(left_room, max(push / 2, push - right_room))
    right = min(right_room, push - left)
    trim = push - left - right
    trim_low = min(max(trim / 2, trim - (high[1] - least_high)), max(low[1] - least_low, 0.0))
    trim_high = min(trim - trim_low, max(high[1] - least_high, 0.0))
    return (low[0] - left, low[1] - trim_low), (high[0] + right + trim_high, high[1] - trim_high)


def _same_order(before: Sequence[Box], after: Sequence[Box], axis: int) -> bool:
    old = [box.centre[axis] for box in before]
    new = [box.centre[axis] for box in after]
    pairs = [(i, j) for i in range(len(old)) for j in range(len(old)) if old[i] < old[j]]
    return all(new[i] <= new[j] for i, j in pairs)


def _depth(first: Box, second: Box, axis: int) -> float:
    low, high = sorted((_span(first, axis), _span(second, axis)), key=lambda span: span[0] + span[1] / 2)
    return low[0] + low[1] - high[0]


def _span(box: Box, axis: int) -> tuple[float, float]:
    return (box.x, box.width) if axis == 0 else (box.y, box.height)


def _with_span(box: Box, axis: int, span: tuple[float, float]) -> Box:
    start, length = max(span[0], 0.0), span[1]
    if axis == 0:
        return Box(start, box.y, min(length, 1.0 - start), box.height)
    return Box(box.x, start, box.width, min(length, 1.0 - start))
