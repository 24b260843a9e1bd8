"""Cropping: no face is cut, nothing is stretched, and no more is lost than the frame's shape asks for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.geometry import Box
from model.page.anatomy import face_of, head_of, pose_of
from model.page.layout.cropping import crop
from model.page.plane import Rect

figures = st.lists(
    st.builds(
        lambda x, y, width, height: Box(x * (1 - width), y * (1 - height), width, height),
        st.floats(0, 1),
        st.floats(0, 1),
        st.floats(0.1, 0.6),
        st.floats(0.2, 1.0),
    ),
    max_size=3,
)
sizes = st.tuples(st.integers(100, 600), st.integers(100, 600))


@settings(deadline=None)
@given(sizes, st.floats(50, 500), st.floats(50, 500), figures)
def test_no_face_is_cut_and_nothing_is_stretched(
    picture: tuple[int, int], width: float, height: float, people: list[Box]
) -> None:
    slot = Rect(10.0, 20.0, width, height)
    frame, window = crop(picture, slot, people)
    assert slot.contains(frame, slack=1e-6)
    assert frame.centre.distance(slot.centre) < 1e-6
    assert window.width * picture[0] / (window.height * picture[1]) == pytest.approx(
        frame.width / frame.height
    )
    assert min(window.x, window.y) >= -1e-9
    assert max(window.right, window.bottom) <= 1 + 1e-9
    assert max(window.width, window.height) == pytest.approx(1.0)
    paper = Rect(0.0, 0.0, *(float(side) for side in picture))
    shown = paper.placed(window)
    for box in people:
        assert shown.contains(
            face_of(head_of(paper.placed(box), pose_of(box, "medium", len(people)))), slack=1e-6
        )


def test_a_picture_of_the_frames_shape_is_shown_whole() -> None:
    frame, window = crop((300, 200), Rect(0, 0, 150, 100), [Box(0, 0, 1, 1)])
    assert frame == Rect(0, 0, 150, 100)
    assert window.as_tuple() == (0.0, 0.0, 1.0, 1.0)


def test_a_crop_moves_only_as_far_as_heads_ask_for() -> None:
    _, middle = crop((400, 200), Rect(0, 0, 100, 100), [])
    assert middle.as_tuple() == (0.25, 0.0, 0.5, 1.0)
    _, moved = crop((400, 200), Rect(0, 0, 100, 100), [Box(0.0, 0.1, 0.3, 0.9)])
    assert 0.0 <= moved.x < 0.1


def test_faces_too_far_apart_for_the_slot_make_it_smaller() -> None:
    slot = Rect(0, 0, 100, 100)
    frame, window = crop((400, 200), slot, [Box(0.0, 0.1, 0.2, 0.8), Box(0.8, 0.1, 0.2, 0.8)])
    assert frame.width == pytest.approx(100)
    assert frame.height < 75
    assert window.width > 0.7
