"""A finished book set again, in whatever forms are asked for: no panel is drawn, no model loaded.

In: the folder of a run. Out: files, and what there is to say about them. Lettering follows the story as it is
now; pictures, and where people were found in them, are those of the run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model.errors import ConfigError, IntegrityError
from model.geometry import Box
from model.page.export.book import BOOK, export_book
from model.run.bind import lettered
from model.run.origin import differences, story_of
from model.run.plan import plan_in_shapes
from model.story.plan import Panel, Plan

_EMPTY = "empty_balloons"  # the folder of pages without words, beside those that have them


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprint:
    """What setting a book again did.

    Attributes:
        out: where its files are.
        set_anew: numbers of the pages whose picture was set; the others were there as they have to be.
        notes: of the letterer, and on panels that the story now describes otherwise.
        stale: panels whose picture is not what the story asks for now, or that have none.
    """

    title: str
    out: Path
    files: tuple[Path, ...]
    pages: int
    set_anew: tuple[int, ...]
    notes: tuple[str, ...]
    stale: tuple[str, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        return 1 if self.stale else 0


def reprint(
    run: Path,
    *,
    story: Path | None = None,
    formats: Sequence[str] = BOOK,
    dpi: int | None = None,
    empty_balloons: bool = False,
    out: Path | None = None,
) -> Reprint:
    """Set the book in the folder `run` again.

    Args:
        story: the story, when it is no longer where it was at the time of the run.
        formats: of model/page/export/book.py's FORMATS.
        dpi: of page pictures; that of the run when None.
        empty_balloons: balloons without words, in a folder of their own.
        out: where to; the run's own folder when None.

    Raises:
        ConfigError: the folder holds no finished book, or not one of this story.
        StoryError: the story is wrong, or a text has no room in its panel.
        IntegrityError, StorageError: a panel's picture is missing or unreadable; the disk refuses.
    """
    started = time.perf_counter()
    facts = _record(run)
    path = story or story_of(facts, run)
    if not path.is_file():
        raise ConfigError(f"{path}: the story of {run} is not there any more; name it with --story")
    shapes = tuple((int(width), int(height)) for width, height in facts["shapes"])
    plan = plan_in_shapes(path, int(facts["config"]["seed"]), shapes)
    drawn = {panel["id"]: panel for panel in facts["panels"]}
    if not any(panel.id in drawn for panel in plan.panels):
        raise ConfigError(f"{path}: no panel of this story is in {run}; name the story it was drawn from")
    pictures = _pictures(run, plan, drawn)
    book = lettered(plan, pictures, _seen(plan, drawn))
    where = out or (run / _EMPTY if empty_balloons else run)
    changed = max(path.stat().st_mtime, (run / "run.json").stat().st_mtime)
    done = export_book(
        book,
        where,
        int(facts["config"].get("dpi", 150)) if dpi is None else dpi,
        formats,
        empty_balloons=empty_balloons,
        modified=datetime.fromtimestamp(int(changed), UTC),
    )
    told = _complaints(differences(facts, plan), pictures, path)
    return Reprint(
        title=plan.title,
        out=where,
        files=done.files,
        pages=len(plan.pages),
        set_anew=done.set_anew,
        notes=(*done.notes, *told.values()),
        stale=tuple(told),
        seconds=round(time.perf_counter() - started, 2),
    )


def _record(run: Path) -> dict[str, Any]:
    """The run's run.json."""
    path = run / "run.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); name the folder of a finished book") from error
    if not isinstance(facts, dict) or not {"story", "shapes", "planned", "panels", "config"} <= facts.keys():
        raise ConfigError(
            f"{path}: does not say which story it was drawn from; "
            "run the story once more, which draws nothing anew"
        )
    return facts


def _pictures(run: Path, plan: Plan, drawn: Mapping[str, Any]) -> dict[str, Path]:
    """Panel id → its picture; panels that the run has none of are left out."""
    pictures: dict[str, Path] = {}
    for panel in plan.panels:
        path = run / "panels" / f"{panel.id}.png"
        if path.is_file():
            pictures[panel.id] = path
        elif panel.id in drawn and not drawn[panel.id].get("failure"):
            raise IntegrityError(f"{path}: missing; run the story again, which takes it from the library")
    return pictures


def _seen(plan: Plan, drawn: Mapping[str, Any]) -> dict[str, tuple[Box, ...]]:
    """Panel id → where its characters were found, or are asked for where nobody was found."""
    return {
        panel.id: tuple(_place(drawn[panel.id], panel, index) for index in range(len(panel.figures)))
        for panel in plan.panels
        if panel.id in drawn
    }


def _place(facts: Mapping[str, Any], panel: Panel, index: int) -> Box:
    figure = panel.figures[index]
    found = (facts.get("sightings") or {}).get(figure.character, {}).get("box")
    return Box(*found) if found else figure.box


def _complaints(
    differing: Mapping[str, tuple[str, ...]], pictures: Mapping[str, Path], story: Path
) -> dict[str, str]:
    """Panel id → that its picture is not what the story asks for now."""
    told: dict[str, str] = {}
    for panel, names in differing.items():
        if panel not in pictures:
            told[panel] = f"{panel}: was never drawn; 'run.py {story}' draws it"
        else:
            told[panel] = (
                f"{panel}: the story asks for another picture since it was drawn ({', '.join(names)}); "
                f"the old one is shown; 'run.py {story}' draws it anew"
            )
    return told
