"""Sightings: kept once, searched exactly, never across spaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.files import BlobId
from model.memory.characters.database import Characters
from model.memory.characters.looks import Look
from model.memory.characters.sightings import NewSighting, Sightings
from model.memory.panels.cache import Embedding
from model.memory.store.library import Library
from model.memory.store.vectors import VectorIndex

WIDTH = 16
RNG = np.random.default_rng(5)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path) as library:
        yield library


@pytest.fixture
def mika(library: Library) -> int:
    return Characters(library).introduce(Look(name="Mika")).id


def seen(character: int, crop: str, space: str = "clip", **facts: float) -> NewSighting:
    return NewSighting(
        character=character,
        crop=BlobId(crop),
        panel="key",
        place="one p001_01",
        similarity=facts.get("similarity", 0.8),
        quality=facts.get("quality", 0.7),
        embedding=Embedding(space=space, vector=RNG.normal(size=WIDTH).astype(np.float16)) if space else None,
    )


def test_the_same_sighting_is_kept_once_and_the_best_come_first(library: Library, mika: int) -> None:
    sightings = Sightings(library)
    offered = [seen(mika, "a", quality=0.6), seen(mika, "b", quality=0.9), seen(mika, "c", quality=0.8)]
    assert sightings.add(offered) == 3
    assert sightings.add(offered) == 0
    assert [one.crop for one in sightings.unknown([*offered, seen(mika, "d")])] == ["d"]
    assert [one.crop for one in sightings.of(mika)] == ["b", "c", "a"]
    assert [one.crop for one in sightings.of(mika, 1)] == ["b"]
    assert len(sightings) == 3


def test_what_was_taken_away_is_not_offered_again(library: Library, mika: int) -> None:
    sightings = Sightings(library)
    one = seen(mika, "a")
    sightings.add([one])
    (kept,) = sightings.of(mika)
    assert sightings.remove([kept.id]) == 1
    assert sightings.remove([kept.id]) == 0
    assert (sightings.of(mika), sightings.get(kept.id), len(sightings)) == ((), None, 0)
    assert sightings.unknown([one]) == ()
    assert sightings.add([one]) == 0


def test_the_nearest_are_found_as_by_comparing_with_all(library: Library, mika: int) -> None:
    sightings = Sightings(library)
    offered = [seen(mika, f"{number:03}") for number in range(200)]
    sightings.add(offered[:150])
    asked = Embedding(space="clip", vector=RNG.normal(size=WIDTH).astype(np.float16))

    def expected(among: list[NewSighting]) -> list[str]:
        rows = np.stack([one.embedding.vector for one in among if one.embedding]).astype(np.float32)
        cosines = rows @ asked.vector.astype(np.float32) / np.linalg.norm(rows, axis=1)
        return [among[i].crop for i in np.argsort(-cosines, kind="stable")[:10]]

    def found() -> list[str]:
        return [one.crop for one, _ in sightings.nearest(asked)]

    assert found() == expected(offered[:150])
    # What another process adds, and what it takes away, is seen by the next search.
    with Library.open(library.folder) as other:
        Sightings(other).add(offered[150:])
        assert found() == expected(offered)
        first = next(one for one in Sightings(other).of(mika) if one.crop == found()[0])
        Sightings(other).remove([first.id])
    assert found() == expected([one for one in offered if one.crop != first.crop])


def test_vectors_of_two_spaces_never_meet_and_missing_ones_are_named(library: Library, mika: int) -> None:
    sightings = Sightings(library)
    sightings.add([seen(mika, "a"), seen(mika, "b", space="dino"), seen(mika, "c", space="")])
    asked = Embedding(space="clip", vector=np.ones(WIDTH, np.float16))
    assert [one.crop for one, _ in sightings.nearest(asked)] == ["a"]
    assert [one.crop for one in sightings.without_vector("clip")] == ["b", "c"]
    new = {one.id: replace(asked) for one in sightings.without_vector("clip")}
    sightings.embed(new)
    assert sightings.without_vector("clip") == ()
    assert {one.crop for one, _ in sightings.nearest(asked)} == {"a", "b", "c"}
    assert [one.crop for one, _ in sightings.nearest(replace(asked, space="dino"))] == ["b"]
    assert sightings.nearest(replace(asked, space="other")) == ()


@given(
    rows=arrays.arrays(np.float16, (7, 5), elements=st.floats(-4, 4, width=16)),
    asked=arrays.arrays(np.float32, 5, elements=st.floats(-4, 4, width=16)),
    k=st.integers(0, 9),
    cut=st.integers(0, 7),
)
def test_an_index_is_the_same_in_one_piece_or_two(
    rows: np.ndarray, asked: np.ndarray, k: int, cut: int
) -> None:
    whole, parts = VectorIndex(), VectorIndex()
    whole.add(range(7), rows)
    parts.add(range(cut), rows[:cut])
    parts.add(range(cut, 7), rows[cut:])
    found = whole.nearest(asked, k)
    assert [number for number, _ in found] == [number for number, _ in parts.nearest(asked, k)]
    assert len(found) == min(k, 7)
    assert all(-1.001 <= cosine <= 1.001 for _, cosine in found)
    assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)
