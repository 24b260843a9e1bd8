"""Which story of the library a story is: by its id, or by the file it is read from and its title.

In: what is known of a story before it is drawn. Out: the key under which the chronicle, its cast and the
decisions about its panels are kept. Folders have no say. Two stories never share a key, whatever their titles
come to; a story that was moved, and one that an earlier version drew, keep theirs. Knows nothing of plans.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from model.memory.store.library import Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What tells one story from another.

    Attributes:
        given: whether the file gives the story an id.
        name: the plain name of the id or the title, which several stories may share.
        title: as it is written.
        source: the absolute path of its file; "" when it was never one.
        spare: its key where another story has the plain name.
    """

    given: bool
    name: str
    title: str
    source: str
    spare: str


def key_of_story(library: Library, story: Known) -> str:
    """The story's key in the library, noted there when this returns.

    Raises:
        StorageError, IntegrityError: as `Library.writing`.
    """
    with library.writing() as connection:
        names = connection.execute("SELECT * FROM story_names ORDER BY key").fetchall()
        key = _noted(names, story)
        if key is None:
            key = _of_earlier_version(connection, story) or _new(connection, story)
        connection.execute(
            "INSERT OR REPLACE INTO story_names (key, given, name, title, source) VALUES (?, ?, ?, ?, ?)",
            (key, int(story.given), story.name, story.title, story.source),
        )
        return key


def _noted(names: list[sqlite3.Row], story: Known) -> str | None:
    """The key that the same story had before."""
    for row in sorted(names, key=lambda row: row["source"] != story.source):
        if story.given and row["given"] and row["name"] == story.name:
            return row["key"]
        same_file = row["source"] == story.source and (story.source or row["title"] == story.title)
        # A file without an id may hold another story tomorrow; who gives one to a story keeps its key so.
        if same_file and not row["given"] and story.name == (row["key"] if story.given else row["name"]):
            return row["key"]
    if story.given:
        return None
    for row in names:
        alike = not row["given"] and (row["name"], row["title"]) == (story.name, story.title)
        if alike and not (row["source"] and Path(row["source"]).is_file()):
            return row["key"]  # it was moved
    return None


def _of_earlier_version(connection: sqlite3.Connection, story: Known) -> str | None:
    """The key of a story of this title that was drawn when keys were made of ASCII letters alone."""
    row = connection.execute(
        "SELECT slug FROM stories WHERE title = ? AND slug NOT IN (SELECT key FROM story_names)"
        " ORDER BY slug != ?, chapter",
        (story.title, story.name),
    ).fetchone()
    return None if row is None else row["slug"]


def _new(connection: sqlite3.Connection, story: Known) -> str:
    """The story's name, or one made of it when that is another's."""
    taken = connection.execute(
        "SELECT 1 FROM stories WHERE slug = :name UNION SELECT 1 FROM story_names WHERE key = :name",
        {"name": story.name},
    ).fetchone()
    return story.name if taken is None else story.spare
