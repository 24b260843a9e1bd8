"""From requests to kept pictures: look each up by key, draw what is missing, commit whole batches.

A batch is committed in one transaction, and batches depend on the requests alone; so a run that was killed
and started again draws exactly the batches that are missing, and the pictures are the same to the byte.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

from model.errors import PanelFailed
from model.events import Counter, Failure, PictureDrawn, Preview
from model.files import NO_BLOB, BlobId
from model.memory.panels.cache import Embedding, NewPanel, PanelCache, PanelRecord
from model.pictures import stored_picture
from model.render.png import encode, panel_png
from model.render.request import PanelRequest
from model.run.batches import attempt, batches
from model.run.context import Context
from model.run.measure import from_record, measure_all, measurer_of, to_record
from model.run.models import Models
from model.vision.judge import Measured

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One request's outcome.

    Attributes:
        blob: the PNG in the library; empty when the panel failed.
        cached: it was there before.
        seconds: what drawing it took, when it was drawn; its share of its batch.
        measured: who was found in it; None when the panel failed.
        embedding: of the whole picture in the space of `Models.space`: (D,) float32, of length 1 up to the
            rounding of float16, in which it is kept; None when the panel failed.
        failure: why there is no picture; empty when there is one.
    """

    key: str
    blob: BlobId = NO_BLOB
    cached: bool = False
    seconds: float = 0.0
    measured: Measured | None = None
    embedding: NDArray[np.float32] | None = field(default=None, compare=False)
    failure: str = ""


def draw_all(
    requests: Sequence[PanelRequest], context: Context, *, stage: str, names: Mapping[str, str]
) -> Mapping[str, Drawn]:
    """Every distinct request's picture, measured, by key.

    Args:
        stage: of the events that say how far it is.
        names: key → what events call the picture: a panel id, or `cast/<character>`.
    Raises:
        Stopped: somebody asked for it; finished batches are kept.
        AutoStudioError: no panel can be drawn (weights, memory) or kept (disk).
    """
    cache, events = PanelCache(context.library), context.events
    distinct = list({request.key: request for request in requests}.values())
    done: dict[str, Drawn] = {}
    with events.stage("cache"):
        records = {request.key: cache.get(request.key) for request in distinct}
    unmeasured: list[tuple[PanelRequest, PanelRecord]] = []
    for request in distinct:
        record = records[request.key]
        if record is not None:
            done[request.key] = _kept(request, record, context.models, cached=True)
            if done[request.key].measured is None or done[request.key].embedding is None:
                unmeasured.append((request, record))
    done |= _measure_kept(unmeasured, context)
    for key, drawn in done.items():
        events.emit(_event(drawn, names.get(key, key)))
    work = batches(distinct, alike=lambda r: (r.width, r.height, r.sampling), most=context.settings.batch)
    missing = [[request for request in batch if request.key not in done] for batch in work]
    context.models.prefetch(request for batch in missing for request in batch)
    with events.counted(stage, sum(map(len, missing))) as counter:
        for batch in filter(None, missing):
            done |= _draw_batch(batch, context, counter, names)
    return done


def _measure_kept(kept: Sequence[tuple[PanelRequest, PanelRecord]], context: Context) -> dict[str, Drawn]:
    """Measure or embed pictures that were kept when another measurer, or none, looked at them."""
    done: dict[str, Drawn] = {}
    if not kept:
        return done
    library, batch = context.library, context.settings.batch
    with context.events.stage("judge"):
        for start in range(0, len(kept), batch):
            part = kept[start : start + batch]
            pictures = {
                record.key: stored_picture(library.load(record.blob)).convert("RGB") for _, record in part
            }
            _measure_again(part, pictures, context)
            _embed_again([record for _, record in part], pictures, context)
            for request, before in part:
                record = PanelCache(library).get(before.key)
                if record is not None:
                    done[record.key] = _kept(request, record, context.models, cached=True)
    return done


