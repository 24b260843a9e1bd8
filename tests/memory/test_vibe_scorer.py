"""The scorer: what holds for every taste, and that it learns one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.memory.vibe import scorer
from model.memory.vibe.blas import one_thread
from model.memory.vibe.laplace import Posterior
from model.memory.vibe.opinions import centre_of, gather, mean_cosine
from model.memory.vibe.scorer import Scorer
from tests.chance import examples

WIDTH = 24
Array = NDArray[np.floating]


def panels(seed: int, count: int) -> NDArray[np.float16]:
    """Embeddings in a narrow cone: mean cosine of two about 0.8."""
    rng = np.random.default_rng(seed)
    mean = np.ones(WIDTH) / WIDTH**0.5
    return (2 * mean + rng.normal(size=(count, WIDTH)) / WIDTH**0.5).astype(np.float16)


def fit(
    vectors: Array, signed: list[float], categories: list[str] | None = None, mean: Array | None = None
) -> Scorer:
    opinions = gather(vectors, signed, categories or ["general"] * len(signed))
    return Scorer(opinions, centre_of(opinions, mean))


@st.composite
def tastes(draw: st.DrawFn) -> tuple[NDArray[np.float16], list[float], list[str]]:
    count = draw(st.integers(1, 12))
    vectors = panels(draw(st.integers(0, 10**6)), count)
    weights = draw(st.lists(st.floats(0.1, 20), min_size=count, max_size=count))
    signs = draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=count, max_size=count))
    categories = draw(st.lists(st.sampled_from(["general", "portraits"]), min_size=count, max_size=count))
    return vectors, [w * s for w, s in zip(weights, signs, strict=True)], categories


def mean_of(rows: Array) -> Array:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0)


NEW = panels(10**7, 6)
MEAN = mean_of(panels(3, 200).astype(np.float64))
MEANS = st.sampled_from([None, MEAN])
CATEGORIES = st.sampled_from([None, "general", "portraits", "unheard of"])


@settings(max_examples=examples(40), deadline=None)
@given(tastes(), MEANS, CATEGORIES)
def test_scores_are_between_minus_one_and_one_and_turn_with_the_labels(
    taste: tuple[NDArray[np.float16], list[float], list[str]], mean: Array | None, category: str | None
) -> None:
    vectors, signed, categories = taste
    scores = fit(vectors, signed, categories, mean).score(NEW, category)
    swapped = fit(vectors, [-weight for weight in signed], categories, mean).score(NEW, category)
    assert (np.abs(scores) < 1).all()
    np.testing.assert_allclose(swapped, -scores, rtol=0, atol=1e-12)


@settings(max_examples=examples(40), deadline=None)
@given(tastes(), MEANS, CATEGORIES, st.randoms(use_true_random=False))
def test_the_order_of_memories_does_not_matter(
    taste: tuple[NDArray[np.float16], list[float], list[str]],
    mean: Array | None,
    category: str | None,
    chance: object,
) -> None:
    vectors, signed, categories = taste
    order = list(range(len(signed)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    before = fit(vectors, signed, categories, mean).score(NEW, category)
    after = fit(vectors[order], [signed[i] for i in order], [categories[i] for i in order], mean)
    np.testing.assert_allclose(after.score(NEW, category), before, rtol=0, atol=1e-12)


@settings(max_examples=examples(30), deadline=None)
@given(tastes(), MEANS, st.integers(0, 10**6), st.floats(0.1, 10))
def test_a_like_and_a_dislike_of_one_picture_cancel(
    taste: tuple[NDArray[np.float16], list[float], list[str]], mean: Array | None, seed: int, weight: float
) -> None:
    vectors, signed, categories = taste
    torn = panels(seed, 1)
    more = fit(
        np.concatenate([vectors, torn, torn]),
        [*signed, weight, -weight],
        [*categories, "general", "general"],
        mean,
    )
    less = fit(vectors, signed, categories, mean)
    np.testing.assert_allclose(more.score(NEW), less.score(NEW), rtol=0, atol=1e-12)
    assert (fit(np.concatenate([torn, torn]), [weight, -weight]).score(NEW) == 0).all()


@settings(max_examples=examples(30), deadline=None)
@given(tastes(), MEANS)
def test_five_copies_are_one_of_weight_five(
    taste: tuple[NDArray[np.float16], list[float], list[str]], mean: Array | None
) -> None:
    vectors, signed, categories = taste
    copies = fit(np.repeat(vectors[:1], 5, axis=0), [1.0] * 5, ["general"] * 5, mean)
    heavy = fit(vectors[:1], [5.0], mean=mean)
    np.testing.assert_allclose(copies.score(NEW), heavy.score(NEW), rtol=0, atol=1e-12)
    five = fit(
        np.concatenate([np.repeat(vectors[:1], 5, axis=0), vectors[1:]]),
        [signed[0] / 5] * 5 + signed[1:],
        [categories[0]] * 5 + categories[1:],
        mean,
    )
    once = fit(vectors, signed, categories, mean)
    np.testing.assert_allclose(five.score(NEW), once.score(NEW), rtol=0, atol=1e-7)


@settings(max_examples=examples(30), deadline=None)
@given(tastes(), MEANS, CATEGORIES)
def test_contributions_add_up_to_the_score(
    taste: tuple[NDArray[np.float16], list[float], list[str]], mean: Array | None, category: str | None
) -> None:
    fitted = fit(*taste, mean)
    score = fitted.score(NEW[:1], category)[0]
    assert fitted.contributions(NEW[0], category).sum() == pytest.approx(score, abs=1e-9)


@settings(max_examples=examples(30), deadline=None)
@given(tastes())
def test_an_opinion_leaves_its_own_picture_on_its_side(
    taste: tuple[NDArray[np.float16], list[float], list[str]],
) -> None:
    vectors, signed, categories = taste
    alone = fit(vectors[:1], signed[:1], categories[:1])
    assert alone.score(vectors[:1], categories[0])[0] * signed[0] > 0


@settings(max_examples=examples(20), deadline=None)
@given(tastes(), st.lists(st.sampled_from([1e-6, 1.0, 1e6]), min_size=12, max_size=12))
def test_no_weight_is_too_large_or_too_small(
    taste: tuple[NDArray[np.float16], list[float], list[str]], factors: list[float]
) -> None:
    vectors, signed, categories = taste
    heavy = [weight * factor for weight, factor in zip(signed, factors, strict=False)]
    fitted = fit(vectors, heavy, categories, MEAN)
    scores = fitted.score(np.concatenate([NEW, vectors]))
    assert np.isfinite(scores).all()
    assert (np.abs(scores) < 1).all()


def test_nothing_is_known_without_memories() -> None:
    nothing = fit(np.zeros((0, WIDTH)), [])
    assert (nothing.score(NEW) == 0).all()
    assert (mean_cosine(nothing.opinions, NEW) == 0).all()
    assert nothing.settings == ()


def test_more_weight_says_it_louder() -> None:
    one = panels(5, 1)
    scores = [fit(one, [weight], mean=MEAN).score(one)[0] for weight in (0.3, 1.0, 3.0, 10.0)]
    assert scores == sorted(scores)
    assert scores[0] < scores[-1] - 0.1


def test_what_is_liked_in_one_category_says_less_of_another() -> None:
    vectors = panels(5, 8)
    fitted = fit(vectors, [1.0] * 8, ["portraits"] * 8, MEAN)
    here, elsewhere = (fitted.score(vectors[:1], name)[0] for name in ("portraits", "landscapes"))
    assert 0.05 < elsewhere < here - 0.05
    assert fitted.score(vectors[:1])[0] == pytest.approx(here, abs=1e-6)  # all memories are portraits


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_likes_alone_or_dislikes_alone_accept_some_and_reject_some(sign: float) -> None:
    vectors, new = panels(6, 20), panels(7, 300)
    scores = fit(vectors, [sign] * 20, mean=MEAN).score(new)
    assert 0.05 < (scores >= -0.1).mean() < 0.95


def test_a_taste_is_learnt_and_better_than_by_mean_cosine() -> None:
    """Likes only, a taste that is a direction: mean cosine measures how near to the mean a panel is."""
    gains: list[float] = []
    for seed in range(8):
        drawn, new = panels(100 + seed, 200).astype(float), panels(200 + seed, 300).astype(float)
        wish = np.random.default_rng(seed).normal(size=WIDTH)
        utility, value = drawn @ wish, new @ wish
        liked = drawn[utility > np.quantile(utility, 0.7)][:30]
        fitted = fit(liked, [1.0] * len(liked), mean=mean_of(drawn))
        ours = np.corrcoef(fitted.score(new), value)[0, 1]
        plain = np.corrcoef(mean_cosine(fitted.opinions, new), value)[0, 1]
        assert ours > 0.5
        gains.append(float(ours - plain))
    assert np.mean(gains) > 0.02


def test_large_and_small_fits_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Screening and float32, which large fits use, change no score by much."""
    vectors = panels(8, 420)
    signed = list(np.sign(vectors.astype(float) @ np.random.default_rng(1).normal(size=WIDTH)))
    large = fit(vectors, signed).score(NEW)
    monkeypatch.setattr(scorer, "_SAMPLE", 1000)
    np.testing.assert_allclose(large, fit(vectors, signed).score(NEW), rtol=0, atol=2e-3)


