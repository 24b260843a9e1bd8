"""LoRA files of every trainer change a model by their own formula, or are refused with the true reason.

The formulas stand here a second time, in numpy and element by element where that is short, and the names of
layers are written out: nothing of the product decides what is expected.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from model.config import Adapter
from model.errors import ConfigError
from model.render.lora.merge import merge_adapters
from model.render.lora.names import read_contents
from tests.render import sd_checkpoints
from tests.render.sd_checkpoints import WIDTH

RANK, SHARE = 3, 0.75


def flux(width: int = 32) -> Any:
    """A transformer of Flux' architecture, of any width: two blocks of each kind."""
    from diffusers import FluxTransformer2DModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return FluxTransformer2DModel(
            patch_size=1,
            in_channels=12,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=width // 16,
            joint_attention_dim=24,
            pooled_projection_dim=20,
            guidance_embeds=True,
            axes_dims_rope=(4, 6, 6),
        )


def unet_of(*, wide: bool) -> Any:
    with torch.no_grad():
        return sd_checkpoints.unet_of(wide=wide)


def words_of() -> Any:
    with torch.no_grad():
        return sd_checkpoints.words_of(wide=False)[0]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape))) * 0.2


def pair(columns: int, rows: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    return drawn(RANK, columns, seed=seed), drawn(rows, RANK, seed=seed + 1)


def merged(
    model: nn.Module, state: dict[str, Tensor], folder: Path, family: str, **more: Any
) -> dict[str, Tensor]:
    """What a file adds to each weight that it changes."""
    part = more.pop("part", "transformer" if family == "flux" else "unet")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    save_file({name: value.clone() for name, value in state.items()}, folder / "a.safetensors", **more)
    adapter = Adapter(path=str(folder / "a.safetensors"), weight=SHARE)
    merge_adapters({part: model}, (adapter,), family)
    after = model.state_dict()
    return {
        name: after[name] - value for name, value in before.items() if not torch.equal(after[name], value)
    }


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value.reshape(found[name].shape), atol=1e-5, rtol=1e-4)


KOHYA = (".lora_down.weight", ".lora_up.weight")
PEFT = (".lora_A.weight", ".lora_B.weight")
NAMED = (".lora_A.default.weight", ".lora_B.default.weight")
OLD = (".lora.down.weight", ".lora.up.weight")
XLABS = (".down.weight", ".up.weight")

