"""The tables of library.db, and the steps from each version to the next.

`PRAGMA user_version` counts the steps a file has taken. A new table is a new step at the end of `STEPS`;
a step that was released is never edited. Knows nothing of what the rows mean, nor of blobs.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from model.errors import IntegrityError

APPLICATION_ID = 0x41535431  # "AST1": tells a library from any other SQLite file

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE panels (
            key TEXT PRIMARY KEY NOT NULL,
            blob TEXT NOT NULL,
            bytes INTEGER NOT NULL,
            prompt TEXT NOT NULL,
            params TEXT NOT NULL,
            embedding BLOB,
            space TEXT,
            created REAL NOT NULL,
            last_used REAL NOT NULL,
            pinned INTEGER NOT NULL CHECK (pinned IN (0, 1)),
            CHECK ((embedding IS NULL) = (space IS NULL))
        )
        """,
    ),
    # The chronicle: what each story's panels left to remember, who knows of it, and how it is found again.
    (
        """
        CREATE TABLE stories (
            slug TEXT PRIMARY KEY NOT NULL,
            title TEXT NOT NULL,
            chapter INTEGER NOT NULL UNIQUE
        )
        """,
        """
        CREATE TABLE memories (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL UNIQUE,
            digest TEXT NOT NULL,
            story TEXT NOT NULL,
            page INTEGER NOT NULL,
            panel INTEGER NOT NULL,
            present TEXT NOT NULL,
            told TEXT NOT NULL,
            importance REAL NOT NULL CHECK (importance BETWEEN 0 AND 1),
            created REAL NOT NULL,
            next_session INTEGER NOT NULL CHECK (next_session IN (0, 1))
        )
        """,
        """
        CREATE TABLE passages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            memory INTEGER NOT NULL REFERENCES memories (id) ON DELETE CASCADE,
            kind TEXT NOT NULL,
            speaker TEXT NOT NULL,
            text TEXT NOT NULL,
            context TEXT NOT NULL
        )
        """,
        "CREATE INDEX passages_of_memory ON passages (memory)",
        """
        CREATE TABLE knowers (
            name TEXT NOT NULL,
            passage INTEGER NOT NULL REFERENCES passages (id) ON DELETE CASCADE,
            PRIMARY KEY (name, passage)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX knowers_of_passage ON knowers (passage)",
        """
        CREATE TABLE passage_vectors (
            passage INTEGER NOT NULL REFERENCES passages (id) ON DELETE CASCADE,
            space TEXT NOT NULL,
            vector BLOB NOT NULL,
            PRIMARY KEY (passage, space)
        )
        """,
        "CREATE VIRTUAL TABLE passage_words USING fts5 (words, context, tokenize = 'porter unicode61')",
        """
        CREATE TRIGGER passage_words_go AFTER DELETE ON passages BEGIN
            DELETE FROM passage_words WHERE rowid = old.id;
        END
        """,
        """
        CREATE TABLE names (
            alias TEXT PRIMARY KEY NOT NULL,
            name TEXT NOT NULL
        )
        """,
    ),
    # Characters: who there is, what each one's reference was and is, where each was seen.
    (
        """
        CREATE TABLE characters (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            variant TEXT NOT NULL,
            description TEXT NOT NULL,
            style TEXT NOT NULL,
            weights TEXT NOT NULL,
            story TEXT NOT NULL,
            pinned INTEGER NOT NULL CHECK (pinned IN (0, 1)),
            candidates TEXT NOT NULL,
            version INTEGER REFERENCES character_versions (id),
            created REAL NOT NULL
        )
        """,
        """
        CREATE TABLE character_names (
            folded TEXT NOT NULL,
            character INTEGER NOT NULL REFERENCES characters (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            PRIMARY KEY (folded, character)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX names_of_character ON character_names (character)",
        """
        CREATE TABLE character_versions (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            character INTEGER NOT NULL REFERENCES characters (id) ON DELETE CASCADE,
            parent INTEGER REFERENCES character_versions (id) ON DELETE CASCADE,
            pictures TEXT NOT NULL,
            source TEXT NOT NULL CHECK (source IN ('user', 'story', 'rehearsal', 'sighting', 'none')),
            approved INTEGER NOT NULL CHECK (approved IN (0, 1)),
            why TEXT NOT NULL,
            created REAL NOT NULL
        )
        """,
        "CREATE INDEX versions_of_character ON character_versions (character)",
        """
        CREATE TABLE character_references (
            picture TEXT NOT NULL,
            version INTEGER NOT NULL REFERENCES character_versions (id) ON DELETE CASCADE,
            place INTEGER NOT NULL,
            PRIMARY KEY (picture, version)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE sightings (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            character INTEGER NOT NULL REFERENCES characters (id) ON DELETE CASCADE,
            crop TEXT NOT NULL,
            panel TEXT NOT NULL,
            place TEXT NOT NULL,
            similarity REAL NOT NULL,
            quality REAL NOT NULL,
            created REAL NOT NULL,
            UNIQUE (character, crop, panel)
        )
        """,
        """
        CREATE TABLE sighting_vectors (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            sighting INTEGER NOT NULL REFERENCES sightings (id) ON DELETE CASCADE,
            space TEXT NOT NULL,
            vector BLOB NOT NULL,
            UNIQUE (sighting, space)
        )
        """,
    ),
    # Of the panel cache: pictures that books show, and blobs that eviction has still to remove.
    (
        """
        CREATE TABLE book_pictures (
            book TEXT NOT NULL,
            blob TEXT NOT NULL,
            PRIMARY KEY (book, blob)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX books_of_picture ON book_pictures (blob)",
        "CREATE TABLE evicted (blob TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID",
        "CREATE INDEX panels_by_use ON panels (last_used)",
    ),
    # A sighting that a person took away is not offered again.
    ("ALTER TABLE sightings ADD COLUMN removed INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1))",),
    # What a person decided about panels: further tries, and the try that the book shows.
    (
        """
        CREATE TABLE tries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            story TEXT NOT NULL,
            panel TEXT NOT NULL,
            first TEXT NOT NULL,
            seed INTEGER NOT NULL,
            created REAL NOT NULL,
            UNIQUE (story, panel, first, seed)
        )
        """,
        """
        CREATE TABLE choices (
            story TEXT NOT NULL,
            panel TEXT NOT NULL,
            first TEXT NOT NULL,
            key TEXT NOT NULL,
            PRIMARY KEY (story, panel, first)
        ) WITHOUT ROWID
        """,
    ),
    # Parts of panels that a person had drawn again.
    (
        """
        CREATE TABLE repairs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            story TEXT NOT NULL,
            panel TEXT NOT NULL,
            first TEXT NOT NULL,
            facts TEXT NOT NULL,
            created REAL NOT NULL,
            UNIQUE (story, panel, first, facts)
        )
        """,
    ),
    # Which story each key belongs to: titles are not identities.
    (
        """
        CREATE TABLE story_names (
            key TEXT PRIMARY KEY NOT NULL,
            given INTEGER NOT NULL CHECK (given IN (0, 1)),
            name TEXT NOT NULL,
            title TEXT NOT NULL,
            source TEXT NOT NULL
        ) WITHOUT ROWID
        """,
    ),
    # What a panel showed last, whatever was asked of it since: a locked panel keeps it.
    (
        """
        CREATE TABLE shown (
            story TEXT NOT NULL,
            panel TEXT NOT NULL,
            facts TEXT NOT NULL,
            PRIMARY KEY (story, panel)
        ) WITHOUT ROWID
        """,
    ),
    # The studio's page: every state of a story, the work that is asked for, what the judge said.
    (
        """
        CREATE TABLE desks (
            book TEXT PRIMARY KEY NOT NULL,
            current INTEGER NOT NULL,
            written INTEGER NOT NULL,
            settings TEXT NOT NULL
        )
        """,
        """
        CREATE TABLE revisions (
            book TEXT NOT NULL REFERENCES desks (book) ON DELETE CASCADE ON UPDATE CASCADE,
            number INTEGER NOT NULL,
            parent INTEGER,
            what TEXT NOT NULL,
            story TEXT NOT NULL,
            created REAL NOT NULL,
            PRIMARY KEY (book, number)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE jobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL,
            book TEXT NOT NULL,
            args TEXT NOT NULL,
            state TEXT NOT NULL
                CHECK (state IN ('queued', 'running', 'paused', 'done', 'failed', 'cancelled')),
            place REAL NOT NULL,
            created REAL NOT NULL,
            started REAL,
            ended REAL,
            drawn INTEGER NOT NULL DEFAULT 0,
            seconds REAL NOT NULL DEFAULT 0,
            message TEXT NOT NULL DEFAULT ''
        )
        """,
        "CREATE TABLE judged (key TEXT PRIMARY KEY NOT NULL, facts TEXT NOT NULL)",
    ),
)


def create(path: Path) -> None:
    """Make a library file with every table at `path`, which must not exist; it is closed and complete after.

    `page_size` must precede the first page, and the switch to WAL is kept in the file itself.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA page_size = 16384")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection)
    finally:
        connection.close()


def version(connection: sqlite3.Connection, path: Path) -> int:
    """How many steps the open file has taken.

    Raises:
        IntegrityError: it is another program's file, an emptied one, or a newer version's.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise IntegrityError(
            f"{path} is not a panel library (empty, or another program's file); "
            "put the right file back, or move it away to start a new library"
        )
    taken: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if taken > len(STEPS):
        raise IntegrityError(
            f"{path} has version {taken}, this program knows up to {len(STEPS)}; "
            "update the program, or choose another folder with --library"
        )
    return taken


# What a value of each declared type may be; SQLite itself takes anything anywhere.
_STORED = {
    "TEXT": ("text",),
    "INTEGER": ("integer",),
    "REAL": ("real", "integer"),
    "BLOB": ("blob",),
}
# Texts that are read as lists, and those that name one of a few kinds.
_READ_AS = {
    ("memories", "present"): "CASE WHEN json_valid({0}) THEN json_type({0}) = 'array' END",
    ("memories", "told"): "CASE WHEN json_valid({0}) THEN json_type({0}) = 'array' END",
    ("panels", "params"): "CASE WHEN json_valid({0}) THEN json_type({0}) = 'object' END",
    ("passages", "kind"): "{0} IN ('fact', 'happened', 'seen', 'said', 'thought')",
}


def mistyped(connection: sqlite3.Connection) -> str:
    """Where a table holds what its columns cannot, in words; "" where all is well."""
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        " AND name NOT LIKE 'sqlite~_%' ESCAPE '~' AND name NOT LIKE 'passage~_words~_%' ESCAPE '~'"
    ).fetchall()
    for (table,) in tables:
        wrong: dict[str, str] = {}
        for column in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
            name, declared = column[1], column[2]
            kinds = ", ".join(f"'{kind}'" for kind in (*_STORED.get(declared, ()), "null"))
            quoted = f'"{name}"'
            rules = [f"typeof({quoted}) NOT IN ({kinds})"] if declared in _STORED else []
            if rule := _READ_AS.get((table, name)):
                rules.append(f"NOT coalesce({rule.format(quoted)}, 0)")
            if rules:
                wrong[name] = " OR ".join(rules)
        # All columns in one pass; which one it is, is asked only where one is wrong.
        if wrong and _any(connection, table, " OR ".join(wrong.values())):
            name = next(name for name, rule in wrong.items() if _any(connection, table, rule))
            return f"{table}.{name} holds values that it cannot have"
    return ""


def _any(connection: sqlite3.Connection, table: str, rule: str) -> bool:
    return connection.execute(f'SELECT 1 FROM "{table}" WHERE {rule} LIMIT 1').fetchone() is not None


def migrate(connection: sqlite3.Connection) -> None:
    """Take the steps that are still to take, all or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        taken: int = connection.execute("PRAGMA user_version").fetchone()[0]
        for step in STEPS[taken:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
