"""Rows of the character tables, as values and back. Knows nothing of what a change means."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence

from model.files import BlobId
from model.memory.characters.looks import Candidate, Character, Look, Source, Version
from model.memory.store.library import Library
from model.memory.store.words import fold

_VERSION = "v.id AS v_id, v.parent, v.pictures, v.source, v.approved, v.why, v.created AS v_created"


def read_characters(
    library: Library, condition: str = "", parameters: tuple[object, ...] = ()
) -> tuple[Character, ...]:
    """Characters by number. `condition`: a WHERE clause on `c`."""
    rows = library.rows(
        f"SELECT c.*, {_VERSION} FROM characters c LEFT JOIN character_versions v ON v.id = c.version"
        f" {condition} ORDER BY c.id",
        parameters,
    )
    names: dict[int, list[str]] = {}
    of_these = "SELECT n.character, n.name FROM character_names n JOIN characters c ON c.id = n.character"
    for row in library.rows(f"{of_these} {condition} ORDER BY n.folded", parameters):
        names.setdefault(row["character"], []).append(row["name"])
    return tuple(_character(row, names.get(row["id"], ())) for row in rows)


def read_versions(library: Library, character: int) -> tuple[Version, ...]:
    """What its reference was, the latest first."""
    sql = f"SELECT {_VERSION} FROM character_versions v WHERE character = ? ORDER BY id DESC"
    rows = library.rows(sql, (character,))
    return tuple(version for row in rows if (version := _version(row)))


def insert_character(connection: sqlite3.Connection, look: Look, story: str) -> int:
    """A new character without a reference; returns its number."""
    number = connection.execute(
        "INSERT INTO characters (name, variant, description, style, weights, story, pinned, candidates,"
        " created) VALUES (?, ?, ?, ?, ?, ?, 0, '[]', ?)",
        (look.name, look.variant, look.description, look.style, look.weights, story, time.time()),
    ).lastrowid
    assert number is not None  # inserted just now
    learn_names(connection, number, look)
    return number


def learn_names(connection: sqlite3.Connection, character: int, look: Look) -> None:
    """Keep the names of a look that are new, and its description where there was none."""
    connection.executemany(
        "INSERT OR IGNORE INTO character_names (folded, character, name) VALUES (?, ?, ?)",
        [(folded, character, name) for folded, name in look.names.items()],
    )
    connection.execute(
        "UPDATE characters SET description = ? WHERE id = ? AND description = ''",
        (look.description, character),
    )


def insert_version(
    connection: sqlite3.Connection,
    character: int,
    parent: int | None,
    pictures: Sequence[BlobId],
    source: Source,
    approved: bool,
    why: str,
) -> None:
    """Append a version and make it the current one."""
    version = connection.execute(
        "INSERT INTO character_versions (character, parent, pictures, source, approved, why, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (character, parent, json.dumps(list(pictures)), source, int(approved), why, time.time()),
    ).lastrowid
    connection.executemany(
        "INSERT OR IGNORE INTO character_references (picture, version, place) VALUES (?, ?, ?)",
        [(picture, version, place) for place, picture in enumerate(pictures)],
    )
    connection.execute("UPDATE characters SET version = ? WHERE id = ?", (version, character))


def _character(row: sqlite3.Row, names: Sequence[str]) -> Character:
    drawn = json.loads(row["candidates"])
    return Character(
        id=row["id"],
        look=Look(
            name=row["name"],
            aliases=tuple(name for name in names if fold(name) != fold(row["name"])),
            variant=row["variant"],
            description=row["description"],
            style=row["style"],
            weights=row["weights"],
        ),
        story=row["story"],
        pinned=bool(row["pinned"]),
        candidates=tuple(Candidate(picture=picture, similarity=value) for picture, value in drawn),
        version=_version(row),
    )


def _version(row: sqlite3.Row) -> Version | None:
    if row["v_id"] is None:
        return None
    return Version(
        id=row["v_id"],
        parent=row["parent"],
        pictures=tuple(json.loads(row["pictures"])),
        source=row["source"],
        approved=bool(row["approved"]),
        why=row["why"],
        created=row["v_created"],
    )