# A file's name of a layer, with its two endings → names in diffusers, one under the other.
Q, K, V = (f"transformer_blocks.1.attn.to_{one}" for one in "qkv")
ADDED = tuple(f"transformer_blocks.0.attn.add_{one}_proj" for one in "qkv")
MLP = "single_transformer_blocks.1.proj_mlp"
SINGLE = tuple(f"single_transformer_blocks.1.attn.to_{one}" for one in "qkv")
FLUX: dict[str, tuple[str, tuple[str, str], tuple[str, ...]]] = {
    "kohya, fused": ("lora_unet_double_blocks_1_img_attn_qkv", KOHYA, (Q, K, V)),
    "kohya, text side": ("lora_unet_double_blocks_0_txt_attn_qkv", KOHYA, ADDED),
    "kohya, mlp": ("lora_unet_double_blocks_0_txt_mlp_2", KOHYA, ("transformer_blocks.0.ff_context.net.2",)),
    "kohya, linear1": (
        "lora_unet_single_blocks_1_linear1",
        KOHYA,
        (*SINGLE, MLP),
    ),
    "kohya, linear2": ("lora_unet_single_blocks_0_linear2", KOHYA, ("single_transformer_blocks.0.proj_out",)),
    "kohya, modulation": (
        "lora_unet_double_blocks_0_img_mod_lin",
        KOHYA,
        ("transformer_blocks.0.norm1.linear",),
    ),
    "kohya, entrance": ("lora_unet_txt_in", KOHYA, ("context_embedder",)),
    "onetrainer": ("lora_transformer_transformer_blocks_1_attn_to_q", KOHYA, (Q,)),
    "onetrainer, out": (
        "lora_transformer_transformer_blocks_0_attn_to_out_0",
        KOHYA,
        ("transformer_blocks.0.attn.to_out.0",),
    ),
    "onetrainer, exit": ("lora_transformer_norm_out_linear", KOHYA, ("norm_out.linear",)),
    "peft": ("base_model.model.transformer_blocks.1.attn.to_q", PEFT, (Q,)),
    "peft, named": ("base_model.model.transformer_blocks.1.attn.to_q", NAMED, (Q,)),
    "peft, in diffusers": ("transformer.single_transformer_blocks.1.proj_mlp", PEFT, (MLP,)),
    "peft, bare": ("single_transformer_blocks.1.proj_mlp", PEFT, (MLP,)),
    "comfy": ("diffusion_model.double_blocks.1.img_attn.qkv", PEFT, (Q, K, V)),
    "comfy, kohya's ends": ("diffusion_model.double_blocks.1.img_attn.qkv", KOHYA, (Q, K, V)),
    "comfy, model": ("model.diffusion_model.single_blocks.1.linear1", PEFT, (*SINGLE, MLP)),
    "ai-toolkit": (
        "transformer.transformer_blocks.1.ff.net.0.proj",
        PEFT,
        ("transformer_blocks.1.ff.net.0.proj",),
    ),
    "diffusers, old": ("transformer.transformer_blocks.1.attn.to_q", OLD, (Q,)),
    "xlabs, image": ("double_blocks.1.processor.qkv_lora1", XLABS, (Q, K, V)),
    "xlabs, text": ("double_blocks.0.processor.qkv_lora2", XLABS, ADDED),
    "xlabs, out": ("double_blocks.0.processor.proj_lora1", XLABS, ("transformer_blocks.0.attn.to_out.0",)),
    "xlabs, text out": (
        "double_blocks.0.processor.proj_lora2",
        XLABS,
        ("transformer_blocks.0.attn.to_add_out",),
    ),
    "xlabs, single": ("diffusion_model.single_blocks.1.processor.qkv_lora", XLABS, SINGLE),
    "xlabs, single out": (
        "single_blocks.0.processor.proj_lora",
        XLABS,
        ("single_transformer_blocks.0.proj_out",),
    ),
}


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("alpha", [None, 6.0])
@pytest.mark.parametrize("dialect", FLUX)
def test_flux_of_every_trainer_and_width(
    dialect: str, alpha: float | None, width: int, tmp_path: Path
) -> None:
    stem, (down_end, up_end), names = FLUX[dialect]
    model = flux(width)
    weights = [model.state_dict()[f"{name}.weight"] for name in names]
    down, up = pair(weights[0].shape[1], sum(map(len, weights)))
    state = {stem + down_end: down, stem + up_end: up}
    if alpha is not None:
        state[f"{stem}.alpha"] = torch.tensor(alpha)
    whole = SHARE * (1.0 if alpha is None else alpha / RANK) * torch.from_numpy(up.numpy() @ down.numpy())
    parts = whole.split([len(weight) for weight in weights])
    expected = {f"{name}.weight": part for name, part in zip(names, parts, strict=True)}
    same(merged(model, state, tmp_path, "flux"), expected)


def test_the_halves_of_the_last_modulation_are_swapped_in_bfls_files(tmp_path: Path) -> None:
    down, up = pair(32, 64)
    state = {
        "lora_unet_final_layer_adaLN_modulation_1" + KOHYA[0]: down,
        "lora_unet_final_layer_adaLN_modulation_1" + KOHYA[1]: up,
    }
    shift, scale = (SHARE * up @ down).chunk(2)
    same(merged(flux(), state, tmp_path, "flux"), {"norm_out.linear.weight": torch.cat([scale, shift])})


# --- formulas, on a layer of 32 × 32 and on the fused one of 96 × 32

