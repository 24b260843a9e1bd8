"""From drawn panels to a book on disk: panel files, pages, archives and the reader.

In: the plan, the pictures by panel. Out: files that appear whole, and stay untouched when nothing changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from model.files import BlobId, storage_errors, write_bytes
from model.geometry import Box
from model.memory.store.library import Library
from model.ours import remove_ours, set_aside
from model.page.export.book import BOOK, export_book
from model.page.values import Book as PageBook
from model.page.values import Line, PageArt, PanelArt
from model.run.accept import Outcome
from model.run.forms import forms_after, stale_notes
from model.run.record import RunForms
from model.story.plan import Panel, Plan


def bind(
    plan: Plan,
    panels: Mapping[str, Outcome],
    large: Mapping[BlobId, BlobId],
    out: Path,
    library: Library,
    dpi: int,
) -> tuple[tuple[str, ...], RunForms]:
    """Write panel pictures, pages and books into `out`.

    Args:
        panels: panel id → what was drawn.
        large: drawn picture → its enlargement; a picture without one is used as it is.
    Returns:
        The letterer's notes, and how the forms in the folder stand.
    """
    pictures: dict[str, Path] = {}
    for panel in plan.panels:
        blob = panels[panel.id].best.drawn.blob
        if blob:
            pictures[panel.id] = out / "panels" / f"{panel.id}.png"
            put(pictures[panel.id], library.load(large.get(blob, blob)))
    # Panels that an earlier version of the story had.
    remove_ours(out / "panels", r"p\d{3,}_\d{2,}\.png", {path.name for path in pictures.values()})
    book = lettered(plan, pictures, _places(plan, panels))
    done = export_book(book, out, dpi)
    forms = forms_after(out, BOOK, done.stamp)
    return (*done.notes, *stale_notes(forms, out)), forms


def _places(plan: Plan, panels: Mapping[str, Outcome]) -> dict[str, tuple[Box, ...]]:
    """Panel id → where its characters were found, or asked for where nobody was found."""
    places: dict[str, tuple[Box, ...]] = {}
    for panel in plan.panels:
        measured = panels[panel.id].best.drawn.measured
        if measured is not None:
            places[panel.id] = tuple(
                sighting.box or figure.box
                for figure, sighting in zip(panel.figures, measured.sightings, strict=True)
            )
    return places


def lettered(plan: Plan, pictures: Mapping[str, Path], places: Mapping[str, tuple[Box, ...]]) -> PageBook:
    """The plan as the page room knows it; a panel without a picture is marked on its page.

    Args:
        pictures: panel id → its picture.
        places: panel id → where its characters are; those of other panels are where they were asked for.
    """
    return PageBook(
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
                    _panel_art(panel, pictures.get(panel.id), places.get(panel.id)) for panel in page.panels
                ),
            )
            for page in plan.pages
        ),
    )


def _panel_art(panel: Panel, picture: Path | None, found: tuple[Box, ...] | None) -> PanelArt:
    places = found or tuple(figure.box for figure in panel.figures)
    boxes = {figure.character: box for figure, box in zip(panel.figures, places, strict=True)}
    return PanelArt(
        id=panel.id,
        picture=picture,
        alt=_alt(panel),
        caption=panel.caption,
        lines=tuple(
            Line(
                text=line.text,
                kind=line.kind,
                speaker=boxes.get(line.speaker or ""),
                at=line.at,
                number=number,
            )
            for number, line in enumerate(panel.lines)
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
    """Write `data` unless the file already holds it; a file of somebody else is kept under another name."""
    with storage_errors(path):
        if path.is_file() and path.read_bytes() == data:
            return
    set_aside(path)
    write_bytes(path, data)
