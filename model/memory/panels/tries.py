"""What a person decided about a panel: further tries and repairs that were asked for, and the try that the
book shows.

In: a story, a panel, the key of the panel's first request, and keys of tries. Out: the same. A decision holds
for the request it was made for: when the story asks for another picture, its old decisions are not found.
Knows nothing of how tries are drawn or judged.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from model.memory.store.library import Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What was decided about one panel.

    Attributes:
        seeds: of the further tries, in the order they were asked for.
        repairs: what was to be drawn again of which try, as JSON, in the order they were asked for.
        chosen: key of the try that is shown; empty: the judge chooses.
    """

    seeds: tuple[int, ...] = ()
    repairs: tuple[str, ...] = ()
    chosen: str = ""


class Tries:
    """The decisions in one library."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def of(self, story: str, panel: str, first: str) -> Decisions:
        """What was decided about a panel. `first`: key of its request at the first try."""
        rows = self._library.rows(
            "SELECT seed FROM tries WHERE story = ? AND panel = ? AND first = ? ORDER BY id",
            (story, panel, first),
        )
        repairs = self._library.rows(
            "SELECT facts FROM repairs WHERE story = ? AND panel = ? AND first = ? ORDER BY id",
            (story, panel, first),
        )
        chosen = self._library.rows(
            "SELECT key FROM choices WHERE story = ? AND panel = ? AND first = ?", (story, panel, first)
        )
        return Decisions(
            seeds=tuple(int(row["seed"]) for row in rows),
            repairs=tuple(row["facts"] for row in repairs),
            chosen=chosen[0]["key"] if chosen else "",
        )

    def add(self, story: str, panel: str, first: str, seed: int) -> None:
        """Remember that a further try was asked for; the same seed twice is one try.

        Raises:
            StorageError: the disk refuses.
        """
        with self._library.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO tries (story, panel, first, seed, created) VALUES (?, ?, ?, ?, ?)",
                (story, panel, first, seed, time.time()),
            )

    def add_repair(self, story: str, panel: str, first: str, facts: str) -> None:
        """Remember that a repair was asked for; the same one twice is one.

        Raises:
            StorageError: the disk refuses.
        """
        with self._library.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO repairs (story, panel, first, facts, created) VALUES (?, ?, ?, ?, ?)",
                (story, panel, first, facts, time.time()),
            )

    def choose(self, story: str, panel: str, first: str, key: str) -> None:
        """Show the try of this key from now on; an empty key lets the judge choose again.

        Raises:
            StorageError: the disk refuses.
        """
        with self._library.writing() as connection:
            connection.execute(
                "DELETE FROM choices WHERE story = ? AND panel = ? AND first = ?", (story, panel, first)
            )
            if key:
                connection.execute(
                    "INSERT INTO choices (story, panel, first, key) VALUES (?, ?, ?, ?)",
                    (story, panel, first, key),
                )
