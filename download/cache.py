"""Where files lie on this machine: the cache of huggingface_hub, read by its documented layout.

    models--ORG--NAME/blobs/<sha256 or git sha1>     the bytes, named by what they are
    models--ORG--NAME/refs/main                      the commit that a branch was at
    models--ORG--NAME/snapshots/<commit>/<path>      links to blobs, or the files where links cannot be made

In: a folder. Out: paths. Knows no network; writes a ref, nothing else.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from model.errors import IntegrityError
from model.files import write_bytes

PARTIAL = ".incomplete"


def default_cache() -> Path:
    """The cache that HF_HUB_CACHE and HF_HOME name, by huggingface_hub's own rule."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def is_digest(text: object) -> bool:
    """Whether this is a sha256, or a git sha1: what may become the name of a file in the cache."""
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text) is not None


def is_inside(path: object) -> bool:
    """Whether this is a path below a folder on every system: no root, no drive, no way up, no empty part."""
    return (
        isinstance(path, str)
        and len(path.encode("utf-8", "replace")) < 1000
        and not re.search(r'[\\:\0-\x1f\ud800-\udfff<>"|?*]', path)
        and all(part.strip(". ") and len(part) < 250 for part in path.split("/"))
    )


@dataclass(frozen=True, slots=True)
class Shelf:
    """One repository's folder in a cache."""

    cache: Path
    repository: str

    @property
    def folder(self) -> Path:
        """Where all of it lies."""
        return self.cache / ("models--" + self.repository.replace("/", "--"))

    def blob(self, digest: str) -> Path:
        """Where bytes of this digest lie when they are whole.

        Raises:
            IntegrityError: it is none; no other name becomes a path.
        """
        return self.folder / "blobs" / _checked(digest)

    def partial(self, digest: str) -> Path:
        """Where they lie while they come in."""
        return self.folder / "blobs" / (_checked(digest) + PARTIAL)

    def snapshot(self, commit: str) -> Path:
        """The files as the repository had them at a commit."""
        return self.folder / "snapshots" / commit

    def commit(self, revision: str) -> str | None:
        """The commit that a branch or tag was at when it was last fetched; None: never."""
        try:
            kept = (self.folder / "refs" / revision).read_text(encoding="utf-8").strip()
            return kept if is_digest(kept) else None
        except (OSError, ValueError):
            return revision if self.snapshot(revision).is_dir() else None

    def remember(self, revision: str, commit: str) -> None:
        """From now on, `revision` is this commit to every reader of the cache."""
        if self.commit(revision) != commit:
            write_bytes(self.folder / "refs" / revision, commit.encode())

    def size(self, digest: str) -> int:
        """Bytes of a partial file; 0: there is none."""
        try:
            return os.stat(self.partial(digest)).st_size
        except OSError:
            return 0


def _checked(digest: str) -> str:
    if not is_digest(digest):
        raise IntegrityError(f"{digest[:80]!r}: 40 or 64 hex digits expected; is HF_ENDPOINT a hub?")
    return digest
