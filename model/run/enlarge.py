"""From accepted panels to page resolution: look each enlargement up, enlarge what is missing, keep it.

An enlarged picture stands in the panel cache under a key of its own, made of the drawn picture's sha256 and
the upscaler's, so that another upscaler draws nothing anew, and a second run enlarges nothing.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence

from model.events import Counter
from model.files import BlobId
from model.memory.panels.cache import NewPanel, PanelCache
from model.pictures import stored_picture
from model.render.png import with_facts_of
from model.run.batches import batches
from model.run.context import Context

# Raise this when a change of the code changes the pixels of an unchanged picture and upscaler.
_ENLARGING = 1


def enlarge_all(drawn: Iterable[BlobId], context: Context) -> Mapping[BlobId, BlobId]:
    """The pictures that go on the page, by the pictures that were drawn: PNGs in the library.

    Empty when the settings say that no upscaler is to be used.

    Raises:
        WeightsMissing, IntegrityError: the upscaler cannot be loaded.
        OutOfMemory, StorageError: it has no room to work, or its pictures cannot be kept.
    """
    settings, library = context.settings, context.library
    by = context.models.upscaler_sha256
    if not by:
        return {}
    blobs = list(dict.fromkeys(drawn))
    keys = {blob: enlarged_key(blob, by, settings.longest) for blob in blobs}
    cache = PanelCache(library)
    done: dict[BlobId, BlobId] = {}
    with context.events.stage("cache"):
        for blob, key in keys.items():
            record = cache.get(key)
            if record is not None:
                done[blob] = record.blob
    # As in drawing, the batches do not depend on what is there already, and are kept whole.
    sizes = {blob: _size(library.load(blob)) for blob in blobs} if len(done) < len(blobs) else {}
    work = batches(list(sizes), alike=sizes.__getitem__, most=settings.batch)
    missing = [[blob for blob in batch if blob not in done] for batch in work]
    with context.events.counted("enlarge", sum(map(len, missing))) as counter:
        for batch in filter(None, missing):
            done |= _enlarge_batch(batch, keys, context, counter)
    return done


def enlarged_key(blob: BlobId, upscaler: str, longest: int) -> str:
    """Of one picture, by sha256, enlarged with one upscaler, by sha256."""
    facts = json.dumps([_ENLARGING, blob, upscaler, longest])
    return hashlib.sha256(f"enlarged {facts}".encode()).hexdigest()


def _enlarge_batch(
    batch: Sequence[BlobId], keys: Mapping[BlobId, str], context: Context, counter: Counter
) -> dict[BlobId, BlobId]:
    models, library, events = context.models, context.library, context.events
    upscaler = models.upscaler
    drawn = [library.load(blob) for blob in batch]
    with events.stage("enlarge"):
        started = time.perf_counter()
        pictures = upscaler.enlarge([stored_picture(data) for data in drawn], context.settings.longest)
        seconds = round((time.perf_counter() - started) / len(batch), 3)
    with events.stage("commit"):
        records = PanelCache(library).add_all(
            [
                NewPanel(
                    key=keys[blob],
                    picture=with_facts_of(picture, data),
                    prompt="",
                    params={"enlarged": blob, "upscaler": models.upscaler_sha256, "seconds": seconds},
                )
                for blob, picture, data in zip(batch, pictures, drawn, strict=True)
            ]
        )
    counter.to(counter.done + len(batch))
    return {blob: record.blob for blob, record in zip(batch, records, strict=True)}


def _size(data: bytes) -> tuple[int, int]:
    return stored_picture(data).size
