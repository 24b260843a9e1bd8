"""Sources, fetched: every file whole, checked and in its place, and nothing fetched twice.

    ask      each repository: which commit, which files, how long, which digest; whether it is open to us
    plan     indexes first, for they name the shards; then what is missing, and whether the disk has room
    receive  a file's bytes, appended to those of an interrupted call; digest; rename
    link     a link shows the file where diffusers and transformers look

In: sources and a cache folder. Out: `Fetched`. Bytes come over plain HTTP with ranges, since the client's own
download begins every file anew after an interruption (huggingface_hub 2.4); the places are the client's. Two
processes that want one file wait for each other.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.file_download import are_symlinks_supported
from huggingface_hub.utils import WeakFileLock

from download.cache import Shelf
from download.catalog import INDEX, Source
from download.hub import Hub, Listing
from download.verify import Digest, Expected, is_whole, shards_of
from model.errors import IntegrityError, StorageError
from model.files import storage_errors

# Left free beside the files: the run writes too.
RESERVE = 256 << 20

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What became of a source.

    Attributes:
        commit: of its repository; folder: where the files are now.
        files: all of them, shards among them.
        bytes: of all files; received: of those, what came over the network in this call.
    """

    source: Source
    commit: str
    folder: Path
    files: tuple[str, ...]
    bytes: int
    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One file, and what it should be."""

    source: Source
    commit: str
    path: str
    expected: Expected


def free_bytes(folder: Path) -> int:
    """What the disk under a folder, which need not exist yet, has room for."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


