"""The verdict: who was found against who was asked for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.geometry import Box
from model.vision.judge import NEAREST, Limits, Measured, Sighting, judge, match

LEFT, RIGHT = Box(0.05, 0.1, 0.4, 0.8), Box(0.55, 0.1, 0.4, 0.8)
LIMITS = Limits(overlap=0.5, identity=0.6, spread=0.1)

sides = st.floats(0.02, 0.6)
boxes = st.builds(Box, st.floats(0, 0.9), st.floats(0, 0.9), sides, sides)


def good(identity: float | None = 0.8) -> Sighting:
    return Sighting(box=LEFT, overlap=0.9, identity=identity)


# --- who is who


def test_each_finds_the_nearest() -> None:
    assert match((LEFT, RIGHT), (RIGHT, LEFT)) == (1, 0)


def test_a_found_box_is_used_once() -> None:
    assert match((LEFT, Box(0.06, 0.1, 0.4, 0.8)), (LEFT,)) == (0, None)


def test_what_lies_elsewhere_is_somebody_else() -> None:
    assert match((LEFT,), (RIGHT,)) == (None,)
    assert match((LEFT,), ()) == (None,)
    assert match((), (LEFT,)) == ()


@given(st.lists(boxes, max_size=5), st.lists(boxes, max_size=5))
def test_matching_is_one_to_one_and_near(asked: list[Box], found: list[Box]) -> None:
    chosen = match(asked, found)
    used = [index for index in chosen if index is not None]
    assert len(chosen) == len(asked)
    assert len(used) == len(set(used))
    free = set(range(len(found))) - set(used)
    for box, index in zip(asked, chosen, strict=True):
        if index is not None:
            assert box.iou(found[index]) >= NEAREST
        # Nobody is left out while a free box is near enough, or a nearer one is free.
        best = max((box.iou(found[other]) for other in free), default=0.0)
        assert best < NEAREST if index is None else best <= box.iou(found[index])


# --- what follows


def test_what_was_asked_for_is_accepted() -> None:
    verdict = judge(Measured(found=2, sightings=(good(), good())), ("Mika", "Ren"), LIMITS)
    assert verdict.accepted
    assert verdict.reasons == ()
    assert (verdict.count, verdict.layout) == (1.0, pytest.approx(0.9))
    assert verdict.identity == pytest.approx(1 / (1 + math.exp(-2)))


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        (Measured(found=2, sightings=(good(),)), "2 characters found, 1 character asked for"),
        (Measured(found=0, sightings=(Sighting(),)), "Mika is not where asked"),
        (
            Measured(found=1, sightings=(Sighting(box=LEFT, overlap=0.3),)),
            "Mika fills its box to 0.30, 0.50 needed",
        ),
        (Measured(found=1, sightings=(good(0.41),)), "Mika resembles its reference by 0.41, 0.60 needed"),
    ],
)  # fmt: skip
def test_what_was_not_asked_for_is_refused_with_its_reason(measured: Measured, reason: str) -> None:
    verdict = judge(measured, ("Mika",), LIMITS)
    assert not verdict.accepted
    assert reason in verdict.reasons
    assert verdict.total < judge(Measured(found=1, sightings=(good(),)), ("Mika",), LIMITS).total


def test_an_empty_panel_has_to_be_empty() -> None:
    assert judge(Measured(found=0, sightings=()), (), LIMITS).accepted
    assert not judge(Measured(found=1, sightings=()), (), LIMITS).accepted


def test_what_nobody_looked_at_is_accepted() -> None:
    verdict = judge(Measured(found=None, sightings=(Sighting(identity=0.1),)), ("Mika",), Limits())
    assert verdict.accepted
    assert (verdict.count, verdict.layout, verdict.identity, verdict.total) == (None, None, None, 1.0)


def test_what_the_reader_dislikes_is_refused_and_ranks_lower() -> None:
    measured = Measured(found=1, sightings=(good(),))
    disliked, unknown, liked = (judge(measured, ("Mika",), LIMITS, vibe) for vibe in (-0.4, None, 0.6))
    assert disliked.reasons == ("the vibe memory gives it -0.40, -0.10 needed",)
    assert unknown.accepted
    assert unknown.vibe is None
    assert liked.accepted
    assert disliked.total < liked.total


@given(st.integers(0, 5), st.floats(0, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_measures_are_shares(found: int, overlap: float, identity: float, vibe: float) -> None:
    sightings = (Sighting(box=LEFT, overlap=overlap, identity=identity),)
    verdict = judge(Measured(found=found, sightings=sightings), ("Mika",), LIMITS, vibe)
    for value in (verdict.count, verdict.layout, verdict.identity, verdict.total):
        assert value is not None
        assert 0 <= value <= 1
    assert verdict.accepted == (not verdict.reasons)


def test_a_smeared_face_is_named_and_weighs_in_the_total() -> None:
    seen = Measured(found=1, sightings=(Sighting(box=Box(0, 0, 1, 1), overlap=1.0, face=0.02),))
    free = judge(seen, ["Mika"], Limits())
    assert free.accepted
    assert free.face == 0.02
    assert free.total == pytest.approx((1 + 1 + 0.02) / 3)
    held = judge(seen, ["Mika"], Limits(face=0.05))
    assert held.reasons == ("Mika's face is smeared: 0.02, 0.05 needed",)
    assert "face" in held.scores
