"""How far a vibe memory's scores can be trusted: its own memories, each scored by the others.

In: a `Taste`. Out: how often predictions of each probability came true. Deterministic. Knows nothing of
files.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.memory.vibe.entries import PanelMean
from model.memory.vibe.taste import Taste

FOLDS = 5
BINS = 5
# Fewer of a side than this say nothing about a fold.
_LEAST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Memories whose probability of being liked was said to be in one fifth.

    Attributes:
        said: mean probability.
        liked: share of them that are liked.
    """

    said: float
    liked: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What cross-validation found.

    Attributes:
        count: pictures that were scored by the rest; 0 = too few likes or dislikes to tell.
        auc: share of pairs of a like and a dislike that the scores put in order.
        brier: mean squared error of the probabilities; 0.25 is what guessing gives.
        bins: those that are not empty, from unlikely to likely.
    """

    count: int = 0
    auc: float = 0.0
    brier: float = 0.0
    bins: tuple[Bin, ...] = ()


def calibrate(taste: Taste) -> Calibration:
    """Score each fifth of the pictures by the other four. Takes five fits."""
    opinions = taste.opinions
    liked = opinions.signed > 0
    if min(int(liked.sum()), int((~liked).sum())) < _LEAST:
        return Calibration()
    # Opinions come in an order that their content decides, so the folds are the same in any order of adding.
    fold = np.empty(len(opinions), dtype=np.intp)
    for side in (liked, ~liked):
        fold[side] = np.arange(int(side.sum())) % FOLDS
    scores = np.zeros(len(opinions))
    panels = PanelMean(space="", count=1, vector=taste.centre.astype(np.float32))
    for number in range(FOLDS):
        rest = [taste.memories[i] for n in np.flatnonzero(fold != number) for i in opinions.sources[n]]
        fitted = Taste(rest, panels, opinions.vectors.shape[1], time.time())
        for index in np.flatnonzero(fold == number):
            category = opinions.categories[index]
            scores[index] = fitted.scores(opinions.vectors[index : index + 1], category)[0]
    return _measured((scores + 1) / 2, liked)


def _measured(said: NDArray[np.float64], liked: NDArray[np.bool_]) -> Calibration:
    order = said[liked][:, None] - said[~liked]
    bins: list[Bin] = []
    place = np.minimum((said * BINS).astype(int), BINS - 1)
    for number in range(BINS):
        inside = place == number
        if inside.any():
            bins.append(
                Bin(
                    said=float(said[inside].mean()),
                    liked=float(liked[inside].mean()),
                    count=int(inside.sum()),
                )
            )
    return Calibration(
        count=len(said),
        auc=float((order > 0).mean() + 0.5 * (order == 0).mean()),
        brier=float(((said - liked) ** 2).mean()),
        bins=tuple(bins),
    )
