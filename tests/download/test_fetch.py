"""Files come whole through every fault, and none that is whole comes twice: the real client, a hub here."""

from __future__ import annotations

import resource
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import constants, hf_hub_download, snapshot_download

from download.cache import Shelf
from download.catalog import Source
from download.fetch import Fetched, Fetcher
from download.hub import TRIES, Hub
from download.verify import by_every_byte, standing_of
from model.errors import AutoStudioError, IntegrityError, StorageError, WeightsMissing

SOURCE = Source(
    repository="studio/comic",
    files=("config.json", "unet/a.safetensors.index.json", "vae/model.safetensors"),
    licence="apache-2.0",
)
SHARDS = ("unet/a-00001-of-00002.safetensors", "unet/a-00002-of-00002.safetensors")
FILES = (*SOURCE.files, *SHARDS)
VAE = "vae/model.safetensors"


class Desk:
    """One cache, and calls that fetch into it."""

    def __init__(self, hub: Any, folder: Path) -> None:
        self.hub, self.cache = hub, folder / "hub"
        self.shelf = Shelf(self.cache, "studio/comic")
        self.waited: list[float] = []

    def fetch(self, source: Source = SOURCE, **more: Any) -> Fetched:
        """One call, as a process of its own would make it: nothing is remembered but what is on disk."""
        self.hub.asked.clear()
        client = Hub(endpoint=self.hub.endpoint, pause=self.waited.append)
        return Fetcher(self.cache, client, **more).fetch([source])[0]

    def is_right(self, fetched: Fetched) -> bool:
        """Whether every file is there for the client's own eyes, with every byte."""
        offline: dict[str, Any] = {"cache_dir": self.cache, "local_files_only": True}
        names = [Path(hf_hub_download("studio/comic", name, **offline)) for name in FILES]
        rights = [self.hub.repositories["studio/comic"][name] for name in FILES]
        return (
            sorted(fetched.files) == sorted(FILES)
            and [path.read_bytes() for path in names] == rights
            and Path(snapshot_download("studio/comic", **offline)) == fetched.folder
            and standing_of(SOURCE, self.cache, look=by_every_byte).state == "here"
            and not list(self.shelf.folder.glob("blobs/*.incomplete"))
        )


@pytest.fixture
def desk(hub: Any, tmp_path: Path) -> Desk:
    return Desk(hub, tmp_path)


def test_every_file_comes_once_and_nothing_that_is_not_wanted(desk: Desk) -> None:
    fetched = desk.fetch()
    assert desk.is_right(fetched)
    assert sorted(one.path for one in desk.hub.bodies()) == sorted({one.path for one in desk.hub.bodies()}), (
        "once each"
    )
    assert len(desk.hub.bodies()) == len(FILES)
    assert (
        fetched.received == fetched.bytes == sum(len(desk.hub.repositories["studio/comic"][n]) for n in FILES)
    )
    assert not (fetched.folder / "readme.md").exists()


def test_what_is_whole_costs_one_question(desk: Desk) -> None:
    desk.fetch()
    again = desk.fetch()
    assert desk.is_right(again)
    assert again.received == 0
    assert [(one.method, one.path) for one in desk.hub.asked] == [
        ("GET", "/api/models/studio/comic/revision/main")
    ]


def test_a_token_goes_to_the_hub_and_never_to_its_cdn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.hub.gated.add("studio/comic")
    desk.hub.tokens["hf_mine"] = {"studio/comic"}
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    assert desk.is_right(desk.fetch())
    assert {one.token for one in desk.hub.asked if one.cdn} == {""}
    assert {one.token for one in desk.hub.asked if not one.cdn} == {"hf_mine"}


# --- the line and the server

FAULTS = {
    "cut": ("drop", 0, "no connection"),
    "busy": ("503", 0, "answers 503"),
    "limited": ("429", 0, "asks to wait"),
    "not found": ("404", 0, "no such file just now"),
}


