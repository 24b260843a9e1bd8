"""The queue: work that is asked for, its order, what became of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from model.errors import ConfigError
from model.files import BlobId
from model.web import schemas as s
from model.web.routes.answers import REFUSALS
from model.web.state import Here

router = APIRouter(prefix="/api", tags=["queue"], responses=REFUSALS)
JobId = Annotated[int, Path(ge=0, lt=2**63)]

# What each kind of work needs to know.
_NEEDS = {"panels": "panels", "redraw": "panel", "repair": "panel", "export": "formats", "download": "name"}


@router.get("/jobs")
def queue(house: Here) -> s.QueueView:
    """Everything that is to be done, and what was done lately."""
    return house.queue.all()


@router.post("/jobs", status_code=201)
def new_job(house: Here, wanted: s.NewJob) -> s.JobView:
    """Ask for work; it is done when its turn comes."""
    need = _NEEDS.get(wanted.kind)
    if need and not getattr(wanted, need):
        raise ConfigError(f"{need}: found nothing, expected what to {wanted.kind}; name it")
    if wanted.kind == "repair" and (wanted.box is None) == (wanted.mask is None):
        raise ConfigError("box, mask: expected where to repair; give one of the two")
    if wanted.mask is not None and not house.library.blob_path(BlobId(wanted.mask)).is_file():
        raise KeyError(f"picture {wanted.mask[:12]}")
    if wanted.kind != "download":
        if wanted.book is None:
            raise ConfigError(f"book: found nothing, expected which book to {wanted.kind}; name it")
        panels = {panel.id for panel in house.sight(wanted.book).plan.panels}
        for panel in (*wanted.panels, *([wanted.panel] if wanted.panel else ())):
            if panel not in panels:
                raise KeyError(panel)
    elif wanted.book is not None:
        raise ConfigError("book: a download is of no book; leave it out")
    args = wanted.model_dump(exclude={"kind", "book"})
    return house.queue.add(wanted.kind, wanted.book or "", args)


@router.put("/jobs")
def hold(house: Here, wanted: s.QueueChange) -> s.QueueView:
    """Hold the whole queue, or go on."""
    house.queue.pause(wanted.paused)
    return house.queue.all()


@router.patch("/jobs/{job}")
def change(house: Here, job: JobId, wanted: s.JobChange) -> s.JobView:
    """Pause, cancel, go on, or another order."""
    if wanted.before is not None or wanted.last:
        house.queue.jobs.place(job, None if wanted.last else wanted.before)
    return house.queue.change(job, wanted.state)


@router.delete("/jobs/{job}")
def remove(house: Here, job: JobId) -> s.QueueView:
    """Take a job that has ended off the list."""
    if not house.queue.jobs.remove(job):
        raise KeyError(f"ended job {job}")
    house.hub.send("queue", {"paused": house.queue.paused})
    return house.queue.all()
