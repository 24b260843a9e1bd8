"""The application: routes, errors, the front end's files, and the guard around it all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp

from model import __version__
from model.web import schemas as s
from model.web.guard import Guard
from model.web.problems import problem, teach
from model.web.routes import books, cast, events, files, jobs, machine, search, shelf, tries
from model.web.state import Here, House

STATIC = Path(__file__).parent / "static"
_log = logging.getLogger(__name__)


def application(house: House) -> FastAPI:
    """All routes; not guarded yet."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        house.hub.begin()
        yield
        house.hub.end()
        await asyncio.sleep(0)

    app = _described(life)
    app.state.house = house
    teach(app)

    @app.get("/", include_in_schema=False)
    def index() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    async def fault(request: Request, error: Exception) -> JSONResponse:
        _log.error("%s %s", request.method, request.url.path, exc_info=error)
        return problem(500, "machine", "a fault of this program; its log says more")

    app.add_exception_handler(Exception, fault)
    return app


def openapi_document() -> dict[str, Any]:
    """What `/openapi.json` says; needs no workspace."""
    return _described(None).openapi()


def _described(life: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None) -> FastAPI:
    app = FastAPI(
        title="AutoStudio",
        version=__version__,
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        # A request's model is the same as an answer's.
        separate_input_output_schemas=False,
    )
    for part in (shelf, books, tries, cast, jobs, files, search, machine, events):
        app.include_router(part.router)

    @app.get("/healthz", tags=["server"])
    def healthz(house: Here) -> s.Health:
        """Whether the server answers."""
        return s.Health(ok=True, version=__version__, workspace=str(house.workspace.folder))

    return app


def guarded(app: ASGIApp, *, hosts: Collection[str], **rules: Any) -> ASGIApp:
    """The application as it is served; see `Guard`."""
    return Guard(app, hosts=hosts, **rules)
