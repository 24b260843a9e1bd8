"""Locked panels keep their pictures, panels that move keep theirs, balloons that were moved keep their
places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.e2e.conftest import Desk

Story = Callable[[], dict[str, Any]]


def test_a_locked_panel_keeps_its_picture_though_its_words_changed(desk: Desk, story: Story) -> None:
    told = story()
    desk.run(desk.write(told))
    before = desk.record("two-friends")["panels"]
    panel = told["pages"][0]["panels"][1]
    panel |= {"locked": True, "scene": "sunset", "characters": [{"id": "ren"}]}
    again = desk.run(desk.write(told))
    assert again.code == 0, again.err
    assert again.report["drawn"] == 0
    assert "p001_02: is locked and keeps its picture" in again.err
    after = desk.record("two-friends")["panels"]
    assert [one["picture"] for one in after] == [one["picture"] for one in before]
    assert {one["key"] for one in before[1]["candidates"]} == {one["key"] for one in after[1]["candidates"]}

    del panel["locked"]
    freed = desk.run(desk.write(told))
    assert freed.report["drawn"] >= 1
    assert desk.record("two-friends")["panels"][1]["key"] != before[1]["key"]


def test_a_panel_with_an_id_keeps_its_picture_when_it_moves(desk: Desk, story: Story) -> None:
    told = story()
    desk.run(desk.write(told))
    before = desk.record("two-friends")["panels"]
    first, second = told["pages"][0]["panels"]
    # Frames of one size, so that nothing but the order changes.
    told["pages"][0]["frames"] = [[5, 5, 90, 40], [5, 50, 90, 40]]
    desk.run(desk.write(told))
    before = desk.record("two-friends")["panels"]
    told["pages"][0]["panels"] = [second | {"id": "p001_02"}, first | {"id": "p001_01"}]
    moved = desk.run(desk.write(told))
    assert moved.code == 0, moved.err
    assert moved.report["drawn"] == 0
    after = desk.record("two-friends")["panels"]
    assert [one["key"] for one in after[:2]] == [before[1]["key"], before[0]["key"]]


def test_two_panels_of_one_id_are_refused(desk: Desk, story: Story) -> None:
    told = story()
    told["pages"][1]["panels"][0]["id"] = "p001_02"
    done = desk.run("layout", desk.write(told))
    assert done.code == 2
    assert "give one of them another id" in done.err
