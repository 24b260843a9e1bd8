"""Conversion: what comes out is read by diffusers and transformers, and draws; names are the right ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from diffusers import FluxTransformer2DModel
from diffusers.loaders.single_file_utils import convert_flux_transformer_checkpoint_to_diffusers
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel

from model.cli import main
from model.errors import ConfigError, WeightsMissing
from model.files import sha256_of
from model.render.flux.parts import read_text
from model.render.weights import open_checkpoint
from quantization.convert import convert
from quantization.gguf_source import GgufSource
from quantization.imatrix import gather, read_importance, write_importance
from quantization.kquants import encode
from quantization.levels import LEVELS, level_of
from quantization.sources import read_tensor
from tests.quantization.loading import draw, load
from tests.quantization.tensors import STARTER

BY_BITS = ("F16", "Q8_0", "Q6_K", "Q5_K_S", "Q4_K_S", "Q3_K_S", "Q2_K")


def test_every_level_loads_draws_and_is_worse_with_fewer_bits(
    small_flux: Any, small_folder: Path, tmp_path: Path
) -> None:
    wanted = draw(small_flux)
    errors: list[float] = []
    for name in BY_BITS:
        made = convert(small_folder, tmp_path / f"{name}.gguf", LEVELS[name])
        assert made.fallen_back == 0
        assert made.bytes == (tmp_path / f"{name}.gguf").stat().st_size
        errors.append(float((draw(load(made.path, small_folder)) - wanted).norm() / wanted.norm()))
    assert errors == sorted(errors), errors
    assert errors[0] < 2e-3
    assert errors[1] < 2e-2
    assert errors[-1] < 1


@pytest.mark.parametrize("name", ["Q8_0", "Q4_K_S", "Q2_K"])
def test_the_starter_loads_at_a_level(name: str, tmp_path: Path) -> None:
    made = convert(STARTER.parent.parent, tmp_path / "starter.gguf", LEVELS[name])
    model = load(made.path, STARTER.parent)
    assert draw(model).isfinite().all()
    if name == "Q8_0":
        # Q8_0 to Q8_0: the largest of a block is 127 steps again, so nothing changes.
        before, after = GgufSource(STARTER), GgufSource(made.path)
        for tensor in list(before.shapes)[::9]:
            torch.testing.assert_close(
                read_tensor(after, tensor), read_tensor(before, tensor), rtol=1e-3, atol=1e-6
            )


def test_what_enters_and_leaves_is_not_quantized(small_folder: Path, tmp_path: Path) -> None:
    made = convert(small_folder, tmp_path / "out.gguf", LEVELS["Q4_K_S"])
    reader = gguf.GGUFReader(made.path)
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert {kind for name, kind in kinds.items() if "blocks." in name and name.endswith("linear.weight")} == {
        "Q4_K"
    }
    for name, kind in kinds.items():
        if len(next(t for t in reader.tensors if t.name == name).shape) == 1:
            assert kind == "F32", name
        elif "blocks." not in name:
            assert kind == "F16", name
    fields = {key: field.contents() for key, field in reader.fields.items()}
    assert fields["general.architecture"] == "flux"
    assert fields["general.quantization_version"] == gguf.GGML_QUANT_VERSION
    assert fields["general.file_type"] == gguf.LlamaFileType.MOSTLY_Q4_K_S
    assert fields["autostudio.source.sha256"] == made.source


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, torch.Tensor], Path]:
    """All tensors of a Flux of true height under diffusers' names, one column wide, no two alike."""
    config = {"num_layers": 2, "num_single_layers": 2, "guidance_embeds": True}
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in FluxTransformer2DModel(**config).state_dict().items()}
    state = {
        name: (torch.arange(shape[0]) % 509 + number).reshape(-1, *[1] * (len(shape) - 1)).half()
        for number, (name, shape) in enumerate(shapes.items())
    }
    path = tmp_path_factory.mktemp("narrow") / "diffusers.safetensors"
    save_file(state, path)
    return state, path


