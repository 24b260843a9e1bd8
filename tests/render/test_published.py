"""Checkpoints of others: found by name, folder, file or hub name, told apart, and known by their bytes."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from model.config import Adapter
from model.errors import ConfigError, IntegrityError, WeightsMissing
from model.render import digests as digests_module
from model.render.digests import digests
from model.render.flux.names import to_diffusers
from model.render.flux.parts import read_text, read_transformer
from model.render.places import hub_cache, stored_as, weight_files
from model.render.published import is_here, open_published, place_of, recognise
from model.render.weights import with_adapters
from model.run.settle import checkpoint_of, settle
from model.variants import VARIANTS, variant_named
from scripts.starter.export import write_gguf
from tests.render.flux_checkpoints import REPOSITORIES, bfl, in_cache, new_transformer

DEV = VARIANTS["flux-dev"]


@pytest.fixture(autouse=True)
def _own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSTUDIO_CACHE", str(tmp_path / "memory"))


@pytest.fixture
def cached(flux_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HOME", str(flux_cache))
    return flux_cache


@pytest.fixture
def own(flux_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the cache that may be damaged."""
    home = tmp_path / "home"
    shutil.copytree(flux_cache, home)
    monkeypatch.setenv("HF_HOME", str(home))
    return home


# --- where


def test_the_hubs_variables_are_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/somebody")
    assert hub_cache() == Path("/somebody/.cache/huggingface/hub")
    monkeypatch.setenv("HF_HOME", "/disk/hf")
    assert hub_cache() == Path("/disk/hf/hub")
    monkeypatch.setenv("HF_HUB_CACHE", "/disk/hub")
    assert hub_cache() == Path("/disk/hub")
    assert Path(constants.HF_HUB_CACHE).name == "hub", "huggingface_hub's own default has the same form"


def test_a_name_a_hub_name_and_a_folder_open_the_same_weights(cached: Path) -> None:
    folder = in_cache(cached, REPOSITORIES["flux-dev"])
    said = ("flux", REPOSITORIES["flux-dev"], str(folder))
    opened = [checkpoint_of(settle(model=model)) for model in said]
    assert {one.fingerprint for one in opened} == {opened[0].fingerprint}
    assert {one.variant.name for one in opened} == {"flux-dev"}
    assert [one.name for one in opened] == ["flux-dev", *said[1:]]
    assert opened[0].cell == 16
    assert opened[0].words is None
    assert all(side % 32 == 0 for shape in opened[0].shapes for side in shape)
    assert (64, 64) in opened[0].shapes
    assert opened[0].fingerprint != checkpoint_of(settle(model="flux", model_variant="schnell")).fingerprint


def test_flux_is_the_default_where_it_is_whole(own: Path) -> None:
    assert settle().variant == "flux-dev"
    shard = weight_files(in_cache(own, REPOSITORIES["flux-dev"]) / "transformer")[-1]
    shard.unlink()
    assert not is_here(DEV)
    assert settle().variant == "starter"


