"""What this program made, and what it only found: it deletes and replaces the first, never the second.

In: paths. Out: whether a file says of itself that it is ours; a file of somebody else, moved aside. Every
file that is made here for people to see carries the name of the program in its own format: a text chunk, a
comment, a line. Knows nothing of books and memories.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from model.files import storage_errors

MARK = "AutoStudio"
# In lower case. The others are of files of 0.1.0 that did not name the program: the reader, an EPUB.
_MARKS = (b"autostudio", b'<nav aria-label="pages">', b"book/package.opf")
_HEAD, _TAIL = 1 << 18, 1 << 16  # bytes at either end in which marks stand
_RANDOM = r"[a-z0-9_]{8}"  # what `tempfile` puts into names
_log = logging.getLogger(__name__)


def is_ours(path: Path) -> bool:
    """Whether a file was made by this program, going by what it says; an empty one is nobody's work.

    Raises:
        StorageError: it cannot be read.
    """
    with storage_errors(path), path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        ends = file.read(_HEAD)
        if size > _HEAD:
            file.seek(max(_HEAD, size - _TAIL))
            ends += file.read()
    return not size or any(mark in ends.lower() for mark in _MARKS)


def remove_ours(folder: Path, pattern: str, keep: set[str]) -> tuple[Path, ...]:
    """Remove files directly in a folder that have such a name and are ours; links and folders stay.

    Args:
        pattern: a regular expression for the whole name.
        keep: names that stay.
    Returns:
        What is gone, by name.
    Raises:
        StorageError: the disk refuses.
    """
    gone: list[Path] = []
    with storage_errors(folder):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            named = re.fullmatch(pattern, path.name) and path.name not in keep
            if named and _is_plain(path) and is_ours(path):
                path.unlink()
                gone.append(path)
    return tuple(gone)


def set_aside(path: Path) -> Path | None:
    """Before `path` is written: what stands there and is not ours gets another name, which is said.

    Returns:
        Where it is now; None: there was nothing, or it was ours.
    Raises:
        StorageError: the disk refuses.
    """
    if not path.is_file() or is_ours(path):
        return None
    number, aside = 1, path
    while aside.exists():
        aside = path.with_name(f"{path.stem}.kept-{number}{path.suffix}")
        number += 1
    with storage_errors(aside):
        path.rename(aside)
    _log.warning("note: %s was not made by this program; it is kept as %s", path, aside.name)
    return aside


def leftovers(path: Path) -> tuple[Path, ...]:
    """Temporary files that a killed process left of writing `path`; see `model/files.py` for their names."""
    name = re.compile(rf"\.{re.escape(path.name)}\.{_RANDOM}\.tmp")
    return tuple(sorted(one for one in path.parent.iterdir() if name.fullmatch(one.name) and _is_plain(one)))


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
