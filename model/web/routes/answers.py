"""What routes share: refusals for the document, bodies that are files."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from model.errors import ConfigError
from model.web.schemas import Conflict, Problem

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in (
        (400, "the body is no JSON"),
        (403, "a request of another page, or without the token"),
        (404, "there is no such thing"),
        (413, "the body is too large"),
        (422, "the request or the story is wrong"),
        (424, "the machine lacks something, or a file is damaged"),
        (507, "the disk refuses"),
    )
}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": Conflict, "description": "the book was changed meanwhile; both versions"}
}


async def body_of(request: Request) -> bytes:
    """The body of a request, which is a file.

    Raises:
        ConfigError: there is none, or it is larger than is taken.
    """
    try:
        data = await request.body()
    except ClientDisconnect as error:
        raise ConfigError(
            "body: found more than is taken, expected at most 32 MB; send a smaller file"
        ) from error
    if not data:
        raise ConfigError("body: found nothing, expected a file; send its bytes")
    return data
