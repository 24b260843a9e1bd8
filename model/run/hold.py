"""A locked panel is never drawn again by itself: it keeps the picture it showed last, and the tries of that.
So do all others when only some panels are asked for.

In: a plan, and what the library knows that its panels showed. Out: the plan with its held panels as they are
in their pictures, and their jobs. Words are lettered as the story has them now.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from model.files import NO_BLOB, BlobId
from model.geometry import Box
from model.memory.panels.shown import show, shown_of
from model.memory.panels.tries import Tries
from model.memory.store.library import Library
from model.render.request import Detail, PanelRequest, Region, Sampling, Style
from model.run.accept import Candidate, Outcome, PanelJob
from model.run.book import Book
from model.run.draw import Drawn
from model.run.leave import Remembered
from model.story.plan import Figure, Panel, Plan


def hold(
    remembered: Remembered, library: Library, *, drawn: Collection[str] | None = None
) -> tuple[Remembered, Mapping[str, PanelJob]]:
    """The plan with its held panels as they were drawn; and their jobs, by panel id.

    A panel that shows nothing yet, or whose picture is gone from the library, cannot be held.

    Args:
        drawn: ids of the panels that may be drawn; None: all that are not locked.
    """
    plan = remembered.plan
    held_ids = {one.id for one in plan.panels if one.locked or (drawn is not None and one.id not in drawn)}
    if not held_ids:
        return remembered, {}
    known = shown_of(library, plan.key)
    kept = {row["key"] for row in library.rows("SELECT key FROM panels")}
    jobs: dict[str, PanelJob] = {}
    notes: list[str] = []

    def held(panel: Panel) -> Panel:
        facts = known.get(panel.identity)
        if panel.id not in held_ids or facts is None:
            return panel
        first = request_from(facts["first"])
        if not {first.key, facts["shown"]} <= kept:
            if panel.locked:
                notes.append(f"{panel.id}: is locked, but its picture is gone from the library")
            return panel
        figures = tuple(Figure(**{**one, "box": Box(*one["box"])}) for one in facts["figures"])
        shown = replace(
            panel,
            width=first.width,
            height=first.height,
            prompt=first.prompt,
            negative=first.negative,
            figures=figures,
            words=tuple(facts["words"]),
        )
        if panel.locked and _asked(shown) != _asked(panel):
            notes.append(f"{panel.id}: is locked and keeps its picture, though its story asks for another")
        jobs[panel.id] = PanelJob(
            names=tuple(figure.name for figure in figures),
            request_for=lambda _: first,
            retried=False,
            identity=panel.identity,
            held=True,
            stale=_asked(shown) != _asked(panel),
        )
        _decide(plan, panel, first, facts, library)
        return shown

    pages = tuple(replace(page, panels=tuple(map(held, page.panels))) for page in plan.pages)
    changed = replace(plan, pages=pages)
    return replace(remembered, plan=changed, notes=(*remembered.notes, *notes)), jobs


def as_drawn(planned: Plan, told: Plan, jobs: Mapping[str, PanelJob]) -> Plan:
    """A plan for the record of a run: of held panels that are not locked it says what was drawn, so that
    whoever compares it with the story sees that they are to be drawn again."""
    shown = {panel.id: panel for panel in told.panels if panel.id in jobs and not panel.locked}

    def drawn(panel: Panel) -> Panel:
        return shown[panel.id] if jobs[panel.id].stale else panel

    pages = (
        replace(page, panels=tuple(drawn(one) if one.id in shown else one for one in page.panels))
        for page in planned.pages
    )
    return replace(planned, pages=tuple(pages)) if shown else planned


def asked_for(
    jobs: Mapping[str, PanelJob], panels: Collection[str] | None
) -> tuple[Mapping[str, PanelJob], dict[str, Outcome]]:
    """The jobs that are to be done, and what stands for those that nobody asked for and that show nothing."""
    if panels is None:
        return jobs, {}
    wanted = {name: job for name, job in jobs.items() if job.held or name in panels}
    left_out: dict[str, Outcome] = {}
    for name in jobs.keys() - wanted.keys():
        request = jobs[name].request_for(0)
        drawn = Drawn(key=request.key, failure="not asked for yet")
        left_out[name] = Outcome(candidates=(Candidate(request=request, drawn=drawn, verdict=None),))
    return wanted, left_out


def keep_shown(book: Book, library: Library) -> None:
    """Remember what each panel of a book shows, in case it is locked later.

    Raises:
        StorageError: the disk refuses.
    """
    facts: dict[str, dict[str, Any]] = {}
    for panel in book.plan.panels:
        outcome = book.panels[panel.id]
        if outcome.best.drawn.blob:
            first = outcome.candidates[0].request
            facts[panel.identity] = {
                "first": asdict(first),
                "shown": outcome.best.request.key,
                "figures": [{**asdict(figure), "box": figure.box.as_tuple()} for figure in panel.figures],
                "words": panel.words,
                "seeds": [one.request.seed for one in outcome.candidates[1:] if one.request.repair is None],
            }
    show(library, book.plan.key, facts)


def request_from(facts: Mapping[str, Any]) -> PanelRequest:
    """A request that was written as JSON by `asdict`."""
    style, detail = facts.get("style"), facts.get("detail")
    regions = tuple(
        Region(box=Box(**one["box"]), prompt=one["prompt"], reference=BlobId(one.get("reference") or NO_BLOB))
        for one in facts["regions"]
    )
    return PanelRequest(
        **{
            **facts,
            "regions": regions,
            "sampling": Sampling(**facts["sampling"]),
            "style": Style(**style) if style else None,
            "detail": Detail(**detail) if detail else None,
            "repair": None,  # a panel's first try never is one
        }
    )


def _decide(
    plan: Plan, panel: Panel, first: PanelRequest, facts: Mapping[str, Any], library: Library
) -> None:
    """The other tries of a held panel stay beside the one that it shows."""
    tries = Tries(library)
    decided = tries.of(plan.key, panel.identity, first.key)
    for seed in facts["seeds"]:
        if seed not in decided.seeds:
            tries.add(plan.key, panel.identity, first.key, seed)
    if not decided.chosen:
        tries.choose(plan.key, panel.identity, first.key, facts["shown"])


def _asked(panel: Panel) -> tuple[object, ...]:
    figures = [(figure.character, figure.box.as_tuple(), figure.prompt) for figure in panel.figures]
    return panel.width, panel.height, panel.prompt, panel.negative, figures, panel.words
