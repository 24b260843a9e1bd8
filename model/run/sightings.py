"""Where characters were seen: crops of accepted panels that are good enough are offered as references.

In: accepted panels with what was measured in them. Out: sightings in the library, and the ones nearest to a
picture. An offer changes nothing: a reference is made of it only by `run.py characters approve`.
The gate: the run's identity limit, which is calibrated for the encoder, and `model/vision/quality.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

from model.files import NO_BLOB, BlobId
from model.memory.characters.sightings import NewSighting, Seen, Sightings
from model.memory.panels.cache import Embedding
from model.memory.store.library import Library
from model.pictures import stored_picture
from model.run.draw import Drawn
from model.run.models import Models
from model.story.plan import Plan
from model.vision.judge import Measured

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_AT_ONCE = 256  # crops embedded and kept in one go


def keep_sightings(
    plan: Plan,
    cast: Mapping[str, tuple[int, BlobId]],
    drawn: Mapping[str, Drawn],
    *,
    accepted: Collection[str],
    models: Models,
    library: Library,
) -> str:
    """Offer the crops of accepted panels as pictures of their characters; on disk when this returns.

    Args:
        cast: key of a member → its character's number, and sha256 of its reference.
        drawn: panel id → the picture that is used.
        accepted: ids of the panels whose picture was accepted; nobody was seen in the others.
    Returns:
        One line on what was kept, and what was not and why; empty when nobody was looked for.
    Raises:
        StorageError: the disk refuses.
    """
    limit = models.checkpoint.identity
    sightings = Sightings(library)
    seen: list[tuple[NewSighting, Measured, int, BlobId]] = []
    for panel in plan.panels:
        measured = drawn[panel.id].measured
        if panel.id not in accepted or measured is None:
            continue
        for index, figure in enumerate(panel.figures):
            character, reference = cast.get(figure.character, (0, NO_BLOB))
            sighting = measured.sightings[index]
            if not sighting.crop or not reference:
                continue
            one = NewSighting(
                character=character,
                crop=sighting.crop,
                panel=drawn[panel.id].key,
                place=f"{plan.key} {panel.id}",
                similarity=sighting.identity or 0.0,
                quality=0.0,
            )
            seen.append((one, measured, index, reference))
    unknown = sightings.unknown([one for one, *_ in seen])
    new: list[NewSighting] = []
    doubted: dict[str, int] = {}
    for one, measured, index, reference in seen:
        if one not in unknown:
            continue
        value, doubt = _gate(measured, index, reference, limit, models, library)
        if doubt:
            doubted[doubt] = doubted.get(doubt, 0) + 1
        else:
            new.append(replace(one, quality=round(value, 4)))
    if new:
        vectors = models.encoder.encode_images([_opened(one.crop, library) for one in new])
        sightings.add(
            [replace(one, embedding=_placed(v, models)) for one, v in zip(new, vectors, strict=True)]
        )
    parts = [f"{len(new)} sightings offered"] if new else []
    parts += [f"{len(seen) - len(unknown)} there already"] if len(seen) > len(unknown) else []
    parts += [f"{count} not offered: {why}" for why, count in sorted(doubted.items())]
    return f"characters: {'; '.join(parts)}" if parts else ""


def nearest_sightings(
    picture: bytes, k: int, *, models: Models, library: Library
) -> tuple[tuple[Seen, float], ...]:
    """The sightings nearest to a picture, with cosines, best first.

    Crops that have no vector in this encoder's space are embedded first: vectors of two spaces never meet.
    """
    sightings = Sightings(library)
    new = sightings.without_vector(models.space)
    for start in range(0, len(new), _AT_ONCE):
        part = new[start : start + _AT_ONCE]
        vectors = models.encoder.encode_images([_opened(one.crop, library) for one in part])
        sightings.embed({one.id: _placed(vector, models) for one, vector in zip(part, vectors, strict=True)})
    vector = models.encoder.encode_images([stored_picture(picture)])[0]
    return sightings.nearest(_placed(vector, models), k)


def _placed(vector: NDArray[np.float32], models: Models) -> Embedding:
    return Embedding(space=models.space, vector=vector.astype("<f2"))


def _gate(
    measured: Measured, index: int, reference: BlobId, limit: float | None, models: Models, library: Library
) -> tuple[float, str]:
    """The quality of a sighting, and why it is not offered; "" when it is."""
    from model.vision.quality import LEAST, quality

    sighting = measured.sightings[index]
    if sighting.box is None or sighting.identity is None or limit is None:
        return 0.0, "identity cannot be judged with these weights"
    if sighting.identity < limit:
        return 0.0, f"identity below {limit:.2f}"
    if measured.found != len(measured.sightings):
        return 0.0, "others in the panel"
    found = quality(
        _opened(sighting.crop, library),
        _opened(reference, library),
        box=sighting.box,
        neighbours=[one.box for i, one in enumerate(measured.sightings) if one.box and i != index],
        overlap=sighting.overlap,
        side=models.checkpoint.reference,
    )
    return found.value, "" if found.value >= LEAST else f"{found.weakest} below {LEAST}"


def _opened(picture: BlobId, library: Library) -> Image.Image:
    return stored_picture(library.load(picture)).convert("RGB")
