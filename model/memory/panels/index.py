"""`cache_index.json` 1.0, in and out: the panel cache for programs that keep pictures beside a JSON index.

In: a library and a path. Out: a folder with the index and its pictures, or a report of what was taken from
one. The format (public with LuxiaSL's dream_gen):

    {"version": "1.0", "last_updated": "2026-11-21T10:30:00+00:00", "entry_count": 1, "entries": [
      {"cache_id": "…", "image_path": "images/….png", "prompt": "…", "generation_params": {…},
       "embedding": [0.1, …] or null, "timestamp": "2026-11-21T09:15:00+00:00"}]}

It does not name the space of its embeddings. This program writes it into `generation_params` under SPACE;
embeddings of other programs are kept in a space of their own, so that nothing is ever compared across.
Importing the same again changes nothing. Knows nothing of encoders.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PureWindowsPath
from typing import Any, cast

import numpy as np

from model.errors import AutoStudioError, ConfigError, StorageError
from model.files import BlobId, storage_errors, write_bytes
from model.memory.panels.cache import Embedding
from model.memory.panels.entries import CacheEntries, CacheEntry
from model.memory.store.library import Library

VERSION = "1.0"
NAME = "cache_index.json"
SPACE = "embedding_space"
_KEYS = ("cache_id", "image_path", "prompt", "generation_params", "embedding", "timestamp")
_UP = 3  # folders above the index in which relative paths are looked for, as cache/metadata/ is one such


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What an import did.

    Attributes:
        added, known: entries that are new, and that were here already.
        skipped: entries that could not be used.
        complaints: a line for each of those, and for whatever else was left out.
    """

    added: int
    known: int
    skipped: int
    complaints: tuple[str, ...]


