"""The panel cache: every panel that was drawn and accepted, under the key of its request.

In: a key, the PNG, and the facts worth keeping. Out: the record, when its picture is there and whole.
Resume, reuse and deduplication are this one look-up. Knows nothing of how a key is made or a panel drawn.
"""

from __future__ import annotations

import json
import logging
import random
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from model.errors import IntegrityError
from model.files import BlobId
from model.memory.store.library import Library

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedding:
    """A picture's place in an encoder's space.

    Attributes:
        space: which encoder and weights made it; vectors of different spaces are never compared.
        vector: (D,) little-endian float16, finite; anything else given is converted or refused.
    """

    space: str
    vector: NDArray[np.float16]

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):
            vector = np.array(self.vector, dtype="<f2")
        if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
            raise ValueError(f"an embedding is a finite vector within float16, got shape {vector.shape}")
        vector.flags.writeable = False
        object.__setattr__(self, "vector", vector)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPanel:
    """A panel to keep.

    Attributes:
        key: sha256 of the request that drew it.
        picture: the PNG's bytes.
        params: what decided the pixels, a JSON object; no NaN, no infinities.
        pinned: exempt from eviction.
        created: seconds since 1970, UTC; None = now.
    """

    key: str
    picture: bytes
    prompt: str
    params: Mapping[str, object]
    embedding: Embedding | None = None
    pinned: bool = False
    created: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelRecord:
    """What is kept of a panel. The picture itself is the library's blob.

    Attributes:
        key: sha256 of the request that drew it.
        blob: the PNG.
        params: what decided the pixels, a JSON object.
        created, last_used: seconds since 1970, UTC.
        pinned: exempt from eviction.
    """

    key: str
    blob: BlobId
    prompt: str
    params: Mapping[str, object]
    embedding: Embedding | None
    created: float
    last_used: float
    pinned: bool


