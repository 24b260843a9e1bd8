"""The panel cache: what goes in comes out, the first stays, damage is a miss, use is remembered."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.memory.panels.cache import Embedding, NewPanel, PanelCache, PanelRecord
from model.memory.store.library import Library
from tests.chance import examples

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
VECTORS = st.lists(st.floats(-65504, 65504, width=16), min_size=1, max_size=9)


def facts(record: PanelRecord) -> tuple[object, ...]:
    embedding = record.embedding and (record.embedding.space, record.embedding.vector.tobytes())
    return record.key, record.blob, record.prompt, record.params, embedding, record.created, record.pinned


@settings(max_examples=examples(60), deadline=None)
@given(
    key=TEXT,
    picture=st.binary(max_size=300),
    prompt=TEXT,
    params=st.dictionaries(TEXT, JSON, max_size=4),
    vector=st.none() | VECTORS,
    pinned=st.booleans(),
)
def test_what_is_added_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    key: str,
    picture: bytes,
    prompt: str,
    params: dict[str, object],
    vector: list[float] | None,
    pinned: bool,
) -> None:
    embedding = None if vector is None else Embedding(space="a/1", vector=np.array(vector, np.float16))
    with Library.open(tmp_path_factory.mktemp("panels")) as library:
        cache = PanelCache(library)
        assert cache.get(key) is None
        added = cache.add(
            NewPanel(
                key=key, picture=picture, prompt=prompt, params=params, embedding=embedding, pinned=pinned
            )
        )
        found = cache.get(key)
        assert found is not None
        assert facts(found) == facts(added)
        assert (found.key, found.prompt, found.params, found.pinned) == (key, prompt, params, pinned)
        assert library.load(found.blob) == picture
        if embedding is None:
            assert found.embedding is None
        else:
            assert found.embedding is not None
            assert found.embedding.space == "a/1"
            assert found.embedding.vector.dtype == np.float16
            np.testing.assert_array_equal(found.embedding.vector, embedding.vector)


@settings(max_examples=examples(25), deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from("abc"), st.binary(min_size=1, max_size=2)), max_size=12))
def test_it_behaves_like_setdefault(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes]]
) -> None:
    expected: dict[str, bytes] = {}
    with Library.open(tmp_path_factory.mktemp("panels")) as library:
        cache = PanelCache(library)
        for key, picture in steps:
            record = cache.add(NewPanel(key=key, picture=picture, prompt="", params={}))
            assert library.load(record.blob) == expected.setdefault(key, picture)
        assert len(cache) == len(expected)
        assert set(cache.keys()) == set(expected)


@pytest.mark.parametrize("vector", [[], [[1.0]], [float("nan")], [float("inf")], [70000.0]])
def test_an_embedding_is_a_finite_half_precision_vector(vector: list[float]) -> None:
    with pytest.raises(ValueError, match="finite vector"):
        Embedding(space="a/1", vector=np.array(vector))


def test_params_with_nan_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        with pytest.raises(ValueError, match="JSON"):
            PanelCache(library).add(
                NewPanel(key="key", picture=b"png", prompt="", params={"scale": float("nan")})
            )
        assert not (tmp_path / "blobs").exists()


def test_use_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("model.memory.panels.cache.time.time", lambda: now)
    with Library.open(tmp_path) as library:
        cache = PanelCache(library)
        for key in "abc":
            now += 1
            cache.add(NewPanel(key=key, picture=key.encode(), prompt="", params={}))
        now += 10
        found = cache.get("a")
        assert found is not None
        assert (found.created, found.last_used) == (1001.0, 1013.0)
        assert cache.keys() == ("b", "c", "a")
        now = 5.0  # a clock that was set back does not make a panel older
        found = cache.get("a")
        assert found is not None
        assert 1013.0 < found.last_used < 1013.1
        assert cache.keys() == ("b", "c", "a")
        assert cache.get("b") is not None  # nor does it hide which use was the last
        assert cache.keys() == ("c", "a", "b")


@pytest.mark.parametrize(
    "damage",
    [
        "flip a bit",
        "remove",
        "UPDATE panels SET blob = '../x'",
        "UPDATE panels SET params = '[1]'",
        "UPDATE panels SET params = '{'",
        "UPDATE panels SET space = 'a/1', embedding = x'00'",
    ],
)
def test_a_damaged_panel_is_a_miss_with_a_note_and_can_be_drawn_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    with Library.open(tmp_path) as library:
        cache = PanelCache(library)
        path = library.blob_path(cache.add(NewPanel(key="key", picture=b"png", prompt="", params={})).blob)
        cache.add(NewPanel(key="other", picture=b"other png", prompt="", params={}))
        if damage == "flip a bit":
            path.write_bytes(b"pnf")
        elif damage == "remove":
            path.unlink()
        else:
            with library.writing() as connection:
                connection.execute(f"{damage} WHERE key = 'key'")
        with caplog.at_level(logging.WARNING):
            assert cache.get("key") is None
        assert "panel key is drawn again" in caplog.text
        assert cache.keys() == ("other",)
        cache.add(NewPanel(key="key", picture=b"png", prompt="", params={}))
        found = cache.get("key")
        assert found is not None
        assert library.load(found.blob) == b"png"


def test_adding_over_a_damaged_panel_replaces_it(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        cache = PanelCache(library)
        library.blob_path(
            cache.add(NewPanel(key="key", picture=b"first", prompt="1", params={})).blob
        ).unlink()
        assert cache.add(NewPanel(key="key", picture=b"second", prompt="2", params={})).prompt == "2"
        found = cache.get("key")
        assert found is not None
        assert library.load(found.blob) == b"second"
        assert len(cache) == 1


def test_threads_share_one_library(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        cache = PanelCache(library)

        def work(name: int) -> None:
            for number in range(10):
                cache.add(
                    NewPanel(key=f"{name} {number}", picture=bytes([name, number]), prompt="", params={})
                )
                cache.get(f"{name} {number}")

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(cache) == 40


def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        cache = PanelCache(library)
        good = NewPanel(key="good", picture=b"png", prompt="", params={})
        bad = NewPanel(key="bad", picture=b"png", prompt="", params={"scale": float("inf")})
        with pytest.raises(ValueError, match="JSON"):
            cache.add_all((good, bad))
        assert len(cache) == 0
        kept = cache.add_all((good, NewPanel(key="other", picture=b"png 2", prompt="", params={})))
        assert [record.key for record in kept] == ["good", "other"]
        assert set(cache.keys()) == {"good", "other"}
