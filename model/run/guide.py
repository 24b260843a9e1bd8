"""A run that also steers: panels take on some of the colours of pictures that the reader likes
(`--vibe_guidance`).

In: jobs, the vibe memory. Out: the same jobs with a weak style reference, and what was decided, for
`run.json`. The filter chooses among what is drawn; guidance changes what is drawn. Only the palette of a
liked picture is used, outside the characters' boxes (see `model/render/style.py`).

The likes decide which pictures, and the panel's seed which of them it gets: the same run with the same likes
asks for the same panels, and draws nothing anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from model.errors import StorageError
from model.files import BlobId
from model.memory.vibe.memory import VibeMemory
from model.run.accept import PanelJob, with_style
from model.run.context import Context

# As many liked pictures take turns: one alone would give every panel of a book the same palette.
FAVOURITES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """Which liked pictures the panels take colours from.

    Attributes:
        pictures: liked picture → how much the reader likes it, −1 to 1; best first. Empty: there is none.
        weight: how much of its colours a panel takes on, 0 to 1.
        panels: panel id → the picture it takes them from.
        why: in plain words; empty when guidance was not asked for.
    """

    pictures: Mapping[BlobId, float]
    weight: float
    panels: Mapping[str, BlobId]
    why: str = ""


def guide(
    jobs: Mapping[str, PanelJob], context: Context, vibe: VibeMemory
) -> tuple[Mapping[str, PanelJob], Guidance]:
    """The jobs as guidance changes them, by panel id in the same order; as they are when it is off.

    Raises:
        IntegrityError, StorageError: see `VibeMemory` and `Library`.
    """
    settings = context.settings
    off = Guidance(pictures={}, weight=0.0, panels={})
    if not settings.vibe_guidance or not settings.vibe_weight:
        return jobs, off
    pictures: dict[BlobId, float] = {}
    for path, score in vibe.favourites(category=settings.vibe_category, count=FAVOURITES):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"cannot read {path}, a liked picture: {error.strerror or error}") from error
        pictures.setdefault(context.library.store(data), round(score, 4))
    if not pictures:
        of = f" of category '{settings.vibe_category}'" if settings.vibe_category else ""
        why = f"--vibe_guidance: no liked picture{of} is kept; panels are drawn without it"
        return jobs, replace(off, why=why)
    names = list(pictures)
    chosen = {panel: names[job.request_for(0).seed % len(names)] for panel, job in jobs.items()}
    guided = {panel: with_style(job, chosen[panel], settings.vibe_weight) for panel, job in jobs.items()}
    why = f"panels take on colours of {len(names)} liked pictures, weight {settings.vibe_weight:g}"
    return guided, Guidance(pictures=pictures, weight=settings.vibe_weight, panels=chosen, why=why)
