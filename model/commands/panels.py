"""`run.py panels …`: the panel cache from the command line.

In: what was typed. Out: lines for a person, or with `--json` one JSON object as the last line of stdout; an
exit code. Parsing imports nothing heavy; only `similar` with a picture, and only when it was not drawn here,
loads an encoder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import ConfigError, PackageMissing, WeightsMissing

if TYPE_CHECKING:
    from model.memory.library import Library
    from model.memory.panels import Embedding, PanelRecord

Answer = tuple[dict[str, Any], list[str], int]
_SHOWN = 12  # digits of a key that are printed, and with which one may be named
_PROMPT = 60


def run(flags: argparse.Namespace) -> int:
    """Do what was typed; returns the exit code. Raises the project's errors."""
    from model.memory.library import Library

    with Library.open(flags.library) as library:
        facts, lines, code = ACTIONS[flags.action][1](library, flags)
    if flags.json:
        sys.stdout.write(json.dumps(facts, allow_nan=False) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    return code


def _list(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.panels import PanelCache

    records = PanelCache(library).get_all()[::-1]
    rows = [_told(library, record) for record in records[: flags.limit]]
    total = sum({record.blob: _size(library, record.blob) for record in records}.values())
    facts = {"panels": rows, "entries": len(records), "bytes": total}
    lines = [_line(row) for row in rows]
    if len(records) > len(rows):
        lines.append(f"… {len(records) - len(rows)} more; --limit shows more of them")
    return facts, [*lines, f"{len(records)} panels, {total / 1e6:.1f} MB"], 0


def _similar(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.matcher import AestheticMatcher
    from model.memory.panels import PanelCache

    records = PanelCache(library).get_all()
    target, own = _place(library, flags.panel, records)
    found = AestheticMatcher.find_similar(
        target,
        # The newest of several panels with one picture stands for them.
        [(r.key, r.embedding) for r in {r.blob: r for r in records}.values() if r.blob != own],
        flags.threshold,
        flags.top,
    )
    by_key = {record.key: record for record in records}
    rows = [
        {"similarity": round(match.similarity, 4), **_told(library, by_key[match.cache_id])}
        for match in found
    ]
    lines = [f"{row['similarity']:+.3f}  {_line(row)}" for row in rows]
    return {"similar": rows, "space": target.space}, lines or ["nothing is that similar"], 0


def _pin(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.panels import PanelCache

    cache, pinned = PanelCache(library), flags.action == "pin"
    keys = [_key(cache.keys(), named) for named in flags.keys]
    for key in keys:
        cache.pin(key, pinned=pinned)
    return {f"{flags.action}ned": keys}, [f"{flags.action}ned {key[:_SHOWN]}" for key in keys], 0


def _gc(library: Library, flags: argparse.Namespace) -> Answer:
    from model.config import resolve
    from model.keeping import liked_pictures
    from model.memory.eviction import CacheLimits, evict
    from model.vibes import get_vibe_memory

    settings = resolve(cache_entries=flags.cache_entries, cache_gb=flags.cache_gb)
    if not flags.idle >= 0:
        raise ConfigError(f"--idle: {flags.idle} is out of range; use 0 or more seconds")
    limits = CacheLimits(entries=settings.cache_entries, bytes=int(settings.cache_gb * 1e9), idle=flags.idle)
    done = evict(library, limits, liked=liked_pictures(get_vibe_memory()))
    return asdict(replace(done, keys=())) | {"keys": list(done.keys)}, [str(done)], 0


def _export(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.index import NAME, export_index

    count = export_index(library, flags.folder)
    index = flags.folder / NAME
    return {"exported": count, "index": str(index)}, [f"{index}: {count} panels"], 0


def _import(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.index import import_index

    report = import_index(library, flags.index)
    line = f"{report.added} panels added, {report.known} known already, {report.skipped} left out"
    lines = [*(f"note: {complaint}" for complaint in report.complaints), line]
    return asdict(report), lines, 1 if report.skipped else 0


def _books(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.books import books

    known = books(library)
    lines = [f"{count:6} pictures  {book}" for book, count in known.items()]
    return {"books": known}, lines or ["no books were drawn with this library"], 0


def _forget(library: Library, flags: argparse.Namespace) -> Answer:
    from model.keeping import book_of
    from model.memory.books import forget_book

    gone = forget_book(library, book_of(flags.book))
    if not gone:
        raise ConfigError(f"{flags.book}: no book of this library; 'run.py panels books' lists them")
    return {"forgotten": gone}, [f"{gone} pictures of {flags.book} may be evicted"], 0


def _diversity(library: Library, flags: argparse.Namespace) -> Answer:
    path = flags.run / "run.json" if flags.run.is_dir() else flags.run
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["diversity"]
        facts = {"window": found["window"], "level": found["level"], "similarity": found["similarity"]}
        lines = [
            f"{value:+.3f}{'  alike' if facts['level'] and value > facts['level'] else ''}  {panel}"
            for panel, value in facts["similarity"].items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path}: says nothing of diversity ({error}); name a finished book's folder"
        ) from error
    return facts, lines or [f"the book has fewer than {facts['window']} panels"], 0


def _place(library: Library, named: str, records: tuple[PanelRecord, ...]) -> tuple[Embedding, str]:
    """Where a panel or a picture lies, and its blob: as it was embedded when drawn, or embedded now."""
    path = Path(named)
    if not path.is_file():
        key = _key([record.key for record in records], named)
        record = next(record for record in records if record.key == key)
        if record.embedding is None:
            raise ConfigError(f"{named}: this panel was never embedded; name its picture instead")
        return record.embedding, record.blob
    from PIL import Image

    from model.files import sha256_of
    from model.memory.entries import check_picture
    from model.memory.matcher import AestheticMatcher

    sha256 = sha256_of(path)
    for record in records:
        if record.blob == sha256 and record.embedding is not None:
            return record.embedding, record.blob
    check_picture(path.read_bytes(), path)
    try:
        from model.render.weights import STARTER
        from model.vision.clip import ImageEncoder
    except ImportError as error:
        raise PackageMissing(f"{error}; install what pyproject.toml names") from error
    if not (STARTER / "clip").is_dir():
        raise WeightsMissing(f"{STARTER / 'clip'}: missing; restore the folder and run again")
    encoder = ImageEncoder(STARTER / "clip", tokenizer=STARTER / "tokenizer")
    with Image.open(path) as picture:
        return AestheticMatcher(encoder.encode_images, encoder.space).encode_image(picture), sha256


def _key(keys: tuple[str, ...] | list[str], named: str) -> str:
    """The whole key that `named` begins.

    Raises:
        ConfigError: none does, or several do.
    """
    found = [key for key in keys if key == named] or [key for key in keys if key.startswith(named)]
    if len(found) != 1:
        told = "no panel has this key" if not found else f"{len(found)} panels have keys that begin so"
        raise ConfigError(f"{named}: {told}; 'run.py panels list' shows them")
    return found[0]


def _told(library: Library, record: PanelRecord) -> dict[str, Any]:
    return {
        "key": record.key,
        "picture": str(library.blob_path(record.blob)),
        "prompt": record.prompt,
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds"),
        "last_used": datetime.fromtimestamp(record.last_used, UTC).isoformat(timespec="seconds"),
        "pinned": record.pinned,
        "kind": "enlarged" if "enlarged" in record.params else "drawn",
    }


def _line(row: dict[str, Any]) -> str:
    mark = "pinned" if row["pinned"] else row["kind"]
    return f"{row['key'][:_SHOWN]}  {row['last_used'][:16]}  {mark:8}  {row['prompt'][:_PROMPT]}".rstrip()


def _size(library: Library, blob: str) -> int:
    path = library.blob_path(blob)
    return path.stat().st_size if path.is_file() else 0


ACTIONS: dict[str, tuple[str, Callable[[Library, argparse.Namespace], Answer]]] = {
    "list": ("what is kept, the last used first", _list),
    "similar": ("panels that look like one, or like a picture", _similar),
    "pin": ("keep panels whatever the limits say", _pin),
    "unpin": ("no longer", _pin),
    "gc": ("evict the least recently used panels beyond the limits", _gc),
    "export": ("write every panel into a folder with a cache_index.json", _export),
    "import": ("take over a cache_index.json; the same again changes nothing", _import),
    "books": ("the books whose pictures are never evicted", _books),
    "forget": ("let eviction have a book's pictures", _forget),
    "diversity": ("how alike the panels of a finished book are", _diversity),
}


def parser() -> argparse.ArgumentParser:
    """What may be typed after `run.py panels`."""
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument(
        "--library",
        type=Path,
        default=Path("outputs/library"),
        metavar="DIR",
        help="where drawn panels are kept",
    )
    common.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    top = argparse.ArgumentParser(
        prog="run.py panels", description="The drawn panels that are kept.", allow_abbrev=False
    )
    actions = top.add_subparsers(dest="action", required=True, metavar="ACTION")
    made = {
        name: actions.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False)
        for name, (text, _) in ACTIONS.items()
    }
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
        help="spare what was used since then: a run may be drawing (default: 3600)",
    )  # fmt: skip
    made["export"].add_argument("folder", type=Path, metavar="DIR")
    made["import"].add_argument("index", type=Path, metavar="FILE", help="a cache_index.json, or its folder")
    made["forget"].add_argument("book", type=Path, metavar="BOOK", help="the book's folder")
    made["diversity"].add_argument("run", type=Path, metavar="BOOK", help="the book's folder")
    return top
