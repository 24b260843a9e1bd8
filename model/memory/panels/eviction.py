"""Makes room in the panel cache: the least recently used panels are evicted until it is within its limits.

In: limits, and what the reader likes. Out: what went. Liked, pinned and book panels stay, and so do panels
in use; enlarged pictures go before the drawn one they came from. Rows go first, in one transaction that also
notes their blobs; blobs go in a second one, and only those that no row of any table still names. A process
that is killed in between leaves files too many, never too few, and the next eviction removes them.

Knows nothing of how panels are drawn or why they are liked.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from model.files import BlobId, storage_errors
from model.memory.store.library import Library

_log = logging.getLogger(__name__)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLimits:
    """How large the panel cache may be.

    Attributes:
        entries: panels, at most.
        bytes: of their pictures, at most; a picture that several panels share counts once.
        idle: seconds for which a panel must not have been used before it may go: a run that is drawing keeps
            what it has drawn.
    """

    entries: int = 100_000
    bytes: int = 20_000_000_000
    idle: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One panel as eviction sees it.

    Attributes:
        used: seconds since 1970.
        source: sha256 of the drawn picture that this one enlarges; empty for a drawn one.
        exempt: it stays whatever the limits say.
    """

    key: str
    blob: BlobId
    bytes: int
    used: float
    source: str = ""
    exempt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Evicted:
    """What an eviction did.

    Attributes:
        keys: of the panels that went, in that order.
        freed: bytes of the files that were removed.
        entries, bytes: what is left.
        exempt: how many of those may not go.
        over: it is still over its limits, because the rest may not go.
    """

    keys: tuple[str, ...]
    freed: int
    entries: int
    bytes: int
    exempt: int
    over: bool

    def __str__(self) -> str:
        summary = f"panel cache: {len(self.keys)} panels evicted, {_mb(self.freed)} MB freed; "
        summary += f"{self.entries} panels, {_mb(self.bytes)} MB left"
        return summary + (
            f"; over its limits: {self.exempt} of them are exempt or in use" if self.over else ""
        )


def evict(library: Library, limits: CacheLimits, *, liked: Collection[str] = ()) -> Evicted:
    """Bring the panel cache within `limits`, or as near as the exempt panels let it.

    Args:
        liked: keys of panels, or sha256s of pictures, that the reader likes.
    Raises:
        StorageError: the disk refuses; nothing that is still named has gone.
    """
    entries, size = _measure(library)
    if entries <= limits.entries and size <= limits.bytes:
        freed = _remove_blobs(library)
        return Evicted(keys=(), freed=freed, entries=entries, bytes=size, exempt=0, over=False)
    with library.writing() as connection:
        held = held_in(connection, frozenset(liked), time.time() - limits.idle)
        going = choose(held, limits)
        for key in going:
            row = connection.execute("SELECT blob, params FROM panels WHERE key = ?", (key,)).fetchone()
            named = {row["blob"], *_SHA256.findall(row["params"])}
            connection.executemany("INSERT OR IGNORE INTO evicted VALUES (?)", [(blob,) for blob in named])
            connection.execute("DELETE FROM panels WHERE key = ?", (key,))
    freed = _remove_blobs(library)
    entries, size = _measure(library)
    done = Evicted(
        keys=going,
        freed=freed,
        entries=entries,
        bytes=size,
        exempt=sum(1 for one in kept_whatever(held) if one not in set(going)),
        over=entries > limits.entries or size > limits.bytes,
    )
    _log.info("%s", done)
    return done


