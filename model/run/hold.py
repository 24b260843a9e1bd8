"""A locked panel is never drawn again by itself: it keeps the picture it showed last, and the tries of that.

In: a plan, and what the library knows that its panels showed. Out: the plan with its locked panels as they are
in their pictures, and their jobs. Words are lettered as the story has them now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from model.files import NO_BLOB, BlobId
from model.geometry import Box
from model.memory.panels.shown import show, shown_of
from model.memory.panels.tries import Tries
from model.memory.store.library import Library
from model.render.request import PanelRequest, Region, Sampling, Style
from model.run.accept import PanelJob
from model.run.book import Book
from model.run.leave import Remembered
from model.story.plan import Figure, Panel, Plan


def hold(remembered: Remembered, library: Library) -> tuple[Remembered, Mapping[str, PanelJob]]:
    """The plan with its locked panels as they were drawn; and their jobs, by panel id.

    A locked panel that shows nothing yet, or whose picture is gone from the library, is drawn as any other.
    """
    plan = remembered.plan
    if not any(panel.locked for panel in plan.panels):
        return remembered, {}
    known = shown_of(library, plan.slug)
    kept = {row["key"] for row in library.rows("SELECT key FROM panels")}
    jobs: dict[str, PanelJob] = {}
    notes: list[str] = []

    def held(panel: Panel) -> Panel:
        facts = known.get(panel.identity)
        if not panel.locked or facts is None:
            return panel
        request = request_from(facts["request"])
        if request.key not in kept:
            notes.append(f"{panel.id}: is locked, but its picture is gone from the library; drawn again")
            return panel
        figures = tuple(Figure(**{**one, "box": Box(*one["box"])}) for one in facts["figures"])
        drawn = replace(
            panel,
            width=request.width,
            height=request.height,
            prompt=request.prompt,
            negative=request.negative,
            figures=figures,
            words=tuple(facts["words"]),
        )
        if _asked(drawn) != _asked(panel):
            notes.append(f"{panel.id}: is locked and keeps its picture, though its story asks for another")
        jobs[panel.id] = PanelJob(
            names=tuple(figure.name for figure in figures),
            request_for=lambda _: request,
            retried=False,
            identity=panel.identity,
            held=True,
        )
        _decide(plan, panel, request, facts["seeds"], library)
        return drawn

    pages = tuple(replace(page, panels=tuple(map(held, page.panels))) for page in plan.pages)
    changed = replace(plan, pages=pages)
    return replace(remembered, plan=changed, notes=(*remembered.notes, *notes)), jobs


def keep_shown(book: Book, library: Library) -> None:
    """Remember what each panel of a book shows, in case it is locked later.

    Raises:
        StorageError: the disk refuses.
    """
    facts: dict[str, dict[str, Any]] = {}
    for panel in book.plan.panels:
        outcome = book.panels[panel.id]
        if outcome.best.drawn.blob:
            request = outcome.best.request
            facts[panel.identity] = {
                "request": asdict(request),
                "figures": [{**asdict(figure), "box": figure.box.as_tuple()} for figure in panel.figures],
                "words": panel.words,
                "seeds": [one.request.seed for one in outcome.candidates if one.request != request],
            }
    show(library, book.plan.slug, facts)


def request_from(facts: Mapping[str, Any]) -> PanelRequest:
    """A request that was written as JSON by `asdict`."""
    style = facts.get("style")
    regions = tuple(
        Region(
            box=Box(**one["box"]), prompt=one["prompt"], reference=BlobId(one.get("reference") or NO_BLOB)
        )
        for one in facts["regions"]
    )
    return PanelRequest(
        **{
            **facts,
            "regions": regions,
            "sampling": Sampling(**facts["sampling"]),
            "style": Style(**style) if style else None,
        }
    )


def _decide(plan: Plan, panel: Panel, request: PanelRequest, seeds: list[int], library: Library) -> None:
    """The other tries of a locked panel stay beside the one that it shows."""
    tries = Tries(library)
    decided = tries.of(plan.slug, panel.identity, request.key)
    for seed in seeds:
        if seed not in decided.seeds:
            tries.add(plan.slug, panel.identity, request.key, seed)
    if not decided.chosen:
        tries.choose(plan.slug, panel.identity, request.key, request.key)


def _asked(panel: Panel) -> tuple[object, ...]:
    figures = [(figure.character, figure.box.as_tuple(), figure.prompt) for figure in panel.figures]
    return panel.width, panel.height, panel.prompt, panel.negative, figures, panel.words
