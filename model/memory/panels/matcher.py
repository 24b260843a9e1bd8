"""Finds similar pictures: exact cosine search over embeddings of one space.

In: pictures for an encoder that is handed in, and embeddings. Out: matches, best first, or a random
one of them. Pure numpy; knows nothing of models, files or what is done with a match.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.memory.panels.cache import Embedding

Picture = TypeVar("Picture")

THRESHOLD, TOP_K = 0.7, 5
# Difference of similarity that makes one match e times likelier than another.
_WARMTH = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A candidate that is near enough. `similarity`: cosine, −1 to 1."""

    cache_id: str
    similarity: float


class AestheticMatcher(Generic[Picture]):
    """Finds similar pictures.

    Args:
        encode: N pictures → (N, D) finite rows, of whatever pictures the encoder takes.
        space: the id of the encoder's space; embeddings of other spaces are never compared with it.
    """

    def __init__(self, encode: Callable[[Sequence[Picture]], NDArray[np.float32]], space: str) -> None:
        self._encode = encode
        self.space = space

    def encode_image(self, image: Picture) -> Embedding:
        """The picture's place in the encoder's space, in float16."""
        return self.encode_images([image])[0]

    def encode_images(self, images: Sequence[Picture]) -> tuple[Embedding, ...]:
        """The same for many, in one go."""
        if not images:
            return ()
        return tuple(Embedding(space=self.space, vector=row.astype("<f2")) for row in self._encode(images))

    @staticmethod
    def cosine_similarity(one: ArrayLike, other: ArrayLike) -> float:
        """−1 to 1; vectors need not have length 1. 0 when one of them is all zeros.

        Raises:
            ValueError: they are not two vectors of one length.
        """
        a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
        if a.ndim != 1 or a.shape != b.shape:
            raise ValueError(f"shapes {a.shape} and {b.shape} found, two vectors of one length expected")
        return float(np.clip(_unit(a[None])[0] @ _unit(b[None])[0], -1, 1))

    @staticmethod
    def find_similar(
        target: Embedding,
        candidates: Sequence[tuple[str, Embedding | None]],
        threshold: float = THRESHOLD,
        top_k: int = TOP_K,
    ) -> tuple[Match, ...]:
        """The candidates nearest to `target`.

        Args:
            candidates: id and embedding; those without one, or in another space, are passed over.
            threshold: least cosine.
            top_k: most matches.
        Returns:
            Best first; of equals the one that stands first in `candidates`.
        """
        ranked = rank(target, candidates)
        return tuple(match for match in ranked if match.similarity >= threshold)[: max(top_k, 0)]

    @staticmethod
    def weighted_random_selection(
        candidates: Sequence[Match], rng: np.random.Generator | None = None
    ) -> Match | None:
        """One of the matches, the more similar the likelier; None for none.

        Args:
            rng: decides; a generator of the same seed makes the same choice.
        """
        if not candidates:
            return None
        similar = np.array([match.similarity for match in candidates])
        weights = np.exp((similar - similar.max()) / _WARMTH)
        return candidates[
            int((rng or np.random.default_rng()).choice(len(candidates), p=weights / weights.sum()))
        ]


def rank(target: Embedding, candidates: Sequence[tuple[str, Embedding | None]]) -> tuple[Match, ...]:
    """All candidates of the target's space, the most similar first."""
    width = target.vector.size
    comparable = [
        (name, one.vector)
        for name, one in candidates
        if one is not None and one.space == target.space and one.vector.size == width
    ]
    if not comparable:
        return ()
    rows = _unit(np.stack([vector for _, vector in comparable]).astype(np.float32))
    cosines = np.clip(rows @ _unit(target.vector.astype(np.float32)[None])[0], -1, 1)
    order = np.argsort(-cosines, kind="stable")
    return tuple(Match(cache_id=comparable[int(i)][0], similarity=float(cosines[i])) for i in order)


def mean_similarity(embeddings: Sequence[NDArray[np.float32]]) -> float | None:
    """Mean cosine over all pairs, −1 to 1; None for fewer than two. Near 1: they all look the same."""
    count = len(embeddings)
    if count < 2:
        return None
    total = _unit(np.stack(embeddings).astype(np.float64)).sum(0)
    # The sum over all pairs is |sum|² without each row's product with itself.
    zeros = sum(1 for one in embeddings if not np.any(one))
    return float((total @ total - (count - zeros)) / (count * (count - 1)))


def _unit(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rows of length 1; zeros stay zeros."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(rows.dtype).tiny)
