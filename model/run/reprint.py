"""A finished book set again, in whatever forms are asked for: no panel is drawn, no model loaded.

In: the folder of a run. Out: files, and what there is to say about them. Lettering follows the story as it is
now; pictures, and where people were found in them, are those of the run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from model.errors import ConfigError, IntegrityError
from model.geometry import Box
from model.page.export.book import BOOK, export_book
from model.run.bind import lettered
from model.run.forms import forms_after, keep_forms, stale_notes
from model.run.plan import read_plan
from model.run.record import RunForms, RunRecord, found_boxes, read_record, story_of
from model.story.plan import Plan

_EMPTY = "empty_balloons"  # the folder of pages without words, beside those that have them


@dataclass(frozen=True, slots=True, kw_only=True)
class Reprint:
    """What setting a book again did.

    Attributes:
        out: where its files are.
        set_anew: numbers of the pages whose picture was set; the others were there as they have to be.
        notes: of the letterer, and on panels that the story now describes otherwise.
        stale: panels whose picture is not what the story asks for now, or that have none.
        stale_forms: forms in the folder that are of an earlier version of the book.
    """

    title: str
    out: Path
    files: tuple[Path, ...]
    pages: int
    set_anew: tuple[int, ...]
    notes: tuple[str, ...]
    stale: tuple[str, ...]
    seconds: float
    stale_forms: tuple[str, ...] = ()

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
    record = read_record(run)
    path = story or story_of(record, run)
    if not path.is_file():
        raise ConfigError(f"{path}: the story of {run} is not there any more; name it with --story")
    plan = read_plan(path, seed=record.config.seed, shapes=record.shapes)
    if not any(record.panel(panel.id) for panel in plan.panels):
        raise ConfigError(f"{path}: no panel of this story is in {run}; name the story it was drawn from")
    pictures = _pictures(run, plan, record)
    book = lettered(plan, pictures, _places(plan, record))
    where = out or (run / _EMPTY if empty_balloons else run)
    changed = max(path.stat().st_mtime, (run / "run.json").stat().st_mtime)
    done = export_book(
        book,
        where,
        record.config.dpi if dpi is None else dpi,
        formats,
        empty_balloons=empty_balloons,
        modified=datetime.fromtimestamp(int(changed), UTC),
    )
    forms = RunForms()
    if where.resolve() == run.resolve():
        forms = forms_after(run, formats, done.stamp)
        keep_forms(run, forms)
    stale = _complaints(record.differences(plan), pictures, path)
    return Reprint(
        title=plan.title,
        out=where,
        files=done.files,
        pages=len(plan.pages),
        set_anew=done.set_anew,
        notes=(*done.notes, *stale.values(), *stale_notes(forms, where)),
        stale=tuple(stale),
        stale_forms=forms.stale,
        seconds=round(time.perf_counter() - started, 2),
    )


def _pictures(run: Path, plan: Plan, record: RunRecord) -> dict[str, Path]:
    """Panel id → its picture; panels that the run has none of are left out."""
    pictures: dict[str, Path] = {}
    for panel in plan.panels:
        path, drawn = run / "panels" / f"{panel.id}.png", record.panel(panel.id)
        if path.is_file():
            pictures[panel.id] = path
        elif drawn is not None and not drawn.failure:
            raise IntegrityError(f"{path}: missing; run the story again, which takes it from the library")
    return pictures


def _places(plan: Plan, record: RunRecord) -> dict[str, tuple[Box, ...]]:
    """Panel id → where its characters were found, or are asked for where nobody was found."""
    places: dict[str, tuple[Box, ...]] = {}
    for panel in plan.panels:
        drawn = record.panel(panel.id)
        if drawn is not None:
            found = found_boxes(drawn.sightings)
            places[panel.id] = tuple(
                Box(*found[figure.character]) if figure.character in found else figure.box
                for figure in panel.figures
            )
    return places


def _complaints(
    differing: Mapping[str, tuple[str, ...]], pictures: Mapping[str, Path], story: Path
) -> dict[str, str]:
    """Panel id → that its picture is not what the story asks for now."""
    complaints: dict[str, str] = {}
    for panel, names in differing.items():
        if panel not in pictures:
            complaints[panel] = f"{panel}: was never drawn; 'run.py {story}' draws it"
        else:
            complaints[panel] = (
                f"{panel}: the story asks for another picture since it was drawn ({', '.join(names)}); "
                f"the old one is shown; 'run.py {story}' draws it anew"
            )
    return complaints
