"""Measure drawn panels: who is in them, where, and whether it is who was asked for.

Detector, segmenter and image encoder meet here. What was measured is kept with the panel, under the id of the
networks that measured it, so that no picture is measured twice; whether it is good enough is decided from the
measurements anew each time (`model/vision/judge.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from PIL import Image

from model.files import NO_BLOB
from model.geometry import Box
from model.memory.store.library import Library
from model.render.png import encode
from model.render.request import PanelRequest, Region
from model.run.models import Models
from model.vision.judge import Measured, Sighting, match

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Raise this when measuring changes, so that kept measurements are not mistaken for it.
_MEASURING = 1


def measure_all(
    requests: Sequence[PanelRequest], pictures: Sequence[Image.Image], models: Models, library: Library
) -> list[Measured]:
    """Measure panels, all in one go a model; crops of the characters are stored in the library.

    A character is looked for with the detector, cut out along its mask, and compared with its reference: with
    the nearest one of its pictures.
    Without a detector its crop is what lies in the asked box; without a segmenter, what lies in the found.
    """
    detector = models.detector
    asked = [[region.box for region in request.regions] for request in requests]
    found: list[list[Box]] | None = None
    if detector is not None:
        phrase = models.checkpoint.person
        found = [[one.box for one in row] for row in detector.detect(pictures, [(phrase,)] * len(pictures))]
    mine = [match(boxes, found[i] if found else ()) for i, boxes in enumerate(asked)]
    seen: list[tuple[int, int, Box]] = []  # panel, character, where to look
    for i, request in enumerate(requests):
        for j, region in enumerate(request.regions):
            index = mine[i][j]
            if found is not None and index is not None:
                seen.append((i, j, found[i][index]))
            elif found is None and region.reference:
                seen.append((i, j, region.box))
    crops = _cut_out(seen, pictures, models)
    faces = _faces(seen, pictures, models) if found is not None else [None] * len(seen)
    identities = _identities([requests[i].regions[j] for i, j, _ in seen], crops, models)
    sightings: dict[tuple[int, int], Sighting] = {}
    for (i, j, box), crop, identity, face in zip(seen, crops, identities, faces, strict=True):
        sightings[i, j] = Sighting(
            box=box if found is not None else None,
            overlap=round(box.iou(asked[i][j]), 4) if found is not None else 0.0,
            identity=identity,
            crop=library.store(encode(crop)) if found is not None else NO_BLOB,
            face=face,
        )
    return [
        Measured(
            found=None if found is None else len(found[i]),
            sightings=tuple(sightings.get((i, j), Sighting()) for j in range(len(request.regions))),
        )
        for i, request in enumerate(requests)
    ]


def _faces(
    seen: Sequence[tuple[int, int, Box]], pictures: Sequence[Image.Image], models: Models
) -> list[float | None]:
    """How well the head of each figure is drawn, in the order of `seen`."""
    if models.heads is None or not models.heads.scores or not seen:
        return [None] * len(seen)
    figures: list[list[Box]] = [[] for _ in pictures]
    for i, _, box in seen:
        figures[i].append(box)
    heads = models.heads.heads(pictures, figures)
    known = [[box for box in row if box is not None] for row in heads]
    scores = [iter(row) for row in models.heads.score(pictures, known)]
    of_panel = [
        iter([None if box is None else next(score) for box in row])
        for row, score in zip(heads, scores, strict=True)
    ]
    found = [next(of_panel[i]) for i, _, _ in seen]
    return [None if score is None else round(score, 4) for score in found]


def _cut_out(
    seen: Sequence[tuple[int, int, Box]], pictures: Sequence[Image.Image], models: Models
) -> list[Image.Image]:
    from model.vision.crop import crop_box

    segmenter = models.segmenter
    if segmenter is None:
        return [crop_box(pictures[i], box) for i, _, box in seen]
    from model.vision.crop import masked

    boxes: list[list[Box]] = [[] for _ in pictures]
    for i, _, box in seen:
        boxes[i].append(box)
    masks: list[list[NDArray[np.bool_]]] = segmenter.segment(pictures, boxes)
    of_panel = [iter(row) for row in masks]
    return [masked(pictures[i], next(of_panel[i]), box) for i, _, box in seen]


def _identities(
    regions: Sequence[Region], crops: Sequence[Image.Image], models: Models
) -> list[float | None]:
    shown = [i for i, region in enumerate(regions) if region.reference]
    found: list[float | None] = [None] * len(regions)
    if shown:
        embedded = models.encoder.encode_images([crops[i] for i in shown])
        for i, vector in zip(shown, embedded, strict=True):
            reference = regions[i].reference
            pictures = (reference, *models.further_pictures(reference))
            found[i] = round(max(float(vector @ models.reference_embedding(one)) for one in pictures), 4)
    return found


def measurer_of(models: Models, request: PanelRequest | None = None) -> str:
    """The id of what measures: a measurement under another id counts as none. Where references of the request
    have further pictures, those are part of it."""
    regions = request.regions if request else ()
    further = [models.further_pictures(region.reference) for region in regions if region.reference]
    more = f"/{hashlib.sha256(repr(further).encode()).hexdigest()[:16]}" if any(further) else ""
    return f"{_MEASURING}/{models.measurer_id}{more}"


def to_record(measured: Measured, by: str) -> dict[str, Any]:
    """A measurement as a JSON object, for the panel's record."""
    return {"by": by, **asdict(measured)}


def from_record(params: Mapping[str, object], by: str) -> Measured | None:
    """The measurement that `to_record` put into a panel's params, if the measurer `by` made it."""
    facts: Any = params.get("measured")
    if not isinstance(facts, dict) or facts.get("by") != by:
        return None
    return Measured(
        found=facts["found"],
        sightings=tuple(
            Sighting(**{**one, "box": Box(**one["box"]) if one["box"] else None})
            for one in facts["sightings"]
        ),
    )
