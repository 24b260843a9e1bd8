"""The vibe memory's file, as text: formats 1 and 2 in, formats 2 and 1 out.

Format 1 is two lists of plain embeddings:

    {"liked": [[0.1, -0.2, …], …], "disliked": […]}

Format 2 has more about each, and about the whole. Entries of format 1 may stand among them:

    {"liked": [{"embedding": […], "category": "portraits", "weight": 1.5,
                "timestamp": "2026-11-21T14:05:00+00:00", "metadata": {"source": "good.png"}}, …],
     "disliked": […],
     "metadata": {"version": "2.0", "created": "…", "last_updated": "…", "total_likes": 1,
                  "total_dislikes": 0, "clip_model": "ViT-B/32"},
     "categories": {"portraits": {"liked": [0], "disliked": []}},
     "statistics": {"generation_count": 100, "average_score": 0.15, "filter_applications": 40}}

Both are read as other programs wrote them: indices under `categories` and the totals go stale there, so they
are written but never read; a vector with NaN, of zeros or of another size than the rest is skipped and
reported.

What this program keeps is format 2 with compact embeddings, about 1.5 KB a memory at 512 numbers: `embedding`
is a text, base64 of little-endian float16, `checksum` the start of its sha256, `space` names the encoder's
weights, and after `optimize` an entry lists its `copies`. `metadata.panels` has the mean embedding of the
panels drawn so far. An entry of that kind whose checksum is wrong means a damaged file, not a foreign one.

In: `Contents`. Out: text. `parsing` reads it. Writes no files.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from model.memory.vibe.entries import Contents, Memory, checksum

VERSION = "2.0"
SIDES = ("liked", "disliked")


def write(contents: Contents, *, version: int = 2, plain: bool = False) -> str:
    """The file's text, one entry a line.

    Args:
        plain: embeddings as lists of numbers, for other programs.
    """
    sides = {liked: [m for m in contents.memories if m.liked == liked] for liked in (True, False)}
    if version == 1:
        lists: dict[str, list[object]] = {
            side: [_numbers(memory) for memory in sides[side == "liked"]] for side in SIDES
        }
        return _lined(lists, {})
    entries: dict[str, list[object]] = {
        side: [_entry(memory, plain) for memory in sides[side == "liked"]] for side in SIDES
    }
    categories: dict[str, dict[str, list[int]]] = {}
    for side in SIDES:
        for index, memory in enumerate(sides[side == "liked"]):
            places = categories.setdefault(memory.category, {name: [] for name in SIDES})
            places[side].append(index)
    metadata: dict[str, object] = {
        "version": VERSION,
        "created": _written(contents.created),
        "last_updated": _written(datetime.now(UTC).timestamp()),
        "total_likes": len(sides[True]),
        "total_dislikes": len(sides[False]),
        "clip_model": contents.encoder,
    }
    if contents.panels:
        metadata["panels"] = [
            {"space": mean.space, "count": mean.count, "mean": _base64(mean.vector.astype("<f4").tobytes())}
            for mean in contents.panels
        ]
    used = contents.statistics
    statistics = {
        "generation_count": used.generation_count,
        "average_score": used.average_score,
        "filter_applications": used.filter_applications,
    }
    return _lined(entries, {"metadata": metadata, "categories": categories, "statistics": statistics})


def _entry(memory: Memory, plain: bool) -> dict[str, object]:
    entry: dict[str, object] = {"embedding": _numbers(memory) if plain else _base64(memory.vector.tobytes())}
    if not plain:
        entry["checksum"] = checksum(memory.vector)
    entry |= {"category": memory.category, "weight": memory.weight, "timestamp": _written(memory.timestamp)}
    entry["metadata"] = dict(memory.copies[-1].facts)
    if memory.space:
        entry["space"] = memory.space
    if len(memory.copies) > 1:
        entry["copies"] = [
            {"weight": copy.weight, "timestamp": _written(copy.timestamp), "metadata": dict(copy.facts)}
            for copy in memory.copies
        ]
    return entry


def _lined(lists: Mapping[str, list[object]], rest: Mapping[str, object]) -> str:
    """JSON with one entry a line: a person can look at it, and what a damage spares can be read."""
    parts = [
        f'"{name}": [' + ",".join("\n  " + _json(entry) for entry in entries) + "]"
        for name, entries in lists.items()
    ]
    parts += [f'"{name}": {_json(value)}' for name, value in rest.items()]
    return "{" + ",\n".join(parts) + "}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _numbers(memory: Memory) -> list[float]:
    return [float(number) for number in memory.vector]


def _written(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
