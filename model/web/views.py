"""A book as the page shows it: state, cost, pages.

In: a book's `Sight`, or a story under change. Out: values of `schemas.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from model.page.layout.templates import template_names
from model.story.plan import Plan
from model.story.schema import Story
from model.web import schemas as s
from model.web.applying import Change
from model.web.books import State
from model.web.drawn import BookDrawn
from model.web.edits import Edit
from model.web.setting import page_view
from model.web.shelving import card_of
from model.web.state import House


def book_view(house: House, name: str) -> s.BookView:
    """A book that is opened."""
    sight = house.sight(name)
    state, drawn = sight.state, sight.drawn
    undo, redo = house.books.steps(state)
    return s.BookView(
        card=card_of(house, name),
        revision=state.revision,
        story=state.tree,
        page_count=len(sight.plan.pages),
        panels=[
            s.PanelState(
                id=panel.id,
                page=panel.page,
                picture=one.shown.picture if one.shown else "",
                locked=panel.locked,
                stale=one.stale,
                accepted=one.shown.accepted if one.shown else None,
                tries=len(one.tries),
            )
            for panel in drawn.plan.panels
            for one in (drawn.panels[panel.id],)
        ],
        cost=cost_view(drawn),
        can_undo=undo,
        can_redo=redo,
        notes=list(sight.plan.notes),
        settings=house.settings_of(name),
        templates=list(template_names()),
    )


def cost_view(drawn: BookDrawn) -> s.Cost:
    """What drawing the book would do."""
    seconds = None if drawn.seconds is None else round(drawn.seconds, 1)
    return s.Cost(panels=list(drawn.missing_panels), cast=list(drawn.missing_cast), seconds=seconds)


def pages_of(
    house: House, plan: Plan, story: Story, drawn: BookDrawn, numbers: Collection[int]
) -> list[s.PageView]:
    """Some pages, set."""
    return [
        page_view(drawn.plan, page, story, drawn.panels, house.library)
        for page in drawn.plan.pages
        if page.number in numbers
    ]


def one_page(house: House, name: str, number: int) -> s.PageView:
    """One page of a book.

    Raises:
        KeyError: it has no such page.
    """
    sight = house.sight(name)
    found = pages_of(house, sight.plan, sight.state.story, sight.drawn, {number})
    if not found:
        raise KeyError(f"page {number}")
    return found[0]


def edited(house: House, name: str, change: Change | None, pages: Collection[int] | None = None) -> s.Edited:
    """The answer to an edit that was taken."""
    sight = house.sight(name)
    undo, redo = house.books.steps(sight.state)
    touched = pages if pages is not None else (change.pages if change else set())
    return s.Edited(
        revision=sight.state.revision,
        what=undo,
        story=sight.state.tree,
        pages=pages_of(house, sight.plan, sight.state.story, sight.drawn, touched),
        cost=cost_view(sight.drawn),
        can_undo=undo,
        can_redo=redo,
        notes=[*(change.notes if change else ()), *sight.plan.notes],
    )


def previewed(house: House, state: State, edits: Sequence[Edit], pages: Collection[int]) -> s.Previewed:
    """How pages would look after edits that nobody took yet."""
    change, _, story = house.books.tried(state, edits)
    # Nothing is kept of a preview, and so no key is looked for.
    plan = replace(house.plan(state.name, story), key=house.sight(state.name).plan.key)
    drawn = house.drawn(state.name, plan)
    return s.Previewed(
        pages=pages_of(house, plan, story, drawn, set(pages)),
        cost=cost_view(drawn),
        notes=[*change.notes, *plan.notes],
    )
