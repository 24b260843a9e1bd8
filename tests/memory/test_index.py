"""`cache_index.json` 1.0: out and in again is the same, twice is once, nothing broken passes in silence."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model.errors import ConfigError
from model.memory.panels.cache import Embedding
from model.memory.panels.entries import CacheEntries, CacheEntry
from model.memory.panels.index import export_index, import_index
from model.memory.store.library import Library


def png(colour: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(data, "PNG")
    return data.getvalue()


def facts(entry: CacheEntry) -> tuple[object, ...]:
    embedding = entry.embedding and (entry.embedding.space, entry.embedding.vector.tolist())
    return (
        entry.cache_id,
        entry.image_path.name,
        entry.prompt,
        entry.generation_params,
        embedding,
        entry.timestamp,
    )


def entry(number: int, **changes: object) -> dict[str, object]:
    return {
        "cache_id": f"cache_{number:05d}",
        "image_path": f"cache/images/cache_{number:05d}.png",
        "prompt": "ethereal angel",
        "generation_params": {"denoise": 0.4, "steps": 4},
        "embedding": [0.25, -0.5, 1.0],
        "timestamp": "2025-11-08T09:15:00",
        **changes,
    }


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder as the other program leaves it: paths relative to two folders above the index."""
    index = tmp_path / "theirs" / "cache" / "metadata" / "cache_index.json"
    index.parent.mkdir(parents=True)
    images = tmp_path / "theirs" / "cache" / "images"
    images.mkdir()
    for number, colour in enumerate(("red", "green", "blue")):
        (images / f"cache_{number:05d}.png").write_bytes(png(colour))
    write(index, [entry(number) for number in range(3)])
    return index


def write(index: Path, entries: list[Any], **changes: object) -> None:
    whole = {"version": "1.0", "last_updated": "2025-11-08T10:30:00", "entry_count": len(entries)}
    index.write_text(json.dumps({**whole, "entries": entries, **changes}), encoding="utf-8")


def test_out_and_in_again_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png("red"))
    with Library.open(tmp_path / "one") as one, Library.open(tmp_path / "two") as two:
        mine, theirs = CacheEntries(one), CacheEntries(two)
        place = Embedding(space="clip/1", vector=np.array([0.1, -2.5, 6e-8], np.float16))
        mine.add(tmp_path / "a.png", "Mika «waits»", {"seed": 7, "measured": {"found": None}}, place)
        mine.add(tmp_path / "a.png", "", {}, cache_id="k" * 64, timestamp="2025-11-08T09:15:00.250+02:00")
        assert export_index(one, tmp_path / "out") == 2
        report = import_index(two, tmp_path / "out")
        assert (report.added, report.known, report.skipped, report.complaints) == (2, 0, 0, ())
        assert {facts(found) for found in map(_frozen, theirs.get_all())} == {
            facts(found) for found in map(_frozen, mine.get_all())
        }
        written = (tmp_path / "out" / "cache_index.json").read_bytes()
        assert export_index(two, tmp_path / "again") == 2
        first, second = (
            json.loads(written),
            json.loads((tmp_path / "again" / "cache_index.json").read_bytes()),
        )
        assert first["entries"] == second["entries"]
        again = import_index(two, tmp_path / "out" / "cache_index.json")
        assert (again.added, again.known, len(theirs.get_all())) == (0, 2, 2)


def _frozen(found: CacheEntry) -> CacheEntry:
    return CacheEntry(
        cache_id=found.cache_id,
        image_path=found.image_path,
        prompt=found.prompt,
        generation_params=json.dumps(found.generation_params, sort_keys=True),  # type: ignore[arg-type]
        embedding=None,
        timestamp=found.timestamp,
    )


