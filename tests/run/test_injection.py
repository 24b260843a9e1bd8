"""What a panel leans towards: never the recent, never who is not asked for; the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.files import BlobId
from model.memory.panels.cache import Embedding
from model.memory.panels.diversity import WINDOW, Collapse, alike, collapses
from model.run.inject import RECENT, SIMILAR, Donor, decide

LOOKS = frozenset({"mika", "ren"})


def donor(name: str, vector: Sequence[float], *looks: str) -> Donor:
    embedding = Embedding(space="s", vector=np.array(vector, np.float16))
    return Donor(picture=BlobId(name), embedding=embedding, looks=frozenset(looks))


DONORS = st.lists(
    st.none()
    | st.builds(
        lambda name, vector, looks: donor(f"p{name}", vector, *looks),
        st.integers(0, 20),
        st.lists(st.floats(-1, 1, width=16), min_size=3, max_size=3).filter(any),
        st.sets(st.sampled_from(["mika", "ren", "stranger"])),
    ),
    max_size=14,
    unique_by=lambda one: object() if one is None else one.picture,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(before=DONORS, others=DONORS, kind=st.sampled_from(["similar", "diverse"]), seed=st.integers(0, 99))
def test_a_decision_keeps_to_the_rules(
    before: list[Donor | None], others: list[Donor | None], kind: str, seed: int
) -> None:
    known = [one for one in others if one is not None]

    def decided(panels: list[Donor]) -> object:
        return decide("p001_01", kind, before, panels, looks=LOOKS, seed=seed)

    found = decide("p001_01", kind, before, known, looks=LOOKS, seed=seed)
    assert found == decided(known)
    recent = {one.picture for one in before[-RECENT:] if one}
    allowed = {one.picture for one in (*before, *known) if one and one.looks <= LOOKS} - recent
    assert (found.picture == "") == (found.similarity is None)
    assert found.pool <= len(allowed)
    if found.picture:
        assert found.picture in allowed
        assert kind == "diverse" or (found.similarity or 0) >= SIMILAR - 1e-3
    if kind == "diverse":
        assert bool(found.picture) == bool(recent and found.pool)


def test_similar_is_near_and_diverse_is_far() -> None:
    before = [donor(f"now {i}", (1, 0.1 * i, 0), "mika") for i in range(RECENT)]
    others = [donor("near", (1, 0, 0), "mika"), donor("far", (-1, 0, 0)), donor("who", (1, 0, 0), "stranger")]
    kinds = {
        kind: [decide("p", kind, before, others, looks=LOOKS, seed=seed) for seed in range(30)]
        for kind in ("similar", "diverse")
    }
    assert {one.picture for one in kinds["similar"]} == {"near"}
    far = [one.picture for one in kinds["diverse"]]
    assert far.count(BlobId("far")) > 25
    assert "who" not in far
    assert all(one.pool == 2 for one in kinds["similar"])


def test_without_recent_or_fitting_panels_it_leans_towards_nothing_and_says_why() -> None:
    near = donor("near", (1, 0, 0))
    assert "no panel was accepted" in decide("p", "similar", [None], [near], looks=LOOKS, seed=0).why
    apart = decide("p", "similar", [donor("now", (0, 1, 0))], [near], looks=LOOKS, seed=0)
    assert (apart.picture, apart.pool) == ("", 1)
    assert "none of 1 panels that fit its characters is similar" in apart.why


VECTORS = st.lists(
    st.none() | st.lists(st.floats(-1, 1, width=16), min_size=3, max_size=3).filter(any).map(np.array),
    max_size=3 * WINDOW,
)


@given(vectors=VECTORS)
def test_alike_looks_back_over_a_window(vectors: list[np.ndarray | None]) -> None:
    found = alike(vectors)
    assert len(found) == len(vectors)
    for index, value in enumerate(found):
        seen = [vector for vector in vectors[: index + 1] if vector is not None][-WINDOW:]
        if vectors[index] is None or len(seen) < WINDOW:
            assert value is None
            continue
        units = [vector / np.linalg.norm(vector) for vector in seen]
        pairs = [float(a @ b) for i, a in enumerate(units) for b in units[:i]]
        assert value == pytest.approx(np.mean(pairs), abs=1e-5)


def test_a_fall_is_told_once_each_time() -> None:
    values = [None, 0.5, 0.7, 0.8, None, 0.75, 0.6, 0.65]
    assert collapses(values, 0.6) == (
        Collapse(index=2, similarity=0.7),
        Collapse(index=7, similarity=0.65),
    )
    assert collapses(values, 0.9) == ()
