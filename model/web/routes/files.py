"""What a book was bound into: its cover, its files, its reader."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse, Response

from model.page.export.book import FORMATS
from model.pictures import OWN, read_picture
from model.run.record import RunForms
from model.web import schemas as s
from model.web.drawn import record_of
from model.web.routes.answers import REFUSALS
from model.web.state import Here

router = APIRouter(prefix="/api", tags=["files"], responses=REFUSALS)
_SINGLE = {"book.pdf": "pdf", "book.cbz": "cbz", "book.epub": "epub", "index.html": "html"}
_TYPES = {
    **{".png": "image/png", ".jpg": "image/jpeg", ".svg": "image/svg+xml", ".pdf": "application/pdf"},
    **{".html": "text/html; charset=utf-8", ".json": "application/json"},
    **{".cbz": "application/vnd.comicbook+zip", ".epub": "application/epub+zip"},
}
# The reader has its script inside, and reads nothing but its pages: it runs as a page of nobody.
_READER = (
    "sandbox allow-scripts; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
)


@router.get("/books/{book}/cover", response_class=Response)
def cover(house: Here, book: s.BookName, v: Annotated[str, Query(max_length=40)] = "") -> Response:
    """The first page, small."""
    path = house.folder(book) / "pages" / "page_001.png"
    if not path.is_file():
        raise KeyError(f"cover of {book}")
    kept = {"Cache-Control": "private, max-age=31536000, immutable"} if v else {}
    return Response(_small(path, path.stat().st_mtime_ns), media_type="image/jpeg", headers=kept)


@router.get("/books/{book}/files")
def files(house: Here, book: s.BookName) -> s.FilesView:
    """What there is to take away, and which of it is of an earlier version."""
    folder = house.folder(book)
    record = record_of(folder)
    stale = (record.forms if record else RunForms()).stale
    found: list[s.FileView] = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = path.relative_to(folder).as_posix()
        form = _SINGLE.get(name) or {"pages": "png", "webtoon": "webtoon", "layers": "layers"}.get(
            name.partition("/")[0], ""
        )
        if form and path.is_file() and not path.name.startswith("."):
            address = f"/api/books/{book}/files/{name}"
            found.append(
                s.FileView(
                    name=name, form=form, bytes=path.stat().st_size, address=address, stale=form in stale
                )
            )
    return s.FilesView(files=found, formats=list(FORMATS))


@router.get("/books/{book}/files/{name:path}", response_class=FileResponse)
def file(
    house: Here,
    book: s.BookName,
    name: Annotated[str, Path(max_length=300)],
    download: Annotated[bool, Query()] = False,
) -> FileResponse:
    """One file of the book; the reader is `index.html`."""
    folder = house.folder(book).resolve()
    path = _inside(folder, name)
    if path is None or path.suffix not in _TYPES:
        raise KeyError(name[:80])
    headers: dict[str, str] = {"Cache-Control": "no-cache"}
    if path.suffix in (".html", ".svg"):
        headers["Content-Security-Policy"] = f"{_READER}; frame-ancestors 'self'"
    filename = None
    if download:
        filename = f"{book}{path.suffix}" if name in _SINGLE else path.name
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=headers, filename=filename)


def _inside(folder: FilePath, name: str) -> FilePath | None:
    """A file in the folder, whatever the name says; None: there is none."""
    try:
        path = (folder / name).resolve()
        return path if path.is_relative_to(folder) and path.is_file() else None
    except (OSError, ValueError):  # no name that a file can have
        return None


@lru_cache(maxsize=256)
def _small(path: FilePath, _changed: int) -> bytes:
    picture = read_picture(path, OWN).convert("RGB")
    picture.thumbnail((420, 840))
    coded = io.BytesIO()
    picture.save(coded, "JPEG", quality=80, optimize=True)
    return coded.getvalue()
