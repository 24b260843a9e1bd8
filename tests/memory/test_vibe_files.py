"""The vibe memory's file: read as others wrote it, written so that nothing is lost, repaired when damaged."""

from __future__ import annotations

import base64
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from model.errors import ConfigError, IntegrityError, StorageError
from model.memory.vibe.entries import Contents, Copy, Memory, PanelMean, Statistics, compact, merged
from model.memory.vibe.exchange import (
    export_file,
    import_file,
    import_pictures,
    profile_path,
    profiles,
)
from model.memory.vibe.formats import write
from model.memory.vibe.memory import VibeMemory
from model.memory.vibe.parsing import parse
from model.memory.vibe.salvage import salvage
from tests.chance import examples
from tests.memory.eyes import WIDTH, Eyes


def vector(seed: int, width: int = WIDTH) -> list[float]:
    return [float(number) for number in np.random.default_rng(seed).normal(size=width)]


# A file of another program, with everything that goes wrong in them.
FOREIGN = {
    "liked": [
        {"embedding": vector(0), "category": "portraits", "weight": 1.5, "timestamp": "2025-03-01T10:00:00"},
        {"embedding": vector(1), "category": "portraits", "metadata": {"source": "a.png", "seed": 7}},
        vector(2),
        {"embedding": [float("nan"), *vector(3)[1:]]},
        {"embedding": [0.0] * WIDTH},
        {"embedding": vector(4, 7)},
        {"embedding": vector(5), "weight": -3, "timestamp": "yesterday", "category": ""},
        {"category": "portraits"},
        "nonsense",
    ],
    "disliked": [
        {"embedding": vector(6), "category": "backgrounds"},
        {"embedding": [1e300, *vector(7)[1:]]},
        {"embedding": ["1.0"] * WIDTH},
    ],
    "metadata": {
        "version": "2.0",
        "total_likes": 99,
        "clip_model": "ViT-B/32",
        "created": "2025-01-01T00:00:00",
    },
    "categories": {"portraits": {"liked": [5, 77], "disliked": [0]}, "gone": {"liked": [1], "disliked": []}},
    "statistics": {"generation_count": 100, "average_score": 0.15, "filter_applications": 40},
}


def test_format_1(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"liked": [vector(0), vector(1)], "disliked": [vector(2)]}))
    vibe = VibeMemory(path)
    assert [(one.liked, one.category, one.weight, one.timestamp) for one in vibe.memories] == [
        (True, "general", 1.0, None),
        (True, "general", 1.0, None),
        (False, "general", 1.0, None),
    ]
    np.testing.assert_allclose(vibe.memories[2].vector, vector(2), rtol=1e-3)
    assert vibe.score(vector(0)) > 0 > vibe.score(vector(2))


def test_format_2_of_another_program_with_an_import_report(tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(FOREIGN))
    mine = VibeMemory(tmp_path / "mine.json")
    report = import_file(mine, path)
    assert (report.version, report.added, report.known, report.skipped) == (2, 6, 0, 6)
    told = "\n".join(report.complaints)
    for piece in (
        "liked[3] skipped: not every number is finite",
        "liked[4] skipped: all its numbers are zero",
        "7 numbers skipped: 32 expected",
        "liked[6]: weight: -3 is out of range",
        "liked[6]: timestamp: 'yesterday'",
        "liked[6]: category",
        "liked[7] skipped: no embedding",
        "liked[8] skipped",
        "disliked[2] skipped: the embedding holds something that is no number",
        "it says ViT-B/32",
    ):
        assert piece in told, piece
    assert mine.get_statistics()["categories"] == {
        "backgrounds": {"liked": 0, "disliked": 1},
        "general": {"liked": 2, "disliked": 1},
        "portraits": {"liked": 2, "disliked": 0},
    }, "by what the entries say, not by indices"
    assert mine.memories[0].weight == 1.5
    assert mine.memories[0].timestamp == 1740823200.0
    assert dict(mine.memories[1].copies[0].facts) == {"source": "a.png", "seed": 7}
    assert np.isfinite([mine.score(vector(seed)) for seed in range(8)]).all()


