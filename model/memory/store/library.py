"""The library on disk: one SQLite file for facts, and a folder of blobs named by their sha256.

In: bytes and rows. Out: the same, verified, or an error that says what to do. What `store` or `writing`
has returned from survives kill -9 and power loss. Blobs are written before the rows that name them, so a
row never points at nothing. Several processes may use one library at the same time.

Knows nothing of panels, characters or pictures; those rooms keep their own tables in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import sqlite3
import threading
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Self

from model.errors import IntegrityError, StorageError
from model.files import BlobId, storage_errors, write_bytes
from model.memory.store import schema
from model.memory.store.lock import holding

_BUSY_SECONDS = 60.0
_SHA256 = re.compile(r"[0-9a-f]{64}")

_REFUSED = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run the same command again",
    sqlite3.SQLITE_READONLY: "it is read-only; choose another --library, or change its permissions",
    sqlite3.SQLITE_PERM: "permission denied; choose another --library, or change its permissions",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; choose another folder with --library, or mend the path",
    sqlite3.SQLITE_IOERR: "the disk refused to read or write; check its space and health and run again",
    sqlite3.SQLITE_BUSY: f"another process has held it for {_BUSY_SECONDS:.0f} s; wait for it or stop it",
    sqlite3.SQLITE_LOCKED: "another part of the run is writing to it; run the same command again",
    sqlite3.SQLITE_NOLFS: "the disk does not take files this large; choose another folder with --library",
    sqlite3.SQLITE_PROTOCOL: "its locks do not work here (a network disk?); choose a local --library",
}
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)


@contextlib.contextmanager
def _translated(path: Path) -> Generator[None]:
    """Turn SQLite's errors about the disk and the file into ours; errors in our own SQL pass unchanged."""
    try:
        yield
    except sqlite3.Error as error:
        # Python's own complaint about text that is not UTF-8 carries no code.
        undecodable = isinstance(error, sqlite3.OperationalError) and not hasattr(error, "sqlite_errorcode")
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if undecodable or code in _DAMAGED:
            raise _damaged(path, str(error)) from error
        if code in _REFUSED:
            raise StorageError(f"cannot use {path}: {_REFUSED[code]} ({error})") from error
        raise


def _damaged(path: Path, found: str) -> IntegrityError:
    return IntegrityError(
        f"{path} is damaged ({found}); put a backup in its place, or move it, {path.name}-wal and "
        f"{path.name}-shm away: the panels are then drawn again"
    )


class Library:
    """One open library. Threads may share it; a process forked from this one must open its own."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        """Use `Library.open`."""
        self.folder = folder
        self.file = folder / "library.db"
        self._connection = connection
        self._lock = threading.RLock()

    @classmethod
    def open(cls, folder: Path) -> Library:
        """Open the library in `folder`, making folder and library when there is none.

        Raises:
            StorageError: the disk is full, read-only or out of reach, or the path is not a folder.
            IntegrityError: library.db is damaged, not a library, or a newer version's.
        """
        file = folder / "library.db"
        # Every opening takes the lock: the switch of a new file to WAL races, and so would two migrations.
        with holding(folder / "library.lock"), _translated(file):
            if not file.exists():
                _create(file)
            connection = _connect(file)
            try:
                if schema.version(connection, file) < len(schema.STEPS):
                    schema.migrate(connection)
                if found := schema.mistyped(connection):
                    raise _damaged(file, found)
            except BaseException:
                connection.close()
                raise
        return cls(folder, connection)

    @contextlib.contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """One transaction: durable when the body has ended, undone when it raises.

        Raises:
            StorageError: the disk refuses, or another process holds the library too long.
            IntegrityError: the file turned out to be damaged.
        """
        with self._lock, _translated(self.file):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has already rolled back after some errors; the first error is the one to tell.
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """All rows of a SELECT. Raises as `writing` does."""
        with self._lock, _translated(self.file):
            return self._connection.execute(sql, parameters).fetchall()

    def blob_path(self, blob: BlobId) -> Path:
        """Where the blob of that name lies, or would.

        Raises:
            IntegrityError: `blob` is not 64 lower-case hex digits.
        """
        if not _SHA256.fullmatch(blob):
            raise IntegrityError(
                f"{self.folder}: {blob!r} is not the name of a blob (64 lower-case hex digits); "
                "the row that names it is damaged and can be removed"
            )
        return self.folder / "blobs" / blob[:2] / blob

    def store(self, data: bytes) -> BlobId:
        """Keep `data` and return its name; on disk when this returns. Storing the same bytes again is free.

        Raises:
            StorageError: the disk is full, read-only or out of reach.
        """
        blob = BlobId(hashlib.sha256(data).hexdigest())
        path = self.blob_path(blob)
        # Comparing, not only looking whether it is there, mends a damaged blob.
        if self._read(path) != data:
            write_bytes(path, data)
        return blob

    def load(self, blob: BlobId) -> bytes:
        """The bytes stored under `blob`, checked against it.

        Raises:
            IntegrityError: the blob is missing or its bytes have changed.
            StorageError: the disk refuses to read.
        """
        path = self.blob_path(blob)
        data = self._read(path)
        if data is None:
            raise IntegrityError(f"{path} is missing; put it back, or draw what it held again")
        found = hashlib.sha256(data).hexdigest()
        if found != blob:
            raise IntegrityError(
                f"{path} is damaged (its sha256 is {found}); "
                "put a backup in its place, or draw what it held again"
            )
        return data

    def close(self) -> None:
        """Close the file; the library cannot be used after. Closing twice does nothing."""
        with self._lock, _translated(self.file):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @staticmethod
    def _read(path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(
                f"cannot read {path}: {error.strerror or error}; mend the disk or choose another --library"
            ) from error


def _create(file: Path) -> None:
    """Build a new library beside `file` and move it into place, so that `file` is whole whenever it exists.

    An empty or half-written library.db is therefore always damage, never a creation that was killed.
    """
    leftover = file.with_name(f"{file.name}-wal")
    if leftover.exists() and leftover.stat().st_size:
        # SQLite would replay this journal of another file into the new one.
        raise IntegrityError(
            f"{file} is missing but its journal {leftover.name} is there; put library.db back, "
            "or move the journal away to start a new library"
        )
    draft = file.with_name(f"{file.name}.new")
    with storage_errors(file):
        if draft.exists() and not _is_draft(draft):
            raise StorageError(f"{draft}: not a library that was begun; move it away")
        for path in (draft, *(file.with_name(f"{draft.name}{end}") for end in ("-wal", "-shm", "-journal"))):
            path.unlink(missing_ok=True)
    schema.create(draft)
    # write_bytes syncs file and folder; a new library is a few pages long.
    write_bytes(file, draft.read_bytes())
    with storage_errors(file):
        draft.unlink()


def _is_draft(path: Path) -> bool:
    """Whether a file can be what a killed creation left: empty, or begun as SQLite begins its files."""
    magic = b"SQLite format 3\0"
    with path.open("rb") as opened:
        start = opened.read(len(magic))
    return not start.strip(b"\0") or start == magic


def _connect(file: Path) -> sqlite3.Connection:
    """Open an existing file and check its structure (0.07 s for 100 000 panels)."""
    # mode=rw: SQLite must not make an empty file in place of one that vanished.
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")  # NORMAL loses the last commits in WAL
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cell_size_check = ON")
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise _damaged(file, " ".join(str(found).split()))
    except BaseException:
        connection.close()
        raise
    return connection
