"""The character database of a library: its characters, and their present and earlier references.

In: looks, pictures by sha256, what a person decided. Out: the character whose reference a look keeps. Every
change of a reference is a version, and `undo` goes back to the one before; what a method has returned from
survives kill -9. A rehearsal replaces a rehearsal, never what a person gave or approved.
Knows nothing of models, stories' files or where a character was seen.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence

from model.files import BlobId
from model.memory.characters.looks import Candidate, Character, Look, Source, Version, best
from model.memory.characters.rows import (
    insert_character,
    insert_version,
    learn_names,
    read_characters,
    read_versions,
)
from model.memory.store.library import Library
from model.memory.store.words import fold


class Characters:
    """The characters of one library. Threads may share it."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def all(self) -> tuple[Character, ...]:
        """Everybody, in the order they came."""
        return read_characters(self._library, "", ())

    def get(self, number: int) -> Character | None:
        """The character of that number."""
        found = read_characters(self._library, "WHERE c.id = ?", (number,))
        return found[0] if found else None

    def named(self, names: Collection[str]) -> tuple[Character, ...]:
        """Everybody with one of these names or aliases, in the order they came."""
        folded = tuple({fold(name) for name in names})
        marks = ", ".join("?" * len(folded))
        condition = f"WHERE c.id IN (SELECT character FROM character_names WHERE folded IN ({marks}))"
        return read_characters(self._library, condition, folded)

    def find(self, look: Look) -> Character | None:
        """Whose reference this look keeps; None: nobody's, it is to be rehearsed. See `best`."""
        return best(self._like(look), look)

    def versions(self, number: int) -> tuple[Version, ...]:
        """What the reference was, the latest first."""
        return read_versions(self._library, number)

    def further_pictures(self, picture: BlobId) -> tuple[BlobId, ...]:
        """The further pictures of the references that are drawn with this one: they too say who it is."""
        rows = self._library.rows(
            "SELECT v.pictures FROM character_references r JOIN characters c ON c.version = r.version"
            " JOIN character_versions v ON v.id = r.version WHERE r.picture = ? AND r.place = 0"
            " ORDER BY c.id",
            (picture,),
        )
        others = (other for row in rows for other in json.loads(row["pictures"])[1:])
        return tuple(dict.fromkeys(others))

    def rehearsed(
        self, look: Look, *, story: str, picture: BlobId, candidates: Sequence[Candidate]
    ) -> Character:
        """Keep what a story's rehearsal chose; a person's choice stays.

        Raises:
            StorageError: the disk refuses; nothing has changed then.
        """
        with self._library.writing() as connection:
            character = self._same(look) or self._existing(insert_character(connection, look, story))
            drawn = json.dumps([[one.picture, one.similarity] for one in candidates])
            connection.execute("UPDATE characters SET candidates = ? WHERE id = ?", (drawn, character.id))
            learn_names(connection, character.id, look)
            if not character.approved:
                self._change(connection, character, (picture,), "rehearsal", False, f"rehearsed for {story}")
                connection.execute("UPDATE characters SET story = ? WHERE id = ?", (story, character.id))
            return self._existing(character.id)

    def given(self, look: Look, *, story: str, pictures: Sequence[BlobId]) -> Character:
        """Keep a story's own pictures of a character, unless a person chose something else since.

        A pinned reference stays, and an approved one that was chosen when these pictures were known already.

        Returns:
            The character whose reference counts.
        Raises:
            StorageError: the disk refuses; nothing has changed then.
        """
        with self._library.writing() as connection:
            found = self.find(look)
            if found and (found.pinned or (found.approved and self._knew(found, pictures[0]))):
                return found
            character = self._same(look) or self._existing(insert_character(connection, look, story))
            learn_names(connection, character.id, look)
            self._change(connection, character, tuple(pictures), "story", False, f"given in {story}")
            connection.execute("UPDATE characters SET story = ? WHERE id = ?", (story, character.id))
            return self._existing(character.id)

    def learn(self, character: Character, look: Look) -> None:
        """A kept character is called by more names, and a first description becomes its own."""
        new = set(look.names) - set(character.look.names)
        if new or (look.description and not character.look.description):
            with self._library.writing() as connection:
                learn_names(connection, character.id, look)

    def introduce(self, look: Look) -> Character:
        """A new character without a reference."""
        with self._library.writing() as connection:
            return self._existing(insert_character(connection, look, ""))

    def choose(self, number: int, pictures: Sequence[BlobId], source: Source, why: str) -> Character:
        """Make pictures the reference because a person said so; the same ones again are approved.

        Raises:
            ValueError: no pictures, or no character of that number.
            StorageError: the disk refuses; nothing has changed then.
        """
        if not pictures:
            raise ValueError("a reference is one picture at least; `remove` takes it away")
        with self._library.writing() as connection:
            self._change(connection, self._existing(number), tuple(pictures), source, True, why)
            return self._existing(number)

    def remove(self, number: int) -> Character:
        """Take the reference away; `undo` brings it back. Raises as `choose` does."""
        with self._library.writing() as connection:
            self._change(connection, self._existing(number), (), "none", False, "removed")
            connection.execute("UPDATE characters SET pinned = 0 WHERE id = ?", (number,))
            return self._existing(number)

    def pin(self, number: int, pinned: bool = True) -> Character:
        """Let the reference stay whatever a story says, or no longer. Raises as `choose` does."""
        with self._library.writing() as connection:
            self._existing(number)
            connection.execute("UPDATE characters SET pinned = ? WHERE id = ?", (int(pinned), number))
            return self._existing(number)

    def undo(self, number: int) -> Character | None:
        """Go back to the reference before the current one; None: there is nothing to undo.

        Going back is a version too, so nothing is lost; doing it again goes back further. Pictures that a
        person went back to are approved: the next run would otherwise change them again.
        """
        with self._library.writing() as connection:
            character = self._existing(number)
            current = character.version
            if current is None:
                return None
            before = next((one for one in self.versions(number) if one.id == current.parent), None)
            if before is None:
                # To before the first reference: nothing is left to undo then.
                connection.execute("UPDATE characters SET version = NULL WHERE id = ?", (number,))
                return self._existing(number)
            approved = bool(before.pictures) and (before.approved or before.pictures != current.pictures)
            why = f"back to version {before.id}"
            insert_version(connection, number, before.parent, before.pictures, before.source, approved, why)
            return self._existing(number)

    def forget(self, number: int) -> None:
        """Remove a character with its versions and sightings, for good."""
        with self._library.writing() as connection:
            connection.execute("DELETE FROM characters WHERE id = ?", (number,))

    def _change(
        self,
        connection: sqlite3.Connection,
        character: Character,
        pictures: tuple[BlobId, ...],
        source: Source,
        approved: bool,
        why: str,
    ) -> None:
        """A new version, unless it would say what the current one says."""
        now = character.version
        if now and now.pictures == pictures and (now.approved or not approved):
            return
        if not now and not pictures:
            return
        parent = now.id if now else None
        insert_version(connection, character.id, parent, pictures, source, approved, why)

    def _existing(self, number: int) -> Character:
        character = self.get(number)
        if character is None:
            raise ValueError(f"there is no character {number}")
        return character

    def _same(self, look: Look) -> Character | None:
        """The character with exactly this look; of several the first."""
        return next((one for one in self._like(look) if _told(one.look) == _told(look)), None)

    def _like(self, look: Look) -> tuple[Character, ...]:
        """Everybody whose name is among the look's names, or who has the look's name among its own."""
        found = self.named(look.names)
        return tuple(
            one for one in found if fold(look.name) in one.look.names or fold(one.look.name) in look.names
        )

    def _knew(self, character: Character, picture: BlobId) -> bool:
        return any(picture in version.pictures for version in self.versions(character.id))


def _told(look: Look) -> tuple[str, ...]:
    return fold(look.variant), fold(look.description), look.style, look.weights
