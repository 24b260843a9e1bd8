"""Tails: every speaker's balloon in the picture has one, none crosses anything, and all is read in order."""

import time

import pytest

from model.geometry import Box
from model.page.balloons.hand import Hand
from model.page.balloons.lettering import letter_panel
from model.page.balloons.tails import tail_of
from model.page.export.sheet import WHOLE
from model.page.plane import Rect
from model.page.type.faces import house_faces
from model.page.values import Line, PanelArt
from model.story.layout import place_figures
from scripts.bench.balloons import Faults, faults_of, panels

HAND = Hand(faces=house_faces())


def test_no_tail_is_missing_or_crosses_and_all_is_read_in_order() -> None:
    wrong = {
        art.id: found
        for _, direction, art, frame, balloons in panels(16, seed=5)
        if (found := faults_of(art, frame, balloons, direction)) != Faults()
    }
    assert wrong == {}


def lettered(figures: tuple[Box, ...], speakers: list[int], frame: Rect, direction: str = "ltr") -> Faults:
    lines = tuple(
        Line(text="It was like that on Monday, I am nearly sure of it.", speaker=figures[who])
        for who in speakers
    )
    art = PanelArt(id="p001_01", lines=lines, figures=figures)
    balloons = letter_panel(art, frame, WHOLE, direction, HAND).balloons
    assert len(balloons) == len(speakers)
    assert all(tail_of(one) is not None for one in balloons)
    return faults_of(art, frame, balloons, direction)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("speakers", [[1, 0], [2, 0, 1], [2, 1, 0, 2], [0, 1, 2, 0]])
def test_balloons_stack_where_figures_stand_against_the_order(speakers: list[int], direction: str) -> None:
    figures = tuple(Box(0.02 + 0.33 * place, 0.4, 0.28, 0.6) for place in range(3))
    assert lettered(figures, speakers, Rect(20, 20, 300, 260), direction) == Faults()


def test_a_checker_that_is_shown_a_crossing_finds_it() -> None:
    figures = (Box(0.02, 0.5, 0.3, 0.5), Box(0.68, 0.5, 0.3, 0.5))
    lines = tuple(Line(text="Who is there?", speaker=box) for box in figures[::-1])
    art = PanelArt(id="p001_01", lines=lines, figures=figures)
    frame = Rect(0, 0, 300, 200)
    right = letter_panel(art, frame, WHOLE, "ltr", HAND).balloons
    assert faults_of(art, frame, right, "ltr") == Faults()
    # Each balloon over the other's speaker, so that tails cross and the first is read last.
    swapped = letter_panel(
        PanelArt(id="p001_01", lines=lines[::-1], figures=figures), frame, WHOLE, "ltr", HAND
    )
    found = faults_of(art, frame, swapped.balloons[::-1], "ltr")
    assert found.disorder


def test_who_speaks_first_stands_where_one_reads_first() -> None:
    for rtl in (False, True):
        boxes = place_figures([None] * 4, "wide", 1.6, right_to_left=rtl, speaking=[2, 0, 2])
        order = sorted(range(4), key=lambda index: boxes[index].centre[0], reverse=rtl)
        # The second, who is silent, keeps the second place.
        assert order == [2, 1, 0, 3]
    placed = Box(0.6, 0.2, 0.3, 0.8)
    assert place_figures([placed, None], "medium", 1.5, speaking=[1, 0])[0].centre[0] > 0.5


def test_a_crowd_is_lettered_in_two_seconds() -> None:
    figures = place_figures([None] * 8, "wide", 1.0)
    lines = tuple(
        Line(
            text="No, not yet. Wait here.",
            speaker=figures[index % 8],
            kind=("speech", "shout", "thought")[index % 3],
        )
        for index in range(24)
    )
    art = PanelArt(id="p001_01", lines=lines, figures=figures)
    started = time.process_time()
    assert len(letter_panel(art, Rect(0, 0, 300, 300), WHOLE, "ltr", HAND).balloons) == 24
    assert time.process_time() - started < 2.0
