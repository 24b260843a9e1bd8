"""The drawing worker: a process of its own, the only one that imports torch.

In, over a pipe: jobs as dicts, and the word to stop. Out: the run's events as they are, and how each job
ended. When the pipe closes, because the server ended or was killed, the worker ends at once: everything
finished is in the library, and what it was doing is queued again by the next server.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import AutoStudioError, ConfigError, Stopped
from model.events import Event, Note
from model.files import BlobId

if TYPE_CHECKING:
    from model.run.book import Book
    from model.studio import Studio

_PREVIEW_EVERY = 2  # steps
_WAITED = 0.4  # seconds between two events of progress or preview of one picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a job ended. `state`: done, failed, or stopped; `message`: one line."""

    job: int
    state: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An event of a run."""

    job: int
    event: Event


def work(pipe: Connection) -> None:
    """The process: do jobs one by one until the pipe closes."""
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    desk = _Desk(pipe)

    def listen() -> None:
        while True:
            try:
                message = pipe.recv()
            except (EOFError, OSError):
                os._exit(0)
            if "stop" in message:
                desk.stop(message["stop"])
            else:
                jobs.put(message)

    threading.Thread(target=listen, daemon=True).start()
    from model.quiet import quieten

    quieten()
    # What libraries print is for nobody here; what went wrong is told over the pipe.
    sys.stdout = sys.stderr
    while True:
        desk.do(jobs.get())


class _Desk:
    """One studio a set of flags; the one that was used last stays, with its networks."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._flags: dict[str, Any] | None = None
        self._studio: Studio | None = None
        self._stopped = threading.Event()
        self._job = 0

    def stop(self, job: int) -> None:
        if job != self._job:
            return  # it has ended meanwhile
        self._stopped.set()
        if self._studio is not None:
            self._studio.stop()

    def do(self, job: dict[str, Any]) -> None:
        self._job = job["id"]
        self._stopped.clear()
        try:
            message = self._done(job)
        except Stopped:
            self._tell(Ended(job=self._job, state="stopped"))
        except AutoStudioError as error:
            self._tell(Ended(job=self._job, state="failed", message=str(error)))
        except MemoryError:
            self._tell(Ended(job=self._job, state="failed", message="out of memory; close other programs"))
        except Exception as error:
            # A fault of this program. The queue goes on, and the person learns what to report.
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:400]
            self._tell(Ended(job=self._job, state="failed", message=f"a fault of this program: {reason}"))
            import traceback

            traceback.print_exc(file=sys.stderr)
        else:
            self._tell(Ended(job=self._job, state="done", message=message))

    def _done(self, job: dict[str, Any]) -> str:
        args: dict[str, Any] = job["args"]
        if job["kind"] == "download":
            return self._download(args)
        studio = self._opened(job["flags"] | ({"candidates": args["n"]} if job["kind"] == "rehearse" else {}))
        if self._stopped.is_set():
            raise Stopped("stopped before it began")
        story, out = Path(job["story"]), Path(job["out"])
        plan = studio.plan(story)
        listener = _Listener(self._job, self._pipe, self._stopped)
        match job["kind"]:
            case "draw":
                book = studio.draw(plan, out=out, events=listener, preview_every=_PREVIEW_EVERY)
            case "panels":
                book = studio.draw(
                    plan, out=out, events=listener, preview_every=_PREVIEW_EVERY, panels=args["panels"]
                )
            case "redraw":
                book = studio.draw(plan, out=out, events=listener, panels=[args["panel"]])
                for number in range(args["n"]):
                    seed = args["seed"] + number if args["seed"] is not None else None
                    book = studio.redraw(book, args["panel"], seed=seed, events=listener)
            case "repair":
                book = studio.draw(plan, out=out, events=listener, panels=[args["panel"]])
                book = studio.repair(
                    book,
                    args["panel"],
                    box=args["box"],
                    mask=studio.library.load(BlobId(args["mask"])) if args["mask"] else None,
                    words=args["words"],
                    seed=args["seed"],
                    events=listener,
                )
            case "rehearse":
                report = studio.rehearse(plan, out=out, events=listener)
                return f"{report.drawn} pictures drawn"
            case "export":
                studio.draw(plan, out=out, events=listener, panels=[])
                done = studio.export(out, *args["formats"])
                return f"{len(done.files)} files; " + "; ".join(done.notes[:3])
            case kind:
                raise ConfigError(f"{kind}: no such kind of work")
        return _summary(book)

    def _opened(self, flags: dict[str, Any]) -> Studio:
        if self._studio is None or self._flags != flags:
            from model.studio import Studio

            if self._studio is not None:
                self._studio.close()
                self._studio = None
            self._studio, self._flags = Studio.open(**flags), flags
        return self._studio

    def _download(self, args: dict[str, Any]) -> str:
        from model.web.fetching import fetch

        return fetch(
            args["name"],
            args["level"],
            lambda line: self._tell(Happened(job=self._job, event=Note(text=line))),
        )

    def _tell(self, what: object) -> None:
        try:
            self._pipe.send(what)
        except OSError:
            os._exit(0)


class _Listener:
    """Passes a run's events on; of progress and previews not more than a person can see."""

    def __init__(self, job: int, pipe: Connection, stopped: threading.Event) -> None:
        self._job, self._pipe, self._stopped = job, pipe, stopped
        self._last: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        if self._stopped.is_set():
            # A run takes `stop` back when it begins; what was asked before holds.
            raise Stopped("stopped; the same job goes on from here")
        name = type(event).__name__
        if name in ("Progress", "Preview"):
            key = f"{name} {getattr(event, 'name', '')}"
            now = time.monotonic()
            if now - self._last.get(key, 0.0) < _WAITED and getattr(event, "step", 0) < getattr(
                event, "steps", 0
            ):
                return
            self._last[key] = now
        try:
            self._pipe.send(Happened(job=self._job, event=event))
        except OSError:
            os._exit(0)


def _summary(book: Book) -> str:
    report = book.report
    failed = f", {report.failed} not drawn" if report.failed else ""
    refused = f", {report.refused} not as asked for" if report.refused else ""
    return f"{report.drawn} pictures drawn, {report.cached} panels were there{refused}{failed}"
