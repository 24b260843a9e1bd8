"""The panel cache in the words of the `cache_index.json` format: entries with an id, a picture and a prompt.

In: picture files and what is known of them. Out: `CacheEntry` values, whose pictures are the library's blobs.
Knows nothing of requests: an id is whatever names a panel, a request's key or another tool's.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from model.errors import ConfigError
from model.files import storage_errors
from model.memory.panels.cache import Embedding, NewPanel, PanelCache, PanelRecord
from model.memory.store.library import Library
from model.pictures import BadPicture, read_picture


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CacheEntry:
    """One kept picture.

    Attributes:
        cache_id: names it in the cache.
        image_path: the picture's file, inside the library; read it, never change it.
        prompt: what was asked for.
        generation_params: what decided the pixels, a JSON object.
        embedding: its place in an encoder's space, if it was embedded.
        timestamp: when it was made, ISO 8601 in UTC.
    """

    cache_id: str
    image_path: Path
    prompt: str
    generation_params: Mapping[str, object]
    embedding: Embedding | None
    timestamp: str


class CacheEntries:
    """The panel cache of one library, entry by entry."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._cache = PanelCache(library)

    def add(
        self,
        image_path: Path,
        prompt: str,
        generation_params: Mapping[str, object],
        embedding: Embedding | None = None,
        *,
        cache_id: str = "",
        timestamp: str = "",
    ) -> CacheEntry:
        """Keep a copy of a picture; on disk when this returns. What is kept under its id already stays.

        Args:
            cache_id: default: made of the picture and what is said of it: adding twice is adding once.
            timestamp: ISO 8601; without a zone it is taken for UTC; default: now.
        Raises:
            ConfigError: the file is no picture, or the timestamp no time.
            ValueError: `generation_params` holds NaN or an infinity.
            StorageError: the disk refuses.
        """
        created = seconds_of(timestamp) if timestamp else None
        with storage_errors(image_path):
            data = image_path.read_bytes()
        check_picture(data, image_path)
        if not cache_id:
            facts = repr((hashlib.sha256(data).hexdigest(), prompt, sorted(generation_params.items())))
            cache_id = hashlib.sha256(f"entry {facts}".encode()).hexdigest()
        return self._entry(
            self._cache.add(
                NewPanel(
                    key=cache_id,
                    picture=data,
                    prompt=prompt,
                    params=generation_params,
                    embedding=embedding,
                    created=created,
                )
            )
        )

    def get(self, cache_id: str) -> CacheEntry | None:
        """The entry of that id, marked as used now; None when there is none, or its picture is damaged."""
        record = self._cache.get(cache_id)
        return None if record is None else self._entry(record)

    def get_all(self) -> tuple[CacheEntry, ...]:
        """Every entry, least recently used first; looking at all of them uses none."""
        return tuple(self._entry(record) for record in self._cache.get_all())

    def get_random(self, rng: random.Random | None = None) -> CacheEntry | None:
        """Some entry, marked as used; None when there is none. `rng` decides which."""
        record = self._cache.get_random(rng)
        return None if record is None else self._entry(record)

    def _entry(self, record: PanelRecord) -> CacheEntry:
        return CacheEntry(
            cache_id=record.key,
            image_path=self._library.blob_path(record.blob),
            prompt=record.prompt,
            generation_params=record.params,
            embedding=record.embedding,
            timestamp=datetime.fromtimestamp(record.created, UTC).isoformat(),
        )


def seconds_of(timestamp: str) -> float:
    """ISO 8601 as seconds since 1970; without a zone it is taken for UTC.

    Raises:
        ConfigError: it is no time.
    """
    try:
        moment = datetime.fromisoformat(timestamp)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"timestamp: {timestamp[:40]!r} found; ISO 8601 expected, such as 2026-11-21T09:15:00"
        ) from error


def check_picture(data: bytes, path: Path) -> None:
    """Raises ConfigError unless these bytes are a whole picture."""
    try:
        read_picture(data)
    except BadPicture as bad:
        raise ConfigError(f"{path}: no whole picture ({bad.found}); {bad.advice}") from bad
