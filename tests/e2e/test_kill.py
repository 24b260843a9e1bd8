"""Killed at random moments and started again: the same panels to the byte, and none of them drawn twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.memory.panels.cache import PanelCache
from model.memory.store.library import Library

KILLS = 10
STEPS = 20


@pytest.fixture(scope="module")
def long_story(story: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Twelve panels of several shapes, in several batches, on two pages: most of the run is drawing."""
    told = story()
    told["pages"] = [
        {
            "panels": [
                {"scene": scene, "shot": "wide", "characters": [{"id": "mika"}]},
                {"scene": scene, "characters": [{"id": "mika"}, {"id": "ren"}]},
                {"scene": scene, "shot": "close-up", "characters": [{"id": "ren"}]},
            ]
            + [{"scene": scene, "shot": shot} for shot in ("wide", "medium", "close-up")]
        }
        for scene in ("beach", "sunset")
    ]
    return told


def kept(folder: Path) -> dict[str, tuple[str, float]]:
    """Key → (picture, when it was kept) of everything in the library, whole pictures only."""
    if not (folder / "library.db").exists():
        return {}
    with Library.open(folder) as library:
        cache = PanelCache(library)
        records = [cache.get(key) for key in cache.keys()]  # noqa: SIM118
        assert None not in records, "a row without its whole picture"
        return {record.key: (record.blob, record.created) for record in records if record}


def test_a_killed_run_goes_on_where_it_stopped(
    desk_in: Any, long_story: dict[str, Any], tmp_path: Path
) -> None:
    rng = random.Random(7)
    steps = ("--num_inference_steps", str(STEPS))
    calm = desk_in(tmp_path / "calm")
    calm.folder.mkdir()
    calm_trace = tmp_path / "calm.txt"
    started = time.perf_counter()
    done = calm.run(calm.write(long_story), *steps, trace=calm_trace)
    total = time.perf_counter() - started
    assert done.code == 0, done.err
    drawn_once = sorted(calm_trace.read_text().split())
    assert len(drawn_once) == len(set(drawn_once)) == done.report["drawn"]
    wanted = {name: data for name, data in calm.files("two-friends").items() if name != "run.json"}

    kills = midway = books = 0
    while kills < KILLS or (midway < 2 and kills < 4 * KILLS):
        books += 1
        desk = desk_in(tmp_path / f"book{books}")
        desk.folder.mkdir()
        path, library = desk.write(long_story), desk.folder / "outputs" / "library"
        before: dict[str, tuple[str, float]] = {}
        while True:
            trace = tmp_path / f"trace{books}_{kills}.txt"
            moment = rng.uniform(0, total) if kills < KILLS or midway < 2 else None
            done = desk.run(path, *steps, kill_after=moment, trace=trace)
            begun = set(trace.read_text().split()) if trace.exists() else set()
            after = kept(library)
            # What was kept stays as it is, and is not even begun again.
            assert {key: after[key] for key in before} == before
            assert not begun & set(before)
            before = after
            if done.code == 0:
                break
            assert done.code == -9, done.err
            kills += 1
            midway += 0 < len(set(after) & set(drawn_once)) < len(drawn_once)
        assert {key for key in before if key in drawn_once} == set(drawn_once)
        files = desk.files("two-friends")
        del files["run.json"]  # it has timings
        assert {name: data for name, data in files.items() if not name.endswith(".tmp")} == wanted
    assert midway >= 2, "kills landed between the first and the last picture"