@pytest.mark.parametrize("row", [row for row in VARIANTS if row != "starter"])
def test_what_is_missing_is_named_with_the_command_that_fetches_it(
    row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(WeightsMissing) as missing:
        checkpoint_of(settle(model=row))
    assert f"python run.py download {row}" in str(missing.value)
    assert "\n" not in str(missing.value)
    with pytest.raises(WeightsMissing, match="download "):
        place_of(VARIANTS[row].repository)


def test_a_folder_without_weights_and_a_lost_shard_are_missing(own: Path) -> None:
    folder = in_cache(own, REPOSITORIES["flux-dev"])
    shard = weight_files(folder / "transformer")[0]
    kept = shard.read_bytes()
    shard.unlink()
    with pytest.raises(WeightsMissing, match=r"names \d shards; .* run.py download flux-dev"):
        open_published(DEV)
    shard.write_bytes(kept)
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(WeightsMissing, match=r"vae .* python run.py download flux-dev"):
        open_published(DEV)
    (folder / "vae" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(WeightsMissing, match="a pickle can run any code"):
        open_published(DEV)


@pytest.mark.parametrize(
    ("names", "half"),
    [
        (["model.safetensors"], None),
        (["model.fp16.safetensors"], "fp16"),
        (["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"], None),
        (["model.fp16-00001-of-00002.safetensors", "model.fp16-00002-of-00002.safetensors"], "fp16"),
        (["model-00001-of-00002.fp16.safetensors", "model-00002-of-00002.fp16.safetensors"], "fp16"),
    ],
)
def test_halves_and_shards_are_found_and_named(tmp_path: Path, names: list[str], half: str | None) -> None:
    for name in names:
        (tmp_path / name).touch()
    if len(names) > 1:
        index = f"model.safetensors.index.{half}.json" if half else "model.safetensors.index.json"
        (tmp_path / index).write_text(json.dumps({"weight_map": dict(enumerate(names))}))
    assert [path.name for path in weight_files(tmp_path)] == names
    assert stored_as(weight_files(tmp_path))["variant"] == half


# --- what


@pytest.mark.parametrize(
    ("files", "row"),
    [
        ({"model_index.json": {"_class_name": "FluxKontextPipeline"}}, "flux-kontext"),
        (
            {
                "model_index.json": {"_class_name": "FluxPipeline"},
                "transformer/config.json": {"guidance_embeds": True},
            },
            "flux-dev",
        ),
        ({"transformer/config.json": {"guidance_embeds": False}}, "flux-schnell"),
        ({"model_index.json": {"_class_name": "StableDiffusionPipeline"}, "unet/config.json": {}}, "sd15"),
        ({"model_index.json": {"_class_name": "StableDiffusionXLPipeline"}, "unet/config.json": {}}, "sdxl"),
        ({"unet/config.json": {}, "text_encoder_2/config.json": {}}, "sdxl"),
        ({"unet/config.json": {}, "models/ip-adapter-plus_sd15.safetensors": {}}, "sd15plus"),
        ({"unet/config.json": {}, "ip-adapter_sd15.safetensors": {}}, "sd15"),
    ],
)
def test_folders_are_told_apart(tmp_path: Path, files: dict[str, Any], row: str) -> None:
    for name, facts in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(facts))
    assert recognise(tmp_path) == row


@pytest.mark.parametrize(
    ("name", "tensors", "row"),
    [
        ("flux1-dev.safetensors", ["double_blocks.0.x.weight", "guidance_in.in_layer.weight"], "flux-dev"),
        ("any.safetensors", ["model.diffusion_model.double_blocks.0.x.weight"], "flux-schnell"),
        ("flux1-kontext-dev.safetensors", ["double_blocks.0.x", "guidance_in.in_layer.bias"], "flux-kontext"),
        ("diffusers.safetensors", ["context_embedder.bias", "transformer_blocks.0.x"], "flux-schnell"),
        ("sd.safetensors", ["cond_stage_model.transformer.x", "model.diffusion_model.y"], "sd15"),
        ("xl.safetensors", ["conditioner.embedders.1.model.x"], "sdxl"),
    ],
)  # fmt: skip
def test_files_are_told_apart_by_their_headers(
    tmp_path: Path, name: str, tensors: list[str], row: str
) -> None:
    save_file({one: torch.zeros(1) for one in tensors}, tmp_path / name)
    assert recognise(tmp_path / name) == row


def test_a_variant_may_be_named_where_files_cannot_say(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    save_file({"double_blocks.0.x": torch.zeros(1)}, file)
    assert recognise(file, "kontext") == "flux-kontext"
    with pytest.raises(ConfigError, match="can be dev, schnell, kontext, not 'plus'"):
        recognise(file, "plus")
    (tmp_path / "unet").mkdir()
    assert recognise(tmp_path, "plus") == "sd15plus"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", IntegrityError),
        (b"\xff" * 64, IntegrityError),
        (b"\x02\0\0\0\0\0\0\0{]", IntegrityError),
        (b"GGUF\x03\0\0\0", IntegrityError),
    ],
)
def test_damaged_headers_are_refused(tmp_path: Path, data: bytes, error: type[Exception]) -> None:
    (tmp_path / "x.safetensors").write_bytes(data)
    with pytest.raises(error, match=r"x\.safetensors"):
        recognise(tmp_path / "x.safetensors")


def test_other_kinds_of_files_and_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.ckpt").write_bytes(b"pickle")
    with pytest.raises(ConfigError, match="neither safetensors nor GGUF"):
        recognise(tmp_path / "x.ckpt")
    with pytest.raises(ConfigError, match="none of the kinds"):
        recognise(tmp_path)
    with pytest.raises(ConfigError, match="no known model"):
        settle(model="fluxx")
    with pytest.raises(ConfigError, match="has no variant"):
        variant_named("flux", "kontext")


