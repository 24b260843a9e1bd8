"""A book that is open: its pages as they will be printed, edits, undo and redo."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from model.page.layout.templates import arrange_page, templates_for
from model.page.layout.tiers import View
from model.web import schemas as s
from model.web import views
from model.web.routes.answers import CONFLICT, REFUSALS
from model.web.state import Here
from model.web.svg import page_svg

router = APIRouter(prefix="/api", tags=["book"], responses=REFUSALS)
Page = Annotated[int, Path(ge=1, le=100_000)]


@router.get("/books/{book}")
def book_view(house: Here, book: s.BookName) -> s.BookView:
    """The story, every panel's state, what drawing would cost, what can be undone."""
    return views.book_view(house, book)


@router.get("/books/{book}/story")
def story(house: Here, book: s.BookName) -> dict[str, Any]:
    """The story file."""
    return house.books.state(book).tree


@router.get("/books/{book}/pages")
def pages(
    house: Here,
    book: s.BookName,
    first: Annotated[int, Query(alias="from", ge=1, le=100_000)] = 1,
    last: Annotated[int, Query(alias="to", ge=1, le=100_000)] = 4,
) -> list[s.PageView]:
    """Some pages, at most twenty."""
    sight = house.sight(book)
    numbers = range(first, min(last, first + 19) + 1)
    return views.pages_of(house, sight.plan, sight.state.story, sight.drawn, numbers)


@router.get("/books/{book}/pages/{page}.svg")
def page_as_svg(house: Here, book: s.BookName, page: Page) -> Response:
    """A page as one picture of vectors; its art is addressed, not embedded."""
    return Response(page_svg(views.one_page(house, book, page)), media_type="image/svg+xml")


@router.get("/books/{book}/pages/{page}")
def page(house: Here, book: s.BookName, page: Page) -> s.PageView:
    """A page as it will be printed."""
    return views.one_page(house, book, page)


@router.post("/books/{book}/edits", responses=CONFLICT)
def edit(house: Here, book: s.BookName, wanted: s.EditRequest) -> s.Edited:
    """Take edits, all or none; they are kept when the answer comes."""
    change = house.books.edit(book, wanted.base, wanted.edits, wanted.what, wanted.client)
    return views.edited(house, book, change)


@router.post("/books/{book}/preview", responses=CONFLICT)
def preview(house: Here, book: s.BookName, wanted: s.PreviewRequest) -> s.Previewed:
    """How pages would look; nothing is kept."""
    return views.previewed(house, house.books.state(book), wanted.edits, wanted.pages)


@router.post("/books/{book}/undo", responses=CONFLICT)
def undo(house: Here, book: s.BookName, wanted: s.Move) -> s.Edited:
    """Back to the state before the current one."""
    house.books.undo(book, wanted.base, wanted.client)
    return views.edited(house, book, None)


@router.post("/books/{book}/redo", responses=CONFLICT)
def redo(house: Here, book: s.BookName, wanted: s.Move) -> s.Edited:
    """What was undone last, again."""
    house.books.redo(book, wanted.base, wanted.client)
    return views.edited(house, book, None)


@router.post("/books/{book}/revert/{revision}", responses=CONFLICT)
def revert(
    house: Here, book: s.BookName, revision: Annotated[int, Path(ge=1, lt=2**53)], wanted: s.Move
) -> s.Edited:
    """To any state that there was."""
    house.books.revert(book, wanted.base, revision, wanted.client)
    return views.edited(house, book, None)


@router.get("/books/{book}/revisions")
def revisions(
    house: Here, book: s.BookName, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[s.RevisionCard]:
    """Every state that there was, newest first."""
    state = house.books.state(book)
    return [
        s.RevisionCard(
            revision=one.number,
            parent=one.parent,
            what=one.what,
            time=one.created,
            current=one.number == state.revision,
        )
        for one in house.books.revisions.all(book, limit)
    ]


@router.patch("/books/{book}/settings")
def settings(house: Here, book: s.BookName, wanted: s.SettingsChange) -> s.SettingsView:
    """How this book is drawn."""
    house.set_up(book, wanted.values)
    house.hub.send("settings", {"book": book})
    return s.SettingsView(settings=house.settings_of(book))


@router.get("/templates/{panels}")
def templates(house: Here, panels: Annotated[int, Path(ge=1, le=12)]) -> list[s.TemplateView]:
    """The templates that hold so many panels, as boxes in fractions of a page."""
    shots = tuple(View(shot="medium", emphasis="normal") for _ in range(panels))
    return [
        s.TemplateView(
            name=name, frames=[frame.box.as_tuple() for frame in arrange_page(name, shots, "b5").frames]
        )
        for name in templates_for(panels)
    ]