PROJ, OUT = "lora_unet_double_blocks_0_img_attn_proj", "transformer_blocks.0.attn.to_out.0.weight"


def dora(weight: np.ndarray, added: np.ndarray, magnitude: np.ndarray, axis: int) -> np.ndarray:
    changed = weight + added
    length = np.sqrt((changed**2).sum(axis=axis, keepdims=True))
    return SHARE * (changed / length * magnitude - weight)


@pytest.mark.parametrize("axis", [0, 1])
def test_dora_sets_the_length_that_was_trained(axis: int, tmp_path: Path) -> None:
    model, (down, up) = flux(), pair(32, 32)
    magnitude = drawn(*((32, 1) if axis else (1, 32))).abs() + 0.5
    state = {
        PROJ + KOHYA[0]: down,
        PROJ + KOHYA[1]: up,
        f"{PROJ}.alpha": torch.tensor(6.0),
        f"{PROJ}.dora_scale": magnitude,
    }
    before = model.state_dict()[OUT].numpy().copy()
    moved = dora(before, up.numpy() @ down.numpy() * 2, magnitude.numpy(), axis)
    same(merged(model, state, tmp_path, "flux"), {OUT: torch.from_numpy(moved)})


@pytest.mark.parametrize("end", ["", ".weight", ".default.weight"])
def test_dora_as_peft_writes_it(end: str, tmp_path: Path) -> None:
    model, (down, up) = flux(), pair(32, 32)
    magnitude = drawn(32).abs() + 0.5
    stem = "transformer.transformer_blocks.0.attn.to_out.0"
    before = model.state_dict()[OUT].numpy().copy()
    moved = dora(before, up.numpy() @ down.numpy(), magnitude.numpy()[:, None], 1)
    state = {stem + PEFT[0]: down, stem + PEFT[1]: up, f"{stem}.lora_magnitude_vector{end}": magnitude}
    same(merged(model, state, tmp_path, "flux"), {OUT: torch.from_numpy(moved)})


def test_dora_on_three_layers_in_one(tmp_path: Path) -> None:
    model, (down, up) = flux(), pair(32, 96)
    stem, names = "lora_unet_double_blocks_1_img_attn_qkv", [f"{name}.weight" for name in (Q, K, V)]
    magnitude = drawn(1, 32).abs() + 0.5  # one a column, of all three together
    before = np.concatenate([model.state_dict()[name].numpy() for name in names])
    moved = torch.from_numpy(dora(before, up.numpy() @ down.numpy(), magnitude.numpy(), 0))
    state = {stem + KOHYA[0]: down, stem + KOHYA[1]: up, f"{stem}.dora_scale": magnitude}
    same(merged(model, state, tmp_path, "flux"), dict(zip(names, moved.chunk(3), strict=True)))


def test_loha_multiplies_two_products(tmp_path: Path) -> None:
    parts = {
        f"hada_w{n}_{ab}": drawn(*shape, seed=n)
        for n in (1, 2)
        for ab, shape in (("a", (32, RANK)), ("b", (RANK, 32)))
    }
    state = {f"{PROJ}.{name}": value for name, value in parts.items()} | {f"{PROJ}.alpha": torch.tensor(6.0)}
    one, two = (parts[f"hada_w{n}_a"].numpy() @ parts[f"hada_w{n}_b"].numpy() for n in (1, 2))
    same(merged(flux(), state, tmp_path, "flux"), {OUT: torch.from_numpy(SHARE * 2 * one * two)})


