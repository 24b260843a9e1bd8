"""From requests to kept pictures: look each up by key, draw what is missing, commit whole batches.

A batch is committed in one transaction, and batches depend on the requests alone; so a run that was killed
and started again draws exactly the batches that are missing, and the pictures are the same to the byte.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

from model.config import Settings
from model.errors import PanelFailed
from model.memory.panels.cache import Embedding, NewPanel, PanelCache, PanelRecord
from model.memory.store.library import Library
from model.render.png import panel_png
from model.render.request import PanelRequest
from model.run.batches import attempt, batches
from model.run.measure import eyes, measure_all, noted, recalled
from model.run.models import Resident
from model.run.progress import Bar, Reporter
from model.vision.judge import Measured

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One request's outcome.

    Attributes:
        blob: sha256 of the PNG in the library; empty when the panel failed.
        cached: it was there before.
        seconds: what drawing it took, when it was drawn; its share of its batch.
        measured: who was found in it; None when the panel failed.
        embedding: of the whole picture in the space of `Resident.space`: (D,) float32, of length 1 up to the
            rounding of float16, in which it is kept; None when the panel failed.
        failure: why there is no picture; empty when there is one.
    """

    key: str
    blob: str = ""
    cached: bool = False
    seconds: float = 0.0
    measured: Measured | None = None
    embedding: NDArray[np.float32] | None = field(default=None, compare=False)
    failure: str = ""


def draw_all(
    requests: Sequence[PanelRequest],
    *,
    name: str,
    settings: Settings,
    models: Resident,
    library: Library,
    reporter: Reporter,
) -> Mapping[str, Drawn]:
    """Every distinct request's picture, measured, by key.

    Args:
        name: of the progress bar.
    Raises:
        AutoStudioError: no panel can be drawn (weights, memory) or kept (disk).
    """
    cache = PanelCache(library)
    distinct = list({request.key: request for request in requests}.values())
    done: dict[str, Drawn] = {}
    with reporter.timed("cache"):
        records = {request.key: cache.get(request.key) for request in distinct}
    unseen: list[tuple[PanelRequest, PanelRecord]] = []
    for request in distinct:
        record = records[request.key]
        if record is not None:
            done[request.key] = _kept(request, record, models, cached=True)
            if done[request.key].measured is None or done[request.key].embedding is None:
                unseen.append((request, record))
    done |= _look_again(unseen, settings=settings, models=models, library=library, reporter=reporter)
    work = batches(distinct, alike=lambda r: (r.width, r.height, r.sampling), most=settings.batch)
    missing = [[request for request in batch if request.key not in done] for batch in work]
    models.foresee(request for batch in missing for request in batch)
    with reporter.bar(name, sum(map(len, missing))) as bar:
        for batch in filter(None, missing):
            done |= _draw_batch(batch, models=models, library=library, reporter=reporter, bar=bar)
    return done


def _look_again(
    kept: Sequence[tuple[PanelRequest, PanelRecord]],
    *,
    settings: Settings,
    models: Resident,
    library: Library,
    reporter: Reporter,
) -> dict[str, Drawn]:
    """Measure or embed pictures that were kept when other eyes, or none, looked at them."""
    done: dict[str, Drawn] = {}
    with reporter.timed("judge"):
        for start in range(0, len(kept), settings.batch):
            part = kept[start : start + settings.batch]
            pictures = {
                record.key: Image.open(io.BytesIO(library.load(record.blob))).convert("RGB")
                for _, record in part
            }
            _measure_again(part, pictures, models=models, library=library)
            _embed_again([record for _, record in part], pictures, models=models, library=library)
            for request, before in part:
                record = PanelCache(library).get(before.key)
                if record is not None:
                    done[record.key] = _kept(request, record, models, cached=True)
    return done