class PanelCache:
    """Look-up by key in one library."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def get(self, key: str) -> PanelRecord | None:
        """The panel drawn for this key, marked as used now; None when there is none.

        A row whose picture is missing or damaged is removed with a note in the log and counts as none, so
        that the panel is drawn again.

        Raises:
            StorageError: the disk refuses.
            IntegrityError: library.db itself is damaged.
        """
        row = self._row(key)
        if row is None:
            return None
        if self._damage(row) is not None:
            return self._drop_damaged(key)
        with self._library.writing() as connection:
            connection.execute("UPDATE panels SET last_used = ? WHERE key = ?", (_moment(connection), key))
        row = self._row(key)
        return None if row is None else _record(row)

    def add(self, panel: NewPanel) -> PanelRecord:
        """Keep one panel; see `add_all`."""
        return self.add_all((panel,))[0]

    def add_all(self, panels: Sequence[NewPanel]) -> tuple[PanelRecord, ...]:
        """Keep panels, all or none; on disk when this returns. Of two panels with one key the first stays.

        Returns:
            What is kept under each key: this panel, or the one that was there before.
        Raises:
            ValueError: `params` holds NaN or an infinity.
            StorageError: the disk refuses; nothing has changed then, except perhaps blobs without rows.
        """
        facts = [json.dumps(dict(panel.params), allow_nan=False, sort_keys=True) for panel in panels]
        blobs = [self._library.store(panel.picture) for panel in panels]
        kept: list[PanelRecord] = []
        with self._library.writing() as connection:
            now = _moment(connection)
            for panel, params, blob in zip(panels, facts, blobs, strict=True):
                # Eviction removes blobs under this same lock: what it took since the line above comes back.
                if not self._library.blob_path(blob).exists():
                    self._library.store(panel.picture)
                before = self._row(panel.key)
                if before is not None and self._damage(before) is None:
                    kept.append(_record(before))
                    continue
                vector, space = (
                    (panel.embedding.vector.tobytes(), panel.embedding.space)
                    if panel.embedding
                    else (None, None)
                )
                connection.execute(
                    "INSERT OR REPLACE INTO panels"
                    " (key, blob, bytes, prompt, params, embedding, space, created, last_used, pinned)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        panel.key,
                        blob,
                        len(panel.picture),
                        panel.prompt,
                        params,
                        vector,
                        space,
                        now if panel.created is None else panel.created,
                        now,
                        int(panel.pinned),
                    ),
                )
                row = self._row(panel.key)
                assert row is not None  # inserted in this very transaction
                kept.append(_record(row))
        return tuple(kept)

    def note(self, key: str, facts: Mapping[str, object]) -> None:
        """Add facts to a kept panel's params, replacing those of the same names; no panel, no change.

        Raises:
            ValueError: `facts` hold NaN or an infinity.
            StorageError: the disk refuses.
        """
        with self._library.writing() as connection:
            row = self._row(key)
            if row is not None:
                params = json.dumps({**_record(row).params, **facts}, allow_nan=False, sort_keys=True)
                connection.execute("UPDATE panels SET params = ? WHERE key = ?", (params, key))

    def embed(self, key: str, embedding: Embedding) -> None:
        """Give a kept panel its place in a space, instead of the one it had; no panel, no change.

        Raises:
            StorageError: the disk refuses.
        """
        with self._library.writing() as connection:
            connection.execute(
                "UPDATE panels SET embedding = ?, space = ? WHERE key = ?",
                (embedding.vector.tobytes(), embedding.space, key),
            )

    def keys(self) -> tuple[str, ...]:
        """Every key, least recently used first."""
        return tuple(
            row["key"] for row in self._library.rows("SELECT key FROM panels ORDER BY last_used, key")
        )

    def get_all(self) -> tuple[PanelRecord, ...]:
        """Every panel, least recently used first; looking at all of them uses none."""
        return tuple(self._readable(self._library.rows("SELECT * FROM panels ORDER BY last_used, key")))

    def get_random(self, rng: random.Random | None = None) -> PanelRecord | None:
        """Some panel whose picture is there, marked as used; None when there is none.

        Args:
            rng: decides which; the same for one state of it and one set of keys.
        """
        keys = sorted(self.keys())
        (rng or random.Random()).shuffle(keys)
        return next((record for key in keys if (record := self.get(key)) is not None), None)

    def pin(self, key: str, *, pinned: bool = True) -> bool:
        """Exempt a panel from eviction, or no longer; False when there is no such panel."""
        with self._library.writing() as connection:
            return bool(
                connection.execute("UPDATE panels SET pinned = ? WHERE key = ?", (int(pinned), key)).rowcount
            )

    def __len__(self) -> int:
        return self._library.rows("SELECT count(*) AS n FROM panels")[0]["n"]

    def _row(self, key: str) -> sqlite3.Row | None:
        found = self._library.rows("SELECT * FROM panels WHERE key = ?", (key,))
        return found[0] if found else None

    def _readable(self, rows: Iterable[sqlite3.Row]) -> Iterator[PanelRecord]:
        for row in rows:
            try:
                yield _record(row)
            except (ValueError, TypeError) as error:
                _log.warning("panel %s is left out: %s", row["key"], error)

    def _damage(self, row: sqlite3.Row) -> str | None:
        """Why this row cannot be used, or None."""
        try:
            self._library.load(row["blob"])
            _record(row)
        except (IntegrityError, ValueError, TypeError) as error:
            return str(error)
        return None

    def _drop_damaged(self, key: str) -> PanelRecord | None:
        # Looked at again under the write lock: another process may have drawn and kept it by now.
        with self._library.writing() as connection:
            row = self._row(key)
            if row is None:
                return None
            damage = self._damage(row)
            if damage is None:
                return _record(row)
            connection.execute("DELETE FROM panels WHERE key = ?", (key,))
        _log.warning("panel %s is drawn again: %s", key, damage)
        return None


def _moment(connection: sqlite3.Connection) -> float:
    """Now, and later than every use before: two uses within one tick of the clock, or after it was set back,
    stay in order."""
    latest: float | None = connection.execute("SELECT max(last_used) FROM panels").fetchone()[0]
    return time.time() if latest is None else max(time.time(), latest + 1e-6)


def _record(row: sqlite3.Row) -> PanelRecord:
    vector, space = row["embedding"], row["space"]
    params = json.loads(row["params"])
    if not isinstance(params, dict):
        raise ValueError(f"params of {row['key']} are no JSON object")
    return PanelRecord(
        key=row["key"],
        blob=row["blob"],
        prompt=row["prompt"],
        params=cast(dict[str, object], params),
        embedding=None if vector is None else Embedding(space=space, vector=np.frombuffer(vector, "<f2")),
        created=row["created"],
        last_used=row["last_used"],
        pinned=bool(row["pinned"]),
    )
