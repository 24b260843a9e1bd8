"""Tiles cover a picture once, with their margins."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.render.tiles import spans, tiles

MARGINS = st.integers(0, 40)


@given(length=st.integers(1, 5000), margin=MARGINS, room=st.integers(1, 600))
def test_spans_answer_for_every_pixel_once_and_read_a_margin_more(
    length: int, margin: int, room: int
) -> None:
    side = 2 * margin + room
    covered = spans(length, side, margin)
    assert covered[0].first == covered[0].start == 0
    assert covered[-1].last == covered[-1].stop == length
    for before, after in pairwise(covered):
        assert before.last == after.first
        assert before.first < before.last
        assert before.stop - before.last >= margin
        assert after.first - after.start >= margin
    assert {span.stop - span.start for span in covered} == {min(length, side)}
    # Not one tile more than needed.
    assert (len(covered) - 1) * room < max(1, length - 2 * margin)


def test_tiles_are_spans_both_ways() -> None:
    cut = tiles(100, 30, side=40, margin=5)
    assert [(tile.rows.first, tile.rows.last) for tile in cut] == [(0, 35), (35, 65), (65, 100)]
    assert {tile.size for tile in cut} == {(40, 30)}


def test_a_tile_needs_room_between_its_margins() -> None:
    with pytest.raises(ValueError, match="no room"):
        spans(100, 10, 5)