def _measure_again(
    kept: Sequence[tuple[PanelRequest, PanelRecord]],
    pictures: Mapping[str, Image.Image],
    *,
    models: Resident,
    library: Library,
) -> None:
    unseen = [
        (request, record)
        for request, record in kept
        if recalled(record.params, eyes(models, request)) is None
    ]
    if unseen:
        found = measure_all(
            [request for request, _ in unseen], [pictures[r.key] for _, r in unseen], models, library
        )
        for (request, record), measured in zip(unseen, found, strict=True):
            PanelCache(library).note(record.key, {"measured": noted(measured, eyes(models, request))})


def _embed_again(
    kept: Sequence[PanelRecord], pictures: Mapping[str, Image.Image], *, models: Resident, library: Library
) -> None:
    unplaced = [record for record in kept if _place(record, models) is None]
    for record, embedding in zip(
        unplaced, _embed([pictures[record.key] for record in unplaced], models), strict=True
    ):
        PanelCache(library).embed(record.key, embedding)


def _embed(pictures: Sequence[Image.Image], models: Resident) -> list[Embedding]:
    """Whole pictures, in one go, as vectors that can be kept."""
    if not pictures:
        return []
    return [
        Embedding(space=models.space, vector=vector.astype("<f2"))
        for vector in models.encoder.encode_images(pictures)
    ]


def _place(record: PanelRecord, models: Resident) -> NDArray[np.float32] | None:
    """Where a kept picture lies in the space of this run's encoder; None when it was not embedded there."""
    if record.embedding is None or record.embedding.space != models.space:
        return None
    return record.embedding.vector.astype("float32")


def _draw_batch(
    batch: Sequence[PanelRequest], *, models: Resident, library: Library, reporter: Reporter, bar: Bar
) -> dict[str, Drawn]:
    renderer = models.renderer
    before = bar.done

    def draw(requests: Sequence[PanelRequest]) -> Sequence[Image.Image]:
        return renderer.draw(
            requests, on_step=lambda step, steps: bar.to(before + len(requests) * step / steps)
        )

    with reporter.timed("draw"):
        started = time.perf_counter()
        pictures, _ = attempt(batch, draw)
        seconds = round((time.perf_counter() - started) / len(batch), 3)
    bar.to(before + len(batch))
    good = [
        (request, picture)
        for request, picture in zip(batch, pictures, strict=True)
        if not isinstance(picture, PanelFailed)
    ]
    with reporter.timed("judge"):
        found = measure_all(
            [request for request, _ in good], [picture for _, picture in good], models, library
        )
        embedded = _embed([picture for _, picture in good], models)
    with reporter.timed("commit"):
        records = PanelCache(library).add_all(
            [
                NewPanel(
                    key=request.key,
                    picture=panel_png(picture, request, models.checkpoint.name),
                    prompt=request.prompt,
                    params={
                        "seed": request.seed,
                        "seconds": seconds,
                        "looks": sorted(request.looks),
                        "measured": noted(measured, eyes(models, request)),
                    },
                    embedding=embedding,
                )
                for (request, picture), measured, embedding in zip(good, found, embedded, strict=True)
            ]
        )
    done = {
        record.key: _kept(request, record, models, cached=False)
        for (request, _), record in zip(good, records, strict=True)
    }
    for request, picture in zip(batch, pictures, strict=True):
        if isinstance(picture, PanelFailed):
            reporter.say(f"panel with seed {request.seed} failed: {picture}")
            done[request.key] = Drawn(key=request.key, failure=str(picture))
    return done


def _kept(request: PanelRequest, record: PanelRecord, models: Resident, *, cached: bool) -> Drawn:
    """What the library knows of a panel. Records of other tools may lack the facts of a run."""
    return Drawn(
        key=record.key,
        blob=record.blob,
        cached=cached,
        seconds=_seconds(record),
        measured=recalled(record.params, eyes(models, request)),
        embedding=_place(record, models),
    )


def _seconds(record: PanelRecord) -> float:
    seconds = record.params.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else 0.0