def export_index(library: Library, folder: Path) -> int:
    """Write every panel into `folder`: the index, and copies of the pictures in `images/`.

    Paths in the index are relative to it. Panels whose picture is damaged are an error, not a gap.

    Returns:
        How many entries there are.
    Raises:
        StorageError: the disk refuses; an index that was there before is as it was, for it is written last.
        IntegrityError: a picture is missing or damaged.
    """
    entries = CacheEntries(library).get_all()
    for entry in entries:
        sha256 = BlobId(entry.image_path.name)
        path = folder / "images" / f"{sha256}.png"
        with storage_errors(path):
            there = path.is_file()
        if not there:
            write_bytes(path, library.load(sha256))
    index = {
        "version": VERSION,
        "last_updated": datetime.now(UTC).isoformat(timespec="seconds"),
        "entry_count": len(entries),
        "entries": [_written(entry) for entry in entries],
    }
    write_bytes(
        folder / NAME, (json.dumps(index, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
    )
    return len(entries)


def import_index(library: Library, path: Path) -> IndexReport:
    """Take over the entries of an index, with their pictures.

    Args:
        path: the index, or the folder it is in.
    Raises:
        ConfigError: there is no such file, it is damaged, or of another version; nothing has been taken.
        StorageError: the disk refuses; what was taken before stays.
    """
    path = path / NAME if path.is_dir() else path
    index = _read(path)
    complaints = [f"{path}: key {key!r} is unknown and left out" for key in _unknown(index, _TOP)]
    entries = cast(list[object], index["entries"])
    count = index.get("entry_count", len(entries))
    if count != len(entries):
        complaints.append(f"{path}: {len(entries)} entries found, entry_count says {count!r}")
    cache = CacheEntries(library)
    tally = {"added": 0, "known": 0, "skipped": 0}
    for number, facts in enumerate(entries):
        where = f"{path}: entry {number}"
        try:
            tally[_take(cache, facts, path, where, complaints)] += 1
        except StorageError:
            raise
        except (AutoStudioError, ValueError) as error:
            tally["skipped"] += 1
            complaints.append(f"{where}: left out: {error}")
    return IndexReport(**tally, complaints=tuple(complaints))


_TOP = ("version", "last_updated", "entry_count", "entries")


def _read(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; name a {NAME}, or the folder it is in")
    try:
        with storage_errors(path):
            index: Any = json.loads(path.read_bytes(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: damaged, no JSON ({error}); restore it from a copy") from error
    found = cast(dict[str, object], index) if isinstance(index, dict) else {}
    if not isinstance(found.get("entries"), list):
        raise ConfigError(f"{path}: no cache index; expected an object with a list of entries")
    if found.get("version") != VERSION:
        raise ConfigError(f"{path}: version {found.get('version')!r} found, {VERSION!r} expected")
    return found


def _refuse(name: str) -> float:
    """NaN and the infinities are not JSON; as None they stand where a number is missed and reported."""
    return cast(float, None)


def _take(cache: CacheEntries, facts: object, path: Path, where: str, complaints: list[str]) -> str:
    """Keep one entry; returns what it counts as.

    Raises:
        ConfigError, ValueError: it cannot be used.
    """
    if not isinstance(facts, dict):
        raise ConfigError(f"{type(facts).__name__} found, an object expected")
    entry = cast(dict[str, object], facts)
    cache_id, prompt = _text(entry, "cache_id"), _text(entry, "prompt", empty=True)
    params: object = entry.get("generation_params")
    if not isinstance(params, dict):
        raise ConfigError("generation_params: an object expected")
    params = dict(cast(dict[str, object], params))
    picture = _found(path, _text(entry, "image_path"))
    timestamp = _text(entry, "timestamp")
    complaints += [f"{where}: key {key!r} is unknown and left out" for key in _unknown(entry, _KEYS)]
    space = params.pop(SPACE, None)
    embedding = _embedding(entry.get("embedding"), space, where, complaints)
    cache_id = _free_id(cache, cache_id, picture, where, complaints)
    if cache.get(cache_id) is not None:
        return "known"
    cache.add(picture, prompt, params, embedding, cache_id=cache_id, timestamp=timestamp)
    return "added"


def _text(entry: Mapping[str, object], key: str, *, empty: bool = False) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not (value or empty):
        raise ConfigError(f"{key}: {value!r} found, a text expected"[:200])
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ConfigError(f"{key}: not a text that can be kept")
    return value


def _found(index: Path, named: str) -> Path:
    """The picture's file: relative paths are meant from the folder of the index, or from one above it."""
    given = Path(*PureWindowsPath(named).parts) if "\\" in named else Path(named)
    folders = (index.parent, *index.absolute().parent.parents[:_UP])
    tried = [given] if given.is_absolute() else [folder / given for folder in folders]
    for path in tried:
        # Not every name can be one of a file.
        with contextlib.suppress(OSError, ValueError):
            if path.is_file():
                return path
    raise ConfigError(f"image_path: {tried[0]} is not there")


def _embedding(value: object, space: object, where: str, complaints: list[str]) -> Embedding | None:
    """The entry's embedding; one that cannot be used is left out, its picture is not."""
    if value is None:
        return None
    numbers = cast(list[object], value) if isinstance(value, list) else []
    if not numbers or not all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers):
        complaints.append(f"{where}: embedding left out: a list of numbers expected")
        return None
    named = space if isinstance(space, str) and space else f"{NAME} {VERSION}, {len(numbers)} numbers"
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is refused
            return Embedding(space=named, vector=np.array(numbers, np.float64).astype("<f2"))
    except (ValueError, OverflowError) as error:
        complaints.append(f"{where}: embedding left out: {error}")
        return None


def _free_id(cache: CacheEntries, cache_id: str, picture: Path, where: str, complaints: list[str]) -> str:
    """The entry's id, or one made of it when another picture has it: two programs may both count from 1."""
    with storage_errors(picture):
        sha256 = hashlib.sha256(picture.read_bytes()).hexdigest()
    kept = cache.get(cache_id)
    if kept is None or kept.image_path.name == sha256:
        return cache_id
    complaints.append(f"{where}: {cache_id!r} names another picture here; kept as {cache_id}-{sha256[:12]}")
    return f"{cache_id}-{sha256[:12]}"


def _unknown(facts: Mapping[str, object], known: tuple[str, ...]) -> list[str]:
    return [key for key in facts if key not in known]


def _written(entry: CacheEntry) -> dict[str, object]:
    params, embedding = dict(entry.generation_params), entry.embedding
    if embedding is not None:
        params[SPACE] = embedding.space
    return {
        "cache_id": entry.cache_id,
        "image_path": f"images/{entry.image_path.name}.png",
        "prompt": entry.prompt,
        "generation_params": params,
        "embedding": None if embedding is None else [float(number) for number in embedding.vector],
        "timestamp": entry.timestamp,
    }
