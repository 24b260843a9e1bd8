"""Versions of a reference, as a machine of states beside a plain model, and what rehearsals may not touch."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from model.files import BlobId
from model.memory.characters.database import Characters
from model.memory.characters.looks import Candidate, Look
from model.memory.store.library import Library
from tests.chance import examples

LOOK = Look(name="Mika", description="girl with red hair", style="colour comic", weights="a")
PICTURES = st.sampled_from([f"{letter}" * 64 for letter in "abcd"])


class Versions(RuleBasedStateMachine):
    """The model: a stack of (pictures, approved); undo pops it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.library = Library.open(self.folder)
        self.characters = Characters(self.library)
        self.number = self.characters.introduce(LOOK).id
        self.stack: list[tuple[tuple[str, ...], bool]] = []
        self.appended = 0

    def push(self, pictures: tuple[str, ...], approved: bool) -> None:
        now = self.stack[-1] if self.stack else None
        if now and now[0] == pictures and (now[1] or not approved):
            return
        if now or pictures:
            self.stack.append((pictures, approved))

    @rule(picture=PICTURES)
    def rehearse(self, picture: str) -> None:
        drawn = [Candidate(picture=BlobId(picture), similarity=0.5)]
        found = self.characters.rehearsed(LOOK, story="one", picture=BlobId(picture), candidates=drawn)
        assert found.id == self.number
        assert found.candidates == tuple(drawn)
        if not (self.stack and self.stack[-1][1]):  # a person's choice stays
            self.push((picture,), False)

    @rule(pictures=st.lists(PICTURES, min_size=1, max_size=3, unique=True))
    def choose(self, pictures: list[str]) -> None:
        self.characters.choose(self.number, list(map(BlobId, pictures)), "user", "chosen")
        self.push(tuple(pictures), True)

    @rule()
    def remove(self) -> None:
        self.characters.remove(self.number)
        self.push((), False)

    @rule()
    def undo(self) -> None:
        back = self.characters.undo(self.number)
        assert (back is None) == (not self.stack)
        if self.stack:
            undone, _ = self.stack.pop()
            if self.stack:
                pictures, approved = self.stack[-1]
                self.stack[-1] = pictures, bool(pictures) and (approved or pictures != undone)

    @precondition(lambda self: self.stack)
    @rule()
    def open_again(self) -> None:
        self.library.close()
        self.library = Library.open(self.folder)
        self.characters = Characters(self.library)

    @invariant()
    def is_as_the_model_says(self) -> None:
        found = self.characters.get(self.number)
        assert found is not None
        expected = self.stack[-1] if self.stack else ((), False)
        assert (found.pictures, found.approved) == expected
        # Nothing is ever taken out of the history.
        versions = self.characters.versions(self.number)
        assert len(versions) >= self.appended
        self.appended = len(versions)
        kept = self.characters.find(LOOK)
        assert (kept.pictures if kept else ()) == expected[0]

    def teardown(self) -> None:
        self.library.close()
        shutil.rmtree(self.folder)


Versions.TestCase.settings = settings(max_examples=examples(12), stateful_step_count=12, deadline=None)
TestVersions = Versions.TestCase


def test_a_rehearsal_replaces_a_rehearsal_and_nothing_else(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        characters = Characters(library)
        first = characters.rehearsed(LOOK, story="one", picture=BlobId("a"), candidates=())
        assert characters.rehearsed(LOOK, story="one", picture=BlobId("b"), candidates=()).pictures == ("b",)
        characters.choose(first.id, [BlobId("c")], "sighting", "approved")
        assert characters.rehearsed(LOOK, story="one", picture=BlobId("d"), candidates=()).pictures == ("c",)
        assert [version.pictures for version in characters.versions(first.id)] == [("c",), ("b",), ("a",)]


def test_nobody_of_that_number_and_no_pictures_are_refused(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        characters = Characters(library)
        with pytest.raises(ValueError, match="no character 7"):
            characters.choose(7, [BlobId("a")], "user", "chosen")
        with pytest.raises(ValueError, match="one picture at least"):
            characters.choose(characters.introduce(LOOK).id, [], "user", "chosen")


def test_who_is_forgotten_leaves_nothing(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        characters = Characters(library)
        one = characters.rehearsed(LOOK, story="one", picture=BlobId("a"), candidates=())
        characters.choose(one.id, list(map(BlobId, ["b", "c"])), "user", "chosen")
        characters.forget(one.id)
        assert characters.all() == ()
        for table in ("character_names", "character_versions", "character_references"):
            assert library.rows(f"SELECT * FROM {table}") == []