@pytest.mark.parametrize("file", [VAE, SHARDS[1], SOURCE.files[1]])
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_stays_is_told_and_the_next_call_completes(desk: Desk, name: str, file: str) -> None:
    kind, _, told = FAULTS[name]
    desk.hub.break_(file, "cut" if name == "cut" else kind)
    if name == "cut":
        desk.hub.break_(file, "drop", times=2 * TRIES)
    elif kind != "404":
        desk.hub.break_(file, kind, times=TRIES - 1)
    with pytest.raises(WeightsMissing, match=told) as caught:
        desk.fetch()
    assert "\n" not in str(caught.value)
    assert file in str(caught.value)
    whole = {one.path.rpartition("/")[2] for one in desk.hub.bodies()} - {file.rpartition("/")[2]}
    desk.hub.faults.clear()
    fetched = desk.fetch()
    assert desk.is_right(fetched)
    asked_again = {one.path.rpartition("/")[2] for one in desk.hub.bodies()}
    assert not asked_again & whole
    (body,) = desk.hub.bodies(file)
    size = len(desk.hub.repositories["studio/comic"][file])
    assert body.start == (size // 2 if name == "cut" else 0), "half of it was here"


@pytest.mark.parametrize("kind", ["cut", "503", "429"])
def test_a_fault_that_passes_is_not_noticed(desk: Desk, kind: str) -> None:
    desk.hub.break_(VAE, kind, retry_after="7" if kind == "429" else "")
    assert desk.is_right(desk.fetch())
    assert desk.waited == ([7.0] if kind == "429" else [1.0])
    assert len(desk.hub.bodies(VAE)) == 2


def test_a_line_that_always_breaks_still_gets_there(desk: Desk) -> None:
    desk.hub.break_(VAE, "cut", times=9)
    assert desk.is_right(desk.fetch())
    starts = [one.start for one in desk.hub.bodies(VAE)]
    assert len(starts) == 10
    assert starts == sorted(set(starts)), "each from where the last one ended"


def test_the_listing_is_asked_for_patiently(desk: Desk) -> None:
    desk.hub.break_("/revision/main", "503", times=2)
    desk.hub.break_("/revision/main", "429", retry_after="3")
    assert desk.is_right(desk.fetch())
    assert desk.waited == [1.0, 2.0, 3.0]
    desk.hub.break_("/revision/main", "429", times=TRIES)
    with pytest.raises(WeightsMissing, match="asks to wait"):
        desk.fetch()


def test_killed_in_the_middle_it_goes_on_from_there(desk: Desk) -> None:
    big = bytes(3 << 20)
    desk.hub.repositories["studio/comic"][VAE] = big

    def stop(name: str, done: int, total: int) -> None:
        if name == VAE and 0 < done < total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        desk.fetch(report=stop)
    kept = desk.shelf.size(desk.hub.digest(VAE))
    assert 0 < kept < len(big)
    fetched = desk.fetch()
    assert [one.start for one in desk.hub.bodies()] == [kept, 0, 0], "the rest of it, then the shards"
    assert fetched.folder.joinpath(VAE).read_bytes() == big


def test_a_server_that_knows_no_ranges_sends_it_all_again(desk: Desk) -> None:
    desk.hub.break_(VAE, "cut")
    desk.hub.break_(VAE, "whole")
    assert desk.is_right(desk.fetch())


def test_a_hub_that_is_not_there_is_told(desk: Desk) -> None:
    with pytest.raises(
        WeightsMissing, match=r"no connection to http://127.0.0.1:9 .* check network and proxy"
    ):
        Fetcher(desk.cache, Hub(endpoint="http://127.0.0.1:9", pause=desk.waited.append)).fetch([SOURCE])
    assert len(desk.waited) == TRIES - 1


def test_offline_nothing_is_asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsMissing, match="HF_HUB_OFFLINE is set"):
        desk.fetch()
    assert not desk.hub.asked


# --- bytes


def test_wrong_bytes_once_are_fetched_again_at_once(desk: Desk) -> None:
    desk.hub.break_(VAE, "wrong")
    assert desk.is_right(desk.fetch())
    assert [one.start for one in desk.hub.bodies(VAE)] == [0, 0]


def test_wrong_bytes_twice_are_refused_and_nothing_of_them_stays(desk: Desk) -> None:
    desk.hub.break_(VAE, "wrong", times=2)
    with pytest.raises(IntegrityError, match="twice other bytes than the hub's sha256"):
        desk.fetch()
    assert not desk.shelf.blob(desk.hub.digest(VAE)).exists()
    assert not list(desk.shelf.folder.glob("snapshots/*/vae/*"))
    assert desk.is_right(desk.fetch())


@pytest.mark.parametrize("left", [b"junk", b"j" * 4000, b"j" * 9000])
def test_a_beginning_that_is_wrong_is_thrown_away(desk: Desk, left: bytes) -> None:
    partial = desk.shelf.partial(desk.hub.digest(VAE))
    partial.parent.mkdir(parents=True)
    partial.write_bytes(left)
    assert desk.is_right(desk.fetch())
    assert len(desk.hub.bodies(VAE)) <= 2


@pytest.mark.parametrize("damage", ["other bytes", "cut off", "gone"])
def test_only_a_damaged_file_is_fetched_again(desk: Desk, damage: str) -> None:
    desk.fetch()
    blob = desk.shelf.blob(desk.hub.digest(SHARDS[0]))
    data = blob.read_bytes()
    blob.unlink()
    if damage != "gone":
        blob.write_bytes(data[:-9] if damage == "cut off" else data[:-1] + b"\0")
    assert standing_of(SOURCE, desk.cache, look=by_every_byte).state != "here"
    assert desk.is_right(desk.fetch())
    assert [one.path.rpartition("/")[2] for one in desk.hub.bodies()] == [SHARDS[0].rpartition("/")[2]]


