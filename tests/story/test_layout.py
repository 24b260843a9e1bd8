"""Boxes: inside the panel, apart where that is possible, in order, and where the drawn world puts people."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.geometry import Box
from model.story.layout import (
    KEPT,
    MAX_FIGURES,
    SMALL_OVERLAP,
    default_boxes,
    move_apart,
    overlap_share,
    place_figures,
    snap_size,
)

ASPECTS = st.floats(0.3, 4.0)
SHOTS = st.sampled_from(["wide", "medium", "close-up"])
UNIT = st.floats(0.0, 1.0)
BOXES = st.builds(
    lambda x, y, w, h: Box(x * (1 - w), y * (1 - h), w, h), UNIT, UNIT, st.floats(0.05, 1), st.floats(0.05, 1)
)


def inside(box: Box) -> bool:
    return min(box.x, box.y) >= 0 and max(box.right, box.bottom) <= 1 + 1e-9 and box.area > 0


@given(st.integers(0, MAX_FIGURES), SHOTS, ASPECTS)
def test_default_boxes_stand_in_order_inside_and_apart(count: int, shot: str, aspect: float) -> None:
    boxes = default_boxes(count, shot, aspect)
    assert len(boxes) == count
    assert all(inside(box) for box in boxes)
    centres = [box.centre[0] for box in boxes]
    assert centres == sorted(centres)
    assert all(overlap_share(a, b) < 0.35 for a in boxes for b in boxes if a is not b)


# Means over 1,500 drawn scenes a cell: (count, shot, aspect) → x, y, width, height of the first figure.
MEASURED = {
    (1, "wide", 2.0): (0.379, 0.110, 0.236, 0.875),
    (1, "wide", 5 / 3): (0.357, 0.110, 0.282, 0.875),
    (1, "wide", 1.0): (0.261, 0.110, 0.474, 0.875),
    (1, "wide", 0.6): (0.118, 0.124, 0.761, 0.861),
    (1, "wide", 0.5): (0.074, 0.158, 0.853, 0.827),
    (2, "wide", 5 / 3): (0.111, 0.111, 0.281, 0.874),
    (2, "wide", 1.0): (0.025, 0.111, 0.460, 0.874),
    (2, "wide", 0.6): (0.000, 0.255, 0.579, 0.730),
    (2, "wide", 0.5): (0.000, 0.373, 0.578, 0.612),
    (3, "wide", 2.0): (0.050, 0.111, 0.236, 0.874),
    (3, "wide", 1.0): (0.001, 0.188, 0.381, 0.797),
    (3, "wide", 0.6): (0.010, 0.050, 0.500, 0.610),  # behind, on the left
    (1, "medium", 2.0): (0.339, 0.145, 0.327, 0.855),
    (1, "medium", 1.0): (0.175, 0.145, 0.653, 0.855),
    (1, "medium", 0.6): (0.050, 0.229, 0.894, 0.771),
    (2, "medium", 5 / 3): (0.055, 0.146, 0.388, 0.854),
    (2, "medium", 1.0): (0.001, 0.175, 0.566, 0.825),
    (2, "medium", 0.6): (0.000, 0.240, 0.610, 0.760),  # the one behind
    (3, "medium", 5 / 3): (0.004, 0.156, 0.358, 0.844),
    (3, "medium", 1.0): (0.000, 0.425, 0.387, 0.575),
    (1, "close-up", 2.0): (0.241, 0.036, 0.515, 0.964),
    (1, "close-up", 5 / 3): (0.192, 0.038, 0.609, 0.962),
    (1, "close-up", 1.0): (0.039, 0.038, 0.921, 0.962),
    (1, "close-up", 0.6): (0.009, 0.131, 0.982, 0.869),
    (2, "close-up", 1.0): (0.001, 0.176, 0.565, 0.824),
}


def test_the_middle_one_of_three_in_a_narrow_panel_stands_in_front() -> None:
    left, middle, right = place_figures([None] * 3, "wide", 0.6)
    assert left.centre[0] < middle.centre[0] < right.centre[0]
    assert middle.bottom > max(left.bottom, right.bottom) + 0.2


@pytest.mark.parametrize(("case", "measured"), MEASURED.items())
def test_default_boxes_are_where_the_drawn_world_puts_people(
    case: tuple[int, str, float], measured: tuple[float, float, float, float]
) -> None:
    assert default_boxes(*case)[0].iou(Box(*measured)) > 0.87


@given(st.lists(BOXES, max_size=MAX_FIGURES))
def test_moved_boxes_stay_inside_and_keep_half_their_size(boxes: list[Box]) -> None:
    moved = move_apart(boxes)
    assert len(moved) == len(boxes)
    for before, after in zip(boxes, moved, strict=True):
        assert inside(after)
        assert after.width >= before.width * KEPT - 1e-9
        assert after.height >= before.height * KEPT - 1e-9


@given(st.lists(BOXES, max_size=5))
def test_who_stands_left_stays_left(boxes: list[Box]) -> None:
    moved = move_apart(boxes)
    for i in range(len(boxes)):
        for j in range(len(boxes)):
            if boxes[i].centre[0] < boxes[j].centre[0]:
                assert moved[i].centre[0] <= moved[j].centre[0] + 1e-9


@given(st.floats(0.1, 0.9), st.floats(0.3, 0.9), st.floats(0.02, 1.0), ASPECTS)
def test_two_of_one_size_can_always_be_parted(width: float, height: float, shift: float, y: float) -> None:
    first = Box(0.0, 0.0, width, height)
    second = Box((1 - width) * shift, min(y / 10, 1 - height), width, height)
    assert overlap_share(*move_apart([first, second])) <= SMALL_OVERLAP + 1e-6


@given(st.lists(BOXES, max_size=6))
def test_boxes_that_are_apart_are_left_alone(boxes: list[Box]) -> None:
    shares = [overlap_share(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :]]
    if max(shares, default=0.0) <= SMALL_OVERLAP:
        assert move_apart(boxes) == tuple(boxes)


@given(st.lists(st.none() | BOXES, max_size=6), SHOTS, ASPECTS, st.booleans())
def test_every_figure_gets_a_place(given: list[Box | None], shot: str, aspect: float, rtl: bool) -> None:
    boxes = place_figures(given, shot, aspect, right_to_left=rtl)
    assert len(boxes) == len(given)
    assert all(inside(box) for box in boxes)


def test_missing_boxes_take_the_free_side() -> None:
    left = Box(0.05, 0.1, 0.35, 0.8)
    assert place_figures([None, left], "medium", 1.6)[0].centre[0] > 0.5
    assert place_figures([left, None], "medium", 1.6)[1].centre[0] > 0.5


def test_who_is_named_first_is_read_first() -> None:
    first, second = place_figures([None, None], "wide", 1.6)
    assert first.centre[0] < second.centre[0]
    first, second = place_figures([None, None], "wide", 1.6, right_to_left=True)
    assert first.centre[0] > second.centre[0]


@given(ASPECTS, st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=6))
def test_snap_takes_the_nearest_shape(aspect: float, shapes: list[tuple[int, int]]) -> None:
    def far(shape: tuple[int, int]) -> float:
        return abs(math.log(shape[0] / shape[1]) - math.log(aspect))

    assert far(snap_size(aspect, shapes)) == pytest.approx(min(far(shape) for shape in shapes))
