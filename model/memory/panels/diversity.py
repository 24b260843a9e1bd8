"""Finds where a book's panels begin to look the same.

In: the panels' embeddings, in reading order, and the similarity from which panels count as monotonous. Out:
where it happens. Pure; the level belongs to an encoder and must be calibrated for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.memory.panels.matcher import mean_similarity

WINDOW = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Collapse:
    """Diversity fell: at `index` the last WINDOW panels reached a mean cosine above the level."""

    index: int
    similarity: float


def alike(embeddings: Sequence[NDArray[np.float32] | None]) -> tuple[float | None, ...]:
    """For each panel, the mean cosine over all pairs of the WINDOW panels that end with it.

    Panels without an embedding are passed over; None where there are fewer than WINDOW.
    """
    found: list[float | None] = []
    seen: list[NDArray[np.float32]] = []
    for embedding in embeddings:
        if embedding is not None:
            seen.append(embedding)
        full = embedding is not None and len(seen) >= WINDOW
        found.append(mean_similarity(seen[-WINDOW:]) if full else None)
    return tuple(found)


def collapses(similarities: Sequence[float | None], level: float) -> tuple[Collapse, ...]:
    """Where the mean cosine rises above `level`; once for each time it does."""
    found: list[Collapse] = []
    above = False
    for index, similarity in enumerate(similarities):
        if similarity is None:
            continue
        if similarity > level and not above:
            found.append(Collapse(index=index, similarity=similarity))
        above = similarity > level
    return tuple(found)
