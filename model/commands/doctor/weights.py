"""Weights: the starter against its manifest, downloaded sets against what was begun."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path

from download.cache import default_cache
from download.catalog import CATALOG
from download.verify import Standing, by_every_byte, by_its_looks, standing_of
from model.commands.doctor.findings import ROOT, Finding, note, ok, run_command, wrong
from model.files import sha256_of

STARTER = Path(__file__).resolve().parents[2] / "starter"
RESTORE = "git checkout -- model/starter"


def starter(folder: Path = STARTER) -> Iterator[Finding]:
    """Every file of the starter, by sha256."""
    mend = RESTORE if (ROOT / ".git").exists() else "unpack the release again over this folder"
    try:
        files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
        expected = {name: facts["sha256"] for name, facts in files.items()}
    except FileNotFoundError:
        yield wrong("weights", f"{folder}: no manifest.json, so no starter", mend)
        return
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        yield wrong("weights", f"{folder / 'manifest.json'}: not a manifest ({error})", mend)
        return
    missing = [name for name in expected if not (folder / name).is_file()]
    other = [
        name
        for name, sha256 in expected.items()
        if name not in missing and sha256_of(folder / name) != sha256
    ]
    for names, what in ((missing, "missing"), (other, "other bytes than the manifest's sha256")):
        if names:
            yield wrong("weights", f"starter: {what}: {', '.join(sorted(names))}", mend)
    if not missing and not other:
        yield ok("weights", f"starter: {len(expected)} files, each with its sha256")


def downloaded(cache: Path | None = None, *, deep: bool = False) -> Iterator[Finding]:
    """Sets of the catalog that are here, and those that were begun.

    Args:
        deep: every byte is read once and compared with the hub's digest; else sizes and headers are.
    """
    place = cache or default_cache()
    # Sets share files.
    look = functools.cache(by_every_byte) if deep else by_its_looks
    found: dict[tuple[str, str | None], list[Standing]] = {}
    for one in CATALOG.values():
        for level in (None, *(one.gguf.levels if one.gguf else ())):
            found[one.name, level] = [standing_of(source, place, look=look) for source in one.at(level)]
    whole = {key: parts for key, parts in found.items() if all(part.state == "here" for part in parts)}
    known = {file for parts in whole.values() for file in _files(parts)}
    for (name, level), parts in whole.items():
        size = sum(part.bytes for part in parts)
        looked = "each file with its digest" if deep else "by sizes and headers; --deep reads every byte"
        yield ok("weights", f"{_named(name, level)}: here, {size / 1e9:.2f} GB in {place}, {looked}")
    if not whole:
        yield note(
            "weights", f"no larger model in {place}; the starter draws", run_command("download", "--list")
        )
    reported: set[str] = set()
    for (name, level), parts in found.items():
        damaged = {
            f"{part.source.repository}/{file}: {what}"
            for part in parts
            for file, what in part.damaged.items()
        }
        begun = _files(parts) - known
        # Files that sets share belong to whichever is whole; a level's own weights say that it was begun.
        if level is not None and not parts[-1].here and not parts[-1].damaged:
            continue
        if (name, level) in whole or not (damaged or begun) or not (damaged | begun) - reported:
            continue
        reported |= damaged | begun
        missing = [f"{part.source.repository}/{file}" for part in parts for file in part.missing]
        text = "; ".join(sorted(damaged)) or f"{len(missing)} files are missing, such as {missing[0]}"
        words = ("download", name, *(("--gguf", level) if level else ()))
        yield wrong("weights", f"{_named(name, level)}: begun and not whole: {text}", run_command(*words))


def _files(parts: list[Standing]) -> set[str]:
    return {f"{part.source.repository}/{file}" for part in parts for file in part.here}


def _named(name: str, level: str | None) -> str:
    return name + (f" at {level}" if level else "")
