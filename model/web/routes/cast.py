"""The cast of a book: looks, candidates, approval, own pictures; and what the chronicle remembers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from model.files import BlobId
from model.web import casting, telling
from model.web import schemas as s
from model.web.edits import CharacterId, PanelId
from model.web.routes.answers import CONFLICT, REFUSALS, body_of
from model.web.state import Here

router = APIRouter(prefix="/api", tags=["cast"], responses=REFUSALS)
Variant = Annotated[str, Query(pattern=r"^[\w#-]{0,80}$")]


@router.get("/books/{book}/cast")
def cast(house: Here, book: s.BookName) -> s.CastView:
    """Every look that the book needs."""
    return casting.cast_view(house, book)


@router.post("/books/{book}/cast/{character}/approve")
def approve(
    house: Here, book: s.BookName, character: CharacterId, wanted: s.Approve, variant: Variant = ""
) -> s.LookView:
    """A candidate, an earlier reference or a crop becomes the reference."""
    return casting.approve(house, book, character, variant, BlobId(wanted.picture))


@router.post("/books/{book}/cast/{character}/pin")
def pin(
    house: Here, book: s.BookName, character: CharacterId, wanted: s.Pin, variant: Variant = ""
) -> s.LookView:
    """The reference stays, whatever the story says."""
    return casting.pin(house, book, character, variant, wanted.pinned)


@router.post("/books/{book}/cast/{character}/undo")
def undo(house: Here, book: s.BookName, character: CharacterId, variant: Variant = "") -> s.LookView:
    """The reference before."""
    return casting.undo(house, book, character, variant)


@router.post("/books/{book}/cast/{character}/picture")
async def picture(
    house: Here, request: Request, book: s.BookName, character: CharacterId, variant: Variant = ""
) -> s.LookView:
    """A picture of one's own becomes the reference; the body is the file."""
    return casting.give(house, book, character, variant, await body_of(request))


@router.get("/books/{book}/chronicle")
def chronicle(
    house: Here,
    book: s.BookName,
    character: Annotated[str | None, Query(max_length=200)] = None,
    panel: PanelId | None = None,
) -> s.ChronicleView:
    """What is remembered; of one character, and up to one panel, when these are named."""
    return telling.chronicle_view(house, book, character, panel)


@router.post("/books/{book}/chronicle", responses=CONFLICT)
def remember(house: Here, book: s.BookName, wanted: s.NewMemoryRequest) -> s.ChronicleView:
    """Add a fact."""
    telling.remember(house, book, wanted)
    return telling.chronicle_view(house, book, None, None)


@router.delete("/books/{book}/chronicle/{memory}")
def forget(house: Here, book: s.BookName, memory: Annotated[int, Path(ge=0, lt=2**53)]) -> s.ChronicleView:
    """Forget something."""
    telling.forget(house, memory)
    return telling.chronicle_view(house, book, None, None)
