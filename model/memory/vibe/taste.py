"""How memories of one embedding space score a picture, and how much each of them contributes.

In: memories, the mean panel, a vector. Out: scores and reasons. Pure. Knows nothing of files and encoders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.memory.vibe.entries import Memory, PanelMean
from model.memory.vibe.opinions import centre_of, gather, mean_cosine
from model.memory.vibe.scorer import Scorer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Influence:
    """What one memory, or exact copies of one, does to a picture's score.

    Attributes:
        contribution: its part of the score; the parts of all memories add up to the score.
        similarity: cosine of the two pictures after the mean panel is taken away.
    """

    memory: Memory
    contribution: float
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """A score and the memories that it comes from, the most influential first."""

    score: float
    influences: tuple[Influence, ...] = ()


class Taste:
    """Likes and dislikes, fitted.

    Args:
        memories: of one space, vectors of one size.
        panels: mean of the panels drawn in that space; None = not known.
        size: of the vectors.
        now: seconds since 1970, for the memories' age.
    """

    def __init__(self, memories: Sequence[Memory], panels: PanelMean | None, size: int, now: float) -> None:
        self.memories = tuple(memories)
        nothing = np.zeros((0, size), dtype=np.float16)
        self.opinions = gather(
            np.stack([memory.vector for memory in memories]) if memories else nothing,
            [memory.signed_weight(now) for memory in memories],
            [memory.category for memory in memories],
        )
        self.centre = centre_of(self.opinions, None if panels is None else panels.vector)
        self._scorer = Scorer(self.opinions, self.centre)

    @property
    def settings(self) -> tuple[tuple[tuple[float, float], float], ...]:
        """The kernel's (s², ρ) that have a say, each with its weight by evidence, likeliest first."""
        return self._scorer.settings

    def scores(
        self, embeddings: NDArray[np.floating], category: str | None = None, *, plain: bool = False
    ) -> NDArray[np.float64]:
        """(m,) scores of (m, d) embeddings; `plain`: by mean cosine."""
        if plain:
            return mean_cosine(self.opinions, embeddings, category)
        return self._scorer.score(embeddings, category)

    def explain(
        self, embedding: NDArray[np.floating], category: str | None = None, top: int = 5
    ) -> Explanation:
        """The score of (d,) and the `top` memories that moved it most."""
        if not len(self.opinions):
            return Explanation(score=0.0)
        influences = self._influences(embedding, category)
        influences.sort(key=lambda influence: -abs(influence.contribution))
        score = float(self._scorer.score(embedding[None], category)[0])
        return Explanation(score=score, influences=tuple(influences[:top]))

    def nearest(self, embedding: NDArray[np.floating], *, liked: bool, count: int) -> tuple[Influence, ...]:
        """The liked or disliked memories most like (d,), most similar first."""
        if not len(self.opinions):
            return ()
        influences = [one for one in self._influences(embedding, None) if one.memory.liked == liked]
        influences.sort(key=lambda influence: -influence.similarity)
        return tuple(influences[:count])

    def favourites(self, category: str | None, count: int) -> tuple[tuple[Memory, float], ...]:
        """The likes that score highest themselves, of a category or of all, each with its score."""
        liked = [
            index
            for index, signed in enumerate(self.opinions.signed)
            if signed > 0 and category in (None, self.opinions.categories[index])
        ]
        if not liked:
            return ()
        scores = self._scorer.score(self.opinions.vectors[liked], category)
        ranked: list[int] = np.argsort(-scores, kind="stable")[:count].tolist()
        return tuple(
            (self._spokesman(self.opinions.sources[liked[place]], True), float(scores[place]))
            for place in ranked
        )

    def _influences(self, embedding: NDArray[np.floating], category: str | None) -> list[Influence]:
        parts = self._scorer.contributions(embedding, category)
        similar = self._scorer.similarities(embedding)
        return [
            Influence(
                memory=self._spokesman(sources, bool(signed > 0)),
                contribution=float(part),
                similarity=float(cosine),
            )
            for sources, signed, part, cosine in zip(
                self.opinions.sources, self.opinions.signed, parts, similar, strict=True
            )
        ]

    def _spokesman(self, sources: tuple[int, ...], liked: bool) -> Memory:
        """Of several memories of one picture, the newest that agrees with their sum."""
        return [self.memories[index] for index in sources if self.memories[index].liked == liked][-1]