class Fetcher:
    """Fetches into one cache.

    Args:
        report: called with a file's name, bytes done and bytes in all.
        announce: called once a call, before weights come, with the bytes still to come and those free.
        free: bytes that a folder's disk has room for.
    """

    def __init__(
        self,
        cache: Path,
        hub: Hub,
        *,
        report: Report = lambda _name, _done, _total: None,
        announce: Callable[[int, int], None] = lambda _needed, _free: None,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._cache, self._hub, self._report, self._free = cache, hub, report, free
        self._announce = announce
        self._received: dict[str, int] = {}

    @functools.cached_property
    def _links(self) -> bool:
        """Whether the client would link here: on Windows only for developers and administrators."""
        with storage_errors(self._cache):
            self._cache.mkdir(parents=True, exist_ok=True)
        return not constants.HF_HUB_DISABLE_SYMLINKS and are_symlinks_supported(self._cache)

    def fetch(self, sources: Sequence[Source]) -> tuple[Fetched, ...]:
        """Bring every file of the sources here.

        Returns:
            One a source, in order.
        Raises:
            WeightsMissing: the hub refuses, or cannot be reached; the message says what to do.
            IntegrityError: what came is, twice, not what the hub says it is.
            StorageError: there is no room, or the disk refuses.
        What is whole stays whatever is raised, and the next call goes on from there.
        """
        listings = [self._hub.listing(source) for source in sources]
        for source, listing in zip(sources, listings, strict=True):
            if (listing.gated or source.gated) and not self._all_here(source, listing):
                self._hub.check_access(source)
        files = [
            list(self._files_of(source, listing)) for source, listing in zip(sources, listings, strict=True)
        ]
        self._make_room([one for several in files for one in several])
        return tuple(
            self._finish(source, listing, several)
            for source, listing, several in zip(sources, listings, files, strict=True)
        )

    def _all_here(self, source: Source, listing: Listing) -> bool:
        shelf = Shelf(self._cache, source.repository)
        return all(
            name in listing.files and (shelf.snapshot(listing.commit) / name).is_file()
            for name in source.files
        )

    def _files_of(self, source: Source, listing: Listing) -> Iterator[Wanted]:
        """The source's files; an index is received at once, and its shards follow."""
        seen: set[str] = set()
        queue = list(source.files)
        for path in queue:  # grows by shards
            if path in seen:
                continue
            seen.add(path)
            if path not in listing.files:
                raise IntegrityError(
                    f"{source.repository}: no {path} there at commit {listing.commit[:12]}, which it needs; "
                    f"see {source.page}/tree/{source.revision}, or try again later"
                )
            one = Wanted(source=source, commit=listing.commit, path=path, expected=listing.files[path])
            if path.endswith(INDEX):
                data = self._receive(one).read_bytes()
                try:
                    queue += shards_of(path, data)
                except ValueError as error:
                    raise IntegrityError(f"{source.repository}/{path}: {error}") from error
            yield one

    def _make_room(self, files: Sequence[Wanted]) -> None:
        missing = {one.expected.digest: one for one in files if self._place(one) is None}
        needed = sum(
            max(0, one.expected.bytes - Shelf(self._cache, one.source.repository).size(digest))
            for digest, one in missing.items()
        )
        free = self._free(self._cache)
        self._announce(needed, free)
        if missing and needed + RESERVE > free:
            raise StorageError(
                f"{self._cache}: {needed / 1e9:.1f} GB are still to come and {free / 1e9:.1f} GB are free; "
                f"make room, or set HF_HOME to a folder on a larger disk"
            )

    def _finish(self, source: Source, listing: Listing, files: Sequence[Wanted]) -> Fetched:
        shelf = Shelf(self._cache, source.repository)
        for one in files:
            self._receive(one)
        for one in files:
            place = shelf.snapshot(one.commit) / one.path
            if place.is_file():
                continue
            with storage_errors(place):
                place.parent.mkdir(parents=True, exist_ok=True)
                if self._links:
                    _link(shelf.blob(one.expected.digest), place)
                else:
                    shelf.blob(one.expected.digest).replace(place)
        # Only now: whoever asks the cache for the branch finds all of it, or what it had before.
        shelf.remember(source.revision, listing.commit)
        return Fetched(
            source=source,
            commit=listing.commit,
            folder=shelf.snapshot(listing.commit),
            files=tuple(one.path for one in files),
            bytes=sum(one.expected.bytes for one in files),
            received=sum(self._received.pop(one.expected.digest, 0) for one in files),
        )

    def _place(self, one: Wanted) -> Path | None:
        """Where the file's bytes lie, going by name and size; None: not here."""
        shelf = Shelf(self._cache, one.source.repository)
        for path in (shelf.blob(one.expected.digest), shelf.snapshot(one.commit) / one.path):
            if path.is_file() and path.stat().st_size == one.expected.bytes:
                return path
        return None

    def _receive(self, one: Wanted) -> Path:
        """The file's bytes, checked; those that are here are read, not fetched."""
        shelf, digest = Shelf(self._cache, one.source.repository), one.expected.digest
        blob = shelf.blob(digest)
        with storage_errors(blob):
            blob.parent.mkdir(parents=True, exist_ok=True)
            lock = self._cache / ".locks" / shelf.folder.name / f"{digest}.lock"
            lock.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            place = self._place(one)
            self._report(one.path, 0 if place else shelf.size(digest), one.expected.bytes)
            if place is not None and (digest in self._received or is_whole(place, one.expected)):
                self._received.setdefault(digest, 0)
                self._report(one.path, one.expected.bytes, one.expected.bytes)
                return place
            for damaged in (blob, shelf.snapshot(one.commit) / one.path):
                damaged.unlink(missing_ok=True)
            for _again in range(2):  # what an earlier call left may be wrong; a fresh start must not be
                if self._bytes_of(one, shelf.partial(digest)):
                    with storage_errors(blob):
                        shelf.partial(digest).replace(blob)
                    return blob
                shelf.partial(digest).unlink(missing_ok=True)
        raise IntegrityError(
            f"{one.source.repository}/{one.path}: twice other bytes than the hub's {_kind(one.expected)} "
            f"{digest[:12]}… says; nothing of it is kept; try again later, or check proxy and HF_ENDPOINT"
        )

    def _bytes_of(self, one: Wanted, partial: Path) -> bool:
        """Fill `partial` up; whether it has the digest it should have then."""
        coming = _Coming(one.expected, partial)

        def ask() -> None:
            if coming.done >= one.expected.bytes and partial.exists():
                return
            with self._hub.stream(one.source, one.commit, one.path, coming.done) as answer:
                if coming.done and answer.status_code != 206:
                    coming.start_anew()
                self._write(one, coming, answer)
            if coming.done < one.expected.bytes:
                raise httpx2.RemoteProtocolError(f"the line ended at {coming.done:,} bytes")

        try:
            self._hub.patiently(ask, progress=lambda: coming.done)
        except (HfHubHTTPError, httpx2.HTTPError, OfflineModeIsEnabled) as error:
            if isinstance(error, HfHubHTTPError) and error.response.status_code == 416:
                return False
            raise self._hub.refusal(error, one.source, one.path) from error
        return coming.done == one.expected.bytes and coming.digest.hex() == one.expected.digest

    def _write(self, one: Wanted, coming: _Coming, answer: httpx2.Response) -> None:
        """Append what comes, until there is no more or too much; durable when it is all."""
        digest = one.expected.digest
        with storage_errors(coming.path):
            file = coming.path.open("ab", buffering=0)  # what came stays, whatever comes next
        with file:
            for piece in answer.iter_bytes():
                rest = memoryview(piece)
                with storage_errors(coming.path):
                    while rest:  # a disk that is nearly full takes a part
                        rest = rest[file.write(rest) :]
                coming.take(piece)
                self._received[digest] = self._received.get(digest, 0) + len(piece)
                self._report(one.path, coming.done, one.expected.bytes)
                if coming.done > one.expected.bytes:
                    return
            with storage_errors(coming.path):
                os.fsync(file.fileno())


def _link(blob: Path, place: Path) -> None:
    """Show a blob at its place, as the client does: by a relative link, so that the cache may move."""
    if place.is_symlink():  # it led nowhere, or the file would be here
        place.unlink(missing_ok=True)
    with contextlib.suppress(FileExistsError):  # another process was quicker
        place.symlink_to(os.path.relpath(blob, place.parent))


class _Coming:
    """A file on its way: how far it is, and the digest of that."""

    def __init__(self, expected: Expected, path: Path) -> None:
        self.path, self._expected = path, expected
        self.digest, self.done = Digest(expected), 0
        if path.is_file():
            if path.stat().st_size > expected.bytes:
                self.start_anew()
            else:
                self.done = self.digest.feed_file(path)

    def take(self, piece: bytes) -> None:
        self.digest.feed(piece)
        self.done += len(piece)

    def start_anew(self) -> None:
        self.path.unlink(missing_ok=True)
        self.digest, self.done = Digest(self._expected), 0


def _kind(expected: Expected) -> str:
    return "sha256" if len(expected.digest) == 64 else "git sha1"
