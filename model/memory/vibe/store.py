"""The vibe memory's file on disk: whole or as it was, one writer at a time, never silently empty.

In: contents. Out: the same, or an error that says what to do. What `changed` has returned from survives kill
-9 and power loss: temp + fsync + rename under a lock file, with the last good file kept as `.bak`. Several
processes may use one file at the same time. Knows nothing of scores and pictures.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from model.errors import ConfigError, IntegrityError, StorageError
from model.files import storage_errors, write_bytes
from model.memory.store.lock import holding
from model.memory.vibe.entries import Contents, merged
from model.memory.vibe.formats import write
from model.memory.vibe.parsing import Parsed, damaged, parse
from model.memory.vibe.salvage import salvage
from model.ours import leftovers

MOST_BYTES = 512 << 20  # of a file: 100 000 memories in plain numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What `Store.repair` did.

    Attributes:
        needed: False = nothing was damaged and nothing has changed.
        salvaged: memories read from the damaged file.
        from_backup: memories that only the `.bak` had.
        kept_as: where the damaged file lies now; None = there was none.
    """

    needed: bool
    salvaged: int = 0
    from_backup: int = 0
    kept_as: Path | None = None


class Store:
    """One file. Threads and processes may each have their own store of it."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError when the path cannot be that of a file."""
        if not path.name or path.name in (".", "..") or path.is_dir():
            raise ConfigError(f"{path}: a folder, expected the file of a vibe memory; name one, as vibe.json")
        self.path = path
        self.backup = path.with_name(f"{path.name}.bak")
        self._lock = path.with_name(f"{path.name}.lock")
        self._seen: tuple[int, int, int] | None = None
        self._parsed = Parsed(contents=Contents(), version=2, complaints=(), skipped=0)

    def read(self) -> Parsed:
        """What the file holds now; read again only when it has changed. No file: empty contents.

        Raises:
            IntegrityError: the file is damaged, or missing while its `.bak` is there.
            StorageError: the disk refuses to read.
        """
        seen = self._signature()
        if seen is None:
            if self.backup.exists():
                raise IntegrityError(
                    f"{self.path} is missing but its {self.backup.name} is there; 'run.py vibe repair' takes "
                    "that, or delete both to start anew"
                )
            if self._seen is not None:
                self._parsed, self._seen = (
                    Parsed(contents=Contents(), version=2, complaints=(), skipped=0),
                    None,
                )
        elif seen != self._seen:
            self._parsed, self._seen = parse(read_text(self.path), str(self.path)), seen
        return self._parsed

    def changed(self, change: Callable[[Contents], Contents]) -> Contents:
        """Apply `change` to what the file holds and write it; on disk when this returns.

        Raises:
            IntegrityError, StorageError: see `read`; also when the disk refuses to write. The file is then as
                it was.
        """
        with holding(self._lock):
            before = self.read().contents
            after = change(before)
            if after is not before or self._seen is None:
                self._replace(after)
            return self._parsed.contents

    def repair(self) -> Repair:
        """Put together what the damaged file and its `.bak` still hold; the damaged file is kept.

        Raises:
            IntegrityError: there is nothing to take anything from.
            StorageError: the disk refuses.
        """
        with holding(self._lock):
            try:
                self.read()
            except IntegrityError:
                pass
            else:
                return Repair(needed=False)
            found = salvage(read_text(self.path, strict=False)) if self.path.exists() else ()
            backup = self._read_backup()
            if not found and backup is None:
                raise IntegrityError(
                    f"{self.path}: no memory can be read from it, and there is no good {self.backup.name}; "
                    "put an export or a copy of your own in its place, or move the file away to start anew"
                )
            rest = backup or Contents()
            memories, added = merged(found, rest.memories)
            kept_as = None
            if self.path.exists():
                stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
                kept_as = _free(self.path.with_name(f"{self.path.name}.damaged-{stamp}"))
                with storage_errors(kept_as):
                    shutil.copyfile(self.path, kept_as)
            self._write(replace(rest, memories=memories))
            return Repair(needed=True, salvaged=len(found), from_backup=added, kept_as=kept_as)

    def _replace(self, contents: Contents) -> None:
        """Keep the file that was just read as `.bak`, then write the new one."""
        # Under the lock no other writer is at work: these files are of a writer that was killed.
        for leftover in leftovers(self.path):
            with contextlib.suppress(OSError):
                leftover.unlink()
        if self.path.exists():
            draft = self.path.with_name(f".{self.backup.name}.link.tmp")
            with storage_errors(self.backup):
                try:
                    os.link(self.path, draft)
                except OSError:  # a disk without hard links
                    shutil.copyfile(self.path, draft)
                draft.replace(self.backup)
                # Renaming one name of a file onto another of the same file leaves both.
                draft.unlink(missing_ok=True)
        self._write(contents)

    def _write(self, contents: Contents) -> None:
        # In the order in which it will be read again.
        contents = replace(contents, memories=tuple(sorted(contents.memories, key=lambda one: not one.liked)))
        write_bytes(self.path, write(contents).encode())
        # In this order: a thread that reads in between reads the file again.
        self._parsed = Parsed(contents=contents, version=2, complaints=(), skipped=0)
        self._seen = self._signature()

    def _read_backup(self) -> Contents | None:
        try:
            return parse(read_text(self.backup), str(self.backup)).contents if self.backup.exists() else None
        except IntegrityError:
            return None

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return facts.st_ino, facts.st_mtime_ns, facts.st_size


def read_text(path: Path, *, strict: bool = True) -> str:
    """The text of a vibe memory file.

    Raises:
        IntegrityError: it is not UTF-8, if `strict`.
        StorageError: the disk refuses to read, or there is no such file.
    """
    try:
        with path.open("rb") as file:
            # A device has no end, and no memory of likes is as large as this.
            data = file.read(MOST_BYTES + 1) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
        if data is None or len(data) > MOST_BYTES:
            found = "no plain file" if data is None else f"more than {MOST_BYTES >> 20} MB"
            raise damaged(str(path), found)
        return data.decode("utf-8", errors="strict" if strict else "replace")
    except UnicodeDecodeError as error:
        raise damaged(str(path), "not text in UTF-8") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _free(path: Path) -> Path:
    number = 1
    free = path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _unreadable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"cannot read {path}: {error.strerror or error}; mend the path or choose another file"
    )
