"""A run that also steers: panels lean, a little, towards pictures that the reader likes (`--vibe_guidance`).

In: panels that are asked for, the vibe memory. Out: the same panels with a weak style reference, and what was
decided, for `run.json`. The filter chooses among what is drawn; guidance changes what is drawn. Only the
palette of a liked picture comes over, outside the characters' boxes (see `model/render/style.py`).

What was said decides the pictures, and the panel's seed which of them it gets: the same run with the same
likes asks for the same panels, and draws nothing anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from model.config import Settings
from model.errors import StorageError
from model.memory.store.library import Library
from model.memory.vibe.memory import VibeMemory
from model.run.accept import Asked, lean

# As many liked pictures take turns: one alone would give every panel of a book the same palette.
FAVOURITES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """What the panels lean towards.

    Attributes:
        pictures: sha256 → how much the reader likes it, −1 to 1; best first. Empty: nothing to lean towards.
        weight: how far they lean, 0 to 1.
        panels: panel id → the picture it leans towards.
        why: in plain words; empty when guidance was not asked for.
    """

    pictures: Mapping[str, float]
    weight: float
    panels: Mapping[str, str]
    why: str = ""


def guide(
    asked: Mapping[str, Asked], *, settings: Settings, vibe: VibeMemory, library: Library
) -> tuple[Mapping[str, Asked], Guidance]:
    """The panels as guidance asks for them, by panel id in the same order; as they are when it is off.

    Raises:
        IntegrityError, StorageError: see `VibeMemory` and `Library`.
    """
    off = Guidance(pictures={}, weight=0.0, panels={})
    if not settings.vibe_guidance or not settings.vibe_weight:
        return asked, off
    pictures: dict[str, float] = {}
    for path, score in vibe.favourites(category=settings.vibe_category, count=FAVOURITES):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"cannot read {path}, a liked picture: {error.strerror or error}") from error
        pictures.setdefault(library.store(data), round(score, 4))
    if not pictures:
        of = f" of category '{settings.vibe_category}'" if settings.vibe_category else ""
        why = f"--vibe_guidance: no liked picture{of} is kept; panels lean towards nothing"
        return asked, replace(off, why=why)
    names = list(pictures)
    chosen = {panel: names[one.tries(0).seed % len(names)] for panel, one in asked.items()}
    leaning = {panel: lean(one, chosen[panel], settings.vibe_weight) for panel, one in asked.items()}
    why = f"panels lean by {settings.vibe_weight:g} towards {len(names)} liked pictures"
    return leaning, Guidance(pictures=pictures, weight=settings.vibe_weight, panels=chosen, why=why)