# --- known by their bytes


def test_digests_are_remembered_by_path_size_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests_module, "SMALL", 4)
    file = tmp_path / "weights"
    file.write_bytes(b"one two three")
    first = digests({"a": file})
    monkeypatch.setattr(digests_module, "sha256_of", lambda path: pytest.fail(f"{path} was read again"))
    assert digests({"other label": file}) == {"other label": first["a"]}
    monkeypatch.undo()
    monkeypatch.setenv("AUTOSTUDIO_CACHE", str(tmp_path / "memory"))
    file.write_bytes(b"one two seven")
    os.utime(file, ns=(1, 1))
    assert digests({"a": file}) != first


def test_a_memory_of_digests_that_is_damaged_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests_module, "SMALL", 4)
    file = tmp_path / "weights"
    file.write_bytes(b"one two three")
    digests_module.memory_file().parent.mkdir(parents=True)
    digests_module.memory_file().write_text("[1, 2")
    assert digests({"a": file}) == digests({"a": file})
    assert len(json.loads(digests_module.memory_file().read_text())) == 1


def test_a_blob_of_the_cache_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    blob = tmp_path / "blobs" / ("a" * 64)
    blob.parent.mkdir()
    blob.write_bytes(b"cut off")
    link = tmp_path / "model.safetensors"
    link.symlink_to(blob)
    with pytest.raises(IntegrityError, match="download it again"):
        digests({"model": link})


# --- one file, under other names


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_their_names_become_diffusers_names_whatever_the_width(prefix: str) -> None:
    state = new_transformer(guidance_embeds=True).state_dict()
    theirs = {prefix + name: value for name, value in bfl(state).items()}
    if prefix:
        theirs["first_stage_model.decoder.conv_in.weight"] = torch.zeros(1)
    found = to_diffusers(theirs)
    assert set(found) == set(state)
    assert all(torch.equal(found[name], value) for name, value in state.items())
    with pytest.raises(IntegrityError, match="no tensor of Flux"):
        to_diffusers({**theirs, f"{prefix}double_blocks.0.new.weight": torch.zeros(1)})


@pytest.mark.parametrize("kind", ["theirs.safetensors", "ours.safetensors", "theirs.gguf", "ours.gguf"])
def test_a_single_file_takes_the_transformers_place(cached: Path, tmp_path: Path, kind: str) -> None:
    torch.manual_seed(1)
    state = {
        name: value.contiguous() for name, value in new_transformer(guidance_embeds=True).state_dict().items()
    }
    tensors = bfl(state) if kind.startswith("theirs") else state
    file = tmp_path / kind
    if kind.endswith("gguf"):
        write_gguf(tensors, file)
    else:
        save_file({name: value.contiguous() for name, value in tensors.items()}, file)
    settings = settle(model=str(file))
    assert settings.variant == "flux-dev"
    checkpoint = checkpoint_of(settings)
    assert checkpoint.part("vae") == in_cache(cached, REPOSITORIES["flux-dev"]) / "vae"
    assert f"transformer/{kind}" in checkpoint.files
    found = read_transformer(checkpoint, dtype=torch.float32).state_dict()
    assert set(found) == set(state)
    error = 0.02 if kind.endswith("gguf") else 0.0  # of Q8_0, relative to the largest
    for name, value in state.items():
        assert (found[name] - value).abs().max() <= error * value.abs().max(), name


def test_levels_that_were_fetched_without_the_whole_weights_are_drawn_with(own: Path) -> None:
    """What `run.py download flux-dev --gguf Q8_0` leaves: configs, and a file of another repository."""
    folder = in_cache(own, REPOSITORIES["flux-dev"]) / "transformer"
    for path in [*folder.glob("*.safetensors"), *folder.glob("*.index.json")]:
        path.unlink()
    file = in_cache(own, "city96/FLUX.1-dev-gguf") / "flux1-dev-Q8_0.gguf"
    torch.manual_seed(1)
    write_gguf(bfl(new_transformer(guidance_embeds=True).state_dict()), file)
    with pytest.raises(WeightsMissing, match=r"or name a quantized one with --gguf"):
        checkpoint_of(settle(model="flux"))
    said: list[str] = []
    for asked in ("Q8_0", "auto", str(file)):
        settings = settle(model="flux-dev", gguf=asked, device="cpu", say=said.append)
        assert settings.gguf is not None, said
        assert settings.gguf.path == file, said
    checkpoint = checkpoint_of(settings)
    assert f"transformer/{file.name}" in checkpoint.files
    assert len(read_transformer(checkpoint, dtype=torch.float32).transformer_blocks) == 1