def test_true_flux_gets_the_names_that_diffusers_converts_back(
    narrow: tuple[dict[str, torch.Tensor], Path], tmp_path: Path
) -> None:
    state, path = narrow
    made = convert(path, tmp_path / "bfl.gguf", LEVELS["F16"])
    stored = GgufSource(made.path)
    assert "double_blocks.1.img_attn.qkv.weight" in stored.shapes
    back = convert_flux_transformer_checkpoint_to_diffusers(
        {name: read_tensor(stored, name) for name in stored.shapes}
    )
    assert set(back) == set(state)
    for name, value in state.items():
        assert torch.equal(back[name].float(), value.float()), name
    # Those names in, under a prefix and beside another model: the same file but for the source's hash.
    whole = {f"model.diffusion_model.{name}": read_tensor(stored, name) for name in stored.shapes}
    save_file(whole | {"vae.decoder.conv_in.weight": torch.ones(1)}, tmp_path / "whole.safetensors")
    again = convert(tmp_path / "whole.safetensors", tmp_path / "again.gguf", LEVELS["F16"])
    assert again.left_out == 1
    for name in stored.shapes:
        assert torch.equal(read_tensor(GgufSource(again.path), name), read_tensor(stored, name))


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2], ids=str
)
def test_weights_of_any_float_type_are_read(dtype: torch.dtype, tmp_path: Path) -> None:
    name = "double_blocks.0.img_mlp.0.weight"
    values = torch.randn(4, 512, generator=torch.Generator().manual_seed(4)).to(dtype)
    save_file({name: values}, tmp_path / "in.safetensors")
    for level in ("F16", "Q8_0", "Q4_K_S"):
        made = convert(tmp_path / "in.safetensors", tmp_path / f"{level}.gguf", LEVELS[level])
        wanted = gguf.quants.dequantize(
            encode(values.float(), LEVELS[level].type).numpy(),
            gguf.GGMLQuantizationType(LEVELS[level].type.number),
        )
        found = read_tensor(GgufSource(made.path), name).float()
        np.testing.assert_array_equal(found.numpy(), wanted.astype(np.float32).reshape(4, 512))


