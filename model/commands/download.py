"""`run.py download NAME …`: fetch weights from the hub and check them; `--list` says what is here.

In: parsed flags. Out: progress on stderr; the table of `--list` on stdout; with --json one object for a
program. What is whole is never fetched again, what was interrupted goes on. With HF_HUB_OFFLINE set nothing
is fetched: files that are here are read and compared with the digests that are their names in the cache.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from download.cache import default_cache
from download.catalog import CATALOG, Set, Source, named
from download.verify import Standing, by_every_byte, standing_of, state_of
from model.errors import ConfigError, IntegrityError, WeightsMissing
from model.program import as_typed

if TYPE_CHECKING:
    from download.fetch import Fetched

GB = 1e9


def parser() -> argparse.ArgumentParser:
    """The parser of `run.py download`."""
    top = argparse.ArgumentParser(
        prog=as_typed("run.py download"),
        description="Download weights from the hub into its cache (HF_HOME), and check them. Complete files "
        "are not downloaded again; an interrupted download resumes with the same command.",
        epilog="names:\n" + "\n".join(f"  {one.name:15} {one.purpose}" for one in CATALOG.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("names", nargs="*", metavar="NAME", help="what to download; see below")
    top.add_argument(
        "--gguf", metavar="LEVEL", help="quantized weights instead of the full ones, such as Q4_K_S"
    )
    top.add_argument(
        "--list", action="store_true", help="show what is here, partial, missing; needs no network"
    )
    top.add_argument("--json", action="store_true", help="print one JSON object")
    return top


def run(flags: argparse.Namespace) -> int:
    """Fetch, or list. The exit code; errors of the project are the caller's to show."""
    wanted = [named(name) for name in flags.names]
    if flags.list:
        return _list(wanted or list(CATALOG.values()), flags)
    if not wanted:
        raise ConfigError(f"download: no name given; use one of {', '.join(CATALOG)}, or use --list")
    sources = [one.at(flags.gguf) for one in wanted]
    from huggingface_hub.constants import is_offline_mode

    if is_offline_mode():
        return _check(wanted, sources, flags)
    from download.fetch import Fetcher
    from download.hub import Hub

    facts: list[dict[str, Any]] = []
    begun = time.monotonic()
    with _Progress() as progress:
        fetcher = Fetcher(default_cache(), Hub(), report=progress.report, announce=progress.announce)
        for one, parts in zip(wanted, sources, strict=True):
            for part in parts:
                gate = ", gated" if part.gated else ""
                progress.say(f"{part.repository}: licence {part.licence}{gate}, {part.page}")
            fetched = fetcher.fetch(parts)
            facts.append(_facts(one, fetched))
            total, received = (sum(getattr(part, what) for part in fetched) for what in ("bytes", "received"))
            progress.say(
                f"{one.name}: {sum(len(part.files) for part in fetched)} files whole, {total / GB:.2f} GB, "
                f"of which {received / GB:.2f} GB came now, {time.monotonic() - begun:.0f} s"
            )
            for part in fetched:
                progress.say(f"  {part.folder}")
    if flags.json:
        sys.stdout.write(json.dumps({"cache": str(default_cache()), "sets": facts}) + "\n")
    return 0


def _facts(one: Set, fetched: Sequence[Fetched]) -> dict[str, Any]:
    return {
        "name": one.name,
        "bytes": sum(part.bytes for part in fetched),
        "received": sum(part.received for part in fetched),
        "repositories": [
            {
                "repository": part.source.repository,
                "commit": part.commit,
                "licence": part.source.licence,
                "page": part.source.page,
                "folder": str(part.folder),
                "files": list(part.files),
            }
            for part in fetched
        ],
    }


