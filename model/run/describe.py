"""A finished run as its `RunRecord`: settings, weights by hash, cast, and every try of every panel.

In: a drawn book and what it was drawn with. Out: the value that `run.json` holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model import __version__
from model.events import Cost
from model.run.accept import Candidate, Outcome
from model.run.book import Book
from model.run.context import Context
from model.run.record import (
    VERSION,
    RunCast,
    RunConfig,
    RunForms,
    RunPanel,
    RunRecord,
    RunSighting,
    RunTry,
    planned_of,
    relative_story,
)
from model.story.plan import Panel


def describe(
    book: Book, story: Path, context: Context, *, cost: Cost, diversity: Mapping[str, Any], forms: RunForms
) -> RunRecord:
    """How this book was made.

    Args:
        story: the file that it was planned from.
        diversity: how alike its panels are; see `keep.diversity`.
        forms: which forms of it are in its folder.
    """
    settings, models = context.settings, context.models
    checkpoint = models.checkpoint
    gguf = settings.gguf
    config = {
        **asdict(settings),
        "gguf": {"path": str(gguf.path), "level": gguf.level} if gguf is not None else None,
        "out": str(settings.out or ""),
        "library": str(settings.library),
    }
    return RunRecord(
        version=VERSION,
        autostudio=__version__,
        title=book.plan.title,
        config=RunConfig(**config),
        weights={
            "name": checkpoint.name,
            "fingerprint": checkpoint.fingerprint,
            "files": checkpoint.files,
            "upscaler": models.upscaler_sha256,
        },
        cast={key: RunCast(**asdict(reference)) for key, reference in book.cast.items()},
        panels=tuple(_panel(panel, book.panels[panel.id]) for panel in book.plan.panels),
        seconds={stage: round(value, 3) for stage, value in context.events.seconds.items()},
        notes=book.notes,
        story=relative_story(story, book.out),
        shapes=checkpoint.shapes,
        planned={panel.id: planned_of(panel) for panel in book.planned.panels},
        cost=asdict(cost),
        guidance=asdict(book.guidance),
        injections=tuple(asdict(one) for one in book.injections),
        diversity=dict(diversity),
        memory=models.memory,
        forms=forms,
    )


def _panel(panel: Panel, outcome: Outcome) -> RunPanel:
    best = outcome.best
    return RunPanel(
        id=panel.id,
        identity=panel.identity,
        page=panel.page,
        attempts=len(outcome.candidates),
        chosen=bool(outcome.chosen),
        cached=best.drawn.cached,
        seconds=best.drawn.seconds,
        failure=best.drawn.failure,
        candidates=tuple(RunTry(**_try(panel, one)) for one in outcome.candidates),
        request=asdict(best.request),
        boxes={figure.character: figure.box.as_tuple() for figure in panel.figures},
        **_try(panel, best),
    )


def _try(panel: Panel, candidate: Candidate) -> dict[str, Any]:
    """One drawing, and what the judge said of it."""
    verdict, measured = candidate.verdict, candidate.drawn.measured
    facts: dict[str, Any] = {
        "key": candidate.request.key,
        "seed": candidate.request.seed,
        "picture": candidate.drawn.blob,
    }
    if verdict is None or measured is None:
        return facts | {
            "accepted": False,
            "reasons": (candidate.drawn.failure,),
            "scores": {},
            "found": None,
        }
    return facts | {
        "accepted": verdict.accepted,
        "reasons": verdict.reasons,
        "scores": verdict.scores,
        "found": measured.found,
        "sightings": {
            figure.character: RunSighting(
                box=sighting.box.as_tuple() if sighting.box else None,
                overlap=sighting.overlap,
                identity=sighting.identity,
                face=sighting.face,
                crop=sighting.crop,
            )
            for figure, sighting in zip(panel.figures, measured.sightings, strict=True)
        },
    }
