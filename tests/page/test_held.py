"""A balloon that somebody moved keeps its place; the others make room for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.geometry import Box
from model.page.balloons.hand import Hand
from model.page.balloons.lettering import letter_panel
from model.page.plane import Rect
from model.page.type.faces import house_faces
from model.page.values import Line, PanelArt

FRAME = Rect(40.0, 60.0, 300.0, 220.0)
WHOLE = Box(0.0, 0.0, 1.0, 1.0)
HER, HIM = Box(0.1, 0.3, 0.3, 0.7), Box(0.6, 0.3, 0.3, 0.7)


def _panel(*places: tuple[float, float] | None, text: str = "It is late, let us go.") -> PanelArt:
    lines = tuple(
        Line(text=text, speaker=(HER, HIM)[number % 2], at=at, number=number)
        for number, at in enumerate(places)
    )
    return PanelArt(id="p001_01", lines=lines, figures=(HER, HIM))


def _lettered(art: PanelArt) -> tuple[Rect, ...]:
    return tuple(
        one.rect for one in letter_panel(art, FRAME, WHOLE, "ltr", Hand(faces=house_faces())).balloons
    )


@given(x=st.floats(0, 1), y=st.floats(0, 1))
def test_it_stands_where_it_was_put_as_far_as_the_panel_lets_it(x: float, y: float) -> None:
    held, _ = _lettered(_panel((x, y), None))
    room = FRAME.inset(3.0)
    middle_x = min(max(FRAME.x + x * FRAME.width, room.x + held.width / 2), room.right - held.width / 2)
    middle_y = min(max(FRAME.y + y * FRAME.height, room.y + held.height / 2), room.bottom - held.height / 2)
    assert held.centre.x == pytest.approx(middle_x)
    assert held.centre.y == pytest.approx(middle_y)


def test_the_others_make_room() -> None:
    free = _lettered(_panel(None, None))
    # The first is put where the second would stand.
    at = (free[1].centre.x - FRAME.x) / FRAME.width, (free[1].centre.y - FRAME.y) / FRAME.height
    first, second = _lettered(_panel(at, None))
    assert first.centre.distance(free[1].centre) < 6
    assert first.overlap(second) == 0


def test_two_may_be_put_on_each_other() -> None:
    first, second = _lettered(_panel((0.5, 0.5), (0.55, 0.5)))
    assert first.overlap(second) > 0


def test_in_a_crowded_panel_too() -> None:
    text = "It is very late, let us go home before the rain comes, before it is dark and cold."
    art = _panel((0.5, 0.9), *[None] * 5, text=text)
    balloons = letter_panel(art, FRAME, WHOLE, "ltr", Hand(faces=house_faces())).balloons
    held = next(one for one in balloons if one.held and not one.joined)
    assert held.number == 0
    assert held.rect.bottom == pytest.approx(FRAME.inset(3.0).bottom)


@pytest.mark.parametrize("text", ["You're late!", "I ran the whole way. Then I ran back for the headphones."])
@pytest.mark.parametrize("at", [(0.41, 0.5), (0.2, 0.6), (0.5, 0.9), (0.9, 0.1)])
def test_letters_stay_as_large_as_they_were(text: str, at: tuple[float, float]) -> None:
    def sizes(place: tuple[float, float] | None) -> list[float]:
        art = _panel(place, None, text=text)
        found = letter_panel(art, FRAME, WHOLE, "ltr", Hand(faces=house_faces())).balloons
        return [balloon.size for balloon in found]

    assert sizes(at) == sizes(None)
