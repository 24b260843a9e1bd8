"""Room on a disk so full that SQLite cannot write: pictures that are to be evicted anyway go first.

In: a library's folder, the limits. Out: bytes freed, enough for SQLite's journal. Their rows stay for the
eviction that follows; a row without its picture counts as none. Reads library.db without writing anything.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Collection
from pathlib import Path

from model.files import storage_errors
from model.memory.panels.eviction import CacheLimits, choose, held_in, named_in

ENOUGH = 1 << 20  # bytes that SQLite needs for its journal and the index of that


def make_way(folder: Path, limits: CacheLimits, *, liked: Collection[str] = ()) -> int:
    """Remove pictures that `evict` would remove, least recently used first, until there is room to write.

    Args:
        liked: as for `evict`.
    Returns:
        The bytes freed; 0 where nothing may go, or the library cannot be read.
    Raises:
        StorageError: the disk refuses to remove them.
    """
    file = folder / "library.db"
    journal = file.with_name(f"{file.name}-wal")
    # Without a journal the file is all there is; with one, SQLite has its index already.
    how = "mode=ro" if journal.exists() and journal.stat().st_size else "immutable=1"
    freed = 0
    try:
        with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?{how}", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            held = held_in(connection, frozenset(liked), time.time() - limits.idle)
            going = set(choose(held, limits))
            staying = {one.blob for one in held if one.key not in going}
            for row in connection.execute("SELECT key, params FROM panels"):
                if row["key"] not in going:
                    staying.update(re.findall("[0-9a-f]{64}", str(row["params"])))
            blobs = dict.fromkeys(one.blob for one in held if one.key in going and one.blob not in staying)
            elsewhere = named_in(connection, set(blobs), besides=("evicted", "panels"))
    except sqlite3.Error:
        return 0
    for blob in blobs:
        path = folder / "blobs" / blob[:2] / blob
        if freed >= ENOUGH:
            break
        if blob not in elsewhere and len(blob) == 64 and blob.isalnum():
            with storage_errors(path):
                if path.is_file():
                    freed += path.stat().st_size
                    path.unlink()
    return freed
