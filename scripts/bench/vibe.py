"""What the vibe memory learns of a taste, against the plain mean-cosine scorer, in simulated worlds.

    python -m scripts.bench.vibe [--worlds 30] [--seed 1000] [--labels 20 50] [--unseen]

A world has panels as embeddings in a narrow cone (mean cosine of two about 0.8; the variance of what differs
falls off by a power law) and a reader with a hidden taste of one of three kinds:

  direction      the more of a style, the better
  favourites     near one of three looks
  combination    three things at once ("ink, long hair, smiling")

Utility is the taste's value, mean 0 and standard deviation 1 over the world's panels; a panel above the
median is liked. Of 200 panels that were drawn before, whose mean the memory knows, the reader labels some;
with label noise that share of opinions is the opposite of what is meant. Balanced: as many likes as
dislikes; 80/20: four fifths likes in one half of the worlds, dislikes in the other; one-sided: likes only,
or dislikes only.

Then, on panels that nobody has seen: the AUC of the scores, the share that is accepted at the default
threshold, and the mean utility of the kept picture when a rejected one is drawn again, at most three times,
and the best of the tries is kept. Everything is compared in the same worlds. `--unseen`: the memory knows no
panels but the labelled ones. Prints a table of means ± standard errors, one of the tastes, then one JSON
line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.memory.vibe.opinions import centre_of, gather, mean_cosine
from model.memory.vibe.scorer import Scorer
from model.memory.vibe.settings import VibeSettings
from scripts.bench.command import run, seed_flag

Array = NDArray[np.floating]

WIDTH, FACTORS = 512, 48
DRAWN_BEFORE, HELD_OUT, STORIES = 200, 400, 100
BALANCES = ("balanced", "80/20", "likes only", "dislikes only")
NOISES = (0.0, 0.1, 0.2)
TASTES = ("direction", "favourites", "combination")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Panels of a model, and what one reader makes of them.

    Attributes:
        value: utility of panels by their factors.
        median: of the utility; what is above it is liked.
    """

    mean: Array
    basis: Array
    value: Callable[[Array], Array]
    median: float

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Embeddings (count, WIDTH) of length 1, and the utility of each."""
        factors = rng.normal(size=(count, FACTORS))
        noise = rng.normal(size=(count, WIDTH)) * 0.3 / np.sqrt(WIDTH)
        vectors = self.mean + factors @ self.basis + noise
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), self.value(factors)


def make_world(taste: str, rng: np.random.Generator) -> World:
    """A world at random. The mean is twice as long as what differs from panel to panel."""
    spread = np.arange(1, FACTORS + 1) ** -0.6
    spread /= np.sqrt((spread**2).sum())
    basis = np.linalg.qr(rng.normal(size=(WIDTH, FACTORS)))[0].T * spread[:, None]
    mean = rng.normal(size=WIDTH)
    value = _taste(taste, spread, rng)
    sample = value(rng.normal(size=(4000, FACTORS)))
    middle, deviation = float(sample.mean()), float(sample.std())
    return World(
        mean=2 * mean / np.linalg.norm(mean),
        basis=basis,
        value=lambda factors: (value(factors) - middle) / deviation,
        median=(float(np.median(sample)) - middle) / deviation,
    )


def _taste(taste: str, spread: Array, rng: np.random.Generator) -> Callable[[Array], Array]:
    """What a reader likes, as a function of the factors; about things that show, so weighted by `spread`."""
    if taste == "direction":
        wish = rng.normal(size=FACTORS) * spread
        return lambda factors: factors @ wish
    if taste == "favourites":
        looks = rng.normal(size=(3, FACTORS)) * spread
        return lambda factors: (
            -np.min([((factors * spread - 1.5 * look) ** 2).sum(axis=1) for look in looks], axis=0)
        )
    wishes = rng.normal(size=(3, FACTORS)) * spread
    wishes /= np.linalg.norm(wishes, axis=1, keepdims=True)
    return lambda factors: np.min(factors @ wishes.T, axis=1)


def labelled(
    liked: NDArray[np.bool_], count: int, balance: str, number: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Which panels the reader labels."""
    likes = {
        "balanced": count // 2,
        "80/20": count * (4 if number % 2 else 1) // 5,
        "likes only": count,
        "dislikes only": 0,
    }[balance]
    chosen = [
        rng.choice(np.flatnonzero(liked == side), size=size, replace=False)
        for side, size in ((True, likes), (False, count - likes))
    ]
    return np.concatenate(chosen)


