"""After a book is bound: which pictures it shows, whether there is room, and whether its panels look alike.

In: what a run drew. Out: rows of the library, and notes for `run.json`. Nothing is evicted without a line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from model.config import Settings
from model.files import BlobId
from model.memory.panels.books import bind_book
from model.memory.panels.diversity import WINDOW, alike, collapses
from model.memory.panels.eviction import CacheLimits, Evicted, evict
from model.memory.store.library import Library
from model.memory.vibe.memory import VibeMemory
from model.pictures import BadPicture, picture_facts
from model.run.accept import Outcome
from model.run.rehearse import Reference


def book_of(out: Path) -> str:
    """How the library names the book in that folder."""
    return str(out.resolve())


def keep_book(
    out: Path,
    cast: Mapping[str, Reference],
    panels: Mapping[str, Outcome],
    large: Mapping[BlobId, BlobId],
    library: Library,
) -> None:
    """Note which pictures the book's latest run used: references, tries and enlargements, so that the same
    run again draws nothing."""
    used = [candidate.drawn.blob for outcome in panels.values() for candidate in outcome.candidates]
    used += [
        one.request.repair.mask for panel in panels.values() for one in panel.candidates if one.request.repair
    ]
    rehearsed = [blob for reference in cast.values() for blob in (reference.picture, *reference.candidates)]
    bind_book(library, book_of(out), (*used, *rehearsed, *large.values()))


def make_room(settings: Settings, library: Library, vibe: VibeMemory) -> Evicted:
    """Bring the panel cache within the limits of the settings."""
    limits = CacheLimits(entries=settings.cache_entries, bytes=int(settings.cache_gb * 1e9))
    return evict(library, limits, liked=liked_pictures(vibe))


def liked_pictures(vibe: VibeMemory) -> frozenset[str]:
    """Of the liked pictures whose files are still there: their sha256s, and keys of the panels they show."""
    named: set[str] = set()
    for memory in vibe.memories:
        source = memory.fact("source")
        if memory.liked and isinstance(source, str) and source:
            named.update(_names_of(Path(source)))
    return frozenset(named)


def _names_of(path: Path) -> Iterable[str]:
    try:
        data = path.read_bytes()
        request = picture_facts(data).get("autostudio")
    except (OSError, ValueError, BadPicture):
        return  # it was moved or overwritten since it was liked
    yield hashlib.sha256(data).hexdigest()
    if request is not None:  # an enlarged panel tells how it was drawn
        yield hashlib.sha256(request.encode()).hexdigest()


def diversity(panels: Mapping[str, Outcome], level: float | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """How alike the book's panels are, for `run.json`, and a note wherever they begin to look all the same.

    Args:
        level: mean cosine from which on panels count as alike; None: it was never calibrated, no note is
            made.
    """
    found = alike([outcome.best.drawn.embedding for outcome in panels.values()])
    names = list(panels)
    facts = {
        "window": WINDOW,
        "level": level,
        "similarity": {
            name: round(value, 4) for name, value in zip(names, found, strict=True) if value is not None
        },
    }
    if level is None:
        return facts, ()
    notes = tuple(
        f"{names[fall.index]}: the {WINDOW} panels up to here look alike (mean similarity "
        f"{fall.similarity:.2f}, above {level:.2f}); vary their scenes and shots"
        for fall in collapses(found, level)
    )
    return facts, notes
