"""The chronicle: the story's long-term memory, in the library.

In: memories of accepted panels, or added by hand. Out: what a character recalls of them, which is only what
it saw or heard about. What `keep` and `keep_story` have returned from survives kill -9. The same panel
of the same story is one memory, however often it is kept.
Knows nothing of plans, prompts or models; the text encoder is handed in.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from model.memory.chronicle.memories import (
    END_OF_STORY,
    Kind,
    Memory,
    NewMemory,
    Place,
    Receipt,
    Recollection,
    TextEncoder,
)
from model.memory.chronicle.names import known_names, learn, resolved
from model.memory.chronicle.ngrams import NgramEncoder
from model.memory.chronicle.rows import memory_of, read_passages, write_memory
from model.memory.chronicle.search import Asked, recall
from model.memory.store.library import Library
from model.memory.store.words import fold

_log = logging.getLogger(__name__)

K = 4
TOKENS = 160


class Chronicle:
    """The memories of one library, as one session sees them: what was kept with `next_session` after this was
    made is not recalled by it."""

    def __init__(self, library: Library, encoder: TextEncoder | None = None) -> None:
        """Args:
        encoder: of meaning; without one, hashed pieces of words.
        """
        self._library = library
        self._encoder: TextEncoder = encoder or NgramEncoder()
        self._newest: int = library.rows("SELECT coalesce(max(id), 0) AS id FROM memories")[0]["id"]

    @property
    def search(self) -> str:
        """What meaning is searched with: the name of a sentence model, or hashed pieces of words."""
        return self._encoder.name

    def keep(self, memory: NewMemory) -> Receipt:
        """Keep one memory; on disk when this returns. One with the same key is replaced.

        Raises:
            ValueError: it has no text, or its importance is not within 0 to 1.
            StorageError: the disk refuses; nothing has changed then.
        """
        _check(memory)
        with self._library.writing() as connection:
            outcome = write_memory(connection, memory)
        receipt = Receipt(**{outcome: (memory.key,)})
        _tell(receipt)
        return receipt

    def keep_story(
        self,
        slug: str,
        title: str,
        memories: Sequence[NewMemory],
        *,
        panels: Collection[str],
        cast: Mapping[str, Collection[str]],
    ) -> Receipt:
        """Keep what the accepted panels of one run left, all or nothing; learn the names of its cast.

        Args:
            memories: keyed `<slug>/<panel id>`.
            panels: keys of every panel that the story has now; memories of other panels of it are removed.
            cast: name → aliases.
        Raises:
            ValueError, StorageError: as `keep`.
        """
        for memory in memories:
            _check(memory)
        done: dict[str, list[str]] = {"stored": [], "replaced": [], "unchanged": [], "removed": []}
        with self._library.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO stories (slug, title, chapter)"
                " SELECT ?, ?, coalesce(max(chapter), 0) + 1 FROM stories",
                (slug, title),
            )
            learn(connection, cast)
            rows = connection.execute(
                "SELECT key FROM memories WHERE story = ? AND page < ? ORDER BY key", (slug, END_OF_STORY)
            )
            for key in [row["key"] for row in rows if row["key"] not in panels]:
                connection.execute("DELETE FROM memories WHERE key = ?", (key,))
                done["removed"].append(key)
            for memory in memories:
                done[write_memory(connection, memory)].append(memory.key)
        receipt = Receipt(**{outcome: tuple(keys) for outcome, keys in done.items()})
        _tell(receipt)
        return receipt

    def chapter(self, slug: str) -> int:
        """The story's number in the order of first runs; for a story that was never run, the next one."""
        rows = self._library.rows(
            "SELECT coalesce((SELECT chapter FROM stories WHERE slug = ?),"
            " (SELECT coalesce(max(chapter), 0) + 1 FROM stories)) AS chapter",
            (slug,),
        )
        return rows[0]["chapter"]

    def resolve(self, names: Iterable[str]) -> tuple[str, ...]:
        """Each name once, folded, aliases followed."""
        return resolved(names, known_names(self._library))

    def recall(
        self,
        query: str,
        *,
        who: str | None = None,
        present: Collection[str] = (),
        before: Place | None = None,
        kinds: Collection[Kind] = (),
        k: int = K,
        tokens: int = TOKENS,
    ) -> tuple[Recollection, ...]:
        """Memories that fit a question, best first.

        Args:
            who: recall only what this character saw or heard about; None = the narrator, who
                knows all.
            present: names of those in the scene; what they share comes first among equals.
            before: only what happened before this place of the book.
            kinds: only passages of these kinds; empty = all.
            k: at most so many memories.
            tokens: at most so many tokens of text in all (estimated); texts are cut at sentences.
        Raises:
            StorageError: the disk refuses to read, or to keep vectors of passages that had none yet.
        Deterministic: the clock has no say.
        """
        known = known_names(self._library)
        asked = Asked(
            query=query,
            who=None if who is None else known.get(fold(who), fold(who)),
            present=resolved(present, known),
            before=before,
            newest=self._newest,
            kinds=frozenset(kinds),
        )
        return recall(self._library, self._encoder, asked, k=k, tokens=tokens)

    def memories(
        self, *, who: str | None = None, story: str | None = None, before: Place | None = None
    ) -> tuple[Memory, ...]:
        """Memories in the order of the book; those added by hand by when they were added.

        With `who`, only what that character knows: memories without a passage for it, and passages of others
        in those it has, are left out. With `before`, as a session before that place of the book sees it.
        """
        known = known_names(self._library)
        person = None if who is None else known.get(fold(who), fold(who))
        passages = read_passages(self._library, person)
        found: list[Memory] = []
        for row in self._library.rows(
            "SELECT m.*, coalesce(s.chapter, 0) AS chapter FROM memories m LEFT JOIN stories s"
            " ON s.slug = m.story ORDER BY chapter, page, panel, id"
        ):
            memory = memory_of(row, tuple(passages.get(row["id"], ())))
            hidden = memory.next_session and memory.id > self._newest
            late = before is not None and (memory.place >= before or hidden)
            if memory.passages and story in (None, memory.story) and not late:
                found.append(memory)
        return tuple(found)

    def forget(self, ids: Collection[int]) -> tuple[str, ...]:
        """Remove memories by number; returns the keys of those that were there."""
        removed: list[str] = []
        with self._library.writing() as connection:
            for number in sorted(ids):
                row = connection.execute("SELECT key FROM memories WHERE id = ?", (number,)).fetchone()
                if row is not None:
                    connection.execute("DELETE FROM memories WHERE id = ?", (number,))
                    removed.append(row["key"])
        _tell(Receipt(removed=tuple(removed)))
        return tuple(removed)

    def forget_story(self, slug: str) -> tuple[str, ...]:
        """Remove a story with all its memories: its next run counts as a new last chapter."""
        with self._library.writing() as connection:
            rows = connection.execute("SELECT key FROM memories WHERE story = ? ORDER BY key", (slug,))
            removed = tuple(row["key"] for row in rows)
            connection.execute("DELETE FROM memories WHERE story = ?", (slug,))
            connection.execute("DELETE FROM stories WHERE slug = ?", (slug,))
        _tell(Receipt(removed=removed))
        return removed


def _check(memory: NewMemory) -> None:
    if not any(passage.text.strip() for passage in memory.passages):
        raise ValueError(f"memory {memory.key} has no text; give it some words to remember")
    if not 0 <= memory.importance <= 1:  # also refuses NaN
        raise ValueError(f"memory {memory.key}: importance {memory.importance} is not within 0 to 1")


def _tell(receipt: Receipt) -> None:
    """One line on what was kept, and what was not because it was there already."""
    parts = [
        f"{len(keys)} {outcome}{': ' + ', '.join(keys[:6]) if outcome != 'unchanged' else ''}"
        f"{', …' if outcome != 'unchanged' and len(keys) > 6 else ''}"
        for outcome, keys in (
            ("stored", receipt.stored),
            ("replaced", receipt.replaced),
            ("removed", receipt.removed),
            ("unchanged", receipt.unchanged),
        )
        if keys
    ]
    _log.info("chronicle: %s", "; ".join(parts) or "nothing to keep")
