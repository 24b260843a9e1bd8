"""Digests, headers and indexes: what makes a file whole, and what does not."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from download.catalog import CATALOG, INDEX, Source, named
from download.verify import Digest, Expected, is_whole, shards_of, standing_of, state_of
from model.variants import MEASURING_PARTS, MODEL_NAMES, VARIANTS, variant_named

COMMIT = "a" * 40


@given(st.binary(max_size=300), st.integers(1, 50))
def test_a_digest_does_not_depend_on_the_pieces(data: bytes, size: int) -> None:
    for digest in (
        hashlib.sha256(data).hexdigest(),
        hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(),
    ):
        found = Digest(Expected(bytes=len(data), digest=digest))
        for start in range(0, len(data), size):
            found.feed(data[start : start + size])
        assert found.hex() == digest


def test_the_short_digest_is_gits(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"what is up, doc?")
    said = subprocess.run(["git", "hash-object", str(path)], capture_output=True, text=True, check=True)
    expected = Expected(bytes=16, digest=said.stdout.strip())
    assert is_whole(path, expected)
    path.write_bytes(b"what is up, doc!")
    assert not is_whole(path, expected)
    path.write_bytes(b"what is up")
    assert not is_whole(path, expected)
    assert not is_whole(tmp_path / "none", expected)


@given(
    st.dictionaries(st.text(max_size=5), st.sampled_from(["a-1.safetensors", "b_2.safetensors"]), min_size=1)
)
def test_an_index_lists_each_shard_once_beside_itself(weights: dict[str, str]) -> None:
    data = json.dumps({"weight_map": weights}).encode()
    assert shards_of("unet/x" + INDEX, data) == tuple(
        f"unet/{name}" for name in sorted(set(weights.values()))
    )


@given(st.sampled_from(["../x", "/etc/passwd", "a/b", "", "a\\b", "a\nb", "..\x00"]))
def test_an_index_never_leads_out_of_its_folder(name: str) -> None:
    with pytest.raises(ValueError, match="not an index of shards"):
        shards_of("x" + INDEX, json.dumps({"weight_map": {"a": name}}).encode())


@given(st.binary(max_size=60))
def test_any_bytes_are_an_index_or_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an index of shards"):
        shards_of("x" + INDEX, data)


def _shelf(cache: Path, files: dict[str, bytes]) -> Source:
    folder = cache / "models--a--b"
    for name, data in files.items():
        path = folder / "snapshots" / COMMIT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(COMMIT)
    return Source(repository="a/b", files=tuple(files), licence="mit")


def test_a_file_that_is_shorter_than_its_header_says_is_damaged(
    tmp_path: Path, make_tensors: Callable[[int, int], bytes]
) -> None:
    whole = make_tensors(1, 400)
    for data, trouble in {
        whole: "",
        whole[:-1]: "bytes, its header promises",
        whole + b"\0": "bytes, its header promises",
        whole[:10]: "not a safetensors file",
        b"": "empty",
        b"<html>sorry</html>": "not a safetensors file",
    }.items():
        standing = standing_of(_shelf(tmp_path, {"m.safetensors": data}), tmp_path)
        assert standing.state == ("damaged" if trouble else "here")
        assert trouble in "".join(standing.damaged.values())
    assert standing_of(_shelf(tmp_path, {"m.gguf": b"GGUX"}), tmp_path).state == "damaged"


def test_missing_shards_and_files_are_counted(
    tmp_path: Path, make_tensors: Callable[[int, int], bytes]
) -> None:
    index = json.dumps({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}).encode()
    source = _shelf(tmp_path, {"u/x" + INDEX: index, "u/1.safetensors": make_tensors(1, 5)})
    wanted = Source(repository="a/b", files=(source.files[0], "config.json"), licence="mit")
    standing = standing_of(wanted, tmp_path)
    assert standing.missing == ("config.json", "u/2.safetensors")
    assert standing.state == "partial"
    never = standing_of(Source(repository="a/c", files=("x",), licence="mit"), tmp_path)
    assert never.state == "missing"
    assert state_of([standing, never]) == "partial"
    assert state_of([never, never]) == "missing"


# --- the catalog


def test_every_variant_that_can_be_named_can_be_downloaded_whole() -> None:
    rows = set(VARIANTS) - {"starter"}
    assert rows <= set(CATALOG)
    for name in rows:
        fetched = {f"{source.repository}/{file}" for source in CATALOG[name].sources for file in source.files}
        for part in VARIANTS[name].parts:
            path = f"{part.repository}/{part.path}"
            inside = {file for file in fetched if file == path or file.startswith(f"{path}/")}
            assert inside, f"{name}: {part}"
            if not path.endswith(".safetensors"):
                assert any(file.endswith((".json", ".txt")) for file in inside), (
                    f"{name}: {part} without words"
                )
    for model in MODEL_NAMES:
        row = variant_named(model)
        assert row is not None
        assert model == "starter" or named(model).name == row.name


def test_the_networks_that_measure_panels_can_be_downloaded() -> None:
    for part in MEASURING_PARTS.values():
        names = [
            source.files
            for one in CATALOG.values()
            for source in one.sources
            if source.repository == part.repository
        ]
        assert names, part
        assert not part.path or part.path in names[0]


@pytest.mark.parametrize("name", ["flux-dev", "flux-schnell", "flux-kontext"])
def test_levels_come_from_where_a_run_looks_for_them(name: str) -> None:
    gguf = CATALOG[name].gguf
    assert gguf is not None
    published = VARIANTS[name].gguf
    assert published is not None
    assert gguf.repository == published.repository
    assert set(gguf.levels) == set(published.levels)


def test_no_set_fetches_a_pickle_where_something_else_is_published() -> None:
    for one in CATALOG.values():
        for source in one.sources:
            for file in source.files:
                assert file.endswith((".json", ".txt", ".safetensors", "spiece.model")) or one.name == "sam"


def test_a_level_takes_the_place_of_the_full_weights() -> None:
    for name, level in (("flux-dev", "q8_0"), ("flux-kontext", "Q4_K_S")):
        full, small = CATALOG[name].at(None), CATALOG[name].at(level)
        gone = {file for one in full for file in one.files} - {file for one in small for file in one.files}
        assert gone == {"transformer/diffusion_pytorch_model.safetensors.index.json"}
        assert level.upper() in small[-1].files[0]
