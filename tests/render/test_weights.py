"""Checkpoints: what a manifest says, what is refused, and that the weights in memory are those on disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.errors import IntegrityError, WeightsMissing
from model.render.flux.parts import load_flux
from model.render.weights import STARTER, Checkpoint, open_checkpoint, verify

HALF = 2.0**-11  # diffusers multiplies a block's scale in half precision, here and at every step
PROMPT = "Colour comic, one character; GIRL with red hair & an astronaut's helmet, t-shirt"


def checkpoint(words: frozenset[str] | None) -> Checkpoint:
    return Checkpoint(
        name="x", folder=Path(), fingerprint="", files={}, shapes=((64, 64),), cell=32, reference=64,
        global_tokens=8, region_tokens=8, words=words,
    )  # fmt: skip


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny, tmp_path / "copy")


def test_a_manifest_is_read_without_touching_weights(copy: Path) -> None:
    for path in copy.rglob("*"):
        if path.suffix in (".gguf", ".safetensors"):
            path.unlink()
    opened = open_checkpoint(copy)
    assert opened.shapes
    assert all(side % opened.cell == 0 for shape in opened.shapes for side in shape)
    assert opened.words is not None
    assert "girl" in opened.words


def test_the_fingerprint_names_the_weights_and_nothing_else(tiny: Path, copy: Path) -> None:
    assert open_checkpoint(tiny).fingerprint == open_checkpoint(copy).fingerprint
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["quality"]["measured"] = 1.0
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert open_checkpoint(tiny).fingerprint == open_checkpoint(copy).fingerprint
    # Who looks at a panel has no say in its pixels.
    manifest["files"]["clip/model.safetensors"]["sha256"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert open_checkpoint(tiny).fingerprint == open_checkpoint(copy).fingerprint
    manifest["files"]["vae/config.json"]["sha256"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert open_checkpoint(tiny).fingerprint != open_checkpoint(copy).fingerprint


def test_the_project_ships_a_checkpoint_that_is_whole() -> None:
    starter = open_checkpoint()
    assert starter.folder == STARTER
    assert starter.name == "starter"
    verify(starter)


def test_every_file_is_checked(tiny: Path, copy: Path) -> None:
    opened = open_checkpoint(copy)
    verify(opened)
    assert {Path(name).parts[0] for name in opened.files} == {
        path.name for path in tiny.iterdir() if path.is_dir()
    }
    for name in opened.files:
        path = copy / name
        data = path.read_bytes()
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        with pytest.raises(IntegrityError) as damaged:
            verify(opened)
        assert str(path) in str(damaged.value)
        path.unlink()
        with pytest.raises(WeightsMissing) as missing:
            verify(opened)
        assert str(path) in str(missing.value)
        path.write_bytes(data)
    verify(opened)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="no manifest"):
        open_checkpoint(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "change",
    [
        {"files": None},
        {"files": {"a": "b"}},
        {"name": None, "drawing": None},
        {"drawing": {}},
        {"drawing": {"shapes": [[1]]}},
    ],
)
def test_a_manifest_with_other_contents_is_refused(copy: Path, change: dict[str, object]) -> None:
    path = copy / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(IntegrityError, match=r"manifest\.json: not a weights manifest"):
        open_checkpoint(copy)


def test_damaged_weights_are_not_loaded(copy: Path) -> None:
    (copy / "vae" / "config.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"vae.config\.json"):
        load_flux(open_checkpoint(copy), device="cpu", dtype=torch.float32)


def test_the_transformer_in_memory_is_the_gguf_dequantized(tiny: Path) -> None:
    parts = load_flux(open_checkpoint(tiny), device="cpu", dtype=torch.float32)
    state = parts.transformer.state_dict()
    reader = gguf.GGUFReader(tiny / "transformer" / "flux-q8_0.gguf")
    assert {tensor.name for tensor in reader.tensors} == set(state)
    kinds = {tensor.tensor_type for tensor in reader.tensors}
    assert gguf.GGMLQuantizationType.Q8_0 in kinds
    for tensor in reader.tensors:
        expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        found = state[tensor.name]
        assert found.dtype == torch.float32
        np.testing.assert_allclose(found.numpy(), expected.reshape(found.shape), atol=1e-7, rtol=HALF)
    assert not any(module.training for module in (parts.transformer, parts.vae, parts.t5, parts.clip))


# --- words


def test_a_closed_vocabulary_leaves_out_what_it_does_not_know() -> None:
    known = checkpoint(
        frozenset(["colour", "comic", "one", "character", "girl", "with", "red", "hair", "t-shirt"])
    )
    assert known.normalised(PROMPT) == "colour comic one character girl with red hair t-shirt"
    assert known.unknown_words(PROMPT) == ("an", "astronaut's", "helmet")


def test_an_open_vocabulary_takes_the_prompt_as_it_is() -> None:
    assert checkpoint(None).normalised(PROMPT) == PROMPT
    assert checkpoint(None).unknown_words(PROMPT) == ()


@given(prompt=st.text(), words=st.frozensets(st.text("abc", min_size=1, max_size=3)))
def test_what_is_spoken_is_known_and_speaking_it_again_changes_nothing(
    prompt: str, words: frozenset[str]
) -> None:
    known = checkpoint(words)
    spoken = known.normalised(prompt)
    assert set(spoken.split()) <= words
    assert known.normalised(spoken) == spoken
    assert known.unknown_words(spoken) == ()
    assert not set(known.unknown_words(prompt)) & words


def test_the_starter_does_not_say_where_it_was_made() -> None:
    texts = [path.read_text(encoding="utf-8") for path in STARTER.rglob("*.json")]
    assert texts
    assert not [text for text in texts if "_name_or_path" in text]
