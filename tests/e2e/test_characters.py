"""Chapters share their cast, and what a person decides is drawn: exactly the panels concerned."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model.geometry import Box
from model.vision.crop import crop_box

CAST, PANELS = 2, 3  # of the story
CHAPTER_TWO = [
    {"panels": [{"scene": "park", "characters": [{"id": "mika"}]}, {"characters": [{"id": "ren"}]}]}
]


@pytest.fixture(scope="module")
def book(desk_in: Any, story: Callable[[], dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A desk on which the first chapter has been drawn, with two candidates a character."""
    desk = desk_in(tmp_path_factory.mktemp("chapters"))
    done = desk.run(desk.write(story()), "--candidates", "2")
    assert (done.code, done.report["drawn"]) == (0, 2 * CAST + PANELS), done.err
    return desk


def references(desk: Any, out: str) -> dict[str, str]:
    return {key: member["picture"] for key, member in desk.record(out)["cast"].items()}


def keys(desk: Any, out: str) -> dict[str, str]:
    return {panel["id"]: panel["key"] for panel in desk.record(out)["panels"]}


def characters(desk: Any, *words: str | Path, code: int = 0) -> dict[str, Any]:
    done = desk.forks.run("characters", *words, "--json", cwd=desk.folder)
    assert done.code == code, done.err
    return done.report if not code else {"err": done.err}


def chapter(story: dict[str, Any], title: str, **changes: Any) -> dict[str, Any]:
    """Another story with the same cast; `changes` are Mika's."""
    story["characters"]["mika"] |= changes
    return {**story, "title": title, "pages": CHAPTER_TWO}


def test_a_second_chapter_keeps_the_cast(book: Any, story: Any) -> None:
    two = chapter(story(), "Two")
    # Neither another seed nor other candidates draw a cast anew that another story has.
    done = book.run(book.write(two, "two.json"), "--seed", "5")
    assert (done.code, done.report["drawn"]) == (0, 2), done.err
    assert references(book, "two") == references(book, "two-friends")
    assert {member["source"] for member in book.record("two")["cast"].values()} == {"library"}
    assert "cast: Mika keeps the look of two-friends" in book.record("two")["notes"]
    before = book.files("two")
    assert book.run("two.json", "--seed", "5").report["drawn"] == 0
    assert book.files("two") == before


@pytest.mark.parametrize(
    ("title", "changes", "kept"),
    [
        ("Written Otherwise", {"name": "ＭＩＫＡ"}, True),
        ("Nickname", {"name": "Captain", "aliases": ["Mika"]}, True),
        ("Homonym", {"description": "woman with long green hair, suit"}, False),
    ],
)
def test_who_is_meant_is_told_by_name_and_description(
    book: Any, story: Any, title: str, changes: dict[str, Any], kept: bool
) -> None:
    told = chapter(story(), title, **changes)
    out = title.lower().replace(" ", "-")
    done = book.run(book.write(told, f"{out}.json"))
    # Somebody new is rehearsed once and drawn in one panel; the other panel is Ren's.
    assert done.code == 0, done.err
    assert done.report["drawn"] <= (2 if kept else 3)
    assert (references(book, out)["mika"] == references(book, "two-friends")["mika"]) == kept
    assert references(book, out)["ren"] == references(book, "two-friends")["ren"]


def test_another_style_is_rehearsed_in_that_style(book: Any, story: Any) -> None:
    done = book.run(book.write({**chapter(story(), "Ink"), "style": "manga ink style"}, "ink.json"))
    assert (done.code, done.report["drawn"]) == (0, CAST + 2), done.err


def test_an_approved_candidate_is_drawn_in_the_panels_it_concerns(book: Any, story: Any) -> None:
    numbers = [one["id"] for one in characters(book, "list")["characters"] if one["story"] == "two-friends"]
    mika = str(numbers[0])
    known = characters(book, "show", mika, "--out", book.folder / "look")
    assert [row["number"] for row in known["candidates"]] == [1, 2]
    assert (book.folder / "look" / "candidate_2.png").is_file()
    chosen = book.record("two-friends")["cast"]["mika"]["chosen"]
    before, files = keys(book, "two-friends"), book.files("two-friends")

    approved = characters(book, "approve", mika, "--candidate", str(2 - chosen))
    assert (approved["source"], approved["approved"]) == ("rehearsal", True)
    done = book.run("story.json", "--candidates", "2")
    assert (done.code, done.report["drawn"], done.report["cached"]) == (0, 2, 1), done.err
    after = keys(book, "two-friends")
    assert {panel for panel in before if before[panel] != after[panel]} == {"p001_01", "p001_02"}
    assert references(book, "two-friends")["mika"] == approved["pictures"][0]

    # It stays when the description changes, and says so; undone, the first one is drawn again: all is there.
    told = chapter(story(), "Later", description="girl with blue hair")
    assert book.run(book.write(told, "later.json")).report["drawn"] in (1, 2)  # Ren's may be there
    assert references(book, "later")["mika"] == approved["pictures"][0]
    (note,) = [note for note in book.record("later")["notes"] if "Mika keeps the approved reference" in note]
    assert "made for “girl with red hair, glasses”" in note
    assert f"characters remove {mika}" in note
    characters(book, "undo", mika)
    done = book.run("story.json", "--candidates", "2")
    assert (done.report["drawn"], keys(book, "two-friends")) == (0, before)
    assert book.files("two-friends")["pages/page_001.png"] == files["pages/page_001.png"]
    characters(book, "remove", mika, "--forever")
    assert book.run("story.json", "--candidates", "2").report["drawn"] == 0