def _measure_again(
    kept: Sequence[tuple[PanelRequest, PanelRecord]],
    pictures: Mapping[str, Image.Image],
    context: Context,
) -> None:
    models, library = context.models, context.library
    unmeasured = [
        (request, record)
        for request, record in kept
        if from_record(record.params, measurer_of(models, request)) is None
    ]
    if unmeasured:
        found = measure_all(
            [request for request, _ in unmeasured], [pictures[r.key] for _, r in unmeasured], models, library
        )
        for (request, record), measured in zip(unmeasured, found, strict=True):
            facts = {"measured": to_record(measured, measurer_of(models, request))}
            PanelCache(library).note(record.key, facts)


def _embed_again(kept: Sequence[PanelRecord], pictures: Mapping[str, Image.Image], context: Context) -> None:
    unplaced = [record for record in kept if _vector(record, context.models) is None]
    vectors = _embed([pictures[record.key] for record in unplaced], context.models)
    for record, embedding in zip(unplaced, vectors, strict=True):
        PanelCache(context.library).embed(record.key, embedding)


def _embed(pictures: Sequence[Image.Image], models: Models) -> list[Embedding]:
    """Whole pictures, in one go, as vectors that can be kept."""
    if not pictures:
        return []
    return [
        Embedding(space=models.space, vector=vector.astype("<f2"))
        for vector in models.encoder.encode_images(pictures)
    ]


def _vector(record: PanelRecord, models: Models) -> NDArray[np.float32] | None:
    """A kept picture's vector in the space of this run's encoder; None when it was not embedded there."""
    if record.embedding is None or record.embedding.space != models.space:
        return None
    return record.embedding.vector.astype("float32")


def _draw_batch(
    batch: Sequence[PanelRequest], context: Context, counter: Counter, names: Mapping[str, str]
) -> dict[str, Drawn]:
    models, library, events = context.models, context.library, context.events
    renderer = models.renderer
    before = counter.done

    def draw(requests: Sequence[PanelRequest]) -> Sequence[Image.Image]:
        def preview(step: int, steps: int, pictures: Sequence[Image.Image]) -> None:
            for request, picture in zip(requests, pictures, strict=True):
                name = names.get(request.key, request.key)
                png = encode(picture)
                events.emit(Preview(name=name, key=request.key, step=step, steps=steps, picture=png))

        return renderer.draw(
            requests,
            on_step=lambda step, steps: counter.to(before + len(requests) * step / steps, step, steps),
            on_preview=preview if events.preview_every else None,
            preview_every=events.preview_every,
        )

    with events.stage("draw"):
        started = time.perf_counter()
        pictures, _ = attempt(batch, draw)
        seconds = round((time.perf_counter() - started) / len(batch), 3)
    counter.to(before + len(batch))
    good = [
        (request, picture)
        for request, picture in zip(batch, pictures, strict=True)
        if not isinstance(picture, PanelFailed)
    ]
    with events.stage("judge"):
        found = measure_all(
            [request for request, _ in good], [picture for _, picture in good], models, library
        )
        embedded = _embed([picture for _, picture in good], models)
    with events.stage("commit"):
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
                        "measured": to_record(measured, measurer_of(models, request)),
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
    for drawn in done.values():
        events.emit(_event(drawn, names.get(drawn.key, drawn.key)))
    for request, picture in zip(batch, pictures, strict=True):
        if isinstance(picture, PanelFailed):
            events.emit(Failure(name=names.get(request.key, request.key), message=str(picture)))
            done[request.key] = Drawn(key=request.key, failure=str(picture))
    return done


def _event(drawn: Drawn, name: str) -> PictureDrawn:
    return PictureDrawn(name=name, key=drawn.key, blob=drawn.blob, cached=drawn.cached, seconds=drawn.seconds)


def _kept(request: PanelRequest, record: PanelRecord, models: Models, *, cached: bool) -> Drawn:
    """What the library knows of a panel. Records of other tools may lack the facts of a run."""
    return Drawn(
        key=record.key,
        blob=record.blob,
        cached=cached,
        seconds=_seconds(record),
        measured=from_record(record.params, measurer_of(models, request)),
        embedding=_vector(record, models),
    )


def _seconds(record: PanelRecord) -> float:
    seconds = record.params.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else 0.0
