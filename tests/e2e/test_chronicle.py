"""A second chapter, drawn by the command, knows what the first one left; a drawn story stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def regions(desk: Any, out: str) -> list[list[str]]:
    """The region prompts that the panels were drawn from."""
    return [
        [region["prompt"] for region in panel["request"]["regions"]] for panel in desk.record(out)["panels"]
    ]


def test_chapters_remember(desk: Any, story: Callable[[], dict[str, Any]]) -> None:
    one = story()
    one["pages"][0]["panels"][0]["remember"] = ["Mika lost her glasses"]
    two = {**story(), "title": "Chapter Two", "pages": [{"panels": [{"characters": [{"id": "mika"}]}]}]}
    first = desk.run(desk.write(one, "one.json"))
    assert first.code == 0, first.err
    assert "chronicle: 3 stored" in first.err
    assert regions(desk, "two-friends") == [
        ["girl with red hair, glasses, standing"],
        ["girl with red hair", "boy with blue hair, hoodie, waving"],
        [],
    ]
    assert (
        "p001_02: Mika is drawn as remembered (p001_01: Mika lost her glasses): girl with red hair"
        in (desk.record("two-friends")["notes"])
    )
    # The look that nobody wrote down was rehearsed from the noise of the first one, and is drawn with.
    cast, panels = desk.record("two-friends")["cast"], desk.record("two-friends")["panels"]
    assert list(cast) == ["mika", "ren", next(key for key in cast if key.startswith("mika#"))]
    before, now = (panel["request"]["regions"][0]["reference"] for panel in panels[:2])
    assert (before, now) == (cast["mika"]["picture"], cast[list(cast)[2]]["picture"])
    assert before != now
    assert desk.run(desk.write(two, "two.json")).code == 0
    assert desk.record("chapter-two")["panels"][0]["request"]["regions"][0]["reference"] == now
    assert regions(desk, "chapter-two") == [["girl with red hair"]]
    before = desk.files("two-friends")
    again = desk.run(desk.write(one, "one.json"))
    assert (again.report["drawn"], desk.files("two-friends")) == (0, before)
    assert "3 there already" in again.err