def test_a_changed_description_of_the_same_story_is_rehearsed_anew(book: Any, story: Any) -> None:
    told = story()
    told["characters"]["mika"]["description"] = "girl with blue hair, hat"
    done = book.run(book.write(told, "changed.json"), "--out", "outputs/changed", "--candidates", "2")
    # One rehearsal of two candidates, and both of Mika's panels.
    assert (done.code, done.report["drawn"]) == (0, 2 + 2), done.err
    assert references(book, "changed")["ren"] == references(book, "two-friends")["ren"]


def picture(path: Path, colour: str, size: tuple[int, int] = (60, 200)) -> Path:
    """A tall figure beside the middle of a transparent picture."""
    made = Image.new("RGBA", (300, 220), (0, 0, 0, 0))
    ImageDraw.Draw(made).ellipse((10, 10, 10 + size[0], 10 + size[1]), fill=colour)
    made.save(path)
    return path


def test_pictures_given_by_hand_are_cut_out_padded_and_drawn_with(desk: Any, story: Any) -> None:
    red = picture(desk.folder / "red.png", "red")
    blue = picture(desk.folder / "blue.png", "blue", (200, 100))
    model = desk.flags[:2]
    added = characters(desk, "add", "Mika", red, blue, "--alias", "Mimi", *model)
    assert (added["source"], added["approved"], len(added["pictures"])) == ("user", True, 2)
    with Image.open(desk.folder / added["references"][0]) as opened:
        assert opened.size == (201, 201)
        columns = np.flatnonzero((np.asarray(opened.convert("RGB")) != 255).any(axis=(0, 2)))
        assert (columns[0], columns[-1]) == (70, 130), "the whole figure, in the middle"
    done = desk.run(desk.write(story()))
    assert (done.code, done.report["drawn"]) == (0, 1 + PANELS), done.err
    assert references(desk, "two-friends")["mika"] == added["pictures"][0]
    # Further pictures say who it is: what is kept is looked at again, and nothing is drawn.
    told = desk.record("two-friends")["panels"][0]
    before = told["sightings"]["mika"]["identity"]
    with Image.open(io.BytesIO(desk.files("two-friends")["panels/p001_01.png"])) as panel:
        crop_box(panel, Box(*told["boxes"]["mika"])).save(desk.folder / "panel.png")
    characters(desk, "add", "Mika", desk.folder / "panel.png", "--also", "--whole", *model)
    done = desk.run("story.json", "--out", "outputs/again")
    assert (done.code, done.report["drawn"]) == (0, 0), done.err
    after = desk.record("again")["panels"][0]["sightings"]["mika"]["identity"]
    assert (before < 0.999, after) == (True, pytest.approx(1.0, abs=1e-3))


def test_a_storys_pictures_are_kept_for_a_chapter_that_brings_none(desk: Any, story: Any) -> None:
    for name, colour in (("front.png", "red"), ("side.png", "blue")):
        picture(desk.folder / name, colour)
    one, two = story(), chapter(story(), "Two")
    one["characters"]["mika"]["references"] = ["front.png", "side.png"]
    assert desk.run(desk.write(one)).code == 0
    assert desk.run(desk.write(two, "two.json")).report["drawn"] == 2
    assert references(desk, "two") == references(desk, "two-friends")
    assert len(characters(desk, "show", "Mika")["pictures"]) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("show", "Nobody"), "nobody is called 'Nobody'; the library knows: "),
        (("approve", "Ren", "--candidate", "9"), "candidates, found 9"),
        (("approve", "Ren", "--sighting", "9"), "Ren has no sighting 9"),
        (("add", "Ren", "nowhere.png"), "nowhere.png: found no such file"),
        (("add", "Ren", "story.json"), "story.json: found a file that is not an image"),
        (("sightings",), "give a NAME, or --like PICTURE"),
        (("list", "--library", "elsewhere"), "there is no library in elsewhere"),
    ],
)
def test_what_cannot_be_done_exits_2_and_says_what_can(book: Any, words: tuple[str, ...], told: str) -> None:
    err = characters(book, *words, code=2)["err"]
    assert told in err
    assert len(err.splitlines()) == 1


def test_json_is_json(book: Any) -> None:
    for words in (("list",), ("show", "Ren"), ("sightings", "Ren")):
        json.loads(
            json.dumps(characters(book, *words)),
            parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"),
        )
