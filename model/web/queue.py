"""The queue: which job is done next, by the one worker, and what became of it.

In: jobs from requests. Out: work for the worker's process, rows in the library, events. A job that ran when
the server was killed is queued again at the start, and goes on by the keys of what is drawn. The worker's
process is started with the first job.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from model import events as run
from model.memory.desk.jobs import Job, Jobs
from model.memory.desk.judgements import keep_judgement
from model.memory.store.library import Library
from model.web import schemas as s
from model.web.hub import Hub
from model.web.worker import Ended, Happened, work

_PREVIEWS = 64  # pictures under way whose last preview is kept


class Queue:
    """The queue of one server.

    Args:
        task_of: what the worker has to know of a job: flags, story, folder. Raises what a request would.
        title_of: a book's title, for people.
        moved: called when pictures, tries or references of a book may have changed.
    """

    def __init__(
        self,
        library: Library,
        hub: Hub,
        task_of: Callable[[Job], Mapping[str, Any]],
        title_of: Callable[[str], str],
        moved: Callable[[str], None],
    ) -> None:
        self._library, self._hub = library, hub
        self._task_of, self._title_of, self._moved = task_of, title_of, moved
        self.jobs = Jobs(library)
        self.paused = False
        self._live: dict[int, dict[str, Any]] = {}
        self._previews: dict[tuple[int, str], tuple[int, bytes]] = {}
        self._wanted: dict[int, str] = {}  # running job → what it becomes when it has stopped
        self._wake = threading.Event()
        self._closed = False
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._run, name="queue", daemon=True)

    def start(self) -> None:
        """Queue what was running when the last server ended, and begin."""
        self.jobs.restart()
        self._thread.start()

    def close(self) -> None:
        """Stop the worker; its job is queued again by the next server."""
        self._closed = True
        self._wake.set()
        self._end_worker()

    def add(self, kind: str, book: str, args: Mapping[str, Any]) -> s.JobView:
        """A new job, last in the queue."""
        number = self.jobs.add(kind, book, args)
        self._wake.set()
        return self._told(number)

    def change(self, number: int, state: str | None) -> s.JobView:
        """Pause, cancel, or go on with a job; one that runs stops before its next step.

        Raises:
            KeyError: there is no such job.
        """
        job = self.jobs.get(number)
        if job is None:
            raise KeyError(str(number))
        if state is not None and state != job.state:
            with self._lock:
                if job.state == "running" and state in ("paused", "cancelled", "queued"):
                    if state != "queued":
                        self._wanted[number] = state
                        self._stop(number)
                else:
                    seen = ("queued", "paused") if state != "queued" else ("paused", "failed", "cancelled")
                    self.jobs.became(number, state, seen=seen)
            self._wake.set()
        return self._told(number)

    def pause(self, paused: bool) -> None:
        """Hold the whole queue, or go on; the job that runs stops before its next step."""
        with self._lock:
            self.paused = paused
            if paused:
                running = [job.id for job in self.jobs.all() if job.state == "running"]
                for number in running:
                    self._wanted.setdefault(number, "queued")
                    self._stop(number)
        self._wake.set()
        self._hub.send("queue", {"paused": paused})

    def view(self, job: Job) -> s.JobView:
        """A job as the page shows it."""
        live = self._live.get(job.id, {}) if job.state == "running" else {}
        return s.JobView(
            id=job.id,
            kind=job.kind,  # pyright: ignore[reportArgumentType]
            book=job.book,
            title=self._title_of(job.book) if job.book else str(job.args.get("name", "")),
            state=job.state,  # pyright: ignore[reportArgumentType]
            place=job.place,
            created=job.created,
            started=job.started,
            ended=job.ended,
            drawn=job.drawn,
            seconds=round(job.seconds, 2),
            message=job.message,
            args=dict(job.args),
            **{key: live[key] for key in ("done", "total", "step", "steps", "stage", "left") if key in live},
        )

    def all(self) -> s.QueueView:
        """The whole queue."""
        views = [self.view(job) for job in self.jobs.all()]
        return s.QueueView(
            jobs=views,
            paused=self.paused,
            seconds=round(sum(one.seconds for one in views), 2),
            left=next((one.left for one in views if one.state == "running"), None),
        )

    def preview(self, number: int, name: str) -> bytes | None:
        """The last preview of a picture that is being drawn."""
        found = self._previews.get((number, name))
        return found[1] if found else None

    # The thread of the queue

    def _run(self) -> None:
        while not self._closed:
            job = None if self.paused else self.jobs.next()
            if job is None:
                self._wake.wait(1.0)
                self._wake.clear()
                continue
            try:
                self._do(job)
            except Exception as error:  # of the job's own making, or the disk's: the queue goes on
                if self._closed:
                    return
                self.jobs.became(job.id, "failed", message=" ".join(str(error).split())[:600])
            self._live.pop(job.id, None)
            self._wanted.pop(job.id, None)
            for key in [key for key in self._previews if key[0] == job.id]:
                self._previews.pop(key, None)
            self._moved(job.book)
            self._told(job.id)

    def _do(self, job: Job) -> None:
        task = {"id": job.id, "kind": job.kind, "args": dict(job.args), **self._task_of(job)}
        self._live[job.id] = {"stage": "load"}
        self._told(job.id)
        started = time.perf_counter()
        pipe = self._worker()
        pipe.send(task)
        try:
            while True:
                message = pipe.recv()
                if isinstance(message, Ended):
                    if message.job == job.id:
                        self._ended(job, message)
                        break
                elif isinstance(message, Happened) and message.job == job.id:
                    self._happened(job, message.event)
        except (EOFError, OSError):
            self._end_worker()
            if self._closed:
                return
            self.jobs.became(
                job.id,
                "failed",
                message="the drawing process ended (out of memory?); try again, or see its log",
            )
        finally:
            if not self._closed:
                self.jobs.cost(job.id, 0, time.perf_counter() - started)

    def _ended(self, job: Job, ended: Ended) -> None:
        with self._lock:
            state = self._wanted.pop(job.id, "queued") if ended.state == "stopped" else ended.state
            self.jobs.became(job.id, state, message=ended.message)

    def _happened(self, job: Job, event: run.Event) -> None:
        """Keep what has to be kept of an event, and pass it on."""
        live = self._live.setdefault(job.id, {})
        match event:
            case run.StageBegun():
                live |= {"stage": event.stage, "total": event.total, "done": 0.0, "began": time.monotonic()}
            case run.Progress():
                live |= {**asdict(event), "left": _left(event, live)}
            case run.Preview():
                while len(self._previews) > _PREVIEWS:
                    self._previews.pop(next(iter(self._previews)))
                self._previews[job.id, _flat(event.name)] = event.step, event.picture
            case run.PictureDrawn():
                if not event.cached:
                    self.jobs.cost(job.id, 1, 0.0)
                self._moved(job.book)
            case run.PanelJudged():
                said = {"accepted": event.accepted, "reasons": event.reasons, "scores": dict(event.scores)}
                keep_judgement(self._library, event.key, said)
                self._moved(job.book)
            case _:
                pass
        name, facts = told(event, job.id, live)
        self._hub.send(name, {"job": job.id, "book": job.book, **facts})

    def _told(self, number: int) -> s.JobView:
        job = self.jobs.get(number)
        if job is None:
            raise KeyError(str(number))
        view = self.view(job)
        self._hub.send("job", view.model_dump(mode="json"))
        return view

    def _worker(self) -> Connection:
        """The pipe to the worker, which is started if it does not live."""
        if self._process is not None and self._process.is_alive() and self._pipe is not None:
            return self._pipe
        self._end_worker()
        spawning = multiprocessing.get_context("spawn")
        mine, its = spawning.Pipe()
        self._process = spawning.Process(target=work, args=(its,), name="autostudio-worker", daemon=True)
        self._process.start()
        its.close()
        self._pipe = mine
        return mine

    def _stop(self, number: int) -> None:
        """Ask the worker to stop a job before its next step."""
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.send({"stop": number})

    def _end_worker(self) -> None:
        process, self._process, self._pipe = self._process, None, None
        if process is not None:
            # What is finished is in the library; whoever waits at the pipe learns that it has an end.
            process.terminate()
            process.join(5.0)
            if process.is_alive():
                process.kill()
                process.join(5.0)


def told(event: run.Event, job: int, live: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """An event of a run as the page gets it: its name, and facts that JSON takes."""
    facts = {name: value for name, value in asdict(event).items() if name not in ("blob", "picture")}
    if isinstance(event, run.PictureDrawn | run.PanelJudged):
        facts["picture"] = event.blob
    if isinstance(event, run.Preview):
        facts["address"] = f"/api/previews/{job}/{_flat(event.name)}.png?step={event.step}"
    if isinstance(event, run.Progress):
        facts["left"] = live.get("left")
    if isinstance(event, run.StageBegun | run.StageDone):
        facts |= {"done": isinstance(event, run.StageDone), "seconds": getattr(event, "seconds", 0.0)}
    return _NAMES[type(event)], facts


def _left(event: run.Progress, live: Mapping[str, Any]) -> float | None:
    """Seconds to go, by how long the stage took so far."""
    if event.done <= 0 or "began" not in live:
        return None
    return round((time.monotonic() - live["began"]) / event.done * (event.total - event.done), 1)


def _flat(name: str) -> str:
    """The name of a picture, as a part of an address."""
    return name.replace("/", "~")


_NAMES: Mapping[type, str] = {
    run.StageBegun: "stage",
    run.StageDone: "stage",
    run.Progress: "progress",
    run.Preview: "preview",
    run.PictureDrawn: "drawn",
    run.PanelJudged: "judged",
    run.Failure: "failure",
    run.Cost: "cost",
    run.Note: "note",
}
