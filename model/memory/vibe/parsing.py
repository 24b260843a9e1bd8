"""Reads the vibe memory's file, whoever wrote it; `formats` describes it.

In: text of format 1 or 2. Out: `Contents`, and one line for each thing that could not be used as it stood.
What a damaged file still holds is read by `salvage`. Reads no files.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import numpy as np
from numpy.typing import NDArray

from model.errors import ConfigError, IntegrityError
from model.memory.vibe.entries import (
    GENERAL,
    Contents,
    Copy,
    Memory,
    PanelMean,
    Statistics,
    check_category,
    check_weight,
    checksum,
    compact,
)
from model.memory.vibe.formats import SIDES

_LAST_SECOND = 253370764800  # of the year 9998: later times cannot be written as dates everywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """A file's contents, and one line for each thing in it that could not be used as it stood."""

    contents: Contents
    version: int
    complaints: tuple[str, ...]
    skipped: int


def parse(text: str, name: str) -> Parsed:
    """Read format 1 or 2.

    Args:
        name: of the file, for messages.
    Raises:
        IntegrityError: it is not a vibe memory, or a damaged one; the message ends with what to do.
    """
    try:
        data: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(name, f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise damaged(name, "no JSON object")
    file = cast("dict[str, object]", data)
    lists = {side: file.get(side) for side in SIDES}
    wrong = [side for side, value in lists.items() if not isinstance(value, list)]
    if wrong:
        raise damaged(name, f"no list '{wrong[0]}'")
    head = _object(file.get("metadata"))
    version = str(head.get("version", "2.0" if "metadata" in file else "1.0"))
    if version.split(".")[0] not in ("1", "2"):
        raise IntegrityError(
            f"{name}: vibe memory of version {version}, this program knows 1 and 2; update the program"
        )
    complaints: list[str] = []
    memories: list[Memory] = []
    skipped = 0
    for side in SIDES:
        for index, entry in enumerate(cast("list[object]", lists[side])):
            try:
                memory, notes = entry_of(entry, liked=side == "liked")
            except CheckFailed as error:
                raise damaged(name, f"{side}[{index}]: {error}") from error
            except ValueError as error:
                complaints.append(f"{side}[{index}] skipped: {error}")
                skipped += 1
                continue
            memories.append(memory)
            complaints += [f"{side}[{index}]: {note}" for note in notes]
    usual, odd = _of_usual_size(memories)
    complaints += odd
    return Parsed(
        contents=Contents(
            memories=usual,
            statistics=_statistics(_object(file.get("statistics"))),
            panels=_panels(head.get("panels")),
            created=_time(head.get("created")) or datetime.now(UTC).timestamp(),
            encoder=str(head.get("clip_model", "")),
        ),
        version=int(version.split(".")[0]),
        complaints=tuple(complaints),
        skipped=skipped + len(odd),
    )


def damaged(name: str, found: str) -> IntegrityError:
    """The error for a file that cannot be read, saying what to type."""
    return IntegrityError(
        f"{name} is damaged or no vibe memory ({found}); 'run.py vibe repair' restores what it can "
        "from it and its .bak, or move the file away to start anew"
    )


class CheckFailed(ValueError):
    """An entry of our own whose bytes have changed."""


def entry_of(entry: object, *, liked: bool) -> tuple[Memory, list[str]]:
    """One element of a list, and what had to be replaced in it.

    Raises:
        CheckFailed: a compact embedding is not what its checksum says.
        ValueError: it has no usable embedding.
    """
    fields = {"embedding": cast(object, entry)} if isinstance(entry, list) else _object(entry)
    if "embedding" not in fields:
        raise ValueError("no embedding")
    notes: list[str] = []
    try:
        category = check_category(str(fields.get("category", GENERAL)))
    except ConfigError as error:
        category = GENERAL
        notes.append(f"{error}; taken as '{GENERAL}'")
    copies = _copies(fields, notes)
    vector = fields["embedding"]
    kept = _decoded(vector, fields.get("checksum")) if isinstance(vector, str) else _listed(vector)
    space = str(fields.get("space", ""))
    return Memory(liked=liked, vector=kept, category=category, copies=copies, space=space), notes


def _copies(fields: Mapping[str, object], notes: list[str]) -> tuple[Copy, ...]:
    """What an optimized entry lists, if that is what it weighs: a weight edited by hand has the last word."""
    listed, weight = fields.get("copies"), fields.get("weight")
    if isinstance(listed, list) and isinstance(weight, int | float):
        aside: list[str] = []
        parts = tuple(_copy(_object(part), aside) for part in cast("list[object]", listed))
        if not aside and math.isclose(sum(part.weight for part in parts), weight, rel_tol=1e-6):
            return parts
    return (_copy(fields, notes),)


def _copy(fields: Mapping[str, object], notes: list[str]) -> Copy:
    """Weight, time and facts; what is wrong with them is noted and replaced."""
    weight = fields.get("weight", 1.0)
    try:
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise ConfigError(f"weight: {weight!r} is no number")
        number = check_weight(weight)
    except ConfigError as error:
        number = 1.0
        notes.append(f"{error}; taken as 1")
    when = _time(fields.get("timestamp"))
    if when is None and fields.get("timestamp") is not None:
        notes.append(f"timestamp: {fields['timestamp']!r} is no time; taken as not known")
    return Copy(weight=number, timestamp=when, facts=_writable(_object(fields.get("metadata"))))


def _of_usual_size(memories: Iterable[Memory]) -> tuple[tuple[Memory, ...], list[str]]:
    """Without vectors of unknown space whose size is not the usual one of those."""
    found = tuple(memories)
    sizes = Counter(memory.vector.size for memory in found if not memory.space)
    if len(sizes) < 2:
        return found, []
    usual = max(sizes, key=lambda size: (sizes[size], size))
    odd = [memory for memory in found if not memory.space and memory.vector.size != usual]
    complaints = [
        f"a {SIDES[not memory.liked]} embedding of {memory.vector.size} numbers skipped: {usual} expected"
        for memory in odd
    ]
    return tuple(memory for memory in found if memory.space or memory.vector.size == usual), complaints


def _decoded(text: str, expected: object) -> NDArray[np.float16]:
    try:
        data = base64.b64decode(text, validate=True)
        vector = np.frombuffer(data, "<f2")
    except (binascii.Error, ValueError) as error:
        raise CheckFailed(f"embedding is no base64 of float16 ({error})") from error
    if expected != checksum(vector):
        raise CheckFailed(f"embedding does not have the checksum {expected!r}")
    return compact(vector)


def _listed(vector: object) -> NDArray[np.float16]:
    if not isinstance(vector, list):
        raise ValueError("the embedding is no list of numbers")
    numbers = cast("list[object]", vector)
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers):
        raise ValueError("the embedding holds something that is no number")
    try:
        return compact(np.array(numbers, dtype=np.float64))
    except OverflowError as error:
        raise ValueError("the embedding holds a number that is too large") from error