def test_a_packed_transformer_computes_what_an_unpacked_one_does(cached: Path, tmp_path: Path) -> None:
    file = tmp_path / "flux.gguf"
    torch.manual_seed(1)
    write_gguf(bfl(new_transformer(guidance_embeds=True).state_dict()), file)
    checkpoint = checkpoint_of(settle(model=str(file)))
    packed, unpacked = (
        read_transformer(checkpoint, dtype=torch.float32, packed=packed) for packed in (True, False)
    )
    assert type(packed.transformer_blocks[0].attn.to_q).__name__ == "GGUFLinear"
    told = {
        "hidden_states": torch.randn(1, 4, 64), "encoder_hidden_states": torch.randn(1, 3, 64),
        "pooled_projections": torch.randn(1, 32), "timestep": torch.tensor([0.5]),
        "guidance": torch.tensor([3.5]), "txt_ids": torch.zeros(3, 3), "img_ids": torch.zeros(4, 3),
        "return_dict": False,
    }  # fmt: skip
    with torch.inference_mode():
        torch.testing.assert_close(packed(**told)[0], unpacked(**told)[0], atol=1e-4, rtol=1e-3)


# --- LoRA


def write_lora(file: Path, name: str, size: tuple[int, int], *, alpha: float | None = None) -> torch.Tensor:
    """A LoRA of rank 2 as the peft library names it; returns what it adds at weight 1."""
    down, up = torch.randn(2, size[1]), torch.randn(size[0], 2)
    state = {f"transformer.{name}.lora_A.weight": down, f"transformer.{name}.lora_B.weight": up}
    if alpha is not None:
        state[f"transformer.{name}.alpha"] = torch.tensor(alpha)
    save_file(state, file)
    return (up @ down) * (1 if alpha is None else alpha / 2)


@pytest.mark.parametrize("alpha", [None, 6.0])
def test_lora_files_are_merged_by_their_weights(cached: Path, tmp_path: Path, alpha: float | None) -> None:
    layer = "transformer_blocks.0.attn.to_q"
    one = write_lora(tmp_path / "one.safetensors", layer, (64, 64), alpha=alpha)
    two = write_lora(tmp_path / "two.safetensors", layer, (64, 64))
    said = [f"{tmp_path / 'one.safetensors'}:0.5", str(tmp_path / "two.safetensors")]
    plain, mixed = (checkpoint_of(settle(model="flux", lora=lora)) for lora in ([], said))
    before, after = (read_transformer(c, dtype=torch.float32).state_dict() for c in (plain, mixed))
    expected = before[f"{layer}.weight"] + 0.5 * one + two
    torch.testing.assert_close(after[f"{layer}.weight"], expected)
    assert all(torch.equal(after[name], value) for name, value in before.items() if name != f"{layer}.weight")


def test_a_lora_of_kohyas_trainer_is_merged_too(cached: Path, tmp_path: Path) -> None:
    """Black Forest Labs' names, three matrices in one, an alpha of its own; and a part for CLIP."""
    stem, down, up = "lora_unet_double_blocks_0_img_attn_qkv", torch.randn(2, 64), torch.randn(192, 2)
    clip = "lora_te1_text_model_encoder_layers_0_self_attn_q_proj"
    state = {f"{clip}.lora_down.weight": torch.randn(2, 32), f"{clip}.lora_up.weight": torch.randn(32, 2)}
    state |= {
        f"{stem}.lora_down.weight": down,
        f"{stem}.lora_up.weight": up,
        f"{stem}.alpha": torch.tensor(1.0),
    }
    save_file({**state, f"{clip}.alpha": torch.tensor(1.0)}, tmp_path / "kohya.safetensors")
    said = [f"{tmp_path / 'kohya.safetensors'}:2"]
    plain, mixed = (checkpoint_of(settle(model="flux", lora=lora)) for lora in ([], said))
    before, after = (read_transformer(c, dtype=torch.float32).state_dict() for c in (plain, mixed))
    names = [f"transformer_blocks.0.attn.to_{kind}.weight" for kind in "qkv"]
    added = torch.cat([after[name] - before[name] for name in names])
    torch.testing.assert_close(added, 2 * 0.5 * up @ down, atol=1e-5, rtol=1e-4)
    assert all(torch.equal(after[name], value) for name, value in before.items() if name not in names)
    before, after = (read_text(c, dtype=torch.float32)[1].state_dict() for c in (plain, mixed))
    moved = {name: after[name] - value for name, value in before.items() if not after[name].equal(value)}
    (added,) = moved.values()
    torch.testing.assert_close(
        added, state[f"{clip}.lora_up.weight"] @ state[f"{clip}.lora_down.weight"], atol=1e-5, rtol=1e-4
    )