def test_a_missing_part_is_named(narrow: tuple[dict[str, torch.Tensor], Path], tmp_path: Path) -> None:
    state = dict(narrow[0])
    del state["transformer_blocks.1.attn.to_k.weight"]
    save_file(state, tmp_path / "less.safetensors")
    with pytest.raises(ConfigError, match="to_k"):
        convert(tmp_path / "less.safetensors", tmp_path / "out.gguf", LEVELS["F16"])


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    config = T5Config(
        vocab_size=96,
        d_model=256,
        d_kv=32,
        d_ff=512,
        num_layers=2,
        num_heads=8,
        feed_forward_proj="gated-gelu",
        is_encoder_decoder=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = T5EncoderModel(config).eval()
    folder = tmp_path_factory.mktemp("t5") / "text_encoder_2"
    model.save_pretrained(folder)
    return model, folder


@pytest.mark.parametrize(("name", "limit"), [("F16", 2e-3), ("Q8_0", 2e-2), ("Q4_K_S", 0.3)])
def test_a_t5_encoder_is_read_by_transformers(
    t5: tuple[Any, Path], name: str, limit: float, tmp_path: Path
) -> None:
    model, folder = t5
    made = convert(folder, tmp_path / "t5.gguf", LEVELS[name])
    assert made.architecture == "t5encoder"
    # Without the config transformers takes relu for the activation: a GGUF file has no field for it.
    loaded = T5EncoderModel.from_pretrained(
        tmp_path, gguf_file="t5.gguf", dtype=torch.float32, config=T5Config.from_pretrained(folder)
    ).eval()
    tokens = torch.arange(12)[None]
    with torch.no_grad():
        wanted, found = (m(tokens).last_hidden_state for m in (model, loaded))
    assert float((found - wanted).norm() / wanted.norm()) < limit
    again = convert(made.path, tmp_path / "again.gguf", LEVELS[name])
    assert again.architecture == "t5encoder"


def test_a_checkpoint_with_its_t5_in_gguf_reads_prompts_as_before(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "with_gguf"
    shutil.copytree(tiny, folder)
    encoder = folder / "text_encoder_2"
    convert(encoder, encoder / "t5-F16.gguf", LEVELS["F16"])
    for weights in encoder.glob("*.safetensors*"):
        weights.unlink()
    tokens = torch.arange(3, 15)[None]
    with torch.no_grad():
        wanted, found = (
            read_text(open_checkpoint(where), dtype=torch.float32)[0](tokens).last_hidden_state
            for where in (tiny, folder)
        )
    assert float((found - wanted).norm() / wanted.norm()) < 2e-3
    (encoder / "config.json").unlink()
    with pytest.raises(WeightsMissing, match="says too little"):
        read_text(open_checkpoint(folder), dtype=torch.float32)


def test_clip_is_refused_with_a_reason(tmp_path: Path) -> None:
    save_file({"text_model.encoder.layers.0.mlp.fc1.weight": torch.ones(2, 2)}, tmp_path / "clip.safetensors")
    with pytest.raises(ConfigError, match="transformers does not read"):
        convert(tmp_path / "clip.safetensors", tmp_path / "out.gguf", LEVELS["Q8_0"])


def test_importance_gathered_on_use_lowers_the_error_of_that_use(
    small_flux: Any, small_folder: Path, tmp_path: Path
) -> None:
    with gather(small_flux) as found:
        wanted = draw(small_flux)
    write_importance(tmp_path / "importance.safetensors", found)
    assert set(found) <= {name for name, _ in small_flux.named_parameters()}
    errors: list[float] = []
    for imatrix in (tmp_path / "importance.safetensors", None):
        made = convert(small_folder, tmp_path / "out.gguf", LEVELS["Q2_K"], imatrix=imatrix)
        assert made.unweighted == (None if imatrix is None else 0)
        errors.append(float((draw(load(made.path, small_folder)) - wanted).norm()))
    assert errors[0] < errors[1]


def test_importance_under_diffusers_names_suits_a_checkpoint_of_black_forest_labs(tmp_path: Path) -> None:
    save_file({"double_blocks.3.img_attn.qkv.weight": torch.randn(6, 256)}, tmp_path / "bfl.safetensors")
    write_importance(
        tmp_path / "of_diffusers.safetensors",
        {f"transformer_blocks.3.attn.to_{part}.weight": torch.rand(256) for part in "qkv"},
    )
    made = convert(
        tmp_path / "bfl.safetensors",
        tmp_path / "out.gguf",
        LEVELS["Q3_K_S"],
        imatrix=tmp_path / "of_diffusers.safetensors",
    )
    assert made.unweighted == 0


def test_importance_is_read_softened_and_without_zeros(tmp_path: Path) -> None:
    write_importance(tmp_path / "one.safetensors", {"a.weight": torch.tensor([0.0, 1.0, 3.0])})
    vector = read_importance(tmp_path / "one.safetensors")["a.weight"]
    assert vector.tolist() == pytest.approx([1e-3**0.5, 0.75**0.5, 2.25**0.5])
    write_importance(tmp_path / "bad.safetensors", {"a.weight": torch.tensor([-1.0, 3.0])})
    with pytest.raises(ConfigError, match="negative"):
        read_importance(tmp_path / "bad.safetensors")


def test_the_command_writes_a_file_and_says_so(
    small_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "flux.gguf"
    assert main(["quantize", str(small_folder), "--level", "q4_k", "-o", str(out), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["level"] == "Q4_K_S"
    assert facts["path"] == str(out)
    assert facts["bytes"] == out.stat().st_size
    assert main(["quantize", str(small_folder), "--level", "Q5_K_S", "-o", str(out)]) == 0
    assert "Q5_K_S" in capsys.readouterr().err
    for level, words in (("Q4_K_M", "did you mean"), ("huge", "choose one of")):
        assert main(["quantize", str(small_folder), "--level", level, "-o", str(out)]) == 2
        assert words in capsys.readouterr().err
    assert main(["quantize", str(tmp_path / "none"), "--level", "Q8_0", "-o", str(out)]) == 2
    assert main(["quantize", str(out), "--level", "Q8_0", "-o", str(out)]) == 2
    assert "source itself" in capsys.readouterr().err


def test_levels_are_found_in_any_case() -> None:
    assert level_of("q4_k_s") is level_of("Q4_K") is LEVELS["Q4_K_S"]


def test_one_hash_for_one_file(small_folder: Path, tmp_path: Path) -> None:
    save_file({"double_blocks.0.img_mlp.0.weight": torch.ones(4, 256)}, tmp_path / "one.safetensors")
    made = convert(tmp_path / "one.safetensors", tmp_path / "one.gguf", LEVELS["Q8_0"])
    assert made.source == sha256_of(tmp_path / "one.safetensors")
    values = read_tensor(GgufSource(made.path), "double_blocks.0.img_mlp.0.weight").numpy()
    np.testing.assert_allclose(values, 1, rtol=1e-3)