def _statistics(fields: Mapping[str, object]) -> Statistics:
    def number(name: str) -> float:
        value = fields.get(name, 0)
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
        return 0.0

    return Statistics(
        generation_count=max(0, int(number("generation_count"))),
        average_score=number("average_score"),
        filter_applications=max(0, int(number("filter_applications"))),
    )


def _panels(listed: object) -> tuple[PanelMean, ...]:
    means: list[PanelMean] = []
    for item in cast("list[object]", listed) if isinstance(listed, list) else []:
        fields = _object(item)
        count = fields.get("count")
        try:
            vector = np.frombuffer(base64.b64decode(str(fields.get("mean", "")), validate=True), "<f4")
        except (binascii.Error, ValueError):
            continue
        if isinstance(count, int) and count > 0 and vector.size and np.isfinite(vector).all():
            means.append(PanelMean(space=str(fields.get("space", "")), count=count, vector=vector))
    return tuple(means)


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _writable(facts: dict[str, object]) -> dict[str, object]:
    """Facts that can be written again: JSON has no NaN, though Python reads it."""
    try:
        json.dumps(facts, allow_nan=False)
    except ValueError:
        return {name: value for name, value in facts.items() if isinstance(value, str | bool | int)}
    return facts


def _time(value: object) -> float | None:
    """Seconds since 1970 of an ISO time (without a zone: UTC) or of a number; None when it is neither."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        value = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LAST_SECOND:
        return round(float(value), 6)
    return None
