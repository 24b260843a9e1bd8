"""Files that appear whole or not at all: temp + fsync + rename, and plain words when the disk refuses."""

from __future__ import annotations

import contextlib
import errno
import filecmp
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NewType

from model.errors import StorageError

# Names bytes in a library: their sha256 in hex; empty = none.
BlobId = NewType("BlobId", str)
NO_BLOB = BlobId("")

_DENIED = "permission denied; choose another folder with --out or --library, or change its permissions"
_REASONS = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up; free some space and run the same command again",
    errno.EROFS: "the file system is read-only; choose another folder with --out or --library",
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another folder",
    errno.EEXIST: "a file stands where a folder is needed; choose another folder",
}


def cache_folder() -> Path:
    """Where this user's cache is: $AUTOSTUDIO_CACHE, else `autostudio` in $XDG_CACHE_HOME or ~/.cache.

    What is in it can be made again; a process that cannot write there goes without.
    """
    if said := os.environ.get("AUTOSTUDIO_CACHE", "").strip():
        return Path(said).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME", "").strip() or "~/.cache"
    return Path(caches).expanduser() / "autostudio"


@contextlib.contextmanager
def storage_errors(where: Path | str) -> Iterator[None]:
    """Turn an OSError raised inside into a StorageError that names `where` and says what to do."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise StorageError(f"cannot write {where}: {reason}") from error


@contextlib.contextmanager
def replacing(path: Path, *, keep_same: bool = False) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; on leaving, fsync it and rename it to `path`.

    When the body raises, the temporary file is removed and `path` stays as it was. With `keep_same` it also
    stays, untouched, when it holds the same bytes already. The file's `name` is its path, for libraries that
    write to paths only.

    Raises:
        StorageError: the folder cannot be made, or the disk refuses the bytes.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            with temporary.open("r+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if keep_same and path.is_file() and filecmp.cmp(temporary, path, shallow=False):
                temporary.unlink()
                return
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)


def write_bytes(path: Path, data: bytes, *, keep_same: bool = False) -> None:
    """Write `data` so that `path` holds either what it held before or all of it.

    With `keep_same` a file that holds `data` already is left alone.
    """
    with storage_errors(path):
        if keep_same and path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    with replacing(path) as file:
        file.write(data)


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make a rename durable. Windows has no folder handles to sync and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def mistaken_for(path: Path) -> str:
    """What a file is that was taken for weights: a Git LFS pointer, a web page, …; "" when nothing is known.

    Fetching with git but without git-lfs leaves the first, fetching where one has to log in the second.
    """
    with path.open("rb") as file:
        start = file.read(512)
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a Git LFS pointer, not the file itself; run `git lfs pull` where it came from, or download it"
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<script", b"<!--")):
        return "a web page, not the file itself; log in where it came from, or download it again"
    refusals = b"invalid username or password", b"access to model", b"entry not found", b"not found"
    if text.startswith(refusals):
        return "the answer of a server that refused it; log in there, and download it again"
    if not start:
        return "empty; download it again"
    if start.startswith(b"PK\x03\x04"):
        return "a zip archive, as PyTorch writes its files; safetensors is expected"
    # A safetensors file may begin so too; its header follows the eight bytes of its length.
    if start.startswith(b"\x80") and start[8:9] != b"{":
        return "a pickle, as old PyTorch writes its files; safetensors is expected"
    return ""
