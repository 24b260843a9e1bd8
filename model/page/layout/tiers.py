"""Tiers: how a page's panels are handed to rows, and how rows share the paper.

In: what each panel shows, the numbers of tiers to choose from, the page's measure. Out: tiers, their boxes.
A panel that says nothing of itself is a medium shot of normal weight. Knows nothing of templates' names.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from model.geometry import Box

MARGIN = 0.058  # of the page's width, on all four sides
TIER_GUTTER = 0.026  # of the page's width, between tiers
PANEL_GUTTER = 0.017  # of the page's width, between panels of one tier

# Shares of a tier's width. Neighbouring tiers take different rows, so that a page is no chessboard.
WIDTHS: dict[int, tuple[tuple[float, ...], ...]] = {
    1: ((1.0,),),
    2: ((0.57, 0.43), (0.44, 0.56), (0.53, 0.47)),
    3: ((0.37, 0.28, 0.35), (0.30, 0.40, 0.30), (0.34, 0.37, 0.29)),
    4: ((0.27, 0.23, 0.26, 0.24), (0.23, 0.26, 0.24, 0.27)),
}
# A tier with few panels is taller: one wide panel on a low tier would be a letter slot.
_HEIGHTS = {1: 1.18, 2: 1.0, 3: 0.86, 4: 0.74}
_RHYTHM = (1.05, 0.97, 1.0, 0.96, 1.02)

# How much more width, and height, than its neighbours a panel asks for.
_SHOT_WIDTH = {"wide": 1.16, "medium": 1.0, "close-up": 0.94}
_WEIGHT = {"high": 1.4, "normal": 1.0, "low": 0.85}
_SLOT = 2.6  # width over height from which on a frame is a letter slot
_SLIVER = 0.42  # and below which it is a sliver
SHOTS = tuple(_SHOT_WIDTH)
EMPHASES = tuple(_WEIGHT)


@dataclass(frozen=True, slots=True)
class View:
    """What one panel shows, as far as its frame should know: its shot, and how much it weighs."""

    shot: str = "medium"
    emphasis: str = "normal"

    @property
    def weight(self) -> float:
        return _WEIGHT[self.emphasis]

    @property
    def pull(self) -> float:
        """How much width it asks for beside others."""
        return _SHOT_WIDTH[self.shot] * self.weight


@dataclass(frozen=True, slots=True)
class Tier:
    """One row of a page: its height and its panels' widths as shares, and the part of the width it uses."""

    height: float
    widths: tuple[float, ...]
    span: float = 1.0


@dataclass(frozen=True, slots=True)
class Paper:
    """A page's measure in points, and the white around its panels as a share of its width."""

    width: float
    height: float
    margin: float = MARGIN

    @property
    def live(self) -> Box:
        """Where panels may stand, in fractions of the page."""
        down = self.margin * self.width / self.height
        return Box(self.margin, down, 1.0 - 2 * self.margin, 1.0 - 2 * down)

    @property
    def tier_gutter(self) -> float:
        """Between tiers, as a fraction of the page's height."""
        return TIER_GUTTER * self.width / self.height


def tier_boxes(tiers: Sequence[Tier], paper: Paper, area: Box | None = None) -> tuple[Box, ...]:
    """Lay tiers out from top to bottom, left to right, in `area` (the whole live area when None)."""
    live = area or paper.live
    room = live.height - paper.tier_gutter * (len(tiers) - 1)
    total = sum(tier.height for tier in tiers)
    boxes: list[Box] = []
    y = live.y
    for tier in tiers:
        height = room * tier.height / total
        x = live.x + live.width * (1.0 - tier.span) / 2
        share = live.width * tier.span - PANEL_GUTTER * (len(tier.widths) - 1)
        for width in tier.widths:
            panel = share * width / sum(tier.widths)
            boxes.append(Box(x, y, panel, height))
            x += panel + PANEL_GUTTER
        y += height + paper.tier_gutter
    return tuple(boxes)


def best_tiers(
    views: Sequence[View], numbers: Sequence[int], paper: Paper, most: int = 4
) -> tuple[Tier, ...]:
    """The best way to hand the panels to one of the given numbers of tiers of at most `most` panels."""
    choices = [counts for number in numbers for counts in _compositions(len(views), number, most)]
    # Tiers of one panel beside tiers of four are not worth the time to weigh them.
    choices = [counts for counts in choices if max(counts) - min(counts) <= 2] or choices
    by_cost = sorted(choices, key=lambda counts: (_cost(counts, views, paper), counts))
    tried = (_without_slots(varied(counts, views), paper) for counts in by_cost)
    # Where every composition has letter slots, the cheapest one keeps them.
    best = next((tiers for tiers in tried if tiers is not None), varied(by_cost[0], views))
    return without_slivers(best, paper)


