"""Which memories are recalled: text search and meaning fused, then recency, importance and presence.

In: candidates that the asker may know, the ranks of a text search, vectors. Out: the candidates in order, one
passage a memory. Pure and deterministic: recency is the order of the story, never the clock.
Knows nothing of SQL or names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.memory.chronicle.memories import Kind, Place

# Reciprocal rank fusion (Cormack, Clarke, Büttcher 2009): 1 / (RANK + rank), summed over the searches. They
# take 60 for thousands of documents; among dozens of memories the first ranks must differ by more.
RANK = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How much each thing counts beside relevance, which is 1 for the best passage of both searches.

    Chosen on the tuning story of scripts/bench/chronicle.py, not on the story that the bench reports.
    """

    recency: float = 0.03
    importance: float = 0.02
    presence: float = 0.03
    kinds: Mapping[Kind, float]


WEIGHTS = Weights(kinds={"fact": 0.02, "said": 0.0, "thought": 0.0, "happened": 0.0, "seen": -0.02})


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One passage that may be recalled.

    Attributes:
        presence: share of those now in the scene who know it too, 0 to 1.
    """

    passage: int
    memory: int
    kind: Kind
    place: Place
    importance: float
    presence: float


def rank(
    candidates: Sequence[Candidate],
    found: Sequence[int],
    cosines: NDArray[np.float32],
    weights: Weights = WEIGHTS,
) -> list[tuple[Candidate, float]]:
    """Candidates with their scores, best first: of each memory its best passage.

    Args:
        found: passages that the text search found, best first; others than candidates are ignored.
        cosines: (N,) of the query with each candidate.
    """
    relevance = _fused([c.passage for c in candidates], found, cosines)
    recency = _recency([c.place for c in candidates])
    best: dict[int, tuple[Candidate, float]] = {}
    for candidate, relevant, recent in zip(candidates, relevance, recency, strict=True):
        score = (
            relevant
            + weights.recency * recent
            + weights.importance * candidate.importance
            + weights.presence * candidate.presence
            + weights.kinds[candidate.kind]
        )
        if candidate.memory not in best or score > best[candidate.memory][1]:
            best[candidate.memory] = (candidate, score)
    return sorted(best.values(), key=lambda pair: (-pair[1], pair[0].passage))


def _fused(passages: Sequence[int], found: Sequence[int], cosines: NDArray[np.float32]) -> list[float]:
    """Relevance of each passage, 0 to 1: 1 is first in both searches."""
    known = set(passages)
    lexical = {passage: place for place, passage in enumerate(p for p in found if p in known)}
    # Equal cosines share a rank, so that the order of the rows decides nothing.
    order = -cosines.astype(np.float64)
    meaning = np.searchsorted(np.sort(order), order, side="left")
    scale = RANK + 1
    return [
        0.5 * scale * (_reciprocal(lexical.get(passage)) + 1 / (scale + float(place)))
        for passage, place in zip(passages, meaning, strict=True)
    ]


def _reciprocal(place: int | None) -> float:
    return 0.0 if place is None else 1 / (RANK + 1 + place)


def _recency(places: Sequence[Place]) -> list[float]:
    """0 for the oldest place, 1 for the newest, even steps between."""
    order = {place: index for index, place in enumerate(sorted(set(places)))}
    most = max(len(order) - 1, 1)
    return [order[place] / most for place in places]
