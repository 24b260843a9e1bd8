"""Errors as answers: one line for a person, and what kind it is.

In: what was raised. Out: a status and a `Problem`. No traceback leaves the server.
"""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from model import errors
from model.pictures import BadPicture
from model.web.applying import EditRefused
from model.web.books import ConflictError
from model.web.schemas import Conflict, Problem

_log = logging.getLogger(__name__)

_KINDS: tuple[tuple[type[Exception], int, str], ...] = (
    (errors.StoryError, 422, "story"),
    (EditRefused, 422, "story"),
    (errors.ConfigError, 422, "request"),
    (BadPicture, 422, "request"),
    (errors.PackageMissing, 424, "machine"),
    (errors.WeightsMissing, 424, "machine"),
    (errors.OutOfMemory, 424, "machine"),
    (errors.IntegrityError, 424, "damaged"),
    (errors.StorageError, 507, "storage"),
    (errors.AutoStudioError, 424, "machine"),
    (KeyError, 404, "missing"),
)


def problem(status: int, kind: str, error: str) -> JSONResponse:
    """An answer that says what is wrong."""
    line = " ".join(error.split())[:1600]
    return JSONResponse(Problem.model_validate({"error": line, "kind": kind}).model_dump(), status)


def teach(app: FastAPI) -> None:
    """Let an application answer errors so."""

    for kind, status, name in _KINDS:

        def answer(_: Request, error: Exception, status: int = status, name: str = name) -> JSONResponse:
            told = (
                f"{error.args[0] if error.args else ''}: there is no such thing here"
                if status == 404
                else str(error)
            )
            return problem(status, name, told)

        app.add_exception_handler(kind, answer)

    def conflict(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ConflictError)
        told = Conflict(
            error=str(error),
            base=error.base,
            revision=error.theirs.revision,
            what=error.what,
            yours=error.yours,
            theirs=error.theirs.tree,
        )
        return JSONResponse(told.model_dump(), 409)

    def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        return problem(422, "request", f"{place}: {first['msg']}")

    def other(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        kind = {404: "missing", 405: "request", 403: "forbidden"}.get(error.status_code, "request")
        return problem(error.status_code, kind, str(error.detail))

    app.add_exception_handler(ConflictError, conflict)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, other)
