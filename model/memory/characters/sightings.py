"""Where characters were seen: crops from accepted panels, with similarity and quality.

In: crops by sha256, measurements, vectors with the space they live in. Out: the sightings of a character, the
ones nearest to a picture. A sighting is an offer: it becomes a reference only when a person approves it. What
`add` has returned from survives kill -9.
Knows nothing of encoders, panels' pictures, or which sightings are good enough.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.files import BlobId
from model.memory.panels.cache import Embedding
from model.memory.store.library import Library
from model.memory.store.vectors import VectorIndex

_AT_ONCE = 4096  # vectors read in one go


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSighting:
    """A character seen in an accepted panel.

    Attributes:
        character: its number.
        crop: sha256 of the picture, cut out along its mask.
        panel: key of the panel's request.
        place: for people: "first-light p001_02".
        similarity: cosine with the reference.
        quality: 0 to 1.
    """

    character: int
    crop: BlobId
    panel: str
    place: str
    similarity: float
    quality: float
    embedding: Embedding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A kept sighting. `created`: seconds since 1970, UTC."""

    id: int
    character: int
    crop: BlobId
    panel: str
    place: str
    similarity: float
    quality: float
    created: float


class Sightings:
    """The sightings of one library."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._space: str = ""
        self._index = VectorIndex()
        self._newest: int = 0

    def __len__(self) -> int:
        return self._library.rows("SELECT count(*) AS n FROM sightings WHERE NOT removed")[0]["n"]

    def add(self, sightings: Sequence[NewSighting]) -> int:
        """Keep sightings, all or none; on disk when this returns. The same one again changes nothing.

        Returns:
            How many were new.
        Raises:
            StorageError: the disk refuses; nothing has changed then.
        """
        new = 0
        with self._library.writing() as connection:
            for one in sightings:
                cursor = connection.execute(
                    "INSERT OR IGNORE INTO sightings"
                    " (character, crop, panel, place, similarity, quality, created)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (one.character, one.crop, one.panel, one.place, one.similarity, one.quality, time.time()),
                )
                if not cursor.rowcount:
                    continue
                new += 1
                if one.embedding is not None and cursor.lastrowid is not None:
                    _embed(connection, cursor.lastrowid, one.embedding)
        return new

    def unknown(self, sightings: Sequence[NewSighting]) -> tuple[NewSighting, ...]:
        """Those that were never kept: only they are to be weighed and embedded."""
        return tuple(
            one
            for one in sightings
            if not self._library.rows(
                "SELECT 1 FROM sightings WHERE character = ? AND crop = ? AND panel = ?",
                (one.character, one.crop, one.panel),
            )
        )

    def get(self, number: int) -> Seen | None:
        """The sighting of that number."""
        rows = self._library.rows("SELECT * FROM sightings WHERE id = ? AND NOT removed", (number,))
        return _seen(rows[0]) if rows else None

    def of(self, character: int, most: int = -1) -> tuple[Seen, ...]:
        """A character's sightings, the best picture first. `most`: -1 = all."""
        rows = self._library.rows(
            "SELECT * FROM sightings WHERE character = ? AND NOT removed"
            " ORDER BY quality DESC, similarity DESC, id LIMIT ?",
            (character, most),
        )
        return tuple(map(_seen, rows))

    def remove(self, numbers: Collection[int]) -> int:
        """Take offers away, for good; returns how many there were. A reference made of one stays.

        That they were there is remembered, so that the next run does not offer them again.
        """
        with self._library.writing() as connection:
            sql = "UPDATE sightings SET removed = 1 WHERE id = ? AND NOT removed"
            gone = sum(connection.execute(sql, (number,)).rowcount for number in set(numbers))
            connection.executemany(
                "DELETE FROM sighting_vectors WHERE sighting = ?", [(number,) for number in set(numbers)]
            )
        return gone

    def without_vector(self, space: str) -> tuple[Seen, ...]:
        """Sightings that have no vector in this space: the encoder is new, or none was at hand."""
        rows = self._library.rows(
            "SELECT * FROM sightings s WHERE NOT removed AND NOT EXISTS"
            " (SELECT 1 FROM sighting_vectors v WHERE v.sighting = s.id AND v.space = ?) ORDER BY id",
            (space,),
        )
        return tuple(map(_seen, rows))

    def embed(self, embeddings: Mapping[int, Embedding]) -> None:
        """Give kept sightings vectors, all or none; vectors of other spaces stay."""
        with self._library.writing() as connection:
            for number, embedding in embeddings.items():
                _embed(connection, number, embedding)

    def nearest(self, embedding: Embedding, k: int = 10) -> tuple[tuple[Seen, float], ...]:
        """The k sightings nearest to a picture, with their cosines, best first; exact.

        Only vectors of the same space are compared. The first call reads all of them.
        """
        while True:
            self._refresh(embedding.space)
            found = self._index.nearest(embedding.vector.astype(np.float32), k)
            seen = [(self.get(number), cosine) for number, cosine in found]
            if all(one is not None for one, _ in seen):
                return tuple((one, cosine) for one, cosine in seen if one is not None)
            self._space = ""  # somebody was forgotten since: read all anew

    def _refresh(self, space: str) -> None:
        """Read the vectors that came since, by this process or another; their numbers only grow."""
        if space != self._space:
            self._space = space
            self._index = VectorIndex()
            self._newest = 0
        while rows := self._library.rows(
            "SELECT id, sighting, vector FROM sighting_vectors WHERE space = ? AND id > ?"
            " ORDER BY id LIMIT ?",
            (space, self._newest, _AT_ONCE),
        ):
            vectors = np.frombuffer(b"".join(row["vector"] for row in rows), "<f2").reshape(len(rows), -1)
            self._index.add([row["sighting"] for row in rows], vectors)
            self._newest = rows[-1]["id"]


def _embed(connection: sqlite3.Connection, number: int, embedding: Embedding) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO sighting_vectors (sighting, space, vector) VALUES (?, ?, ?)",
        (number, embedding.space, embedding.vector.tobytes()),
    )


def _seen(row: sqlite3.Row) -> Seen:
    return Seen(**{key: row[key] for key in Seen.__dataclass_fields__})
