"""Rows of the chronicle's tables, as values and back. Knows nothing of recall and of who asks."""

from __future__ import annotations

import json
import sqlite3
import time

from model.memory.chronicle.memories import Memory, NewMemory, Passage
from model.memory.chronicle.names import resolved
from model.memory.store.library import Library
from model.memory.store.words import tokens


def read_passages(library: Library, person: str | None) -> dict[int, list[Passage]]:
    """Passages by memory, in order; with `person`, those that it knows."""
    known_by: dict[int, list[str]] = {}
    for row in library.rows("SELECT passage, name FROM knowers ORDER BY name"):
        known_by.setdefault(row["passage"], []).append(row["name"])
    found: dict[int, list[Passage]] = {}
    for row in library.rows("SELECT * FROM passages ORDER BY id"):
        names = tuple(known_by.get(row["id"], ()))
        if person is None or person in names:
            found.setdefault(row["memory"], []).append(
                Passage(
                    kind=row["kind"],
                    text=row["text"],
                    speaker=row["speaker"],
                    known_by=names,
                    context=row["context"],
                )
            )
    return found


def memory_of(row: sqlite3.Row, passages: tuple[Passage, ...]) -> Memory:
    """A row of `memories` that also has its `chapter`."""
    return Memory(
        id=row["id"],
        key=row["key"],
        passages=passages,
        present=tuple(json.loads(row["present"])),
        told=tuple(json.loads(row["told"])),
        story=row["story"],
        place=(row["chapter"], row["page"], row["panel"]),
        importance=row["importance"],
        created=row["created"],
        next_session=bool(row["next_session"]),
    )


def write_memory(connection: sqlite3.Connection, memory: NewMemory) -> str:
    """Insert or replace one memory; says what was done, in the words of `Receipt`."""
    before = connection.execute(
        "SELECT digest, created FROM memories WHERE key = ?", (memory.key,)
    ).fetchone()
    if before is not None and before["digest"] == memory.digest:
        return "unchanged"
    if before is not None:
        connection.execute("DELETE FROM memories WHERE key = ?", (memory.key,))
    cursor = connection.execute(
        "INSERT INTO memories (key, digest, story, page, panel, present, told, importance, created,"
        " next_session) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            memory.key,
            memory.digest,
            memory.story,
            memory.page,
            memory.panel,
            json.dumps(memory.present),
            json.dumps(memory.told),
            memory.importance,
            # An edited panel still happened when it was first drawn.
            time.time() if before is None else before["created"],
            int(memory.next_session),
        ),
    )
    number = cursor.lastrowid
    known = {row["alias"]: row["name"] for row in connection.execute("SELECT alias, name FROM names")}
    for passage in memory.passages:
        if not passage.text.strip():
            continue
        row = connection.execute(
            "INSERT INTO passages (memory, kind, speaker, text, context) VALUES (?, ?, ?, ?, ?)",
            (number, passage.kind, passage.speaker, passage.text, passage.context),
        ).lastrowid
        connection.execute(
            "INSERT INTO passage_words (rowid, words, context) VALUES (?, ?, ?)",
            (row, " ".join(tokens(passage.text)), " ".join(tokens(f"{passage.speaker} {passage.context}"))),
        )
        connection.executemany(
            "INSERT INTO knowers (name, passage) VALUES (?, ?)",
            [(name, row) for name in resolved(passage.known_by, known)],
        )
    return "stored" if before is None else "replaced"
