"""From drawn panels to a book on disk: panel files, pages, archives, the reader, and `run.json`.

In: the plan, the pictures by panel. Out: files that appear whole, and stay untouched when nothing changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model import __version__
from model.config import Settings
from model.files import storage_errors, write_bytes
from model.geometry import Box
from model.memory.store.library import Library
from model.page.export.book import export_book
from model.page.values import Book, Line, PageArt, PanelArt
from model.render.weights import Checkpoint
from model.run.accept import Candidate, Outcome
from model.run.rehearse import Reference
from model.story.plan import Panel, Plan


def bind(
    plan: Plan,
    panels: Mapping[str, Outcome],
    large: Mapping[str, str],
    out: Path,
    library: Library,
    dpi: int,
) -> tuple[str, ...]:
    """Write panel pictures, pages and books into `out`; returns the letterer's notes.

    Args:
        panels: panel id → what was drawn.
        large: drawn picture → its enlargement, both by sha256; a picture without one is used as it is.
    """
    pictures: dict[str, Path] = {}
    for panel in plan.panels:
        blob = panels[panel.id].best.drawn.blob
        if blob:
            pictures[panel.id] = out / "panels" / f"{panel.id}.png"
            put(pictures[panel.id], library.load(large.get(blob, blob)))
    _remove_others(out / "panels", {path.name for path in pictures.values()})
    book = lettered(plan, pictures, _seen(plan, panels))
    return export_book(book, out, dpi).notes


def _seen(plan: Plan, panels: Mapping[str, Outcome]) -> dict[str, tuple[Box, ...]]:
    """Panel id → where its characters were found, or asked for where nobody was found."""
    seen: dict[str, tuple[Box, ...]] = {}
    for panel in plan.panels:
        measured = panels[panel.id].best.drawn.measured
        if measured is not None:
            seen[panel.id] = tuple(
                sighting.box or figure.box
                for figure, sighting in zip(panel.figures, measured.sightings, strict=True)
            )
    return seen


def lettered(plan: Plan, pictures: Mapping[str, Path], seen: Mapping[str, tuple[Box, ...]]) -> Book:
    """The plan as the page room knows it; a panel without a picture is marked on its page.

    Args:
        pictures: panel id → its picture.
        seen: panel id → where its characters are; those of other panels are where they were asked for.
    """
    return Book(
        title=plan.title,
        language=plan.language,
        reading_direction=plan.reading_direction,
        page_size=plan.page_size,
        font=plan.font,
        capitals=plan.capitals,
        writing=plan.writing,
        pages=tuple(
            PageArt(
                number=page.number,
                template=page.template,
                frames=page.frames,
                panels=tuple(
                    _panel_art(panel, pictures.get(panel.id), seen.get(panel.id)) for panel in page.panels
                ),
            )
            for page in plan.pages
        ),
    )


def _panel_art(panel: Panel, picture: Path | None, seen: tuple[Box, ...] | None) -> PanelArt:
    places = seen or tuple(figure.box for figure in panel.figures)
    boxes = {figure.character: box for figure, box in zip(panel.figures, places, strict=True)}
    return PanelArt(
        id=panel.id,
        picture=picture,
        alt=_alt(panel),
        caption=panel.caption,
        lines=tuple(
            Line(text=line.text, kind=line.kind, speaker=boxes.get(line.speaker or ""))
            for line in panel.lines
        ),
        figures=places,
        names=tuple(figure.name for figure in panel.figures),
        scene=", ".join(part for part in (panel.shot, panel.scene) if part),
        shot=panel.shot,
        emphasis=panel.emphasis,
    )


def _alt(panel: Panel) -> str:
    """The panel in words, for a reader who cannot see it."""
    who = ", ".join(f"{figure.name} ({figure.prompt})" for figure in panel.figures)
    return ": ".join(part for part in (panel.scene, who) if part)


def put(path: Path, data: bytes) -> None:
    """Write `data` unless the file already holds it."""
    with storage_errors(path):
        if path.is_file() and path.read_bytes() == data:
            return
    write_bytes(path, data)


def _remove_others(folder: Path, names: set[str]) -> None:
    """Remove panel files that an earlier version of the story left."""
    with storage_errors(folder):
        for path in folder.glob("p[0-9][0-9][0-9]_[0-9][0-9].png"):
            if path.name not in names:
                path.unlink()


def record(
    plan: Plan,
    settings: Settings,
    checkpoint: Checkpoint,
    upscaler: str,
    cast: Mapping[str, Reference],
    panels: Mapping[str, Outcome],
    seconds: Mapping[str, float],
    notes: tuple[str, ...],
) -> dict[str, Any]:
    """`run.json`: how this book was made."""
    return {
        "autostudio": __version__,
        "title": plan.title,
        "config": {**asdict(settings), "out": str(settings.out or ""), "library": str(settings.library)},
        "weights": {
            "name": checkpoint.name,
            "fingerprint": checkpoint.fingerprint,
            "files": checkpoint.files,
            "upscaler": upscaler,
        },
        "cast": {key: asdict(reference) for key, reference in cast.items()},
        "panels": [_panel_facts(panel, panels[panel.id]) for panel in plan.panels],
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "notes": list(notes),
    }


def _panel_facts(panel: Panel, outcome: Outcome) -> dict[str, Any]:
    best = outcome.best
    return {
        "id": panel.id,
        "page": panel.page,
        "key": best.request.key,
        "seed": best.request.seed,
        "attempts": len(outcome.candidates),
        "cached": best.drawn.cached,
        "seconds": best.drawn.seconds,
        "failure": best.drawn.failure,
        **_judged(panel, best),
        "candidates": [
            {
                "key": one.request.key,
                "seed": one.request.seed,
                "picture": one.drawn.blob,
                **_judged(panel, one),
            }
            for one in outcome.candidates
        ],
        "request": asdict(best.request),
        "boxes": {figure.character: figure.box.as_tuple() for figure in panel.figures},
    }


def _judged(panel: Panel, candidate: Candidate) -> dict[str, Any]:
    """What the judge saw in a candidate and said of it."""
    verdict, measured = candidate.verdict, candidate.drawn.measured
    if verdict is None or measured is None:
        return {"accepted": False, "reasons": [candidate.drawn.failure], "scores": {}, "found": None}
    scores = {
        "count": verdict.count,
        "layout": verdict.layout,
        "identity": verdict.identity,
        "vibe": verdict.vibe,
    }
    return {
        "accepted": verdict.accepted,
        "reasons": list(verdict.reasons),
        "scores": {
            name: round(value, 4)
            for name, value in {**scores, "total": verdict.total}.items()
            if value is not None
        },
        "found": measured.found,
        "sightings": {
            figure.character: {**asdict(sighting), "box": sighting.box.as_tuple() if sighting.box else None}
            for figure, sighting in zip(panel.figures, measured.sightings, strict=True)
        },
    }


def write_record(path: Path, facts: dict[str, Any], *, changed: bool) -> None:
    """Write run.json. When no panel was drawn and the file already tells of these panels, it stays as it is:
    it says how the pictures were made, not when they were last looked at."""
    if not changed and _same_panels(path, facts):
        return
    put(path, (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode())


def _same_panels(path: Path, facts: dict[str, Any]) -> bool:
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        return (
            [(panel["id"], panel["key"]) for panel in before["panels"]]
            == [(panel["id"], panel["key"]) for panel in facts["panels"]]
            and before["notes"] == facts["notes"]
            and before["title"] == facts["title"]
            and before["weights"] == json.loads(json.dumps(facts["weights"]))
            and all(before[name] == facts[name] for name in ("story", "shapes", "planned"))
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