def choose(held: Sequence[Held], limits: CacheLimits) -> tuple[str, ...]:
    """The keys that have to go, in order: least recently used first, enlargements before their source. Pure.

    `limits.idle` is not looked at: who calls has exempted what is in use.
    """
    exempt = kept_whatever(held)
    order = sorted((one for one in held if one.key not in exempt), key=lambda one: (one.used, one.key))
    copies: defaultdict[str, int] = defaultdict(int)
    enlarged: defaultdict[str, list[Held]] = defaultdict(list)
    for one in held:
        copies[one.blob] += 1
    for one in order:
        if one.source:
            enlarged[one.source].append(one)
    entries, size = len(held), sum({one.blob: one.bytes for one in held}.values())
    gone: dict[str, None] = {}
    for oldest in order:
        for one in (*(large for large in enlarged[oldest.blob] if large.key != oldest.key), oldest):
            if entries <= limits.entries and size <= limits.bytes:
                return tuple(gone)
            if one.key in gone:
                continue
            gone[one.key] = None
            entries -= 1
            copies[one.blob] -= 1
            if not copies[one.blob]:
                size -= one.bytes
    return tuple(gone)


def kept_whatever(held: Sequence[Held]) -> frozenset[str]:
    """Keys of the exempt panels, and of those that exempt enlargements came from."""
    drawn: defaultdict[str, list[Held]] = defaultdict(list)
    for one in held:
        drawn[one.blob].append(one)
    kept: set[str] = set()
    waiting = [one for one in held if one.exempt]
    while waiting:
        one = waiting.pop()
        if one.key not in kept:
            kept.add(one.key)
            waiting += drawn.get(one.source, [])
    return frozenset(kept)


def held_in(connection: sqlite3.Connection, liked: frozenset[str], busy_since: float) -> list[Held]:
    """Every panel as eviction sees it."""
    shown = {row["blob"] for row in connection.execute("SELECT DISTINCT blob FROM book_pictures")}
    rows = connection.execute(
        "SELECT key, blob, bytes, last_used, pinned,"
        " CASE WHEN json_valid(params) THEN json_extract(params, '$.enlarged') END AS source FROM panels"
    )
    return [
        Held(
            key=row["key"],
            blob=row["blob"],
            bytes=row["bytes"],
            used=row["last_used"],
            source=row["source"] if isinstance(row["source"], str) else "",
            exempt=bool(row["pinned"])
            or row["blob"] in shown
            or row["last_used"] > busy_since
            or not liked.isdisjoint((row["key"], row["blob"])),
        )
        for row in rows
    ]


def _measure(library: Library) -> tuple[int, int]:
    """How many panels there are, and the bytes of their pictures."""
    row = library.rows(
        "SELECT (SELECT count(*) FROM panels) AS entries,"
        " (SELECT sum(most) FROM (SELECT max(bytes) AS most FROM panels GROUP BY blob)) AS bytes"
    )[0]
    return row["entries"], row["bytes"] or 0


def _remove_blobs(library: Library) -> int:
    """Remove what evictions noted, this one's and those that were killed; returns the bytes freed.

    Under the write lock: a panel that is added now either names its blob already, or stores it again.
    """
    if not library.rows("SELECT 1 FROM evicted LIMIT 1"):
        return 0
    freed = 0
    with library.writing() as connection:
        noted = {row["blob"] for row in connection.execute("SELECT blob FROM evicted")}
        for blob in noted - named_in(connection, noted):
            path = library.blob_path(blob)
            with storage_errors(path):
                if path.exists():
                    freed += path.stat().st_size
                    path.unlink()
        connection.execute("DELETE FROM evicted")
    return freed


def named_in(
    connection: sqlite3.Connection, blobs: set[str], besides: Collection[str] = ("evicted",)
) -> set[str]:
    """Those of `blobs` that stand in some text of another table: whatever names a blob may still need it."""
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table'"
        " AND name NOT LIKE 'sqlite~_%' ESCAPE '~' AND sql NOT LIKE 'CREATE VIRTUAL%'"
    ).fetchall()
    found: set[str] = set()
    for table in (name for (name,) in tables if name not in besides):
        columns = [
            row["name"]
            for row in connection.execute(f'PRAGMA table_info("{table}")')
            if row["type"] == "TEXT" and (table, row["name"]) != ("panels", "key")
        ]
        for column in columns:
            for (text,) in connection.execute(f'SELECT "{column}" FROM "{table}"'):
                if isinstance(text, str) and len(text) >= 64:
                    found.update(blobs.intersection(_SHA256.findall(text)))
    return found


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f}"
