"""The queue of a studio: what is to be drawn, in which order, and what became of it. Survives whatever
happens.

In: jobs as values. Out: the same, in order. Knows nothing of who does them.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.memory.store.library import Library

OPEN = ("queued", "running", "paused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work.

    Attributes:
        state: queued, running, paused, done, failed or cancelled.
        place: its order; smaller is earlier.
        drawn, seconds: what it cost so far: pictures, and seconds of the worker.
        message: why it failed, or what came of it; one line.
    """

    id: int
    kind: str
    book: str
    args: Mapping[str, Any]
    state: str
    place: float
    created: float
    started: float | None
    ended: float | None
    drawn: int
    seconds: float
    message: str


class Jobs:
    """The jobs of one library."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def all(self, most: int = 200) -> tuple[Job, ...]:
        """Open jobs in their order, then the newest ended ones."""
        rows = self._library.rows(
            "SELECT * FROM jobs ORDER BY state NOT IN ('queued', 'running', 'paused'),"
            " CASE WHEN ended IS NULL THEN place ELSE -id END LIMIT ?",
            (most,),
        )
        return tuple(map(_job, rows))

    def get(self, number: int) -> Job | None:
        rows = self._library.rows("SELECT * FROM jobs WHERE id = ?", (number,))
        return _job(rows[0]) if rows else None

    def add(self, kind: str, book: str, args: Mapping[str, Any]) -> int:
        """A new job, at the end of the queue; its number."""
        with self._library.writing() as connection:
            found = connection.execute(
                "INSERT INTO jobs (kind, book, args, state, place, created)"
                " VALUES (?, ?, ?, 'queued', (SELECT coalesce(max(place), 0) + 1 FROM jobs), ?)",
                (kind, book, json.dumps(dict(args)), time.time()),
            )
            assert found.lastrowid is not None
            return found.lastrowid

    def next(self) -> Job | None:
        """The first queued job, which runs from now on."""
        with self._library.writing() as connection:
            row = connection.execute(
                "SELECT id FROM jobs WHERE state = 'queued' ORDER BY place, id LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            connection.execute(
                "UPDATE jobs SET state = 'running', started = coalesce(started, ?), ended = NULL"
                " WHERE id = ?",
                (time.time(), row["id"]),
            )
        return self.get(row["id"])

    def became(self, number: int, state: str, *, seen: tuple[str, ...] = OPEN, message: str = "") -> bool:
        """Put a job into another state; False when it is in none of those in `seen` any more."""
        ended = time.time() if state not in OPEN else None
        marks = ", ".join("?" * len(seen))
        with self._library.writing() as connection:
            changed = connection.execute(
                f"UPDATE jobs SET state = ?, ended = ?, message = ? WHERE id = ? AND state IN ({marks})",
                (state, ended, message, number, *seen),
            )
            return changed.rowcount > 0

    def cost(self, number: int, drawn: int, seconds: float) -> None:
        """Add to what a job cost."""
        with self._library.writing() as connection:
            connection.execute(
                "UPDATE jobs SET drawn = drawn + ?, seconds = seconds + ? WHERE id = ?",
                (drawn, seconds, number),
            )

    def place(self, number: int, before: int | None) -> None:
        """Do a job before another one; None: last of all."""
        with self._library.writing() as connection:
            if before is None:
                connection.execute(
                    "UPDATE jobs SET place = (SELECT max(place) + 1 FROM jobs) WHERE id = ?", (number,)
                )
                return
            row = connection.execute("SELECT place FROM jobs WHERE id = ?", (before,)).fetchone()
            if row is None:
                return
            lower = connection.execute(
                "SELECT max(place) AS p FROM jobs WHERE place < ? AND id != ?", (row["place"], number)
            ).fetchone()["p"]
            between = row["place"] - 1 if lower is None else (lower + row["place"]) / 2
            connection.execute("UPDATE jobs SET place = ? WHERE id = ?", (between, number))

    def restart(self) -> tuple[int, ...]:
        """Jobs that ran when a server was killed are queued again, before all others; their numbers."""
        with self._library.writing() as connection:
            rows = connection.execute("SELECT id FROM jobs WHERE state = 'running'").fetchall()
            connection.execute("UPDATE jobs SET state = 'queued' WHERE state = 'running'")
        return tuple(row["id"] for row in rows)

    def remove(self, number: int) -> bool:
        """Take an ended job off the list."""
        with self._library.writing() as connection:
            gone = connection.execute("DELETE FROM jobs WHERE id = ? AND ended IS NOT NULL", (number,))
            return gone.rowcount > 0

    def of_book(self, book: str) -> tuple[Job, ...]:
        """The open jobs of a book."""
        rows = self._library.rows(
            "SELECT * FROM jobs WHERE book = ? AND state IN ('queued', 'running', 'paused')", (book,)
        )
        return tuple(map(_job, rows))


def _job(row: sqlite3.Row) -> Job:
    facts = {key: row[key] for key in row.keys()}  # noqa: SIM118, a Row is no mapping
    return Job(**{**facts, "args": json.loads(facts["args"])})
