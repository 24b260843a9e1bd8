"""Costs: what a place costs a balloon, by itself and beside the balloons before it.

In: a balloon's wishes, many places at once, heads and figures to spare. Out: one number a place. Balloons
want to be high, near their speakers, off faces, apart, in reading order, with tails that cross nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.page.anatomy import mouth_of
from model.page.plane import Point, Rect

Places = NDArray[np.float64]  # (n, 4): left, top, right, bottom in points
Numbers = NDArray[np.float64]
Spared = tuple[tuple[Rect, float], ...]

GAP = 3.5  # points of air between balloons
_SHORT_TAIL = 9.0  # points: a balloon nearer to its speaker's head has hardly room for a tail
_CHIN = 14.0  # points below its speaker's chin that a low balloon keeps: nearer ones gag the mouth
_TOUCHING = 200.0  # cost that only balloons without any room elsewhere pay
ORDER = 14.0  # what it costs that one balloon is read before another that comes first
_ALONG = np.linspace(0.0, 1.0, 9)[None, :, None]  # where a tail is tested for crossings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A balloon that wants a place.

    `bodies` are its possible widths and heights with a cost each; `head` is the speaker's.
    `boxed` bodies (captions) go to corners and edges; `free` ones (sound) may stand out of order. One that is
    `held` has its middle there and nowhere else, and is in nobody's way or order.
    """

    bodies: tuple[tuple[float, float, float], ...]
    head: Rect | None = None
    boxed: bool = False
    free: bool = False
    held: Point | None = None

    @property
    def anywhere(self) -> bool:
        """Whether the reading order does not ask where it stands."""
        return self.free or self.held is not None


def covering_cost(places: Places, spared: Spared, bodies: tuple[Rect, ...]) -> tuple[Numbers, Numbers]:
    """What places cost by what they cover; and the share of the rectangle to be spared that suffers most."""
    covered = np.zeros(len(places))
    cost = np.zeros(len(places))
    for rect, weight in spared:
        share = shared_area(places, rect) / max(rect.width * rect.height, 1e-9)
        covered = np.maximum(covered, share)
        # Touching an edge is no harm; beyond that every further part hurts more.
        cost = cost + weight * (0.5 * share + 2.5 * np.maximum(share - 0.05, 0.0))
    for body in bodies:
        cost = cost + 1.2 * shared_area(places, body) / max(body.width * body.height, 1e-9)
    return cost, covered


def own_cost(wanted: Wanted, places: Places, panel: Rect, spared: Spared, mirrored: bool) -> Numbers:
    """What a place costs by where it is: height on the panel, way to the speaker, what its tail crosses."""
    middle_x = (places[:, 0] + places[:, 2]) / 2
    top = (places[:, 1] - panel.y) / panel.height
    start = (panel.right - places[:, 2] if mirrored else places[:, 0] - panel.x) / panel.width
    if wanted.boxed:
        bottom = (panel.bottom - places[:, 3]) / panel.height
        side = np.minimum(start, (1.0 - (places[:, 2] - places[:, 0]) / panel.width) - start)
        # A caption lies flush with a corner: at the start it is read first.
        return 2.2 * top + 1.8 * start + 3.0 * np.minimum(np.minimum(top, bottom), 0.3) + 2.0 * side
    if wanted.free:
        return 0.3 * top + _way(wanted, places, panel)
    cost = 1.3 * top + 0.15 * start
    if wanted.head is None:
        return cost
    mouth = mouth_of(wanted.head)
    below = np.maximum(places[:, 1] - mouth.y, 0.0) / panel.height
    cost = cost + _way(wanted, places, panel) + 3.0 * below + 0.7 * (below > 0.0)
    cost = cost + 0.7 * np.abs(middle_x - mouth.x) / panel.width
    under = (places[:, 1] > mouth.y) & (places[:, 0] < wanted.head.right) & (places[:, 2] > wanted.head.x)
    cost = cost + 0.12 * under * np.maximum(_CHIN - (places[:, 1] - wanted.head.bottom), 0.0)
    for rect, _ in spared:
        if not (rect.x <= mouth.x <= rect.right and rect.y <= mouth.y <= rect.bottom):
            cost = cost + 2.5 * _crosses(places, mouth, rect)
    return cost


def _way(wanted: Wanted, places: Places, panel: Rect) -> Numbers:
    """The distance from a body's edge to the head; too near is no good either, a tail wants some length."""
    if wanted.head is None:
        return np.zeros(len(places))
    head = wanted.head
    # Corners of a head's rectangle are air: the head is an oval in it.
    slim_x, slim_y = 0.1 * head.width, 0.06 * head.height
    across = np.maximum(places[:, 0] - head.right + slim_x, head.x + slim_x - places[:, 2])
    down = np.maximum(places[:, 1] - head.bottom + slim_y, head.y + slim_y - places[:, 3])
    way = np.hypot(np.maximum(across, 0.0), np.maximum(down, 0.0))
    return 1.5 * way / float(np.hypot(panel.width, panel.height)) + 0.09 * np.maximum(_SHORT_TAIL - way, 0.0)


