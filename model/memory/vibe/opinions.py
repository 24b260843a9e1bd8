"""Opinions about distinct pictures, added up; their centre; and the plain score of a new picture.

In: embeddings of liked and disliked pictures with weights and categories. Out: `Opinions` in an order that
depends on nothing but them, the centre to measure from, mean cosines. Pure. The probability that a picture is
liked is computed by `scorer`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.memory.vibe.laplace import Array

# Of 0, 0.5, 0.7, 0.8, 0.9 and 1 the share of the mean that lets likes alone, or dislikes alone, tell panels
# apart.
_ONE_SIDED = 0.9
#: The most memories that a fit looks at, the weightiest first; its time grows with their cube.
MOST = 1500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opinions:
    """Distinct pictures and what was said of them, in an order that depends on nothing but them.

    Attributes:
        vectors: (n, d) float32, rows of length 1.
        signed: (n,) weights, positive for likes; copies of one picture in one category are summed up.
        categories: n names.
        sources: for each picture, which of the rows given to `gather` it came from.
    """

    vectors: Array
    signed: Array
    categories: tuple[str, ...]
    sources: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.signed)


def gather(vectors: Array, signed: Sequence[float], categories: Sequence[str]) -> Opinions:
    """Sum up what was said of equal embeddings of one category; what cancels out is left out.

    Args:
        vectors: (N, d), finite, no row of zeros; equal pictures have equal bytes.
        signed: N weights, positive for likes.
    """
    sums: dict[bytes, list[int]] = {}
    rows = np.ascontiguousarray(vectors)
    for index, category in enumerate(categories):
        # A digest, so that the first pictures of the order are a sample of all.
        key = hashlib.sha256(rows[index].tobytes() + category.encode()).digest()
        sums.setdefault(key, []).append(index)
    kept: list[tuple[float, tuple[int, ...]]] = []
    for key in sorted(sums):
        weights = sorted(signed[index] for index in sums[key])
        total = float(sum(weights))
        if abs(total) > 1e-6 * sum(abs(weight) for weight in weights):
            kept.append((total, tuple(sums[key])))
    if len(kept) > MOST:
        least = sorted((abs(total) for total, _ in kept), reverse=True)[MOST - 1]
        kept = [opinion for opinion in kept if abs(opinion[0]) >= least][:MOST]
    firsts = [sources[0] for _, sources in kept]
    return Opinions(
        vectors=unit(rows[firsts]),
        signed=np.array([total for total, _ in kept]),
        categories=tuple(categories[first] for first in firsts),
        sources=tuple(sources for _, sources in kept),
    )


def unit(vectors: Array) -> Array:
    """Rows of length 1, float32; rows of zeros stay."""
    rows = vectors.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(lengths > 1e-9, lengths, np.float32(1))


def centre_of(opinions: Opinions, panels: Array | None = None) -> Array:
    """(d,): the mean panel embedding, or the best guess of it where no panels are known.

    The guess stands midway between likes and dislikes. Where all are of one kind it falls short of their
    mean, so that what they have in common still counts.

    Args:
        panels: (d,) mean of the unit embeddings of panels that were drawn; None = there are none.
    """
    if panels is not None:
        return panels
    width: int = opinions.vectors.shape[1]
    centre = np.zeros((width,), dtype=np.float64)
    sides = [side for side in (opinions.signed > 0, opinions.signed < 0) if side.any()]
    for side in sides:
        weights = np.abs(opinions.signed[side])
        centre += weights @ opinions.vectors[side] / (weights.sum() * len(sides))
    return centre if len(sides) != 1 else centre * (_ONE_SIDED * len(opinions) / (len(opinions) + 1))


def mean_cosine(opinions: Opinions, embeddings: Array, category: str | None = None) -> NDArray[np.float64]:
    """The plain scorer: weighted mean cosine with the likes minus that with the dislikes, in [−2, 2].

    Args:
        embeddings: (m, d).
        category: only memories of this one count; None = all.
    """
    cosines = unit(embeddings) @ opinions.vectors.T
    meant = np.array([category in (None, name) for name in opinions.categories], dtype=bool)
    score = np.zeros(len(embeddings))
    for sign in (1, -1):
        weights = np.where(meant, np.maximum(sign * opinions.signed, 0), 0)
        if weights.any():
            score += sign * (cosines @ weights) / weights.sum()
    return score
