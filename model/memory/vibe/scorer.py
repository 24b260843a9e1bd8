"""How much a picture would be liked, from pictures that were: a Gaussian process over embeddings.

In: embeddings of liked and disliked pictures with weights and categories, and the mean panel embedding. Out:
a score in (−1, 1) for any embedding, 2·P(like) − 1, and what each memory gave to it. Pure: nothing is read
or kept, equal opinions give equal scores in any order. Knows nothing of files and pictures.

Embeddings of one model's pictures lie in a narrow cone; only what differs from their mean says anything, so
they are centred first. The kernel of two pictures is
`s²·[ρ·cos + (1−ρ)·exp((cos−1)/0.2)]·[κ + (1−κ)·same category]`: a taste is a direction (ρ), or a few
favourite looks, and what is liked in one category says something about the others (κ). s² and ρ are not
chosen but averaged over, each setting weighted by its evidence. There is no intercept: without memories
nothing is known, and swapping likes and dislikes turns every score's sign.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from model.memory.vibe.blas import one_thread
from model.memory.vibe.laplace import Array, Posterior
from model.memory.vibe.opinions import Opinions, unit

SHARED = 0.5  # κ
_REACH = 0.2
_SETTINGS = tuple((variance, linear) for variance in (2.0, 8.0) for linear in (1.0, 0.5, 0.15))

# In a large fit, settings whose log evidence is lower than the best by this much in a sample are left out.
_SAMPLE = 300
_HOPELESS = 8.0
# Settings of less weight than this are left out of scores.
_LEAST_WEIGHT = 1e-3
# A score's error is well below what two decimals show; float32 halves the time where n² values are moved.
_EXACT = (np.float64, 1e-9)
_FAST = (np.float32, 1e-4)


class Scorer:
    """A taste, fitted. Making one takes up to 0.1 s for 1,000 memories, a score well under 1 ms.

    Attributes:
        opinions: what it was fitted to.
        centre: (d,) the mean panel embedding.
        settings: ((s², ρ), weight by evidence) of the settings that have a say, likeliest first.
    """

    def __init__(self, opinions: Opinions, centre: Array) -> None:
        self.opinions, self.centre = opinions, centre.astype(np.float32)
        self.settings: tuple[tuple[tuple[float, float], float], ...] = ()
        if not len(opinions):
            return
        dtype, tolerance = _EXACT if len(opinions) <= _SAMPLE else _FAST
        self._names = sorted(set(opinions.categories))
        self._codes = np.array([self._names.index(name) for name in opinions.categories])
        weights = np.abs(opinions.signed)
        self._shares = np.bincount(self._codes, weights) / weights.sum()
        self._rows = self._centred(opinions.vectors).astype(dtype)
        labels, weights = np.sign(opinions.signed).astype(dtype), weights.astype(dtype)
        with one_thread():
            self._fit(*self._kernels(self._rows @ self._rows.T, self._codes), labels, weights, tolerance)

    def score(self, embeddings: Array, category: str | None = None) -> NDArray[np.float64]:
        """2·P(like) − 1 of each picture.

        Args:
            embeddings: (m, d), any length but zero.
            category: of the pictures; None = of all categories, each by its share of the memories' weight.
        Returns:
            (m,), each in (−1, 1); 0 where there are no memories.
        """
        scores = np.zeros(len(embeddings))
        if not self.settings:
            return scores
        with one_thread():
            for cross, dual, shrink, weight in self._terms(embeddings, category):
                scores += weight * np.tanh(0.5 * shrink * (dual @ cross))
        # tanh rounds to 1 where P(like) is within 1e-16 of it.
        return np.clip(scores, -1 + 1e-9, 1 - 1e-9)

    def contributions(self, embedding: Array, category: str | None = None) -> NDArray[np.float64]:
        """(n,): what each opinion gives to the picture's score; their sum is the score."""
        parts = np.zeros(len(self.opinions))
        if not self.settings:
            return parts
        for cross, dual, shrink, weight in self._terms(embedding[None], category):
            pulls = shrink[0] * dual * cross[:, 0]
            total = float(pulls.sum())
            parts += weight * pulls * (np.tanh(0.5 * total) / total if abs(total) > 1e-9 else 0.5)
        return parts

    def similarities(self, embedding: Array) -> NDArray[np.float64]:
        """(n,): the centred cosine of the picture with each opinion's."""
        return self._rows.astype(np.float64) @ self._centred(unit(embedding[None]))[0]

    def _fit(self, first: Array, second: Array, labels: Array, weights: Array, tolerance: float) -> None:
        """Posterior and evidence of every setting that stands a chance."""
        starts: dict[int, Array | None] = dict.fromkeys(range(len(_SETTINGS)))
        if len(labels) > _SAMPLE:
            starts = self._screened(first, second, labels, weights)
        found = {
            setting: Posterior(
                _mixed(setting, first, second), labels, weights, tolerance=tolerance, start=start
            )
            for setting, start in starts.items()
        }
        shares = _shares({setting: posterior.evidence for setting, posterior in found.items()})
        ranked = sorted(shares, key=lambda setting: (-shares[setting], setting))
        ranked = [setting for setting in ranked if shares[setting] > _LEAST_WEIGHT]
        total = sum(shares[setting] for setting in ranked)
        self.settings = tuple((_SETTINGS[setting], shares[setting] / total) for setting in ranked)
        self._posteriors = [found[setting] for setting in ranked]

    def _screened(
        self, first: Array, second: Array, labels: Array, weights: Array
    ) -> dict[int, Array | None]:
        """Settings that a sample does not rule out, each with the latent means it predicts for all labels."""
        some = slice(_SAMPLE)
        small = np.ascontiguousarray(first[some, some]), np.ascontiguousarray(second[some, some])
        found = [
            Posterior(_mixed(setting, *small), labels[some], weights[some], tolerance=_FAST[1])
            for setting in range(len(_SETTINGS))
        ]
        best = max(posterior.evidence for posterior in found)
        starts: dict[int, Array | None] = {}
        for setting, posterior in enumerate(found):
            if posterior.evidence > best - _HOPELESS:
                of_first, of_second = _parts(setting, first.dtype)
                starts[setting] = first[:, some] @ (of_first * posterior.dual) + second[:, some] @ (
                    of_second * posterior.dual
                )
        return starts

    def _terms(self, embeddings: Array, category: str | None) -> list[tuple[Array, Array, Array, float]]:
        """For each setting: (n, m) kernel with the labels, dual, (m,) shrinking by doubt, weight."""
        points = self._centred(unit(embeddings)).astype(self._rows.dtype)
        cosines = self._rows @ points.T
        named = np.array([name == category for name in self._names], dtype=np.float64)
        shares = self._shares if category is None else named
        same = (SHARED + (1 - SHARED) * shares[self._codes])[:, None].astype(self._rows.dtype)
        # What the point shares with itself: everything, unless it stands in several categories at once.
        whole = SHARED + (1 - SHARED) * (1.0 if category is not None else float(shares @ shares))
        first, second = cosines * same, np.exp((cosines - 1) / _REACH) * same
        terms: list[tuple[Array, Array, Array, float]] = []
        for (setting, weight), posterior in zip(self.settings, self._posteriors, strict=True):
            cross = _mixed(_SETTINGS.index(setting), first, second)
            doubt = np.maximum(setting[0] * whole - posterior.explained(cross), 0)
            # MacKay's approximation of the mean of σ under a normal distribution.
            terms.append((cross, posterior.dual, 1 / np.sqrt(1 + np.pi * doubt / 8), weight))
        return terms

    def _centred(self, vectors: Array) -> Array:
        return unit(vectors - self.centre)

    def _kernels(self, cosines: Array, codes: NDArray[np.intp]) -> tuple[Array, Array]:
        second = np.exp((cosines - 1) * (1 / _REACH))
        if len(self._names) == 1:
            return cosines, second
        same = np.where(codes[:, None] == codes, 1, SHARED).astype(cosines.dtype)
        return cosines * same, second * same


def _parts(setting: int, dtype: np.dtype[np.floating]) -> tuple[np.floating, np.floating]:
    """How much of either kernel a setting takes, in the type that the work is done in."""
    variance, linear = _SETTINGS[setting]
    return dtype.type(variance * linear), dtype.type(variance * (1 - linear))


def _mixed(setting: int, first: Array, second: Array) -> Array:
    of_first, of_second = _parts(setting, first.dtype)
    mixed = first * of_first
    if of_second:
        mixed += second * of_second
    return mixed


def _shares(evidence: Mapping[int, float]) -> dict[int, float]:
    best = max(evidence.values())
    relative = {setting: float(np.exp(value - best)) for setting, value in evidence.items()}
    return {setting: value / sum(relative.values()) for setting, value in relative.items()}