def test_only_the_weightiest_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.memory.vibe.opinions.MOST", 3)
    opinions = gather(panels(9, 5), [1.0, -5.0, 2.0, 0.5, -3.0], ["general"] * 5)
    assert sorted(opinions.signed) == [-5.0, -3.0, 2.0]


@pytest.mark.parametrize("count", [1, 63, 64, 65, 200])
def test_the_posterior_is_the_textbook_one(count: int) -> None:
    """Against plain algebra: stationarity, the determinant, the variance (Rasmussen and Williams, 3.4)."""
    rng = np.random.default_rng(count)
    points = rng.normal(size=(count + 3, 10))
    kernel = points @ points.T
    labels, weights = np.sign(rng.normal(size=count)), rng.uniform(0.5, 3, count)
    inner, cross = kernel[:count, :count], kernel[:count, count:]
    posterior = Posterior(inner, labels, weights, tolerance=1e-10)
    latent = inner @ posterior.dual
    probability = 1 / (1 + np.exp(labels * latent))
    np.testing.assert_allclose(posterior.dual, weights * labels * probability, atol=1e-8)
    curvature = weights * probability * (1 - probability)
    root = np.sqrt(curvature)
    matrix = np.eye(count) + root[:, None] * inner * root
    evidence = (
        -(weights * np.log1p(np.exp(-labels * latent))).sum()
        - 0.5 * posterior.dual @ latent
        - 0.5 * np.linalg.slogdet(matrix)[1]
    )
    assert posterior.evidence == pytest.approx(evidence, abs=1e-6)
    explained = np.einsum("nm,nk,km->m", cross, np.linalg.inv(inner + np.diag(1 / curvature)), cross)
    np.testing.assert_allclose(posterior.explained(cross), explained, rtol=1e-5)


def test_one_thread_is_given_back() -> None:
    with one_thread(), one_thread():
        assert np.isfinite(np.ones((40, 40)) @ np.ones((40, 40))).all()