def test_importing_twice_is_importing_once(tmp_path: Path) -> None:
    for name, content in (
        ("one.json", {"liked": [vector(0), vector(0), vector(1)], "disliked": [vector(2)]}),
        ("two.json", FOREIGN),
    ):
        path = tmp_path / name
        path.write_text(json.dumps(content))
        mine = VibeMemory(tmp_path / f"mine_{name}")
        first = import_file(mine, path)
        text = mine.path.read_text()
        for optimized in (False, True):
            again = import_file(mine, path)
            assert (again.added, again.known) == (0, first.added)
            if not optimized:
                assert mine.path.read_text() == text
                mine.optimize()


def test_plain_formats_are_read_by_others_and_come_back(tmp_path: Path) -> None:
    mine = VibeMemory(tmp_path / "mine.json")
    mine.add_like(vector(0), "portraits", 1.5, source="good.png")
    mine.add_like(vector(0), "portraits", 1.5, source="good.png")
    mine.optimize()
    mine.add_dislike(vector(1))
    mine.record(np.array([vector(2)]), [0.25], applied=1)
    one, two, small = (tmp_path / name for name in ("one.json", "two.json", "small.json"))
    assert export_file(mine, one, version=1) == export_file(mine, two) == 2
    export_file(mine, small, compact=True)
    plain = json.loads(one.read_text())
    assert set(plain) == {"liked", "disliked"}
    np.testing.assert_allclose(plain["liked"][0], vector(0), rtol=1e-3)
    rich = json.loads(two.read_text())
    assert rich["metadata"]["version"] == "2.0"
    assert (rich["metadata"]["total_likes"], rich["metadata"]["total_dislikes"]) == (1, 1)
    assert rich["categories"] == {
        "portraits": {"liked": [0], "disliked": []},
        "general": {"liked": [], "disliked": [0]},
    }
    assert rich["statistics"] == {"generation_count": 1, "average_score": 0.25, "filter_applications": 1}
    assert (rich["liked"][0]["weight"], rich["liked"][0]["category"]) == (3.0, "portraits")
    np.testing.assert_allclose(rich["liked"][0]["embedding"], vector(0), rtol=1e-3)
    for path in (two, small):
        theirs = VibeMemory(tmp_path / f"from_{path.name}")
        assert import_file(theirs, path).added == 3
        assert {str(copy) for one in theirs.memories for copy in one.copies} == {
            str(copy) for one in mine.memories for copy in one.copies
        }
        assert theirs.score(vector(3)) == pytest.approx(mine.score(vector(3)), abs=1e-9)
    for path in (one, two, small):
        assert import_file(mine, path).added == 0


def memories() -> st.SearchStrategy[Memory]:
    text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=8)
    copies = st.builds(
        Copy,
        weight=st.floats(0.01, 1e6),
        timestamp=st.none() | st.integers(0, 4 * 10**12).map(lambda number: number / 1000),
        facts=st.dictionaries(text, text | st.integers() | st.lists(text, max_size=2), max_size=2),
    )
    return st.builds(
        Memory,
        liked=st.booleans(),
        vector=st.integers(0, 10**6).map(lambda seed: compact(np.array(vector(seed)))),
        category=st.sampled_from(["general", "portraits", "気分", 'a "quoted" one']),
        copies=st.lists(copies, min_size=1, max_size=3).map(tuple),
        space=st.sampled_from(["", "abc"]),
    )


def facts_of(memory: Memory) -> tuple[object, ...]:
    return (*memory.about, memory.copies)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(memories(), max_size=6), st.booleans())
def test_what_is_written_is_read_again(held: list[Memory], plain: bool) -> None:
    contents = Contents(
        memories=tuple(sorted(held, key=lambda memory: not memory.liked)),
        statistics=Statistics(generation_count=3, average_score=-0.25, filter_applications=2),
        panels=(PanelMean(space="abc", count=4, vector=np.arange(4, dtype=np.float32)),),
        created=1700000000.25,
        encoder="ViT-B/32",
    )
    parsed = parse(write(contents, plain=plain), "it")
    assert parsed.complaints == ()
    assert [facts_of(one) for one in parsed.contents.memories] == [facts_of(one) for one in contents.memories]
    assert parsed.contents.statistics == contents.statistics
    assert (parsed.contents.created, parsed.contents.encoder) == (contents.created, "ViT-B/32")
    np.testing.assert_array_equal(parsed.contents.panels[0].vector, contents.panels[0].vector)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(memories(), max_size=5), st.lists(memories(), max_size=5))