def auc(scores: Array, good: NDArray[np.bool_]) -> float:
    """Share of pairs of a good and a bad panel that the scores put in order."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    count = int(good.sum())
    return float((ranks[good].sum() - count * (count + 1) / 2) / (count * (len(good) - count)))


def kept(scores: Array, settings: VibeSettings) -> tuple[NDArray[np.intp], Array]:
    """Which try of each story is kept, and how many were drawn. `scores`: (stories, tries)."""
    tries = 1 + settings.max_retries
    passed = scores[:, :tries] >= settings.threshold
    drawn = np.where(passed.any(axis=1), passed.argmax(axis=1) + 1, tries)
    reached = np.where(np.arange(tries) < drawn[:, None], scores[:, :tries], -np.inf)
    return reached.argmax(axis=1), drawn


def trial(
    taste: str, labels: int, balance: str, noise: float, number: int, seed: int, *, unseen: bool
) -> dict[str, float]:
    """One reader in one world."""
    # One world serves all rows, so that rows are compared in the same worlds.
    rng = np.random.default_rng([seed, TASTES.index(taste), number])
    world = make_world(taste, rng)
    panels, utility = world.draw(DRAWN_BEFORE, rng)
    new, value = world.draw(HELD_OUT, rng)
    liked = (utility > world.median) ^ (rng.random(DRAWN_BEFORE) < noise)
    chosen = labelled(liked, labels, balance, number, rng)
    signs = np.where(liked[chosen], 1.0, -1.0)
    opinions = gather(panels[chosen].astype(np.float16), list(signs), ["general"] * labels)
    centre = centre_of(opinions, None if unseen else panels.mean(axis=0))
    settings = VibeSettings()
    row = {"utility_none": float(value[:STORIES].mean())}
    scores = {"": Scorer(opinions, centre).score(new), "_plain": mean_cosine(opinions, new)}
    for name, given in scores.items():
        tries = given.reshape(4, STORIES).T
        which, drawn = kept(tries, settings)
        row[f"auc{name}"] = auc(given, value > world.median)
        row[f"utility{name}"] = float(value.reshape(4, STORIES).T[np.arange(STORIES), which].mean())
        row[f"accepted{name}"] = float((given >= settings.threshold).mean())
        row[f"generations{name}"] = float(drawn.mean())
    return row


def mean_and_error(values: list[float]) -> tuple[float, float]:
    return statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what the vibe memory learns.")
    parser.add_argument("--worlds", type=int, default=30, help="worlds a taste")
    seed_flag(parser, 1000)
    parser.add_argument("--labels", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--unseen", action="store_true", help="no panels known but the labelled ones")
    flags = parser.parse_args()
    started = time.perf_counter()
    rows: list[dict[str, object]] = []
    by_taste: dict[str, list[tuple[float, float]]] = {taste: [] for taste in TASTES}
    print(f"{len(TASTES)} tastes × {flags.worlds} worlds; means ± standard errors; settings by default")
    print(
        "labels balance       noise  auc            plain          utility        plain"
        "          none    yes    tries"
    )
    for labels in flags.labels:
        for balance in BALANCES:
            for noise in NOISES:
                trials: list[dict[str, float]] = []
                for taste in TASTES:
                    some = [
                        trial(taste, labels, balance, noise, number, flags.seed, unseen=flags.unseen)
                        for number in range(flags.worlds)
                    ]
                    by_taste[taste] += [(one["auc"], one["auc_plain"]) for one in some]
                    trials += some
                found = {key: mean_and_error([one[key] for one in trials]) for key in trials[0]}
                rows.append(_row(labels, balance, noise, found))
                shown = "  ".join(
                    f"{found[key][0]:.3f} ± {found[key][1]:.3f}"
                    for key in ("auc", "auc_plain", "utility", "utility_plain")
                )
                print(
                    f"{labels:6} {balance:14} {noise:4.0%}  {shown}  {found['utility_none'][0]:+.3f}"
                    f"  {found['accepted'][0]:.3f}  {found['generations'][0]:.2f}"
                )
    for taste, pairs in by_taste.items():
        ours, plain = (statistics.fmean(values) for values in zip(*pairs, strict=True))
        print(f"{taste:12} auc {ours:.3f}, plain {plain:.3f}")
    utility, plain = (
        statistics.fmean(float(str(row[key])) for row in rows) for key in ("utility", "utility_plain")
    )
    print(f"all rows: utility {utility:.3f}, plain {plain:.3f}; {time.perf_counter() - started:.0f} s")
    print(json.dumps(rows))
    return 0


def _row(labels: int, balance: str, noise: float, found: dict[str, tuple[float, float]]) -> dict[str, object]:
    keys = ("auc", "auc_plain", "utility", "utility_plain", "utility_none", "accepted", "generations")
    return {
        "labels": labels,
        "balance": balance,
        "noise": noise,
        "auc_se": round(found["auc"][1], 4),
        **{key: round(found[key][0], 4) for key in keys},
    }


if __name__ == "__main__":
    sys.exit(run(main))