def together(
    before: Wanted,
    earlier: Rect,
    after: Wanted,
    places: Places,
    panel: Rect,
    mirrored: bool,
    order: float = ORDER,
) -> tuple[Numbers, NDArray[np.bool_]]:
    """What it costs to place `after`, when `before` stands at `earlier`; and which places touch that.

    Args:
        order: what it costs to stand where one reads before `earlier`.
    """
    crowded = shared_area(places, earlier.inset(-GAP))
    touches = crowded > 0.0
    cost = np.where(touches, _TOUCHING, 0.0) + 2.0 * _TOUCHING * crowded / max(
        earlier.width * earlier.height, 1.0
    )
    if before.held or after.held:
        touches = np.zeros(len(places), dtype=np.bool_)  # it costs, but is not wrong: somebody put it there
    if not (before.anywhere or after.anywhere):
        cost = cost + order * out_of_order(earlier, places, mirrored)
    for head, rect, others in (
        (before.head, earlier, places),
        (after.head, None, places),
    ):
        if head is None:
            continue
        mouth = mouth_of(head)
        if rect is not None:
            # The earlier tail runs through the later body.
            along = _segment(np.array([[rect.centre.x, rect.centre.y]]), mouth)
            cost = cost + 9.0 * _any_inside(along, others)
        else:
            cost = cost + 9.0 * _crosses(others, mouth, earlier)
    if before.head is not None and before.head == after.head:
        apart = np.hypot(
            (places[:, 0] + places[:, 2]) / 2 - earlier.centre.x,
            (places[:, 1] + places[:, 3]) / 2 - earlier.centre.y,
        )
        cost = cost + 0.8 * apart / float(np.hypot(panel.width, panel.height))
    return cost, touches


def out_of_order(earlier: Rect, places: Places, mirrored: bool) -> Numbers:
    """How surely a reader would take a place before `earlier`, 0 to 1.

    A body is read after another when it begins below its middle, or stands on the far side of it and not
    above it.
    """
    height = places[:, 3] - places[:, 1]
    near, far = (places[:, 2], earlier.x) if mirrored else (places[:, 0], earlier.right)
    beyond = near <= far + GAP if mirrored else near >= far - GAP
    beside = beyond & (places[:, 1] >= earlier.y - 0.2 * np.minimum(height, earlier.height))
    behind = places[:, 0] >= earlier.right - GAP if mirrored else places[:, 2] <= earlier.x + GAP
    # Two that share more than a little of a row are read along it.
    row = 0.35 * np.minimum(height, earlier.height)
    under = np.where(behind, places[:, 1] >= earlier.bottom - row, places[:, 1] >= earlier.centre.y)
    return np.where(beside | under, 0.0, 1.0)


def shared_area(places: Places, rect: Rect) -> Numbers:
    """Area each place shares with `rect`."""
    across = np.minimum(places[:, 2], rect.right) - np.maximum(places[:, 0], rect.x)
    down = np.minimum(places[:, 3], rect.bottom) - np.maximum(places[:, 1], rect.y)
    return np.maximum(across, 0.0) * np.maximum(down, 0.0)


def _segment(starts: Numbers, end: Point) -> Numbers:
    """Points along the way from each start to `end`: (n, 9, 2)."""
    goal = np.array([end.x, end.y])[None, None, :]
    return starts[:, None, :] * (1.0 - _ALONG) + goal * _ALONG


def _crosses(places: Places, mouth: Point, obstacle: Rect) -> Numbers:
    """1 where the way from a place's centre to `mouth` runs through `obstacle`."""
    centres = np.stack([(places[:, 0] + places[:, 2]) / 2, (places[:, 1] + places[:, 3]) / 2], axis=-1)
    along = _segment(centres, mouth)
    inside = (
        (along[..., 0] > obstacle.x)
        & (along[..., 0] < obstacle.right)
        & (along[..., 1] > obstacle.y)
        & (along[..., 1] < obstacle.bottom)
    )
    return np.asarray(inside.any(axis=1), dtype=np.float64)


def _any_inside(along: Numbers, places: Places) -> Numbers:
    """1 where one of the points of a single way lies in a place."""
    x, y = along[0, :, 0][None, :], along[0, :, 1][None, :]
    inside = (x > places[:, :1]) & (x < places[:, 2:3]) & (y > places[:, 1:2]) & (y < places[:, 3:4])
    return np.asarray(inside.any(axis=1), dtype=np.float64)