def _check(wanted: Sequence[Set], sources: Sequence[tuple[Source, ...]], flags: argparse.Namespace) -> int:
    """Without the hub: whether everything is here, byte for byte."""
    standings = [
        [standing_of(part, default_cache(), look=by_every_byte) for part in parts] for parts in sources
    ]
    for one, several in zip(wanted, standings, strict=True):
        for standing in several:
            if standing.damaged:
                name, trouble = next(iter(standing.damaged.items()))
                raise IntegrityError(
                    f"{standing.source.repository}/{name}: {trouble}; unset HF_HUB_OFFLINE and run this again"
                )
            if standing.missing:
                raise WeightsMissing(
                    f"{standing.source.repository}: {standing.missing[0]} is not here, "
                    f"{len(standing.missing)} of {one.name}'s files are missing; unset HF_HUB_OFFLINE and "
                    "run this again"
                )
        sys.stderr.write(f"{one.name}: here, checked; HF_HUB_OFFLINE is set, so the hub was not asked\n")
    if flags.json:
        found = [_standing(one, flags.gguf, several) for one, several in zip(wanted, standings, strict=True)]
        sys.stdout.write(json.dumps({"cache": str(default_cache()), "sets": found}) + "\n")
    return 0


def _list(wanted: Sequence[Set], flags: argparse.Namespace) -> int:
    cache = default_cache()
    rows: list[dict[str, Any]] = []
    for one in wanted:
        levels = (flags.gguf,) if flags.gguf else (None, *(one.gguf.levels if one.gguf else ()))
        for level in levels:
            standings = [standing_of(part, cache) for part in one.at(level)]
            weights_here = standings[-1].here
            # Of the many levels, only those whose download was begun.
            if level is None or flags.gguf or weights_here:
                rows.append(_standing(one, level, standings))
    if flags.json:
        sys.stdout.write(json.dumps({"cache": str(cache), "sets": rows}) + "\n")
        return 0
    lines = [f"{cache}:"]
    for row in rows:
        name = row["name"] + (f" --gguf {row['gguf']}" if row["gguf"] else "")
        size = f"{row['bytes'] / GB:.2f} GB" if row["bytes"] else ""
        licences = ", ".join(dict.fromkeys(part["licence"] for part in row["repositories"]))
        gate = "; gated" if any(part["gated"] for part in row["repositories"]) else ""
        lines.append(f"  {row['state']:8} {name:30} {size:>9}  {row['purpose']} ({licences}{gate})")
        if flags.names:  # a name asks for details
            for part in row["repositories"]:
                lines.append(f"    {part['state']:8} {part['page']}, {part['licence']}")
                lines += [f"      missing  {name}" for name in part["missing"]]
                lines += [f"      damaged  {name}: {what}" for name, what in part["damaged"].items()]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _standing(one: Set, level: str | None, standings: Sequence[Standing]) -> dict[str, Any]:
    return {
        "name": one.name,
        "gguf": level,
        "purpose": one.purpose,
        "state": state_of(standings),
        "bytes": sum(part.bytes for part in standings),
        "repositories": [
            {
                "repository": part.source.repository,
                "licence": part.source.licence,
                "gated": part.source.gated,
                "page": part.source.page,
                "state": part.state,
                "folder": None if part.folder is None else str(part.folder),
                "missing": list(part.missing),
                "damaged": part.damaged,
            }
            for part in standings
        ],
    }


class _Progress:
    """Progress of downloads: on a terminal one line that is rewritten, elsewhere one line a file."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._name, self._begun, self._from, self._shown = "", 0.0, 0, 0.0

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def announce(self, needed: int, free: int) -> None:
        """What is still to come."""
        if needed:
            self.say(f"{needed / GB:.2f} GB to come, {free / GB:.0f} GB free")

    def report(self, name: str, done: int, total: int) -> None:
        """How far a file is."""
        now = time.monotonic()
        if name != self._name:
            self._name, self._begun, self._from = name, now, done
        if done >= total:
            if not self._terminal and self._from < total:
                self.say(f"  {name}: {total / 1e6:,.1f} MB")
        elif self._terminal and now - self._shown > 0.1:
            self._shown = now
            speed = (done - self._from) / max(now - self._begun, 0.1) / 1e6
            sys.stderr.write(
                f"\r\033[K  {Path(name).name}: {100 * done // max(1, total)} % of {total / 1e6:,.0f} MB, "
                f"{speed:.0f} MB/s"
            )
            sys.stderr.flush()

    def _clear(self) -> None:
        if self._terminal:
            sys.stderr.write("\r\033[K")
