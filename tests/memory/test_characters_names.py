"""Whose reference a look keeps: names are folded, descriptions tell homonyms apart, persons decide."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model.files import BlobId
from model.memory.characters.database import Characters
from model.memory.characters.looks import Candidate, Look
from model.memory.store.library import Library

MIKA = Look(
    name="Mika", aliases=("Mimi",), description="girl with red hair", style="colour comic", weights="a"
)
NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1, max_size=12)


@pytest.fixture
def characters(tmp_path: Path) -> Iterator[Characters]:
    with Library.open(tmp_path) as library:
        yield Characters(library)


def rehearse(characters: Characters, look: Look, picture: str, story: str = "one") -> int:
    drawn = [Candidate(picture=BlobId(picture), similarity=0.5)]
    return characters.rehearsed(look, story=story, picture=BlobId(picture), candidates=drawn).id


def kept(characters: Characters, look: Look) -> str:
    """The picture that a look keeps; "" for none."""
    found = characters.find(look)
    return found.pictures[0] if found else ""


@given(name=NAMES, alias=NAMES)
def test_names_are_one_however_they_are_written(name: str, alias: str) -> None:
    look = Look(name=name, aliases=(alias,))
    assume(look.names)
    for written in (name.upper(), name.casefold(), f"  {name} ", unicodedata.normalize("NFKC", name)):
        other = Look(name=written)
        # Upper case may lose what cannot be had back ("ı"); what is folded alike is one.
        assert set(other.names) <= set(look.names) or written.casefold() != name.casefold()
    assert all(" ".join(folded.split()) == folded for folded in look.names)


@pytest.mark.parametrize("name", ["mika", "ＭＩＫＡ", " Mika", "Mimi", "mimi"])
def test_a_name_or_an_alias_finds_the_reference(characters: Characters, name: str) -> None:
    rehearse(characters, MIKA, "red")
    assert kept(characters, replace(MIKA, name=name, aliases=())) == "red"


def test_an_alias_of_the_new_story_finds_an_old_name(characters: Characters) -> None:
    rehearse(characters, MIKA, "red")
    assert kept(characters, replace(MIKA, name="Captain", aliases=("Mika",))) == "red"
    # Two who share nothing but an alias are not one.
    assert kept(characters, replace(MIKA, name="Kim", aliases=("Mimi",))) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"description": "girl with blue hair"},
        {"variant": "winter"},
        {"style": "manga ink style"},
        {"weights": "b"},
        {"name": "Ren", "aliases": ()},
    ],
)
def test_what_was_rehearsed_for_another_look_is_not_kept(
    characters: Characters, change: dict[str, str]
) -> None:
    rehearse(characters, MIKA, "red")
    assert kept(characters, replace(MIKA, **change)) == ""


def test_homonyms_live_beside_each_other(characters: Characters) -> None:
    other = replace(MIKA, description="tall woman in a suit")
    first, second = rehearse(characters, MIKA, "red"), rehearse(characters, other, "suit", "two")
    assert first != second
    assert (kept(characters, MIKA), kept(characters, other)) == ("red", "suit")
    # Approving one of them leaves the other as it is described.
    characters.choose(first, [BlobId("red")], "rehearsal", "approved")
    assert kept(characters, other) == "suit"
    assert kept(characters, replace(MIKA, description="somebody else again")) == "red"


def test_what_a_person_approved_is_kept_for_other_descriptions_styles_and_weights(
    characters: Characters,
) -> None:
    number = rehearse(characters, MIKA, "red")
    characters.choose(number, [BlobId("red")], "rehearsal", "approved")
    for change in ({"description": "girl with blue hair"}, {"style": "ink"}, {"weights": "b"}):
        assert kept(characters, replace(MIKA, **change)) == "red"
    assert kept(characters, replace(MIKA, variant="winter")) == ""


@pytest.mark.parametrize(("name", "description"), [("1", "girl"), ("a girl", "a girl with red hair")])
def test_a_number_or_a_description_is_nobody_in_another_story(
    characters: Characters, name: str, description: str
) -> None:
    look = replace(MIKA, name=name, aliases=(), description=description)
    number = rehearse(characters, look, "red")
    characters.choose(number, [BlobId("red")], "rehearsal", "approved")
    assert kept(characters, look) == "red"
    assert kept(characters, replace(look, description=f"{description}, hat")) == ""


def test_a_picture_given_by_hand_serves_whoever_comes_first(characters: Characters) -> None:
    number = characters.introduce(Look(name="Mika")).id
    characters.choose(number, list(map(BlobId, ["photo", "profile"])), "user", "given")
    found = characters.find(MIKA)
    assert found is not None
    assert found.pictures == ("photo", "profile")
    characters.learn(found, MIKA)
    known = characters.get(number)
    assert known is not None
    assert (known.look.description, known.look.aliases) == (MIKA.description, ("Mimi",))
    assert characters.further_pictures(BlobId("photo")) == ("profile",)
    assert characters.further_pictures(BlobId("profile")) == ()


def test_a_storys_own_pictures_come_first_until_a_person_chooses(characters: Characters) -> None:
    own = replace(MIKA, style="", weights="")
    rehearse(characters, MIKA, "red")
    given_ = characters.given(own, story="one", pictures=[BlobId("photo")])
    assert given_.pictures == ("photo",)
    # A chapter that brings no picture keeps it: a person's picture beats a rehearsal.
    assert kept(characters, MIKA) == "photo"
    characters.choose(given_.id, [BlobId("sighting")], "sighting", "approved")
    assert characters.given(own, story="one", pictures=[BlobId("photo")]).pictures == ("sighting",)
    # A new picture is later than the choice; back to the old one, the new one is what is replaced.
    assert characters.given(own, story="one", pictures=[BlobId("photo 2")]).pictures == ("photo 2",)
    assert characters.given(own, story="one", pictures=[BlobId("photo")]).pictures == ("photo",)
    characters.pin(given_.id)
    assert characters.given(own, story="one", pictures=[BlobId("photo 3")]).pictures == ("photo",)
    characters.pin(given_.id, False)
    assert characters.given(own, story="one", pictures=[BlobId("photo 3")]).pictures == ("photo 3",)