@pytest.mark.parametrize("factored", [(False, False), (True, False), (False, True), (True, True)])
def test_lokr_is_a_kronecker_product(factored: tuple[bool, bool], tmp_path: Path) -> None:
    state, halves = {f"{PROJ}.alpha": torch.tensor(6.0)}, []
    for number, (side, split) in enumerate(zip((4, 8), factored, strict=True), start=1):
        if split:
            a, b = drawn(side, RANK, seed=number), drawn(RANK, side, seed=number)
            state |= {f"{PROJ}.lokr_w{number}_a": a, f"{PROJ}.lokr_w{number}_b": b}
            halves.append(a.numpy() @ b.numpy())
        else:
            state[f"{PROJ}.lokr_w{number}"] = drawn(side, side, seed=number)
            halves.append(state[f"{PROJ}.lokr_w{number}"].numpy())
    one, two = halves
    whole = np.array([[one[i // 8, j // 8] * two[i % 8, j % 8] for j in range(32)] for i in range(32)])
    # Two whole matrices have no rank to divide alpha by.
    scale = 6.0 / RANK if any(factored) else 1.0
    same(merged(flux(), state, tmp_path, "flux"), {OUT: torch.from_numpy(SHARE * scale * whole)})


def test_differences_and_biases_are_added_as_they_are(tmp_path: Path) -> None:
    change, bias, norm = drawn(32, 32), drawn(32), drawn(16)
    stem = "diffusion_model.double_blocks.0.img_attn"
    state = {f"{stem}.proj.diff": change, f"{stem}.proj.diff_b": bias, f"{stem}.norm.query_norm.diff": norm}
    same(
        merged(flux(), state, tmp_path, "flux"),
        {
            OUT: SHARE * change,
            OUT.replace("weight", "bias"): SHARE * bias,
            "transformer_blocks.0.attn.norm_q.weight": SHARE * norm,
        },
    )


def test_a_bias_that_peft_trained(tmp_path: Path) -> None:
    down, up = pair(32, 32)
    stem, bias = "transformer.transformer_blocks.0.attn.to_out.0", drawn(32)
    state = {stem + PEFT[0]: down, stem + PEFT[1]: up, f"{stem}.lora_B.bias": bias}
    expected = {OUT: SHARE * up @ down, OUT.replace("weight", "bias"): SHARE * bias}
    same(merged(flux(), state, tmp_path, "flux"), expected)


@pytest.mark.parametrize(
    ("told", "scale"),
    [
        ({"lora_alpha": 6}, 2.0),
        ({"lora_alpha": 6, "use_rslora": True}, 6 / RANK**0.5),
        ({"lora_alpha": 6, "alpha_pattern": {"attn.to_out.0": 12}}, 4.0),
        ({"lora_alpha": 6, "alpha_pattern": {"single.*": 12, "(": 3}}, 2.0),
        ({"r": 3}, 1.0),
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_alpha_as_peft_describes_it(told: dict[str, Any], scale: float, beside: bool, tmp_path: Path) -> None:
    (down, up), stem = pair(32, 32), "base_model.model.transformer_blocks.0.attn.to_out.0"
    state, model = {stem + PEFT[0]: down, stem + PEFT[1]: up}, flux()
    if beside:
        before = model.state_dict()[OUT].clone()
        save_file(state, tmp_path / "adapter_model.safetensors")
        (tmp_path / "adapter_config.json").write_text(json.dumps(told))
        merge_adapters(
            {"transformer": model},
            (Adapter(path=str(tmp_path / "adapter_model.safetensors"), weight=SHARE),),
            "flux",
        )
        found = {OUT: model.state_dict()[OUT] - before}
    else:
        described = json.dumps({f"transformer.{key}": value for key, value in told.items()})
        found = merged(model, state, tmp_path, "flux", metadata={"lora_adapter_metadata": described})
    same(found, {OUT: SHARE * scale * up @ down})


# --- text encoders


@pytest.mark.parametrize(
    "stem",
    [
        "lora_te1_text_model_encoder_layers_0_mlp_fc1",
        "lora_te_text_model_encoder_layers_0_mlp_fc1",
        "text_encoder.text_model.encoder.layers.0.mlp.fc1",
        "text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1",
        "base_model.model.text_model.encoder.layers.0.mlp.fc1",
    ],
)
def test_flux_with_its_first_text_encoder(stem: str, tmp_path: Path) -> None:
    encoder = words_of()
    (down, up) = pair(WIDTH, len(_of(encoder, "encoder.layers.0.mlp.fc1.weight")[1]))
    found = merged(
        encoder, {stem + KOHYA[0]: down, stem + KOHYA[1]: up}, tmp_path, "flux", part="text_encoder"
    )
    same(found, {_of(encoder, "encoder.layers.0.mlp.fc1.weight")[0]: SHARE * up @ down})


@pytest.mark.parametrize(
    "stem",
    [
        "lora_te3_encoder_block_0_layer_0_SelfAttention_q",
        "lora_te2_encoder_block_0_layer_0_SelfAttention_q",
        "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q",
        "text_encoder_2.encoder.block.0.layer.0.SelfAttention.q",
    ],
)
def test_flux_with_its_second_text_encoder(stem: str, tmp_path: Path) -> None:
    from transformers import T5Config, T5EncoderModel

    encoder = T5EncoderModel(T5Config(vocab_size=20, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2))
    (down, up) = pair(16, 16)
    found = merged(
        encoder, {stem + KOHYA[0]: down, stem + KOHYA[1]: up}, tmp_path, "flux", part="text_encoder_2"
    )
    same(found, {"encoder.block.0.layer.0.SelfAttention.q.weight": SHARE * up @ down})


def _of(model: nn.Module, end: str) -> tuple[str, Tensor]:
    return next((name, value) for name, value in model.state_dict().items() if name.endswith(end))


# --- Stable Diffusion

ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_q"
CONVOLUTION = "down_blocks.0.resnets.0.conv1"
SD: dict[str, tuple[bool, str, tuple[str, str], str]] = {
    "sd15 kohya": (False, "lora_unet_" + ATTENTION.replace(".", "_"), KOHYA, ATTENTION),
    "sd15 peft": (False, "base_model.model." + ATTENTION, PEFT, ATTENTION),
    "sd15 diffusers": (False, "unet." + ATTENTION, PEFT, ATTENTION),
    "sd15 old diffusers": (
        False,
        "unet." + ATTENTION.replace("to_q", "processor.to_q_lora"),
        XLABS,
        ATTENTION,
    ),
    "sd15 out": (
        False,
        "unet." + ATTENTION.replace("to_q", "processor.to_out_lora"),
        XLABS,
        ATTENTION.replace("to_q", "to_out.0"),
    ),
    "sdxl kohya": (True, "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_q", KOHYA, ATTENTION),
    "sdxl onetrainer": (True, "lora_unet_" + ATTENTION.replace(".", "_"), KOHYA, ATTENTION),
    "sdxl comfy": (True, "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_q", PEFT, ATTENTION),
    "sdxl convolution": (True, "lora_unet_input_blocks_1_0_in_layers_2", KOHYA, CONVOLUTION),
    "sd15 convolution": (False, "lora_unet_" + CONVOLUTION.replace(".", "_"), KOHYA, CONVOLUTION),
}


@pytest.mark.parametrize("dialect", SD)
def test_stable_diffusion_of_every_trainer(dialect: str, tmp_path: Path) -> None:
    wide, stem, (down_end, up_end), name = SD[dialect]
    model = unet_of(wide=wide)
    weight = model.state_dict()[f"{name}.weight"]
    down, up = drawn(RANK, *weight.shape[1:]), drawn(len(weight), RANK, *(1 for _ in weight.shape[2:]))
    whole = torch.einsum("or,ri->oi", up.flatten(1), down.flatten(1))
    found = merged(model, {stem + down_end: down, stem + up_end: up}, tmp_path, "sdxl" if wide else "sd15")
    same(found, {f"{name}.weight": SHARE * whole})


def test_every_layer_of_an_sdxl_unet_has_stability_ais_name_too() -> None:
    """Held against the table that published checkpoints are written by in these tests."""
    from model.render.lora.targets import flat, targets_of
    from tests.render.ldm_names import unet_state

    model = unet_of(wide=True)
    targets = targets_of("unet", model)
    levels, layers = len(model.config.block_out_channels), model.config.layers_per_block
    named = unet_state(model, levels=levels, layers=layers)
    weights = {id(module): module.weight for module in model.modules() if hasattr(module, "weight")}
    for theirs, value in named.items():
        if theirs.endswith(".weight"):
            name = theirs.removesuffix(".weight").removeprefix("model.diffusion_model.")
            (module,) = targets[flat(name)].modules
            assert torch.equal(weights[id(module)], value), name
    assert len(named) > 50


TUCKER = "rshw,si,ro->oihw"


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr"])
def test_convolutions_in_tucker_form(kind: str, tmp_path: Path) -> None:
    model, stem = unet_of(wide=False), "lora_unet_" + CONVOLUTION.replace(".", "_")
    weight = model.state_dict()[f"{CONVOLUTION}.weight"]
    rows, columns = weight.shape[:2]
    core = drawn(RANK, RANK, 3, 3)
    if kind == "lora":
        down, up = drawn(RANK, columns, 1, 1), drawn(rows, RANK, 1, 1)
        state = {".lora_down.weight": down, ".lora_up.weight": up, ".lora_mid.weight": core}
        whole = np.einsum("or,rshw,si->oihw", up.numpy()[..., 0, 0], core.numpy(), down.numpy()[..., 0, 0])
    elif kind == "loha":
        state = {
            f".hada_w{n}_{ab}": drawn(RANK, side, seed=n)
            for n in (1, 2)
            for ab, side in (("a", rows), ("b", columns))
        }
        state |= {f".hada_t{n}": core * n for n in (1, 2)}
        one, two = (
            np.einsum(
                "rshw,si,ro->oihw",
                core.numpy() * n,
                state[f".hada_w{n}_b"].numpy(),
                state[f".hada_w{n}_a"].numpy(),
            )
            for n in (1, 2)
        )
        whole = one * two
    else:
        state = {
            ".lokr_w1": drawn(2, 2),
            ".lokr_t2": core,
            ".lokr_w2_a": drawn(RANK, rows // 2),
            ".lokr_w2_b": drawn(RANK, columns // 2),
        }
        two = np.einsum(
            "rshw,si,ro->oihw", core.numpy(), state[".lokr_w2_b"].numpy(), state[".lokr_w2_a"].numpy()
        )
        whole = np.kron(state[".lokr_w1"].numpy()[:, :, None, None], two)
    found = merged(model, {stem + end: value for end, value in state.items()}, tmp_path, "sd15")
    same(found, {f"{CONVOLUTION}.weight": torch.from_numpy(SHARE * whole)})


# --- what is refused, and why

down8, up8 = pair(32, 32)


def good() -> dict[str, Tensor]:
    return {PROJ + KOHYA[0]: down8, PROJ + KOHYA[1]: up8}


REFUSED: dict[str, tuple[Callable[[], dict[str, Tensor]], str]] = {
    "sd15": (
        lambda: {f"lora_unet_{ATTENTION.replace('.', '_')}{end}": drawn(4, 4) for end in KOHYA},
        "is for Stable Diffusion",
    ),
    "wan": (
        lambda: {f"diffusion_model.blocks.0.self_attn.q{end}": drawn(4, 4) for end in PEFT},
        "is for Wan",
    ),
    "chroma": (
        lambda: {f"diffusion_model.distilled_guidance_layer.in_proj{end}": drawn(4, 4) for end in PEFT},
        "is for Chroma",
    ),
    "more blocks": (
        lambda: {f"lora_unet_double_blocks_18_img_attn_proj{end}": drawn(32, 32) for end in KOHYA},
        "no counterpart in the transformer",
    ),
    "wider": (
        lambda: {PROJ + KOHYA[0]: drawn(4, 3072), PROJ + KOHYA[1]: drawn(3072, 4)},
        "as of Flux.1, expected",
    ),
    "no up": (lambda: {PROJ + KOHYA[0]: down8}, "makes no whole LoRA"),
    "no down": (lambda: {PROJ + KOHYA[1]: up8}, "makes no whole LoRA"),
    "alpha alone": (lambda: {f"{PROJ}.alpha": torch.tensor(1.0)}, "makes no whole LoRA"),
    "one good, one torn": (lambda: good() | {"lora_unet_txt_in.lora_up.weight": up8}, "txt_in has only"),
    "one good, one strange": (
        lambda: good() | {"something.else": up8},
        "something.else, which is of no known kind",
    ),
    "one good, one unknown": (
        lambda: good() | {f"lora_unet_nowhere{end}": drawn(4, 4) for end in KOHYA},
        "nowhere has no counterpart",
    ),
    "oft": (lambda: {f"{PROJ}.oft_blocks": drawn(2, 4, 4)}, "holds OFT"),
    "glora": (lambda: {f"{PROJ}.a1.weight": drawn(4, 4)}, "holds GLoRA"),
    "ia3": (lambda: {f"{PROJ}.on_input": drawn(1)}, "holds IA3"),
    "textual inversion": (lambda: good() | {"bundle_emb.x.clip_l": drawn(2, 8)}, "textual inversion"),
    "checkpoint": (lambda: {"double_blocks.0.img_attn.proj.weight": drawn(4, 4)}, "give it to --model"),
    "not finite": (
        lambda: {PROJ + KOHYA[0]: down8 * float("nan"), PROJ + KOHYA[1]: up8},
        "not every number is finite",
    ),
    "ranks differ": (
        lambda: {PROJ + KOHYA[0]: drawn(3, 32), PROJ + KOHYA[1]: drawn(32, 4)},
        "for another model",
    ),
    "twice": (lambda: good() | {PROJ + PEFT[0]: down8}, "the same part of one layer"),
    "magnitude of nothing": (lambda: good() | {f"{PROJ}.dora_scale": drawn(7, 3)}, "a magnitude of"),
    "empty": (lambda: {}, "no tensors in it"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_rest_is_refused_with_its_reason_and_nothing_is_dropped(name: str, tmp_path: Path) -> None:
    make, told = REFUSED[name]
    with pytest.raises(ConfigError, match=told) as caught:
        merged(flux(), make(), tmp_path, "flux")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("--lora: ")


def test_an_sdxl_file_is_not_for_sd15(tmp_path: Path) -> None:
    state = {f"lora_te2_text_model_encoder_layers_0_mlp_fc1{end}": drawn(4, 4) for end in KOHYA}
    with pytest.raises(ConfigError, match="second text encoder, as of SDXL"):
        merged(unet_of(wide=False), state, tmp_path, "sd15")
    wide = ATTENTION.replace("to_q", "to_k")
    state = {f"unet.{wide}{PEFT[0]}": drawn(4, 2048), f"unet.{wide}{PEFT[1]}": drawn(16, 4)}
    with pytest.raises(ConfigError, match="as of SDXL"):
        merged(unet_of(wide=False), state, tmp_path, "sd15")


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345678\n"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (POINTER, "a Git LFS pointer"),
        (b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>", "a web page"),
        (b"\n\n  <html>", "a web page"),
        (b"Invalid username or password.", "refused it"),
        (b"", "empty"),
        (b"PK\x03\x04" + bytes(60), "a zip archive"),
        (b"\x80\x02}q\x00.", "a pickle"),
        (b"GGUF\x03\x00\x00\x00" + bytes(60), "no safetensors file that can be read"),
        (bytes(7), "no safetensors file"),
        ((1 << 40).to_bytes(8, "little") + b"{}", "no safetensors file"),
        ((100_000).to_bytes(8, "little") + b"[" * 100_000, "no safetensors file"),
        ((2).to_bytes(8, "little") + b"{}", "no tensors in it"),
    ],
)
def test_what_is_no_lora_file_is_called_what_it_is(data: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(data)
    with pytest.raises(ConfigError, match=told):
        read_contents(tmp_path / "a.safetensors", "flux")