def test_another_programs_cache_is_taken_over(foreign: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        entries = CacheEntries(library)
        for _ in range(2):
            report = import_index(library, foreign)
            assert (report.added + report.known, report.skipped, report.complaints) == (3, 0, ())
        found = entries.get("cache_00001")
        assert found is not None
        assert found.image_path.read_bytes() == png("green")
        assert found.generation_params == {"denoise": 0.4, "steps": 4}
        assert found.timestamp == "2025-11-08T09:15:00+00:00"
        assert found.embedding is not None
        assert found.embedding.space == "cache_index.json 1.0, 3 numbers"
        assert found.embedding.vector.tolist() == [0.25, -0.5, 1.0]


def test_an_id_that_two_programs_gave_keeps_both_pictures(foreign: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        import_index(library, foreign)
        (foreign.parent.parent / "images" / "cache_00002.png").write_bytes(png("black"))
        for added in (1, 0):
            report = import_index(library, foreign)
            assert (report.added, report.known) == (added, 3 - added)
            assert "names another picture here" in report.complaints[0]
        assert len(CacheEntries(library).get_all()) == 4


BROKEN = [
    (7, "int found, an object expected"),
    (entry(0, cache_id=""), "cache_id"),
    (entry(0, cache_id="a\0b"), "cache_id"),
    (entry(0, prompt=None), "prompt"),
    (entry(0, generation_params=[]), "generation_params"),
    (entry(0, image_path="nowhere.png"), "nowhere.png is not there"),
    (entry(0, image_path="cache/metadata/cache_index.json"), "no whole picture"),
    (entry(0, timestamp="yesterday"), "ISO 8601 expected"),
]


@pytest.mark.parametrize(("broken", "said"), BROKEN)
def test_a_broken_entry_is_reported_and_the_others_are_taken(
    foreign: Path, tmp_path: Path, broken: object, said: str
) -> None:
    write(foreign, [broken, entry(1)])
    with Library.open(tmp_path / "library") as library:
        report = import_index(library, foreign)
        assert (report.added, report.skipped) == (1, 1)
        (complaint,) = report.complaints
        assert "entry 0: left out" in complaint
        assert said in complaint
        assert "\n" not in complaint


@pytest.mark.parametrize("broken", [[], [1, "a"], [1, None], [1e9], {"color": [1.0]}, "text", [True]])
def test_a_broken_embedding_is_left_out_and_said(foreign: Path, tmp_path: Path, broken: object) -> None:
    write(foreign, [entry(0, embedding=broken)])
    with Library.open(tmp_path / "library") as library:
        report = import_index(library, foreign)
        assert report.added == 1
        assert "embedding left out" in report.complaints[0]
        (found,) = CacheEntries(library).get_all()
        assert found.embedding is None


def test_nan_is_no_number(foreign: Path, tmp_path: Path) -> None:
    foreign.write_text(foreign.read_text(encoding="utf-8").replace("-0.5", "NaN"), encoding="utf-8")
    with Library.open(tmp_path / "library") as library:
        report = import_index(library, foreign)
        assert report.added == 3
        assert len(report.complaints) == 3


def test_unknown_keys_and_a_wrong_count_are_said(foreign: Path, tmp_path: Path) -> None:
    write(foreign, [entry(0, template_id="t")], entry_count=9, current_template_id="t")
    with Library.open(tmp_path / "library") as library:
        said = "; ".join(import_index(library, foreign).complaints)
        for word in ("'template_id'", "'current_template_id'", "entry_count says 9"):
            assert word in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "damaged"),
        ('{"version": "1.0", "entries": [', "damaged"),
        ("\0\0\0", "damaged"),
        ("[]", "no cache index"),
        ('{"version": "1.0"}', "no cache index"),
        ('{"version": "1.1", "entries": []}', "version '1.1' found, '1.0' expected"),
    ],
)
def test_a_damaged_index_is_no_empty_one(tmp_path: Path, text: str, said: str) -> None:
    index = tmp_path / "cache_index.json"
    index.write_text(text, encoding="utf-8")
    with Library.open(tmp_path / "library") as library, pytest.raises(ConfigError, match=said):
        import_index(library, index)
    with Library.open(tmp_path / "library") as library, pytest.raises(ConfigError, match="no such file"):
        import_index(library, tmp_path / "nothing")


def test_entries_are_added_once_found_and_drawn_by_lot(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library") as library:
        entries = CacheEntries(library)
        assert entries.get_random() is None
        for colour in ("red", "green", "blue"):
            (tmp_path / "a.png").write_bytes(png(colour))
            added = entries.add(tmp_path / "a.png", colour, {"seed": 1})
            assert facts(_frozen(entries.add(tmp_path / "a.png", colour, {"seed": 1}))) == facts(
                _frozen(added)
            )
        assert [found.prompt for found in entries.get_all()] == ["red", "green", "blue"]
        drawn = [entries.get_random(random.Random(seed)) for seed in range(20)]
        assert {found.prompt for found in drawn if found} == {"red", "green", "blue"}
        again = entries.get_random(random.Random(0))
        assert again is not None
        assert drawn[0] is not None
        assert again.cache_id == drawn[0].cache_id == entries.get_all()[-1].cache_id  # drawing it was a use
        (tmp_path / "a.png").write_bytes(b"no picture")
        with pytest.raises(ConfigError, match="no whole picture"):
            entries.add(tmp_path / "a.png", "", {})
