"""Eviction: really the least recently used, never what is exempt, never a blob that is still named."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from model import cli
from model.errors import IntegrityError, StorageError
from model.files import BlobId
from model.memory.panels.books import bind_book, books, forget_book, pictures_of
from model.memory.panels.cache import NewPanel, PanelCache
from model.memory.panels.eviction import CacheLimits, Held, choose, evict, kept_whatever
from model.memory.panels.full import ENOUGH, make_way
from model.memory.store.library import Library
from tests.chance import examples
from tests.memory.test_processes import start

KILLS = 4
EVICTOR = """
import sys
from pathlib import Path
from model.memory.panels.eviction import CacheLimits, evict
from model.memory.store.library import Library
library = Library.open(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    evict(library, CacheLimits(entries=8, idle=0))
"""


def picture(name: str) -> bytes:
    return name.encode() * 10


class Cache(RuleBasedStateMachine):
    """The cache against a list in order of use, and sets."""

    keys = st.sampled_from("abcdefgh")

    @initialize(folder=st.builds(lambda: None))
    def open(self, folder: None) -> None:
        self.library = Library.open(self.folder())
        self.cache = PanelCache(self.library)
        self.use: list[str] = []  # least recently used first
        self.blob: dict[str, str] = {}
        self.source: dict[str, str] = {}
        self.pinned: set[str] = set()
        self.shown: set[str] = set()
        self.liked: set[str] = set()

    @staticmethod
    def folder() -> Path:
        raise NotImplementedError

    def used(self, key: str) -> None:
        if key in self.use:
            self.use.remove(key)
        self.use.append(key)

    def keep(self, key: str, data: bytes, params: dict[str, object]) -> None:
        self.cache.add(NewPanel(key=key, picture=data, prompt="", params=params))
        if key not in self.blob:  # the first stays, and adding is no use of it
            self.blob[key] = hashlib.sha256(data).hexdigest()
            self.source[key] = str(params.get("enlarged", ""))
            self.used(key)

    @rule(key=keys, name=st.sampled_from("xyz"))
    def draw(self, key: str, name: str) -> None:
        self.keep(key, picture(name), {})

    @precondition(lambda self: self.blob)
    @rule(key=keys, data=st.data())
    def enlarge(self, key: str, data: st.DataObject) -> None:
        drawn = data.draw(st.sampled_from(sorted(self.blob)))
        if not self.source[drawn]:
            blob = self.blob[drawn]
            self.keep(f"large {key} {blob[:8]}", picture("large" + blob), {"enlarged": blob})

    @precondition(lambda self: self.blob)
    @rule(data=st.data())
    def get(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.blob)))
        found = self.cache.get(key)
        assert found is not None
        assert found.blob == self.blob[key]
        self.used(key)

    @precondition(lambda self: self.blob)
    @rule(data=st.data(), how=st.sampled_from(["pin", "unpin", "show", "like"]))
    def exempt(self, data: st.DataObject, how: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.blob)))
        if how in ("pin", "unpin"):
            assert self.cache.pin(key, pinned=how == "pin")
            (self.pinned.add if how == "pin" else self.pinned.discard)(key)
        elif how == "show":
            self.shown.add(self.blob[key])
            bind_book(self.library, "book", self.shown)
        else:
            self.liked.add(key)

    @rule(entries=st.integers(0, 6), size=st.integers(0, 2000))
    def evict(self, entries: int, size: int) -> None:
        expected = self.expected(entries, size)
        done = evict(self.library, CacheLimits(entries=entries, bytes=size, idle=0), liked=self.liked)
        assert list(done.keys) == expected
        for key in expected:
            self.use.remove(key)
            del self.blob[key], self.source[key]
            self.pinned.discard(key)
        assert (done.entries, done.bytes) == (len(self.use), self.size())
        assert done.over == (len(self.use) > entries or self.size() > size)
        assert not self.library.rows("SELECT * FROM evicted")

    def size(self) -> int:
        return sum(self.library.blob_path(BlobId(blob)).stat().st_size for blob in set(self.blob.values()))

    def expected(self, entries: int, size: int) -> list[str]:
        """One at a time, from the front of the list."""
        left, gone = list(self.use), []
        bytes_of = {blob: self.library.blob_path(BlobId(blob)).stat().st_size for blob in self.blob.values()}

        def stays(key: str) -> bool:
            if key in self.pinned or key in self.liked or self.blob[key] in self.shown:
                return True
            return any(stays(large) for large in self.use if self.source[large] == self.blob[key])

        while len(left) > entries or sum(bytes_of[b] for b in {self.blob[k] for k in left}) > size:
            oldest = next((key for key in left if not stays(key)), None)
            if oldest is None:
                break
            larger = [key for key in left if self.source[key] == self.blob[oldest] and not stays(key)]
            going = larger[0] if larger else oldest
            left.remove(going)
            gone.append(going)
        return gone

    @invariant()
    def the_same_panels(self) -> None:
        assert list(self.cache.keys()) == self.use
        for blob in self.blob.values():
            assert self.library.load(BlobId(blob))

    def teardown(self) -> None:
        self.library.close()


def test_it_behaves_like_a_list_in_order_of_use(tmp_path_factory: pytest.TempPathFactory) -> None:
    class Here(Cache):
        @staticmethod
        def folder() -> Path:
            return tmp_path_factory.mktemp("cache")

    Here.TestCase.settings = settings(max_examples=examples(25), stateful_step_count=25, deadline=None)
    Here.TestCase("runTest").runTest()


HELD = st.lists(
    st.builds(
        Held,
        key=st.text("abcdefghijklmnop", min_size=4, max_size=4),
        blob=st.sampled_from("xyzw"),
        bytes=st.just(7),
        used=st.floats(0, 100),
        source=st.sampled_from(["", "", "x", "y", "w"]),
        exempt=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda one: one.key,
)


@given(held=HELD, entries=st.integers(0, 10), size=st.integers(0, 40))
def test_what_goes_is_enough_and_not_more(held: list[Held], entries: int, size: int) -> None:
    gone = choose(held, CacheLimits(entries=entries, bytes=size))

    def fits(without: tuple[str, ...]) -> bool:
        left = [one for one in held if one.key not in without]
        return len(left) <= entries and sum({one.blob: one.bytes for one in left}.values()) <= size

    exempt = kept_whatever(held)
    assert {one.key for one in held if one.exempt} <= exempt
    assert not exempt.intersection(gone)
    assert len(set(gone)) == len(gone)
    assert fits(gone) or len(gone) == len(held) - len(exempt)
    assert not gone or not fits(gone[:-1])


def add(cache: PanelCache, key: str, **params: object) -> str:
    return cache.add(NewPanel(key=key, picture=picture(key), prompt="", params=params)).blob


NOTHING = CacheLimits(entries=0, bytes=0, idle=0)


def test_a_panel_in_use_stays(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        add(PanelCache(library), "key")
        done = evict(library, CacheLimits(entries=0))
        assert (done.keys, done.over) == ((), True)
        assert "exempt or in use" in str(done)
        assert evict(library, NOTHING).keys == ("key",)


def test_crops_go_with_their_panel_unless_another_row_names_them(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        cache = PanelCache(library)
        mine, shared, told = (library.store(name) for name in (b"mine", b"shared", b"told"))
        gone = add(cache, "gone", measured={"sightings": [{"crop": mine}, {"crop": shared}, {"crop": told}]})
        cache.pin(cache.add(NewPanel(key="kept", picture=b"p", prompt="", params={"crop": shared})).key)
        with library.writing() as connection:
            connection.execute("INSERT INTO stories VALUES ('s', ?, 1)", (json.dumps([told]),))
        assert evict(library, NOTHING).keys == ("gone",)
        assert [library.blob_path(BlobId(blob)).exists() for blob in (gone, mine, shared, told)] == [
            False,
            False,
            True,
            True,
        ]


def test_books_are_known_by_their_latest_run(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        first, second = (add(PanelCache(library), key) for key in ("one", "two"))
        bind_book(library, "a", [first, ""])
        bind_book(library, "a", [second])
        assert pictures_of(library, "a") == (second,)
        assert books(library) == {"a": 1}
        assert evict(library, NOTHING).keys == ("one",)
        assert forget_book(library, "a") == 1
        assert evict(library, NOTHING).keys == ("two",)


def test_a_panel_that_is_added_while_its_blob_goes_is_whole(tmp_path: Path) -> None:
    """Between the blob and the row of a panel, eviction takes the blob away."""
    with Library.open(tmp_path) as library:
        cache = PanelCache(library)
        add(cache, "key")
        store = library.store

        def store_and_evict(data: bytes) -> str:
            library.store = store  # type: ignore[method-assign]
            sha256 = store(data)
            assert evict(library, NOTHING).keys == ("key",)
            assert not library.blob_path(sha256).exists()
            return sha256

        library.store = store_and_evict  # type: ignore[method-assign]
        add(cache, "key")
        assert cache.get("key") is not None


def test_a_kill_during_eviction_loses_nothing(tmp_path: Path) -> None:
    pinned: dict[str, str] = {}
    with Library.open(tmp_path) as library:
        cache = PanelCache(library)
        for number in range(4):
            pinned[f"pinned {number}"] = add(cache, f"pinned {number}")
            cache.pin(f"pinned {number}")
        for kill in range(KILLS):
            evictor = start(EVICTOR, str(tmp_path))
            try:
                assert evictor.stdout is not None
                assert evictor.stdout.readline() == "ready\n"
                until = time.monotonic() + 0.1 + 0.05 * kill
                number = 0
                while time.monotonic() < until:
                    add(cache, f"{kill} {number}", crop=library.store(f"crop {kill} {number}".encode()))
                    number += 1
            finally:
                os.kill(evictor.pid, signal.SIGKILL)
                evictor.communicate()
        for key, blob in pinned.items():
            assert cache.get(key) is not None
            assert library.load(BlobId(blob)) == picture(key)
        for record in cache.get_all():
            try:
                library.load(record.blob)
            except IntegrityError:  # pragma: no cover
                pytest.fail(f"{record.key} has lost its picture")
        evict(library, NOTHING)
        files = {path.name for path in (tmp_path / "blobs").glob("*/*")}
        assert files == set(pinned.values())


def blobs_in(folder: Path) -> set[str]:
    return {path.name for path in (folder / "blobs").rglob("*") if path.is_file()}


def test_on_a_full_disk_pictures_go_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Library.open(tmp_path) as library:
        cache = PanelCache(library)
        kept = [
            cache.add(
                NewPanel(
                    key=f"{index:064d}",
                    picture=bytes([index]) * (ENOUGH // 4),
                    prompt="",
                    params={},
                    pinned=not index,
                )
            ).blob
            for index in range(12)
        ]
        with library.writing() as connection:
            connection.execute("UPDATE panels SET last_used = cast(substr(key, 63) AS REAL)")
        bind_book(library, "book", [kept[1]])
    before = blobs_in(tmp_path)
    whole = Library.open

    def refuse_while_full(folder: Path) -> Library:
        if blobs_in(tmp_path) == before:
            raise StorageError("the disk is full")
        return whole(folder)

    monkeypatch.setattr(Library, "open", refuse_while_full)
    monkeypatch.chdir(tmp_path)
    assert make_way(tmp_path, CacheLimits(entries=12)) == 0
    assert cli.main(["panels", "gc", "--library", str(tmp_path), "--cache_entries", "5"]) == 0
    assert "7 panels evicted" in capsys.readouterr().out
    # The pinned one and that of the book stay, and the last to be used.
    assert blobs_in(tmp_path) == {kept[0], kept[1], *kept[9:]}
    monkeypatch.setattr(Library, "open", whole)
    with Library.open(tmp_path) as library:
        assert len(PanelCache(library).get_all()) == 5
