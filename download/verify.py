"""Whether files are what they should be: by size and digest, by their name in the cache, by their own header.

In: paths, and what the hub said of them or nothing. Out: `Standing`, what of a source is here, missing or
damaged. Knows no network.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from download.cache import Shelf, is_digest, is_inside
from download.catalog import INDEX, Source

State = Literal["here", "partial", "missing", "damaged"]
_PIECE = 1 << 22
# Longest header that safetensors itself accepts.
_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a file should be: 64 hex digits are a sha256, 40 the name git gives a file of this content."""

    bytes: int
    digest: str


class Digest:
    """The digest of bytes that come in pieces, of the kind that `expected` has."""

    def __init__(self, expected: Expected) -> None:
        self._sum: Any = hashlib.sha256()
        if len(expected.digest) == 40:
            self._sum = hashlib.sha1(b"blob %d\0" % expected.bytes, usedforsecurity=False)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._sum.update(piece)

    def feed_file(self, path: Path) -> int:
        """Take a file's bytes; returns how many."""
        count = 0
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                self.feed(piece)
                count += len(piece)
        return count

    def hex(self) -> str:
        """Of all bytes so far."""
        return self._sum.hexdigest()


def is_whole(path: Path, expected: Expected) -> bool:
    """Whether a file has exactly these bytes; reads all of it when the size fits."""
    if not path.is_file() or path.stat().st_size != expected.bytes:
        return False
    digest = Digest(expected)
    digest.feed_file(path)
    return digest.hex() == expected.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What of a source is on this machine.

    Attributes:
        source: of which.
        folder: the snapshot's folder; None: nothing was ever fetched.
        here, missing: paths, shards among them.
        damaged: path → what is wrong.
        bytes: of what is here.
    """

    source: Source
    folder: Path | None = None
    here: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    damaged: dict[str, str] = field(default_factory=dict[str, str])
    bytes: int = 0

    @property
    def state(self) -> State:
        """In one word."""
        if self.damaged:
            return "damaged"
        if not self.missing:
            return "here"
        return "partial" if self.here else "missing"


def state_of(standings: Iterable[Standing]) -> State:
    """Of several sources together."""
    states: set[State] = {one.state for one in standings}
    if "damaged" in states:
        return "damaged"
    return states.pop() if len(states) == 1 else "partial"


def by_its_looks(path: Path) -> str:
    """What is wrong with a file that is empty, or not as long as its own header says; empty: nothing."""
    size = path.stat().st_size
    if not size:
        return "empty"
    if path.suffix == ".safetensors":
        promised = _promised(path)
        if promised is None:
            return "not a safetensors file"
        if promised != size:
            return f"{size:,} bytes, its header promises {promised:,}"
    if path.suffix == ".gguf":
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                return "not a GGUF file"
    return ""


def by_every_byte(path: Path) -> str:
    """What is wrong with a file whose bytes are not those of the digest that the cache names it by.

    Empty: nothing; one that has no such name is judged by its looks.
    """
    name = path.resolve().name
    if not is_digest(name):
        return by_its_looks(path)
    whole = is_whole(path, Expected(bytes=path.stat().st_size, digest=name))
    return "" if whole else "its bytes are not those of its digest"


def standing_of(source: Source, cache: Path, *, look: Callable[[Path], str] = by_its_looks) -> Standing:
    """Look at what the cache has of a source, without asking the hub.

    Args:
        look: what is wrong with a file; empty: nothing.
    """
    shelf = Shelf(cache, source.repository)
    commit = shelf.commit(source.revision)
    if commit is None:
        return Standing(source=source, missing=source.files)
    folder = shelf.snapshot(commit)
    here: list[str] = []
    missing: list[str] = []
    damaged: dict[str, str] = {}
    total = 0
    wanted = list(source.files)
    for name in wanted:
        path = folder / name
        if not path.is_file():
            missing.append(name)
            continue
        trouble = look(path)
        if not trouble and name.endswith(INDEX):
            try:
                wanted += [shard for shard in shards_of(name, path.read_bytes()) if shard not in wanted]
            except ValueError as error:
                trouble = str(error)
        if trouble:
            damaged[name] = trouble
        else:
            here.append(name)
            total += path.stat().st_size
    return Standing(
        source=source, folder=folder, here=tuple(here), missing=tuple(missing), damaged=damaged, bytes=total
    )


def shards_of(name: str, data: bytes) -> tuple[str, ...]:
    """The paths of the shards that an index lists, beside the index.

    Raises:
        ValueError: it is no index, or it points out of its folder.
    """
    try:
        shards = sorted(set(json.loads(data)["weight_map"].values()))
        if not shards or not all(re.fullmatch(r"[\w.-]+", shard) and is_inside(shard) for shard in shards):
            raise ValueError("it names no shards beside it")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not an index of shards ({error})") from error
    return tuple(posixpath.join(posixpath.dirname(name), shard) for shard in shards)


def _promised(path: Path) -> int | None:
    """How long a safetensors file is by its own header; None: it has no such header."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= min(_LONGEST_HEADER, path.stat().st_size):
            return None
        try:
            header = json.loads(file.read(length))
            ends = [facts["data_offsets"][1] for name, facts in header.items() if name != "__metadata__"]
            return 8 + length + max(ends, default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            return None
