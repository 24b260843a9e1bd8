"""Forms: what each template does with a page.

In: what each panel shows, the paper's width and height in points. Out: frames in reading order, left to
right; whoever reads the other way mirrors them. Knows nothing of names and limits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from model.geometry import Box
from model.page.layout.frames import Arrangement, Frame, bled, slanted, upright
from model.page.layout.tiers import (
    PANEL_GUTTER,
    WIDTHS,
    Paper,
    Tier,
    View,
    best_tiers,
    tier_boxes,
    without_slivers,
)

Form = Callable[[Sequence[View], float, float], tuple[Frame, ...]]

_WIDEST = 1.9  # width over height of a panel that has a tier to itself in a strip
_SLANT = 0.02  # of the page's width: how far a slanted gutter rises or falls at the page's sides
_LEAN = 0.1  # of a tier's height: how far a slanted gutter inside it leans to each side
# Webtoon panels: width over height by shot, and the white before a panel as a share of the page's width.
_COLUMN = {"wide": 1.55, "medium": 1.2, "close-up": 1.0}
_COLUMN_WEIGHT = {"high": 0.72, "normal": 1.0, "low": 1.25}
_COLUMN_MARGIN = 0.03
_BREATH = {"wide": 0.3, "medium": 0.16, "close-up": 0.13}
_POINTS_TO_MM = 25.4 / 72


def in_tiers(*numbers: int) -> Form:
    """The form that picks the best composition among the given numbers of tiers."""

    def form(views: Sequence[View], width: float, height: float) -> tuple[Frame, ...]:
        paper = Paper(width, height)
        return _upright(tier_boxes(best_tiers(views, numbers, paper), paper))

    return form


def grid(views: Sequence[View], width: float, height: float) -> tuple[Frame, ...]:
    """Equal tiers of equal panels; where the count does not divide, the first tiers hold one panel fewer."""
    count = len(views)

    def stray(rows: int) -> float:
        return abs(math.log(width / (count / rows) / (height / rows) / 1.1)) + 0.3 * (count % rows > 0)

    rows = min(range(1, count + 1), key=stray)
    short = rows - count % rows
    counts = [count // rows + (row >= short and count % rows > 0) for row in range(rows)]
    return _upright(tier_boxes([Tier(1.0, (1.0,) * columns) for columns in counts], Paper(width, height)))


def splash(views: Sequence[View], width: float, height: float) -> tuple[Frame, ...]:
    """One great panel, the others in a tier below it."""
    tiers = [Tier(1.0, (1.0,))]
    if len(views) > 1:
        tiers = [Tier(1.75, (1.0,)), Tier(1.0, WIDTHS[len(views) - 1][0])]
    return _upright(tier_boxes(tiers, Paper(width, height)))


def inset(views: Sequence[View], width: float, height: float) -> tuple[Frame, ...]:
    """One panel as large as the page; the others stand on its foot, the last where the page ends."""
    paper = Paper(width, height)
    live = paper.live
    count = len(views) - 1
    inside = 1.5 * PANEL_GUTTER
    apart = 2.0 * PANEL_GUTTER  # the white around each takes some of it
    wide = {1: 0.42, 2: 0.37, 3: 0.28}[count] * live.width
    tall = min(0.34, wide * width / height / 0.95)
    frames = [upright(live)]
    x = live.right - inside - count * wide - (count - 1) * apart
    for _ in range(count):
        low = live.bottom - inside * width / height
        frames.append(upright(Box(x, low - tall, wide, tall), over=0))
        x += wide + apart
    return tuple(frames)


def tall(views: Sequence[View], width: float, height: float) -> tuple[Frame, ...]:
    """A tall panel, two beside it, and a tier below: the tall one is read first, then the two downwards."""
    paper = Paper(width, height)
    live = paper.live
    slim = 0.44 * live.width
    # No model draws panels slimmer than one to two.
    block = min(0.58 * (live.height - paper.tier_gutter), slim * width / height / 0.52)
    under = live.y + block + paper.tier_gutter
    right = live.x + slim + PANEL_GUTTER
    beside = Box(right, live.y, live.right - right, block)
    below = Box(live.x, under, live.width, live.bottom - under)
    stack = tier_boxes([Tier(view.weight, (1.0,)) for view in views[1:3]], paper, beside)
    foot = tier_boxes([Tier(1.0, tuple(view.pull for view in views[3:]))], paper, below)
    return _upright((Box(live.x, live.y, slim, block), *stack, *foot))


def wide(views: Sequence[View], width: float, height: float) -> tuple[Frame, ...]:
    """It opens and closes on a panel as wide as the page."""
    paper = Paper(width, height)
    middle = views[1:-1]
    tiers = [Tier(1.0, (1.0,)), Tier(1.0, tuple(view.pull for view in middle)), Tier(1.0, (1.0,))]
    heights = [box.height * height for box in tier_boxes(tiers, paper)]
    narrow = min(1.0, 2.1 * heights[0] / (paper.live.width * width))
    narrowed = tuple(replace(tier, span=narrow) for tier in tiers)
    return _upright(tier_boxes(without_slivers(narrowed, paper), paper))


def strip(views: Sequence[View], width: float, height: float) -> tuple[Frame, ...]:
    """One column of equal panels, as in a four-panel gag strip; never wider than twice their height."""
    paper = Paper(width, height)
    count = len(views)
    panel = (paper.live.height - paper.tier_gutter * (count - 1)) / count * height
    span = min(1.0, _WIDEST * panel / (paper.live.width * width))
    return _upright(tier_boxes((Tier(1.0, (1.0,), span),) * count, paper))


def bleed(views: Sequence[View], width: float, height: float) -> tuple[Frame, ...]:
    """Tiers that fill the whole page: pictures at its sides go on past the trim."""
    paper = Paper(width, height, margin=0.0)
    boxes = tier_boxes(best_tiers(views, range(1, 6), paper), paper)
    return _upright([bled(box, width * _POINTS_TO_MM, height * _POINTS_TO_MM) for box in boxes])


def slants(views: Sequence[View], width: float, height: float) -> tuple[Frame, ...]:
    """Tiers whose gutters rise and fall in turn, and whose panels lean. Sides of the page stay upright."""
    paper = Paper(width, height)
    tiers = best_tiers(views, range(1, 5), paper, most=3)
    boxes = list(tier_boxes(tiers, paper))
    rise = _SLANT * width / height
    frames: list[Frame] = []
    for row, tier in enumerate(tiers):
        panels = [boxes.pop(0) for _ in tier.widths]
        # A gutter between two tiers slants alike for the one above and the one below it.
        above = 0.0 if row == 0 else rise * (-1) ** row
        below = 0.0 if row == len(tiers) - 1 else rise * (-1) ** (row + 1)
        lean = _LEAN * panels[0].height * height / width * (-1) ** row
        for place, box in enumerate(panels):
            left = 0.0 if place == 0 else lean * (-1) ** place
            right = 0.0 if place == len(panels) - 1 else lean * (-1) ** (place + 1)
            frames.append(_leaning(box, paper.live, (above, below), (left, right)))
    return tuple(frames)


def webtoon(views: Sequence[View], width: float) -> Arrangement:
    """One column that grows with its panels; the white before a panel says how much time passes."""
    panel = width * (1.0 - 2 * _COLUMN_MARGIN)
    tops: list[tuple[float, float]] = []
    y = _BREATH["medium"] * width
    for index, view in enumerate(views):
        y += _BREATH[view.shot] * width * (index > 0)
        height = panel / (_COLUMN[view.shot] * _COLUMN_WEIGHT[view.emphasis])
        tops.append((y, height))
        y += height
    paper = y + _BREATH["medium"] * width
    frames = _upright(
        [Box(_COLUMN_MARGIN, top / paper, 1.0 - 2 * _COLUMN_MARGIN, height / paper) for top, height in tops]
    )
    return Arrangement(width=width, height=paper, frames=frames)


def _upright(boxes: Sequence[Box]) -> tuple[Frame, ...]:
    return tuple(upright(box) for box in boxes)


def _leaning(box: Box, live: Box, rises: tuple[float, float], leans: tuple[float, float]) -> Frame:
    """A box whose top and bottom follow lines that rise across the page, and whose sides lean."""

    def y_at(edge: float, rise: float, x: float) -> float:
        return edge + rise * (1.0 - 2.0 * (x - live.x) / live.width)

    def corner(side: float, lean: float, edge: float, rise: float) -> tuple[float, float]:
        # The side runs from lean before its foot to lean behind it; two steps bring x and y together.
        x, y = side, edge
        for _ in range(12):
            y = y_at(edge, rise, x)
            x = side + lean * (1.0 - 2.0 * (y - box.y) / box.height)
        return x, y

    left, right = leans
    top, bottom = rises
    return slanted(
        (
            corner(box.x, left, box.y, top),
            corner(box.right, right, box.y, top),
            corner(box.right, right, box.bottom, bottom),
            corner(box.x, left, box.bottom, bottom),
        )
    )
