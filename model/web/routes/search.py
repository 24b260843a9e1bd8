"""Search over all books; find and replace over one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from model.web import finding, views
from model.web import schemas as s
from model.web.routes.answers import CONFLICT, REFUSALS
from model.web.state import Here

router = APIRouter(prefix="/api", tags=["search"], responses=REFUSALS)


@router.get("/search")
def search(
    house: Here,
    q: Annotated[str, Query(min_length=1, max_length=200)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> s.Hits:
    """Where a text stands in prompts, lines and characters."""
    return finding.search(house, q, limit)


@router.post("/books/{book}/replace", responses=CONFLICT)
def replace(house: Here, book: s.BookName, wanted: s.ReplaceRequest) -> s.Replaced:
    """Replace a text over a book, or show what that would be."""
    hits, edits = finding.replaced(house, book, wanted)
    if wanted.preview or not edits:
        return s.Replaced(hits=hits)
    what = f"replaced {wanted.find!r} by {wanted.replace!r}"[:200]
    change = house.books.edit(book, wanted.base, edits, what, wanted.client)
    return s.Replaced(hits=hits, edited=views.edited(house, book, change, pages=()))
