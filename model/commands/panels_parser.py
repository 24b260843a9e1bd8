"""The parser of `run.py panels`, which panel a key means, and how panels are printed.

Knows nothing of what the actions do. Imports nothing heavy; only `embedding_of` a picture that was not drawn
here loads an encoder.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.commands.answers import parsers, shared_flags
from model.errors import ConfigError
from model.files import BlobId

if TYPE_CHECKING:
    from model.memory.panels.cache import Embedding, PanelRecord
    from model.memory.store.library import Library

SHOWN = 12  # digits of a key that are printed, and with which one may be named
_PROMPT = 60

ACTIONS: dict[str, str] = {
    "list": "list kept panels, the last used first",
    "similar": "find panels that look like another, or like a picture",
    "pin": "keep panels whatever the limits say",
    "unpin": "undo pin",
    "gc": "evict the least recently used panels beyond the limits",
    "export": "write every panel into a folder with a cache_index.json",
    "import": "read a cache_index.json; importing again changes nothing",
    "books": "list the books whose pictures are never evicted",
    "forget": "stop keeping a book's pictures",
    "diversity": "show how similar the panels of a finished book are",
}


def parser() -> argparse.ArgumentParser:
    """The parser of `run.py panels`."""
    top, made = parsers(
        "panels", "The drawn panels that are kept.", ACTIONS, shared_flags("where drawn panels are kept")
    )
    made["list"].add_argument("--limit", type=int, default=20, metavar="N", help="(default: 20)")
    made["similar"].add_argument("panel", metavar="PANEL", help="a key, its first digits, or a picture")
    made["similar"].add_argument(
        "--threshold", type=float, default=0.7, metavar="X", help="least cosine (default: 0.7)"
    )
    made["similar"].add_argument("--top", type=int, default=5, metavar="N", help="most panels (default: 5)")
    for name in ("pin", "unpin"):
        made[name].add_argument("keys", nargs="+", metavar="KEY", help="a key, or its first digits")
    gc = made["gc"]
    gc.add_argument("--cache_entries", type=int, default=100_000, metavar="N", help="(default: 100000)")
    gc.add_argument("--cache_gb", type=float, default=20.0, metavar="X", help="(default: 20)")
    gc.add_argument(
        "--idle", type=float, default=3600.0, metavar="SECONDS",
        help="keep what was used in the last SECONDS, as a run may need it (default: 3600)",
    )  # fmt: skip
    made["export"].add_argument("folder", type=Path, metavar="DIR")
    made["import"].add_argument("index", type=Path, metavar="FILE", help="a cache_index.json, or its folder")
    made["forget"].add_argument("book", type=Path, metavar="BOOK", help="the book's folder")
    made["diversity"].add_argument("run", type=Path, metavar="BOOK", help="the book's folder")
    return top


def embedding_of(library: Library, named: str, records: tuple[PanelRecord, ...]) -> tuple[Embedding, str]:
    """The embedding of a panel or a picture, and its blob: as embedded when it was drawn, or embedded now."""
    path = Path(named)
    if not path.is_file():
        key = key_named([record.key for record in records], named)
        record = next(record for record in records if record.key == key)
        if record.embedding is None:
            raise ConfigError(f"{named}: this panel was never embedded; name its picture instead")
        return record.embedding, record.blob
    from model.files import sha256_of
    from model.memory.panels.matcher import AestheticMatcher
    from model.pictures import picture_at

    sha256 = sha256_of(path)
    for record in records:
        if record.blob == sha256 and record.embedding is not None:
            return record.embedding, record.blob
    picture = picture_at(path)
    from model.run.vibe import starter_encoder

    encoder = starter_encoder()
    return AestheticMatcher(encoder.encode_images, encoder.space).encode_image(picture), sha256


def key_named(keys: Sequence[str], named: str) -> str:
    """The one key that starts with `named`.

    Raises:
        ConfigError: none does, or several do.
    """
    found = [key for key in keys if key == named] or [key for key in keys if key.startswith(named)]
    if len(found) != 1:
        problem = "no panel has this key" if not found else f"{len(found)} panels have keys that begin so"
        raise ConfigError(f"{named}: {problem}; 'run.py panels list' shows them")
    return found[0]


def facts_of(library: Library, record: PanelRecord) -> dict[str, Any]:
    """A panel for a program."""
    return {
        "key": record.key,
        "picture": str(library.blob_path(record.blob)),
        "prompt": record.prompt,
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds"),
        "last_used": datetime.fromtimestamp(record.last_used, UTC).isoformat(timespec="seconds"),
        "pinned": record.pinned,
        "kind": "enlarged" if "enlarged" in record.params else "drawn",
    }


def line_of(row: dict[str, Any]) -> str:
    """The same for a person."""
    mark = "pinned" if row["pinned"] else row["kind"]
    return f"{row['key'][:SHOWN]}  {row['last_used'][:16]}  {mark:8}  {row['prompt'][:_PROMPT]}".rstrip()


def size_of(library: Library, blob: BlobId) -> int:
    """Bytes of a picture; 0 when it is gone."""
    path = library.blob_path(blob)
    return path.stat().st_size if path.is_file() else 0
