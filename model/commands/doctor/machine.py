"""Memory, disk, and what would fit: findings from the operating system and from quantization's plans."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from model.commands.doctor.findings import Finding, note, ok, wrong
from model.commands.doctor.probe import Probed

GB = 1e9
# A run of the starter peaks at 1.5 GB (scripts/bench/LOG.md).
LEAST_MEMORY = 2.0 * GB
LEAST_DISK = 0.5 * GB


def memory() -> Iterator[Finding]:
    """Main memory."""
    free, total = free_memory()
    if not total:
        yield note("memory", "this system does not say how much memory it has")
        return
    text = f"{free / GB:.1f} of {total / GB:.1f} GB of main memory free, {os.cpu_count()} processors"
    if free < LEAST_MEMORY:
        yield wrong(
            "memory", f"{text}; a run of the starter needs {LEAST_MEMORY / GB:.0f} GB", "close programs"
        )
    else:
        yield ok("memory", text)


def disk(*folders: Path) -> Iterator[Finding]:
    """Room for books, for the library, for weights."""
    import shutil

    seen: set[int] = set()
    for folder in folders:
        place = folder.absolute()
        while not place.exists() and place != place.parent:
            place = place.parent
        if place.stat().st_dev in seen:
            continue
        seen.add(place.stat().st_dev)
        free = shutil.disk_usage(place).free
        if not os.access(place, os.W_OK):
            yield wrong(
                "disk", f"{folder}: cannot be written", "run in another folder, or name --out and --library"
            )
        elif free < LEAST_DISK:
            yield wrong("disk", f"{folder}: {free / GB:.2f} GB free", "make room, or use another disk")
        else:
            yield ok("disk", f"{folder}: {free / GB:.1f} GB free")


def fits(probed: Probed) -> Iterator[Finding]:
    """The best plan for each model at 1024², two figures with references."""
    from model.variants import VARIANTS
    from quantization.advise import advise
    from quantization.plans import Canvas, Machine

    host = free_memory()[0]
    card = max(probed.devices, key=lambda one: one["free"], default=None)
    machine = Machine(
        kind=probed.kind,
        free=host if card is None else card["free"],
        host=host,
        bfloat16=card is None or card["bfloat16"],
    )
    sizes = {row.sizes.name: row for row in reversed(tuple(VARIANTS.values()))}
    for name, row in sizes.items():
        side = row.side
        best = advise(row.sizes, machine, Canvas(width=side, height=side))[0]
        if best.fits:
            yield ok("plan", f"{name} at {side}²: {best}")
        else:
            yield note("plan", f"{name} at {side}² does not fit here; the smallest plan is {best}")


def free_memory() -> tuple[int, int]:
    """Bytes of main memory: free, and in all; zeros where the system does not say."""
    try:
        import psutil
    except ImportError:
        return _asked_of_the_kernel()
    found = psutil.virtual_memory()
    return found.available, found.total


def _asked_of_the_kernel() -> tuple[int, int]:
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        return page * os.sysconf("SC_AVPHYS_PAGES"), page * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0, 0
