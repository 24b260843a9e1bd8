"""The matcher: cosines are cosines, the best come first, spaces never meet, chance can be repeated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.memory.panels.cache import Embedding
from model.memory.panels.matcher import AestheticMatcher, Match, mean_similarity

NUMBERS = st.floats(-50, 50, width=16)
ROWS = st.integers(1, 6).flatmap(
    lambda width: st.lists(
        st.lists(NUMBERS, min_size=width, max_size=width).filter(any), min_size=1, max_size=12
    )
)
cosine = AestheticMatcher.cosine_similarity


def embedding(numbers: list[float], space: str = "a") -> Embedding:
    return Embedding(space=space, vector=np.array(numbers, np.float16))


@given(rows=ROWS, threshold=st.floats(-1, 1), top_k=st.integers(0, 14))
def test_it_finds_what_a_loop_finds(rows: list[list[float]], threshold: float, top_k: int) -> None:
    target, *others = rows
    candidates = [(str(i), embedding(row)) for i, row in enumerate(others)]
    found = AestheticMatcher.find_similar(embedding(target), candidates, threshold, top_k)
    expected = {str(i): cosine(target, row) for i, row in enumerate(others)}
    assert [match.similarity for match in found] == sorted((m.similarity for m in found), reverse=True)
    assert len({match.cache_id for match in found}) == len(found) <= top_k
    for match in found:
        assert match.similarity == pytest.approx(expected[match.cache_id], abs=1e-5)
        assert match.similarity >= threshold
    if len(found) < top_k:
        assert len(found) >= sum(1 for value in expected.values() if value > threshold + 1e-5)
    elif found:
        left = [value for name, value in expected.items() if name not in {m.cache_id for m in found}]
        assert max(left, default=-1) <= found[-1].similarity + 1e-5


@given(rows=ROWS, scale=st.floats(0.5, 4))
def test_a_cosine_is_symmetric_bounded_and_blind_to_length(rows: list[list[float]], scale: float) -> None:
    one, other = rows[0], rows[-1]
    assert cosine(one, other) == pytest.approx(cosine(other, one), abs=1e-12)
    assert -1 <= cosine(one, other) <= 1
    assert cosine(one, one) == pytest.approx(1)
    assert cosine(np.array(one) * scale, other) == pytest.approx(cosine(one, other), abs=1e-9)
    assert cosine(np.array(one) * -1, other) == pytest.approx(-cosine(one, other), abs=1e-12)
    assert cosine(one, np.zeros(len(one))) == 0


def test_spaces_and_widths_never_meet() -> None:
    candidates = [
        ("none", None),
        ("other", embedding([1, 0], "b")),
        ("wider", embedding([1, 0, 0])),
        ("right", embedding([1, 0])),
    ]
    found = AestheticMatcher.find_similar(embedding([2, 0]), candidates)
    assert [match.cache_id for match in found] == ["right"]
    with pytest.raises(ValueError, match="one length"):
        cosine([1, 0], [1, 0, 0])


def test_the_defaults_are_the_documented_ones() -> None:
    cosines = (0.69, 0.71, 0.8, 0.85, 0.9, 0.95, 1.0)
    candidates = [(f"{c}", embedding([c, (1 - c * c) ** 0.5])) for c in cosines]
    found = AestheticMatcher.find_similar(embedding([1, 0]), candidates)
    assert [match.cache_id for match in found] == ["1.0", "0.95", "0.9", "0.85", "0.8"]


def test_chance_favours_what_is_similar_and_can_be_repeated() -> None:
    select = AestheticMatcher.weighted_random_selection
    matches = [Match(cache_id=name, similarity=value) for name, value in (("far", 0.7), ("near", 0.95))]
    drawn = [select(matches, np.random.default_rng(seed)) for seed in range(400)]
    assert drawn == [select(matches, np.random.default_rng(seed)) for seed in range(400)]
    near = sum(1 for match in drawn if match is matches[1]) / len(drawn)
    assert near == pytest.approx(1 / (1 + np.exp(-2.5)), abs=0.05)  # about 0.92
    assert select([]) is None


def test_pictures_are_encoded_by_what_is_handed_in() -> None:
    matcher = AestheticMatcher(lambda sizes: np.array(sizes, np.float32), "sizes")
    found = matcher.encode_image((3.0, 4.0))
    assert found.space == "sizes"
    assert found.vector.tolist() == [3, 4]
    assert found.vector.dtype == np.float16
    assert matcher.encode_images([]) == ()


@given(rows=ROWS)
def test_mean_similarity_is_the_mean_over_pairs(rows: list[list[float]]) -> None:
    vectors = [np.array(row, np.float32) for row in rows]
    pairs = [cosine(a, b) for i, a in enumerate(vectors) for b in vectors[:i]]
    found = mean_similarity(vectors)
    if not pairs:
        assert found is None
    else:
        assert found == pytest.approx(np.mean(pairs), abs=1e-6)
