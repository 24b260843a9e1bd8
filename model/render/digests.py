"""sha256 of large files, computed once: 24 GB are not read again at every start.

In: a path. Out: the hex digest of its bytes. A digest is remembered by path, size and time of change, in one
JSON file: `sha256.json` in $AUTOSTUDIO_CACHE, by default ~/.cache/autostudio (under $XDG_CACHE_HOME where
that is set). Where that cannot be written, each start reads everything. Knows nothing of weights.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from model.errors import IntegrityError, StorageError
from model.files import cache_folder, sha256_of, write_bytes

SMALL = 1 << 20  # bytes; below that a file is read each time


def memory_file() -> Path:
    """Where digests are remembered."""
    return cache_folder() / "sha256.json"


def digests(files: Mapping[str, Path], *, say: Callable[[str], None] | None = None) -> dict[str, str]:
    """The sha256 of each file, by its label.

    Args:
        say: told before gigabytes are read.
    Raises:
        IntegrityError: the hub's cache names a file by another digest than its bytes have.
        FileNotFoundError: a file is not there.
    """
    known = _remembered()
    found: dict[str, str] = {}
    new: dict[str, list[object]] = {}
    marks = {label: _mark(path) for label, path in files.items()}
    unread = [label for label, (place, *facts) in marks.items() if known.get(place, [])[:2] != facts]
    large = sum(size for label in unread if (size := marks[label][1]) > SMALL)
    if say is not None and large >= 1 << 30:
        say(f"reading {large / 2**30:.1f} GiB of weights once, to know them by their content")
    for label, path in files.items():
        place, size, changed = marks[label]
        if label not in unread:
            found[label] = str(known[place][2])
            continue
        found[label] = sha256_of(path)
        _check_blob(path, found[label])
        if size > SMALL:
            new[place] = [size, changed, found[label]]
    if new:
        with contextlib.suppress(StorageError):
            write_bytes(memory_file(), json.dumps({**_remembered(), **new}, indent=0).encode())
    return found


def _mark(path: Path) -> tuple[str, int, int]:
    real = path.resolve()
    facts = real.stat()
    return str(real), facts.st_size, facts.st_mtime_ns


def _remembered() -> dict[str, list[object]]:
    """What the memory holds; a file that is not one is as good as none: it is written anew."""
    try:
        known = json.loads(memory_file().read_text(encoding="utf-8"))
        return {str(place): list(facts) for place, facts in known.items() if len(facts) == 3}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}


def _check_blob(path: Path, found: str) -> None:
    """Large files of the hub's cache are called by their sha256."""
    name = path.resolve().name
    if path.is_symlink() and re.fullmatch(r"[0-9a-f]{64}", name) and name != found:
        raise IntegrityError(
            f"{path}: sha256 {found[:12]}…, expected {name[:12]}…; "
            f"delete {path.resolve()} and download it again"
        )
