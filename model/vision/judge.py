"""Judges a panel: compares who was found with who was requested, as numbers with reasons.

In: requested boxes, found boxes, the similarity of each crop to its reference, the vibe score. Out:
a `Verdict`. Pure arithmetic; knows nothing of detectors, pictures or what happens to a panel that is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model.files import NO_BLOB, BlobId
from model.geometry import Box

# A found box that shares less than this (IoU) with an asked one is somebody else.
NEAREST = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One asked character in the panel.

    Attributes:
        box: where it was found; None: it was not, or nobody looked.
        overlap: IoU of the found and the asked box; 0 without a found one.
        identity: cosine between its crop and its reference; None without a reference.
        crop: its picture, cut out along its mask; empty when there is none.
        face: how well its head is drawn, 0 to 1; None: nobody can say, or no head was found.
    """

    box: Box | None = None
    overlap: float = 0.0
    identity: float | None = None
    crop: BlobId = NO_BLOB
    face: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was seen in one panel.

    Attributes:
        found: how many characters; None when no detector looked.
        sightings: one for each asked character, in order.
    """

    found: int | None
    sightings: tuple[Sighting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a panel has to reach.

    Attributes:
        overlap: least IoU of each character's found and asked box.
        identity: least cosine of each character with its reference; None: not judged.
        spread: how much cosine lies between doubt and certainty, for weighing candidates.
        vibe: least score of the vibe memory, −1 to 1.
        face: least score of each head; None: heads send no panel back.
    """

    overlap: float = 0.5
    identity: float | None = None
    spread: float = 0.1
    vibe: float = -0.1
    face: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The panel against its limits.

    Attributes:
        accepted: every measure that could be taken is within its limit.
        reasons: why not, one plain sentence each.
        count: 1 when as many characters are there as were asked, less the more it is off; None: not measured.
        layout: mean IoU of asked and found boxes; None: not measured, or nobody was asked for.
        identity: mean certainty that the characters are who they should be; None: not measured or not judged.
        vibe: the vibe memory's score, −1 to 1; None: it remembers nothing.
        face: mean score of the heads; None: not measured.
        total: mean of the measures that were taken, 0 to 1 (of the vibe: as a probability); ranks candidates.
    """

    accepted: bool
    reasons: tuple[str, ...]
    count: float | None
    layout: float | None
    identity: float | None
    vibe: float | None
    face: float | None
    total: float

    @property
    def scores(self) -> dict[str, float]:
        """The measures that were taken, rounded, by name; total is the last."""
        named = {
            "count": self.count,
            "layout": self.layout,
            "identity": self.identity,
            "vibe": self.vibe,
            "face": self.face,
            "total": self.total,
        }
        return {name: round(value, 4) for name, value in named.items() if value is not None}


def match(asked: Sequence[Box], found: Sequence[Box]) -> tuple[int | None, ...]:
    """Which found box is whose: the closest pair first, each box used once.

    Returns:
        For each asked box the index of its found box, or None when no free one shares at least NEAREST.
    """
    pairs = [(box.iou(other), i, j) for i, box in enumerate(asked) for j, other in enumerate(found)]
    chosen: dict[int, int] = {}
    for overlap, i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        if overlap >= NEAREST and i not in chosen and j not in chosen.values():
            chosen[i] = j
    return tuple(chosen.get(i) for i in range(len(asked)))


def judge(measured: Measured, names: Sequence[str], limits: Limits, vibe: float | None = None) -> Verdict:
    """Weigh what was measured.

    Args:
        names: of the asked characters, for the reasons.
        vibe: the vibe memory's score; None: it remembers nothing.
    """
    reasons: list[str] = []
    count, layout = _placed(measured, names, limits, reasons)
    identity = _resembling(measured, names, limits, reasons)
    if vibe is not None and vibe < limits.vibe:
        reasons.append(f"the vibe memory gives it {vibe:.2f}, {limits.vibe:.2f} needed")
    face = _drawn_well(measured, names, limits, reasons)
    liked = None if vibe is None else (vibe + 1) / 2
    taken = [measure for measure in (count, layout, identity, liked, face) if measure is not None]
    return Verdict(
        accepted=not reasons,
        reasons=tuple(reasons),
        count=count,
        layout=layout,
        identity=identity,
        vibe=vibe,
        face=face,
        total=sum(taken) / len(taken) if taken else 1.0,
    )


def _placed(
    measured: Measured, names: Sequence[str], limits: Limits, reasons: list[str]
) -> tuple[float | None, float | None]:
    """Count and layout; what is wrong with them is added to `reasons`."""
    if measured.found is None:
        return None, None
    asked = len(measured.sightings)
    if measured.found != asked:
        reasons.append(f"{_people(measured.found)} found, {_people(asked)} asked for")
    for name, sighting in zip(names, measured.sightings, strict=True):
        if sighting.box is None:
            reasons.append(f"{name} is not where asked")
        elif sighting.overlap < limits.overlap:
            reasons.append(f"{name} fills its box to {sighting.overlap:.2f}, {limits.overlap:.2f} needed")
    layout = sum(sighting.overlap for sighting in measured.sightings) / asked if asked else None
    return 1.0 / (1 + abs(measured.found - asked)), layout


def _resembling(measured: Measured, names: Sequence[str], limits: Limits, reasons: list[str]) -> float | None:
    """Identity; who does not resemble its reference is added to `reasons`."""
    certainties: list[float] = []
    for name, sighting in zip(names, measured.sightings, strict=True):
        if sighting.identity is None or limits.identity is None:
            continue
        certainties.append(1 / (1 + math.exp((limits.identity - sighting.identity) / limits.spread)))
        if sighting.identity < limits.identity:
            reasons.append(
                f"{name} resembles its reference by {sighting.identity:.2f}, {limits.identity:.2f} needed"
            )
    return sum(certainties) / len(certainties) if certainties else None


def _drawn_well(measured: Measured, names: Sequence[str], limits: Limits, reasons: list[str]) -> float | None:
    """Mean score of the heads; whose head is below the limit is added to `reasons`."""
    scores: list[float] = []
    for name, sighting in zip(names, measured.sightings, strict=True):
        if sighting.face is None:
            continue
        scores.append(sighting.face)
        if limits.face is not None and sighting.face < limits.face:
            reasons.append(f"{name}'s face is smeared: {sighting.face:.2f}, {limits.face:.2f} needed")
    return sum(scores) / len(scores) if scores else None


def _people(count: int) -> str:
    return f"{count} character{'' if count == 1 else 's'}"
