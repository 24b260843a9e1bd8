"""A lock between processes: held while the body runs, released by the system when the process dies.

In: the path of a lock file, made when absent and left in place, empty. Knows nothing of what it protects.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Generator
from pathlib import Path

from model.files import storage_errors

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        # LK_LOCK gives up after ten seconds; this waits like flock does.
        while True:
            try:
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            except PermissionError:
                time.sleep(0.02)
            else:
                return
else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX)


@contextlib.contextmanager
def holding(path: Path) -> Generator[None]:
    """Hold the lock file at `path`, waiting for whoever has it.

    Raises:
        StorageError: the folder cannot be made, the disk is read-only, or it knows no locks.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with storage_errors(path):
            _lock(handle)
        yield
    finally:
        # Closing releases it on every system.
        os.close(handle)
