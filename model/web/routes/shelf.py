"""The shelf: which books there are, new ones, copies, the bin."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from model.web import schemas as s
from model.web import shelving
from model.web.routes.answers import REFUSALS, body_of
from model.web.state import Here, House

router = APIRouter(prefix="/api", tags=["shelf"], responses=REFUSALS)


@router.get("/shelf")
def shelf(house: Here) -> s.Shelf:
    """Every book, what a new one may begin from, and the bin."""
    return s.Shelf(
        books=[shelving.card_of(house, name) for name in house.workspace.names()],
        examples=shelving.examples(),
        bin=shelving.bin_cards(house),
    )


@router.post("/books", status_code=201)
def new_book(house: Here, wanted: s.NewBook) -> s.BookCard:
    """A new book."""
    return _told(house, shelving.new_book(house, wanted))


@router.post("/books/upload", status_code=201)
async def upload(
    house: Here, request: Request, name: Annotated[str, Query(max_length=200)] = "story.json"
) -> s.BookCard:
    """A new book of a story file, in either dialect; the body is the file."""
    data = await body_of(request)
    return _told(house, shelving.uploaded(house, data, name))


@router.patch("/books/{book}")
def rename(house: Here, book: s.BookName, wanted: s.Rename) -> s.BookCard:
    """Another title."""
    shelving.rename(house, book, wanted.title)
    return _told(house, book)


@router.delete("/books/{book}")
def discard(house: Here, book: s.BookName) -> s.BinCard:
    """Into the bin."""
    card = shelving.discard(house, book)
    house.hub.send("shelf", {})
    return card


@router.post("/bin/{entry}/restore")
def restore(house: Here, entry: Annotated[str, Path(max_length=100)]) -> s.BookCard:
    """Out of the bin."""
    return _told(house, shelving.restore(house, entry))


def _told(house: House, name: str) -> s.BookCard:
    house.hub.send("shelf", {})
    return shelving.card_of(house, name)