def test_merging_again_adds_nothing_and_loses_nothing(mine: list[Memory], theirs: list[Memory]) -> None:
    once, added = merged(mine, theirs)
    assert added <= sum(len(one.copies) for one in theirs)
    again, more = merged(once, theirs)
    assert more == 0
    assert [facts_of(one) for one in again] == [facts_of(one) for one in once]
    assert [facts_of(one) for one in once[: len(mine)]] == [facts_of(one) for one in mine]
    pictures = {(one.liked, one.vector.tobytes()) for one in once}
    assert pictures == {(one.liked, one.vector.tobytes()) for one in (*mine, *theirs)}


def test_a_memory_takes_about_1500_bytes(tmp_path: Path) -> None:
    vibe = VibeMemory(tmp_path / "vibe.json")
    for number in range(20):
        vibe.add_like(vector(number, 512), source="outputs/first-light/panels/p001_01.png")
    assert vibe.path.stat().st_size / 20 < 1700


# --- damage


def damaged_forms(text: str) -> dict[str, bytes]:
    data = text.encode()
    line = data.index(b"checksum")
    changed = bytearray(data)
    changed[line - 40] = ord("A") if changed[line - 40] != ord("A") else ord("B")
    return {
        "empty": b"",
        "zeroed": bytes(len(data)),
        "truncated": data[: len(data) // 2],
        "half zeroed": data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
        "garbled": random.Random(0).randbytes(len(data)),
        "one letter of an embedding": bytes(changed),
        "another file": b'{"stories": []}',
        "a list": b"[]",
        "nested": b"[" * 100_000,
    }


@pytest.mark.parametrize("form", list(damaged_forms("." * 300 + "checksum" + "." * 300)))
def test_a_damaged_file_is_named_never_emptied_and_can_be_repaired(tmp_path: Path, form: str) -> None:
    vibe = VibeMemory(tmp_path / "vibe.json")
    for number in range(10):
        (vibe.add_like if number % 2 else vibe.add_dislike)(vector(number), source=f"{number}.png")
    data = damaged_forms(vibe.path.read_text())[form]
    vibe.path.write_bytes(data)
    for use in (
        lambda: VibeMemory(vibe.path).score(vector(0)),
        lambda: VibeMemory(vibe.path).add_like(vector(99)),
        lambda: vibe.add_like(vector(99)),
        lambda: vibe.clear("general"),
    ):
        with pytest.raises(IntegrityError) as found:
            use()
        assert str(vibe.path) in str(found.value)
        assert "vibe repair" in str(found.value)
        assert "\n" not in str(found.value)
    assert vibe.path.read_bytes() == data, "nothing was written over it"
    done = vibe.repair()
    assert done.needed
    assert done.kept_as is not None
    assert done.kept_as.read_bytes() == data
    # The .bak has all but the last, and the truncated file has the first of both lists.
    assert len(VibeMemory(vibe.path).memories) >= 9
    sources = {one.fact("source") for one in vibe.memories}
    assert {f"{number}.png" for number in range(9)} <= sources
    assert vibe.repair().needed is False


def test_a_missing_file_with_a_backup_is_no_new_start(tmp_path: Path) -> None:
    vibe = VibeMemory(tmp_path / "vibe.json")
    vibe.add_like(vector(0))
    vibe.add_like(vector(1))
    vibe.path.unlink()
    for again in (vibe, VibeMemory(vibe.path)):
        with pytest.raises(IntegrityError, match=r"vibe\.json\.bak is there"):
            again.add_like(vector(2))
    assert vibe.repair().from_backup == 1
    assert len(vibe.memories) == 1


def test_repair_without_anything_to_take_says_so(tmp_path: Path) -> None:
    path = tmp_path / "vibe.json"
    path.write_bytes(b"\0" * 50)
    with pytest.raises(IntegrityError, match="no memory can be read"):
        VibeMemory(path).repair()
    assert path.read_bytes() == b"\0" * 50


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(memories(), min_size=1, max_size=5), st.data())
def test_every_whole_entry_of_a_torn_file_is_saved(held: list[Memory], data: st.DataObject) -> None:
    text = write(Contents(memories=tuple(held)))
    torn = text[: data.draw(st.integers(0, len(text)))]
    starts = [match.start() + 3 for match in re.finditer(r"\n  \{", text)]
    ends = [json.JSONDecoder().raw_decode(text, start)[1] for start in starts]
    whole = sum(end <= len(torn) for end in ends)
    ordered = [facts_of(one) for one in sorted(held, key=lambda memory: not memory.liked)]
    assert [facts_of(one) for one in salvage(torn)] == ordered[:whole]


