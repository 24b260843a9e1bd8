"""`run.py panels …`: the panel cache from the command line.

In: parsed flags. Out: lines for a person, or with `--json` one object for a program; an exit code.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from model.commands.answers import Answer, library_of, tell
from model.commands.panels_parser import SHOWN, embedding_of, facts_of, key_named, line_of, parser, size_of
from model.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from model.memory.panels.eviction import CacheLimits
    from model.memory.store.library import Library

__all__ = ["parser", "run"]


def run(flags: argparse.Namespace) -> int:
    """Run an action; returns the exit code. Raises the project's errors."""
    try:
        return _run(flags)
    except StorageError:
        # On a full disk SQLite can write nothing, not even that something goes.
        if flags.action != "gc" or not _make_way(flags):
            raise
    return _run(flags)


def _run(flags: argparse.Namespace) -> int:
    with library_of(flags, new=True) as library:
        return tell(ACTIONS[flags.action](library, flags), flags)


def _list(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.panels.cache import PanelCache

    records = PanelCache(library).get_all()[::-1]
    rows = [facts_of(library, record) for record in records[: flags.limit]]
    total = sum({record.blob: size_of(library, record.blob) for record in records}.values())
    facts = {"panels": rows, "entries": len(records), "bytes": total}
    lines = [line_of(row) for row in rows]
    if len(records) > len(rows):
        lines.append(f"… {len(records) - len(rows)} more; --limit shows more of them")
    return Answer(facts=facts, lines=[*lines, f"{len(records)} panels, {total / 1e6:.1f} MB"])


def _similar(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.panels.cache import PanelCache
    from model.memory.panels.matcher import AestheticMatcher

    records = PanelCache(library).get_all()
    target, own = embedding_of(library, flags.panel, records)
    found = AestheticMatcher.find_similar(
        target,
        # Of several panels with one picture, the newest.
        [(r.key, r.embedding) for r in {r.blob: r for r in records}.values() if r.blob != own],
        flags.threshold,
        flags.top,
    )
    by_key = {record.key: record for record in records}
    rows = [
        {"similarity": round(match.similarity, 4), **facts_of(library, by_key[match.cache_id])}
        for match in found
    ]
    lines = [f"{row['similarity']:+.3f}  {line_of(row)}" for row in rows]
    return Answer(facts={"similar": rows, "space": target.space}, lines=lines or ["nothing is that similar"])


def _pin(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.panels.cache import PanelCache

    cache, pinned = PanelCache(library), flags.action == "pin"
    keys = [key_named(cache.keys(), named) for named in flags.keys]
    for key in keys:
        cache.pin(key, pinned=pinned)
    return Answer(
        facts={f"{flags.action}ned": keys}, lines=[f"{flags.action}ned {key[:SHOWN]}" for key in keys]
    )


def _gc(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.panels.eviction import evict
    from model.run.keep import liked_pictures
    from model.run.vibe import get_vibe_memory

    done = evict(library, _limits(flags), liked=liked_pictures(get_vibe_memory()))
    return Answer(facts=asdict(replace(done, keys=())) | {"keys": list(done.keys)}, lines=[str(done)])


def _make_way(flags: argparse.Namespace) -> int:
    from model.memory.panels.full import make_way
    from model.run.keep import liked_pictures
    from model.run.vibe import get_vibe_memory

    return make_way(flags.library, _limits(flags), liked=liked_pictures(get_vibe_memory()))


def _limits(flags: argparse.Namespace) -> CacheLimits:
    from model.flags import checked
    from model.memory.panels.eviction import CacheLimits

    said = checked({"cache_entries": flags.cache_entries, "cache_gb": flags.cache_gb})
    if not flags.idle >= 0:
        raise ConfigError(f"--idle: {flags.idle} is out of range; use 0 or more seconds")
    return CacheLimits(entries=said["cache_entries"], bytes=int(said["cache_gb"] * 1e9), idle=flags.idle)


def _export(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.panels.index import NAME, export_index

    count = export_index(library, flags.folder)
    index = flags.folder / NAME
    return Answer(facts={"exported": count, "index": str(index)}, lines=[f"{index}: {count} panels"])


def _import(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.panels.index import import_index

    report = import_index(library, flags.index)
    line = f"{report.added} panels added, {report.known} known already, {report.skipped} left out"
    lines = [*(f"note: {complaint}" for complaint in report.complaints), line]
    return Answer(facts=asdict(report), lines=lines, code=1 if report.skipped else 0)


def _books(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.panels.books import books

    known = books(library)
    lines = [f"{count:6} pictures  {book}" for book, count in known.items()]
    return Answer(facts={"books": known}, lines=lines or ["no books were drawn with this library"])


def _forget(library: Library, flags: argparse.Namespace) -> Answer:
    from model.memory.panels.books import forget_book
    from model.run.keep import book_of

    gone = forget_book(library, book_of(flags.book))
    if not gone:
        raise ConfigError(f"{flags.book}: no book of this library; 'run.py panels books' lists them")
    return Answer(facts={"forgotten": gone}, lines=[f"{gone} pictures of {flags.book} may be evicted"])


def _diversity(library: Library, flags: argparse.Namespace) -> Answer:
    path = flags.run / "run.json" if flags.run.is_dir() else flags.run
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["diversity"]
        facts = {"window": found["window"], "level": found["level"], "similarity": found["similarity"]}
        lines = [
            f"{value:+.3f}{'  alike' if facts['level'] and value > facts['level'] else ''}  {panel}"
            for panel, value in facts["similarity"].items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{path}: says nothing of diversity ({error}); name a finished book's folder"
        ) from error
    return Answer(facts=facts, lines=lines or [f"the book has fewer than {facts['window']} panels"])


ACTIONS: dict[str, Callable[[Library, argparse.Namespace], Answer]] = {
    "list": _list,
    "similar": _similar,
    "pin": _pin,
    "unpin": _pin,
    "gc": _gc,
    "export": _export,
    "import": _import,
    "books": _books,
    "forget": _forget,
    "diversity": _diversity,
}
