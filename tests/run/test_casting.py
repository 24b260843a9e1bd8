"""Who of a cast keeps a reference, at the border between a plan and the library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from model.errors import IntegrityError
from model.memory.characters.database import Characters
from model.memory.store.library import Library
from model.render.weights import open_checkpoint
from model.run.cast import Kept, keep_rehearsal, look_of, recast
from model.run.plan import read_plan
from model.story.plan import CastMember, Plan

STARTER = open_checkpoint()
MIKA = {"name": "Mika", "description": "girl with red hair", "variants": {"winter": "girl, red scarf"}}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as library:
        yield library


def plan(folder: Path, title: str, variant: str | None = None, **cast: dict[str, Any]) -> Plan:
    shown = [{"id": key, **({"variant": variant} if variant else {})} for key in cast]
    story = {"version": 1, "title": title, "characters": cast, "pages": [{"panels": [{"characters": shown}]}]}
    path = folder / "story.json"
    path.write_text(json.dumps(story), encoding="utf-8")
    return read_plan(path, seed=0, shapes=STARTER.shapes)


def kept(made: Plan, library: Library) -> list[Kept | None]:
    return [recast(member, made, STARTER, library) for member in made.cast]


def rehearse(member: CastMember, made: Plan, library: Library, drawing: bytes) -> int:
    blob = library.store(drawing)
    return keep_rehearsal(member, made, STARTER, library, picture=blob, candidates=[blob], similarities=[0.4])


def test_the_own_story_rehearses_and_others_keep(tmp_path: Path, library: Library) -> None:
    one, two = plan(tmp_path, "One", mika=MIKA), plan(tmp_path, "Two", mika=MIKA)
    assert kept(one, library) == [None]
    number = rehearse(one.cast[0], one, library, b"red")
    assert kept(one, library) == [None]
    (found,) = kept(two, library)
    assert found is not None
    assert (found.character, library.load(found.picture), found.source) == (number, b"red", "library")
    assert found.note == "cast: Mika keeps the look of one"
    # What the first story comes to with other settings, the second one follows.
    rehearse(one.cast[0], one, library, b"redder")
    (found,) = kept(two, library)
    assert found is not None
    assert library.load(found.picture) == b"redder"


def test_a_variant_is_a_look_of_its_own(tmp_path: Path, library: Library) -> None:
    one = plan(tmp_path, "One", mika=MIKA)
    winter = plan(tmp_path, "Two", variant="winter", mika=MIKA)
    number = rehearse(one.cast[0], one, library, b"red")
    Characters(library).choose(number, [library.store(b"red")], "rehearsal", "approved")
    assert look_of(winter.cast[0], winter, STARTER).variant == "winter"
    assert kept(winter, library) == [None]
    assert rehearse(winter.cast[0], winter, library, b"scarf") != number


def test_two_of_one_name_stay_two(tmp_path: Path, library: Library) -> None:
    guard = {"name": "Guard", "description": "man in a blue suit"}
    one = plan(tmp_path, "One", left=guard, right=guard)
    for turn in range(2):
        numbers = [rehearse(member, one, library, member.key.encode()) for member in one.cast]
        assert len(set(numbers)) == 2
        versions = [len(Characters(library).versions(number)) for number in numbers]
        assert versions == [1, 1], f"turn {turn} changed what had not changed"
    two = plan(tmp_path, "Two", left=guard, right=guard)
    assert [library.load(found.picture) for found in kept(two, library) if found] == [b"left", b"right"]


def test_a_picture_that_is_gone_is_drawn_again_unless_a_person_chose_it(
    tmp_path: Path, library: Library
) -> None:
    one, two = plan(tmp_path, "One", mika=MIKA), plan(tmp_path, "Two", mika=MIKA)
    number = rehearse(one.cast[0], one, library, b"red")
    picture = library.store(b"red")
    library.blob_path(picture).unlink()
    assert kept(two, library) == [None]
    Characters(library).choose(number, [picture], "rehearsal", "approved")
    with pytest.raises(IntegrityError, match=f"reference of Mika: .* characters undo {number}"):
        kept(two, library)


def test_a_storys_pictures_yield_to_what_was_approved_since_and_say_so(
    tmp_path: Path, library: Library
) -> None:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    one = plan(tmp_path, "One", mika={**MIKA, "references": ["red.png"]})
    (found,) = kept(one, library)
    assert found is not None
    assert (found.source, found.note) == ("story", "")
    assert library.load(found.picture) == (tmp_path / "red.png").read_bytes()
    chosen = library.store(b"chosen")
    Characters(library).choose(found.character, [chosen], "sighting", "approved")
    (found,) = kept(one, library)
    assert found is not None
    assert (found.picture, found.source) == (chosen, "library")
    expected = f"cast: Mika keeps the approved reference {chosen[:12]}, not the story's picture"
    assert found.note == expected