def test_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "vibe.json"
    path.write_text(json.dumps({"liked": [], "disliked": [], "metadata": {"version": "3.0"}}))
    with pytest.raises(IntegrityError, match=r"version 3\.0"):
        VibeMemory(path).score(vector(0))


def test_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        VibeMemory(tmp_path / "file" / "vibe.json").add_like(vector(0))
    vibe = VibeMemory(tmp_path / "folder")
    vibe.path.mkdir()
    with pytest.raises(StorageError, match="folder"):
        vibe.score(vector(0))


def test_a_file_that_lies_about_itself_cannot_reach_out(tmp_path: Path) -> None:
    """Names of kept pictures come from files of strangers."""
    (tmp_path / "secret.jpg").write_bytes(b"x")
    theirs = tmp_path / "theirs.json"
    entry = {"embedding": vector(0), "metadata": {"picture": "../secret.jpg"}}
    theirs.write_text(json.dumps({"liked": [entry], "disliked": [], "metadata": {"version": "2.0"}}))
    mine = VibeMemory(tmp_path / "mine.json")
    import_file(mine, theirs)
    assert mine.picture_of(mine.memories[0]) is None


def test_a_wrong_checksum_is_damage_and_a_missing_one_too(tmp_path: Path) -> None:
    path = tmp_path / "vibe.json"
    embedding = base64.b64encode(compact(np.array(vector(0))).tobytes()).decode()
    for checksum in ({}, {"checksum": "0" * 12}):
        entry = {"embedding": embedding, **checksum}
        path.write_text(json.dumps({"liked": [entry], "disliked": [], "metadata": {"version": "2.0"}}))
        with pytest.raises(IntegrityError, match=r"liked\[0\]"):
            VibeMemory(path).score(vector(0))


# --- folders and profiles


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "likes"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (8, 8), (60 * number, 10, 10)).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG")
    (folder / "notes.txt").write_text("not a picture")
    vibe = VibeMemory(tmp_path / "vibe.json", Eyes())
    report = import_pictures(vibe, [folder], liked=True, category="portraits", weight=2.0)
    assert (report.added, report.known, report.skipped) == (3, 0, 1)
    assert "broken.png" in report.complaints[0]
    assert {one.weight for one in vibe.memories} == {2.0}
    again = import_pictures(vibe, [folder], liked=True, category="portraits")
    assert (again.added, again.known) == (0, 3)
    with pytest.raises(ConfigError, match="weight"):
        import_pictures(vibe, [folder], liked=True, weight=0)


def test_exporting_over_itself_and_unknown_formats_are_refused(tmp_path: Path) -> None:
    vibe = VibeMemory(tmp_path / "vibe.json")
    vibe.add_like(vector(0))
    with pytest.raises(ConfigError, match="vibe memory itself"):
        export_file(vibe, tmp_path / "." / "vibe.json")
    with pytest.raises(ConfigError, match="use 1 or 2"):
        export_file(vibe, tmp_path / "three.json", version=3)
    with pytest.raises(ConfigError, match="no such file"):
        import_file(vibe, tmp_path / "nowhere.json")


def test_profiles_are_files_of_their_own(tmp_path: Path) -> None:
    default = tmp_path / "vibe.json"
    for name in ("noir", "sunny-days"):
        VibeMemory(profile_path(default, name)).add_like(vector(len(name)))
    assert profiles(default) == ("noir", "sunny-days")
    assert not default.exists()
    for name in ("", "../up", "A", "x" * 65, ".hidden"):
        with pytest.raises(ConfigError, match="profile"):
            profile_path(default, name)