def _without_slots(tiers: tuple[Tier, ...], paper: Paper) -> tuple[Tier, ...] | None:
    """A tier that would be a letter slot takes height from the others. None where they cannot spare it."""
    heights = _heights_of(tiers, paper)
    least = [max(_widths_of(tier, paper)) / _SLOT for tier in tiers]
    lack = sum(max(0.0, low - height) for low, height in zip(least, heights, strict=True))
    spare = sum(max(0.0, height - low) for low, height in zip(least, heights, strict=True))
    if not lack:
        return tiers
    if spare < lack:
        return None
    return tuple(
        replace(tier, height=low if height < low else height - lack * (height - low) / spare)
        for tier, low, height in zip(tiers, least, heights, strict=True)
    )


def without_slivers(tiers: tuple[Tier, ...], paper: Paper) -> tuple[Tier, ...]:
    """A panel that would be a sliver takes width from its neighbours, as far as they can spare it."""
    wider: list[Tier] = []
    for tier, height in zip(tiers, _heights_of(tiers, paper), strict=True):
        low, widths = height * _SLIVER, _widths_of(tier, paper)
        lack = sum(max(0.0, low - width) for width in widths)
        spare = sum(max(0.0, width - low) for width in widths)
        if lack and spare >= lack:
            shares = (low if width < low else width - lack * (width - low) / spare for width in widths)
            tier = replace(tier, widths=tuple(shares))
        wider.append(tier)
    return tuple(wider)


def _heights_of(tiers: Sequence[Tier], paper: Paper) -> list[float]:
    """The heights of tiers in points."""
    room = (paper.live.height - paper.tier_gutter * (len(tiers) - 1)) * paper.height
    total = sum(tier.height for tier in tiers)
    return [room * tier.height / total for tier in tiers]


def _widths_of(tier: Tier, paper: Paper) -> list[float]:
    """The widths of a tier's panels in points."""
    share = (paper.live.width * tier.span - PANEL_GUTTER * (len(tier.widths) - 1)) * paper.width
    return [share * width / sum(tier.widths) for width in tier.widths]


def varied(counts: Sequence[int], views: Sequence[View]) -> tuple[Tier, ...]:
    """Tiers with `counts` panels each; widths and heights vary from tier to tier, and follow the views."""
    used = {1: 0, 2: 0, 3: 0, 4: 0}
    tiers: list[Tier] = []
    first = 0
    for index, count in enumerate(counts):
        shown = views[first : first + count]
        first += count
        choices = WIDTHS[count]
        row = choices[used[count] % len(choices)]
        widths = tuple(width * view.pull for width, view in zip(row, shown, strict=True))
        height = _HEIGHTS[count] * _RHYTHM[index % len(_RHYTHM)] * max(view.weight for view in shown)
        tiers.append(Tier(height, widths))
        used[count] += 1
    return tuple(tiers)


def _compositions(count: int, tiers: int, most: int) -> Iterator[tuple[int, ...]]:
    """Every way to hand `count` panels to `tiers` tiers of 1 to `most`."""
    if tiers == 0:
        if count == 0:
            yield ()
        return
    for first in range(1, min(most, count) + 1):
        for rest in _compositions(count - first, tiers - 1, most):
            yield (first, *rest)


def _cost(counts: tuple[int, ...], views: Sequence[View], paper: Paper) -> float:
    """How badly a page of these tiers suits pictures of 1:2 to 2:1, and how dull it is. Lower is better."""
    cost = 0.0
    boxes = tier_boxes(varied(counts, views), paper)
    mean = sum(box.area for box in boxes) / len(boxes)
    for box, view in zip(boxes, views, strict=True):
        aspect = box.width * paper.width / (box.height * paper.height)
        stray = abs(math.log(aspect / 1.1))
        cost += 0.4 * stray**2 + 12.0 * max(0.0, stray - math.log(1.78)) ** 2
        cost += _unsuited(view, aspect, box.area / mean)
    cost /= len(boxes)
    cost += 0.05 * sum(a == b for a, b in pairwise(counts))
    # A page likes to open with a view and close on a beat, and its tiers should not differ wildly.
    cost += 0.04 * (counts[0] - min(counts)) + 0.015 * (counts[-1] - min(counts))
    return cost + 0.03 * (max(counts) - min(counts)) ** 2


def _unsuited(view: View, aspect: float, share: float) -> float:
    """What a frame of this aspect, `share` times as large as the others, costs the panel that gets it."""
    cost = 0.0
    if view.shot == "wide":
        cost += 3.0 * max(0.0, math.log(1.4 / aspect)) ** 2
    elif view.shot == "close-up":
        cost += 0.3 * max(0.0, math.log(aspect / 1.5)) ** 2
    if view.emphasis == "high":
        cost += 6.0 * max(0.0, math.log(1.6 / share)) ** 2
    elif view.emphasis == "low":
        cost += 4.0 * max(0.0, math.log(share / 0.8)) ** 2
    return cost
