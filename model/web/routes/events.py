"""Events as they happen, pictures by their names, previews of pictures under way."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from model.files import BlobId
from model.pictures import OWN, read_picture
from model.web import schemas as s
from model.web.routes.answers import REFUSALS, body_of
from model.web.state import Here, House

router = APIRouter(prefix="/api", tags=["events"], responses=REFUSALS)
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_WIDTHS = (128, 256, 512, 1024)


@router.get("/events", response_class=StreamingResponse)
async def events(
    house: Here,
    book: Annotated[str, Query(pattern=r"^([a-z0-9][a-z0-9_-]{0,63})?$")] = "",
    last_event_id: Annotated[str, Header(max_length=64)] = "",
) -> StreamingResponse:
    """Server-sent events of a book, or of all."""
    return StreamingResponse(
        house.hub.listen(book, last_event_id),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


@router.get("/blobs/{blob}.png", response_class=Response)
def blob(
    house: Here,
    blob: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")],
    w: Annotated[int | None, Query(ge=1, le=4096)] = None,
) -> Response:
    """A picture of the library, or a smaller one of it; it never changes."""
    path = house.library.blob_path(BlobId(blob))
    if not path.is_file():
        raise KeyError(f"picture {blob[:12]}")
    if w is None:
        return Response(house.library.load(BlobId(blob)), media_type="image/png", headers=_FOREVER)
    width = next((one for one in _WIDTHS if one >= w), _WIDTHS[-1])
    return Response(_smaller(house, blob, width), media_type="image/png", headers=_FOREVER)


@router.post("/pictures", status_code=201)
async def picture(house: Here, request: Request) -> s.Stored:
    """Keep a picture, such as the mask of a repair; the body is the file."""
    made = read_picture(await body_of(request))
    coded = io.BytesIO()
    made.convert("RGBA" if made.has_transparency_data else "RGB").save(coded, "PNG")
    return s.Stored(picture=house.library.store(coded.getvalue()))


@router.get("/previews/{job}/{name}.png", response_class=Response)
def preview(
    house: Here,
    job: Annotated[int, Path(ge=0, lt=2**63)],
    name: Annotated[str, Path(max_length=200)],
    step: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> Response:
    """How a picture looks in the middle of its steps."""
    found = house.queue.preview(job, name)
    if found is None:
        raise KeyError(f"preview of {name}")
    return Response(found, media_type="image/png")


@lru_cache(maxsize=1024)
def _smaller(house: House, blob: str, width: int) -> bytes:
    picture = read_picture(house.library.load(BlobId(blob)), OWN)
    picture.thumbnail((width, 8 * width))
    coded = io.BytesIO()
    picture.save(coded, "PNG", compress_level=3)
    return coded.getvalue()