def test_a_lora_is_part_of_what_weights_are_called(cached: Path, tmp_path: Path) -> None:
    write_lora(tmp_path / "one.safetensors", "proj_out", (64, 64))
    plain = checkpoint_of(settle(model="flux"))
    names = {plain.fingerprint}
    for weight in (1.0, 0.5):
        names.add(
            with_adapters(
                plain, (Adapter(path=str(tmp_path / "one.safetensors"), weight=weight),)
            ).fingerprint
        )
    write_lora(tmp_path / "one.safetensors", "proj_out", (64, 64))
    names.add(with_adapters(plain, (Adapter(path=str(tmp_path / "one.safetensors")),)).fingerprint)
    assert len(names) == 4
    assert with_adapters(plain, ()) == plain


@pytest.mark.parametrize(("name", "size"), [("nothing.0.attn", (64, 64)), ("proj_out", (32, 64))])
def test_a_lora_of_another_model_is_refused(
    cached: Path, tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    write_lora(tmp_path / "other.safetensors", name, size)
    checkpoint = checkpoint_of(settle(model="flux", lora=[str(tmp_path / "other.safetensors")]))
    with pytest.raises(ConfigError, match=r"--lora: .* the file is for another"):
        read_transformer(checkpoint, dtype=torch.float32)


def test_a_lora_is_said_as_path_and_weight(tmp_path: Path) -> None:
    file = tmp_path / "a:b.safetensors"
    file.touch()
    said = settle(lora=[str(file), f"{file}:-0.5"]).adapters
    assert said == (Adapter(path=str(file)), Adapter(path=str(file), weight=-0.5))
    with pytest.raises(ConfigError, match=r"--lora: .* is no file"):
        settle(lora=[str(tmp_path / "none.safetensors")])
    with pytest.raises(ConfigError, match=r"--lora: 11.0 is out of range"):
        settle(lora=[f"{file}:11"])


# --- properties


@given(side=st.integers(64, 1536), row=st.sampled_from([row for row in VARIANTS.values()]))
def test_panels_have_the_pixels_of_a_square_and_sides_that_are_multiples(side: int, row: Any) -> None:
    from model.render.published import _ASPECTS, _shape

    for aspect in _ASPECTS:
        width, height = _shape(side, aspect, row.multiple)
        assert width % row.multiple == height % row.multiple == 0
        assert width >= row.multiple <= height
        if side >= 8 * row.multiple:
            assert 0.8 < width * height / side**2 < 1.25
            assert 0.8 < (width / height) / (aspect[0] / aspect[1]) < 1.25


def test_one_file_of_redux_and_of_the_vae_serve_as_well(own: Path) -> None:
    redux = in_cache(own, "black-forest-labs/FLUX.1-Redux-dev")
    state = load_file(redux / "image_embedder" / "diffusion_pytorch_model.safetensors")
    save_file(state, redux / "flux1-redux-dev.safetensors")
    shutil.rmtree(redux / "image_embedder")
    from model.render.flux.redux import load_redux

    loaded = load_redux(open_published(DEV, hashed=False), dtype=torch.float32)
    assert torch.equal(loaded.embedder.redux_up.weight, state["redux_up.weight"])
    half = load_redux(open_published(DEV, hashed=False), dtype=torch.bfloat16)
    assert {one.dtype for one in (*half.eye.parameters(), *half.embedder.parameters())} == {torch.bfloat16}