def test_a_shard_that_the_repository_lacks_is_named_before_anything_large_comes(desk: Desk) -> None:
    files = desk.hub.repositories["studio/comic"]
    shard = files.pop(SHARDS[1])
    with pytest.raises(IntegrityError, match=f"studio/comic: no {SHARDS[1]} there at commit c0ffee"):
        desk.fetch()
    assert not [one for one in desk.hub.bodies() if one.cdn]
    files[SHARDS[1]] = shard
    assert desk.is_right(desk.fetch())


@pytest.mark.parametrize(
    "index", [b"{}", b"no json", b'{"weight_map": {"a": "../../x"}}', b'{"weight_map": 3}']
)
def test_an_index_that_is_none_is_refused(desk: Desk, index: bytes) -> None:
    desk.hub.repositories["studio/comic"][SOURCE.files[1]] = index
    with pytest.raises(IntegrityError, match="not an index of shards"):
        desk.fetch()


# --- who may have it


def test_a_gated_repository_names_its_page_and_costs_no_bytes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.hub.gated.add("studio/comic")
    with pytest.raises(
        WeightsMissing, match=r"is gated: log in .* \(apache-2.0\) at https://huggingface.co/studio/comic,"
    ):
        desk.fetch()
    desk.hub.tokens |= {"hf_mine": set()}
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    with pytest.raises(WeightsMissing, match="the account of your HF_TOKEN has not been let in"):
        desk.fetch()
    assert not desk.hub.bodies()
    desk.hub.tokens["hf_mine"].add("studio/comic")
    assert desk.is_right(desk.fetch())


def test_a_token_that_is_none_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.hub.gated.add("studio/comic")
    monkeypatch.setenv("HF_TOKEN", "hf_old")
    with pytest.raises(WeightsMissing, match=r"does not accept the token in HF_TOKEN \(401\)"):
        desk.fetch()


def test_a_repository_that_is_not_shown_is_told(desk: Desk) -> None:
    with pytest.raises(WeightsMissing, match=r"studio/gone: .* does not show it"):
        desk.fetch(Source(repository="studio/gone", files=("a",), licence="mit"))


# --- the disk


def test_a_disk_without_room_is_told_before_weights_come(desk: Desk) -> None:
    with pytest.raises(StorageError, match=r"to come and 0\.0 GB are free; make room, or set HF_HOME"):
        desk.fetch(free=lambda _folder: 1000)
    assert not [one for one in desk.hub.bodies() if one.cdn]
    assert desk.is_right(desk.fetch())
    desk.fetch(free=lambda _folder: 0)  # nothing is to come, so nothing is needed


def test_a_disk_that_fills_up_is_told_and_keeps_what_it_has(desk: Desk) -> None:
    big = bytes(range(256)) * (3 << 12)
    desk.hub.repositories["studio/comic"][VAE] = big
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, hard))  # the kernel refuses what goes beyond
    try:
        with pytest.raises(StorageError, match="cannot write"):
            desk.fetch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    kept = desk.shelf.size(desk.hub.digest(VAE))
    assert 0 < kept <= 2 << 20
    fetched = desk.fetch()
    assert desk.hub.bodies(VAE)[0].start == kept
    assert fetched.folder.joinpath(VAE).read_bytes() == big


def test_without_links_the_files_themselves_lie_in_the_snapshot(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
    fetched = desk.fetch()
    assert desk.is_right(fetched)
    assert not any(fetched.folder.joinpath(name).is_symlink() for name in FILES)
    assert not [path for path in desk.shelf.folder.glob("blobs/*") if path.stat().st_size > 1000], "not twice"
    assert desk.fetch().received == 0
    fetched.folder.joinpath(VAE).write_bytes(b"damaged")
    assert desk.is_right(desk.fetch())


def test_a_new_commit_brings_only_what_changed(desk: Desk, make_tensors: Callable[[int, int], bytes]) -> None:
    first = desk.fetch()
    desk.hub.repositories["studio/comic"][VAE] = make_tensors(9, 100)
    desk.hub.commit = "beef" + "1" * 36
    second = desk.fetch()
    assert second.folder != first.folder
    assert desk.is_right(second)
    assert len(desk.hub.bodies()) == 1


def test_two_at_once_share_the_work(desk: Desk) -> None:
    done: list[Fetched | AutoStudioError] = []

    def fetch() -> None:
        client = Hub(endpoint=desk.hub.endpoint, pause=desk.waited.append)
        done.append(Fetcher(desk.cache, client).fetch([SOURCE])[0])

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    assert len(desk.hub.bodies()) == len(FILES)
    assert desk.is_right(done[0])  # type: ignore[arg-type]


def test_other_errors_are_not_taken_for_the_lines(desk: Desk) -> None:
    def broken(name: str, done: int, total: int) -> None:
        raise RuntimeError(name)

    with pytest.raises(RuntimeError, match=r"a.safetensors.index.json"):
        desk.fetch(report=broken)
    shutil.rmtree(desk.cache)
    assert isinstance(httpx2.ReadTimeout("slow"), httpx2.TransportError), "a timeout is asked again"
