"""From requests to kept pictures: look each up by key, draw what is missing, commit whole batches.

A batch is committed in one transaction, and batches depend on the requests alone; so a run that was killed
and started again draws exactly the batches that are missing, and the pictures are the same to the byte.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from model.run.detail import detailed
from model.run.measure import from_record, measure_all, measurer_of, to_record
from model.run.models import Models
from model.run.repair import repaired
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
            if _lacks(done[request.key]):
                unmeasured.append((request, record))
    done |= _measure_kept(unmeasured, context)
    for key, drawn in done.items():
        events.emit(_event(drawn, names.get(key, key)))
    work = batches(distinct, alike=_kind, most=context.settings.batch)
    missing = [[request for request in batch if request.key not in done] for batch in work]
    context.models.prefetch(request for batch in missing for request in batch)
    with events.counted(stage, sum(map(len, missing))) as counter:
        for batch in filter(None, missing):
            done |= _draw_missing(batch, context, counter, names)
    return done


def _draw_missing(
    batch: Sequence[PanelRequest], context: Context, counter: Counter, names: Mapping[str, str]
) -> dict[str, Drawn]:
    """A batch of one kind: repairs, panels whose small heads are drawn once more, or plain ones."""
    if batch[0].repair:
        return _repair_batch(batch, context, counter, names)
    if batch[0].detail:
        return _detail_batch(batch, _draw_plain(batch, context, counter, names), context, names)
    return _draw_batch(batch, context, counter, names)


def _kind(request: PanelRequest) -> Hashable:
    """Requests of one kind are drawn together."""
    return request.width, request.height, request.sampling, bool(request.detail), bool(request.repair)


def _repair_batch(
    batch: Sequence[PanelRequest], context: Context, counter: Counter, names: Mapping[str, str]
) -> dict[str, Drawn]:
    """Repaired tries, by key."""
    started = time.perf_counter()
    pictures = repaired(batch, context)
    counter.to(counter.done + len(batch))
    return _keep(batch, pictures, time.perf_counter() - started, context, names)


def _draw_plain(
    batch: Sequence[PanelRequest], context: Context, counter: Counter, names: Mapping[str, str]
) -> dict[str, Drawn]:
    """The batch without details, by key: what is kept of it is not drawn again."""
    plain = [replace(request, detail=None) for request in batch]
    named = {one.key: names.get(request.key, request.key) for one, request in zip(plain, batch, strict=True)}
    found = [(one, PanelCache(context.library).get(one.key)) for one in plain]
    kept = [(one, record) for one, record in found if record is not None]
    done = {one.key: _kept(one, record, context.models, cached=True) for one, record in kept}
    lacking = [pair for pair in kept if _lacks(done[pair[0].key])]
    done |= _measure_kept(lacking, context)
    counter.to(counter.done + len(kept))
    missing = [one for one in plain if one.key not in done]
    return done | (_draw_batch(missing, context, counter, named) if missing else {})


def _detail_batch(
    batch: Sequence[PanelRequest], plain: Mapping[str, Drawn], context: Context, names: Mapping[str, str]
) -> dict[str, Drawn]:
    """The batch with its small heads drawn once more, by key.

    Args:
        plain: the batch without details.
    """
    models, library, events = context.models, context.library, context.events
    before = {request.key: plain[replace(request, detail=None).key] for request in batch}
    good = [request for request in batch if before[request.key].blob]
    pictures = [stored_picture(library.load(before[one.key].blob)).convert("RGB") for one in good]
    measured = [before[one.key].measured or Measured(found=None, sightings=()) for one in good]
    started = time.perf_counter()
    after, counts = detailed(good, pictures, measured, context)
    seconds = (time.perf_counter() - started) / max(len(good), 1)
    changed = [index for index, count in enumerate(counts) if count]
    with events.stage("judge"):
        again = measure_all([good[i] for i in changed], [after[i] for i in changed], models, library)
        for index, one in zip(changed, again, strict=True):
            measured[index] = one
        new = dict(zip(changed, _embed([after[i] for i in changed], models), strict=True))
        embedded = [
            new.get(index) or _embedding(before[one.key], after[index], models)
            for index, one in enumerate(good)
        ]
    times = [round(before[one.key].seconds + seconds, 3) for one in good]
    facts = [{"heads": count} for count in counts]  # that were drawn once more and kept
    done = _commit(good, after, measured, embedded, times, facts, context, names)
    for request in batch:
        if failure := before[request.key].failure:
            done[request.key] = Drawn(key=request.key, failure=failure)
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


def _embedding(drawn: Drawn, picture: Image.Image, models: Models) -> Embedding:
    """The kept embedding of a picture that did not change; a new one where none is kept."""
    if drawn.embedding is None:
        return _embed([picture], models)[0]
    return Embedding(space=models.space, vector=drawn.embedding.astype("<f2"))


def _lacks(drawn: Drawn) -> bool:
    """Whether a kept picture is yet to be measured or embedded."""
    return drawn.measured is None or drawn.embedding is None


def _vector(record: PanelRecord, models: Models) -> NDArray[np.float32] | None:
    """A kept picture's vector in the space of this run's encoder; None when it was not embedded there."""
    if record.embedding is None or record.embedding.space != models.space:
        return None
    return record.embedding.vector.astype("float32")


def _draw_batch(
    batch: Sequence[PanelRequest], context: Context, counter: Counter, names: Mapping[str, str]
) -> dict[str, Drawn]:
    renderer, events = context.models.renderer, context.events
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
        seconds = time.perf_counter() - started
    counter.to(before + len(batch))
    return _keep(batch, pictures, seconds, context, names)


def _keep(
    batch: Sequence[PanelRequest],
    pictures: Sequence[Image.Image | PanelFailed],
    seconds: float,
    context: Context,
    names: Mapping[str, str],
) -> dict[str, Drawn]:
    """Measure and keep what was drawn, and report what failed; by key.

    Args:
        seconds: that drawing took, all in all.
    """
    models, events = context.models, context.events
    good = [
        (request, picture)
        for request, picture in zip(batch, pictures, strict=True)
        if not isinstance(picture, PanelFailed)
    ]
    requests, drawn = [request for request, _ in good], [picture for _, picture in good]
    with events.stage("judge"):
        found = measure_all(requests, drawn, models, context.library)
        embedded = _embed(drawn, models)
    times = [round(seconds / len(batch), 3)] * len(good)
    done = _commit(requests, drawn, found, embedded, times, [{}] * len(good), context, names)
    for request, picture in zip(batch, pictures, strict=True):
        if isinstance(picture, PanelFailed):
            events.emit(Failure(name=names.get(request.key, request.key), message=str(picture)))
            done[request.key] = Drawn(key=request.key, failure=str(picture))
    return done


def _commit(
    requests: Sequence[PanelRequest],
    pictures: Sequence[Image.Image],
    measured: Sequence[Measured],
    embedded: Sequence[Embedding],
    seconds: Sequence[float],
    facts: Sequence[Mapping[str, int]],
    context: Context,
    names: Mapping[str, str],
) -> dict[str, Drawn]:
    """Keep a batch in one transaction, and report it.

    Args:
        facts: what else is to be known of each picture.
    """
    models = context.models
    with context.events.stage("commit"):
        records = PanelCache(context.library).add_all(
            [
                NewPanel(
                    key=request.key,
                    picture=panel_png(picture, request, models.checkpoint.name),
                    prompt=request.prompt,
                    params={
                        "seed": request.seed,
                        "seconds": took,
                        "looks": sorted(request.looks),
                        "measured": to_record(one, measurer_of(models, request)),
                        **more,
                    },
                    embedding=embedding,
                )
                for request, picture, one, embedding, took, more in zip(
                    requests, pictures, measured, embedded, seconds, facts, strict=True
                )
            ]
        )
    done = {
        record.key: _kept(request, record, models, cached=False)
        for request, record in zip(requests, records, strict=True)
    }
    for drawn in done.values():
        context.events.emit(_event(drawn, names.get(drawn.key, drawn.key)))
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
