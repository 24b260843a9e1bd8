"""Every state that a book's story was in: who edits it can go back, also after a restart.

In: a book's name, a story as text, what was done in words. Out: numbered revisions, each with the one it was
made of, and which one is current. Undo and redo move along them and delete nothing. Durable when it returns.
Knows nothing of what a story says.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.memory.store.library import Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One state of a story.

    Attributes:
        number: from 1; parent: the revision it was made of, None for the first.
        what: was done to that one, in words.
        story: the text of the story file; empty where it was not asked for.
        created: seconds since 1970, UTC.
    """

    number: int
    parent: int | None
    what: str
    story: str
    created: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where a book stands: `current` revision, the one `written` to its file last, its settings."""

    current: int
    written: int
    settings: Mapping[str, Any]


class Revisions:
    """The revisions of the books of one library."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def desk(self, book: str) -> Desk | None:
        """Where a book stands; None: it was never opened."""
        rows = self._library.rows("SELECT current, written, settings FROM desks WHERE book = ?", (book,))
        if not rows:
            return None
        row = rows[0]
        return Desk(current=row["current"], written=row["written"], settings=json.loads(row["settings"]))

    def get(self, book: str, number: int) -> Revision | None:
        """One revision, with its story."""
        rows = self._library.rows(
            "SELECT number, parent, what, story, created FROM revisions WHERE book = ? AND number = ?",
            (book, number),
        )
        return Revision(**dict(rows[0])) if rows else None

    def all(self, book: str, most: int = -1) -> tuple[Revision, ...]:
        """Revisions without their stories, newest first."""
        rows = self._library.rows(
            "SELECT number, parent, what, '' AS story, created FROM revisions WHERE book = ?"
            " ORDER BY number DESC LIMIT ?",
            (book, most),
        )
        return tuple(Revision(**dict(row)) for row in rows)

    def begin(self, book: str, story: str, what: str) -> int:
        """The first revision of a book; what was known of a book of that name is forgotten."""
        with self._library.writing() as connection:
            connection.execute("DELETE FROM desks WHERE book = ?", (book,))
            connection.execute(
                "INSERT INTO desks (book, current, written, settings) VALUES (?, 1, 1, '{}')", (book,)
            )
            connection.execute(
                "INSERT INTO revisions (book, number, parent, what, story, created)"
                " VALUES (?, 1, NULL, ?, ?, ?)",
                (book, what, story, time.time()),
            )
        return 1

    def add(self, book: str, base: int, story: str, what: str) -> int | None:
        """A new revision, which is current from now on; None when `base` is not the current one any more."""
        with self._library.writing() as connection:
            if self._current(book) != base:
                return None
            number = self._library.rows("SELECT max(number) AS n FROM revisions WHERE book = ?", (book,))
            new = int(number[0]["n"]) + 1
            connection.execute(
                "INSERT INTO revisions (book, number, parent, what, story, created)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (book, new, base, what, story, time.time()),
            )
            connection.execute("UPDATE desks SET current = ? WHERE book = ?", (new, book))
        return new

    def move(self, book: str, base: int, to: int) -> bool:
        """Make another revision the current one; False when `base` is not current any more."""
        with self._library.writing() as connection:
            if self._current(book) != base:
                return False
            connection.execute("UPDATE desks SET current = ? WHERE book = ?", (to, book))
        return True

    def before(self, book: str, number: int) -> int | None:
        """What undoing a revision goes back to."""
        found = self.get(book, number)
        return found.parent if found else None

    def after(self, book: str, number: int) -> Revision | None:
        """What redoing goes on to: the newest revision that was made of this one, without its story."""
        rows = self._library.rows(
            "SELECT number, parent, what, '' AS story, created FROM revisions"
            " WHERE book = ? AND parent = ? ORDER BY number DESC LIMIT 1",
            (book, number),
        )
        return Revision(**dict(rows[0])) if rows else None

    def wrote(self, book: str, number: int) -> None:
        """The file holds this revision now."""
        with self._library.writing() as connection:
            connection.execute("UPDATE desks SET written = ? WHERE book = ?", (number, book))

    def set_up(self, book: str, settings: Mapping[str, Any]) -> None:
        """Keep how a book is drawn."""
        with self._library.writing() as connection:
            connection.execute(
                "UPDATE desks SET settings = ? WHERE book = ?", (json.dumps(dict(settings)), book)
            )

    def forget(self, book: str) -> None:
        """Nothing is known of a book any more."""
        with self._library.writing() as connection:
            connection.execute("DELETE FROM desks WHERE book = ?", (book,))

    def _current(self, book: str) -> int | None:
        desk = self.desk(book)
        return desk.current if desk else None
