"""Single files of Stable Diffusion: they draw what the folder draws, and the published settings are the real
ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn

from model.errors import IntegrityError
from model.render.published import open_published, recognise
from model.render.sd import SDRenderer
from model.render.sd_single import PUBLISHED
from model.render.variants import VARIANTS
from tests.render.sd_checkpoints import CAST, OLD_ARRAYS, PICTURES, draw, open_sd, sampled, sd_folder

pytestmark = OLD_ARRAYS

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_LEVELS, _LAYERS = 2, 1  # of the tiny UNet


def _unet_names() -> dict[str, str]:
    """diffusers' module → CompVis', for the tiny UNet."""
    names = {
        "conv_in": "input_blocks.0.0",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }
    for level in range(_LEVELS):
        for layer in range(_LAYERS):
            block = f"input_blocks.{1 + level * (_LAYERS + 1) + layer}"
            names[f"down_blocks.{level}.resnets.{layer}"] = f"{block}.0"
            names[f"down_blocks.{level}.attentions.{layer}"] = f"{block}.1"
        names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{(level + 1) * (_LAYERS + 1)}.0.op"
        for layer in range(_LAYERS + 1):
            block = f"output_blocks.{level * (_LAYERS + 1) + layer}"
            names[f"up_blocks.{level}.resnets.{layer}"] = f"{block}.0"
            names[f"up_blocks.{level}.attentions.{layer}"] = f"{block}.1"
            names[f"up_blocks.{level}.upsamplers.0.conv"] = f"{block}.2.conv"
    return names


def _vae_names() -> dict[str, str]:
    names = {f"{side}.conv_norm_out": f"{side}.norm_out" for side in ("encoder", "decoder")}
    for side in ("encoder", "decoder"):
        names |= {f"{side}.mid_block.resnets.{n}": f"{side}.mid.block_{n + 1}" for n in range(2)}
        names[f"{side}.mid_block.attentions.0"] = f"{side}.mid.attn_1"
    for level in range(4):
        names[f"encoder.down_blocks.{level}.resnets"] = f"encoder.down.{level}.block"
        names[f"encoder.down_blocks.{level}.downsamplers.0"] = f"encoder.down.{level}.downsample"
        names[f"decoder.up_blocks.{level}.resnets"] = f"decoder.up.{3 - level}.block"
        names[f"decoder.up_blocks.{level}.upsamplers.0"] = f"decoder.up.{3 - level}.upsample"
    attention = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
    return names | {f".{ours}": f".{theirs}" for ours, theirs in attention.items()}


def _renamed(model: nn.Module, prefix: str, names: dict[str, str]) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        own = name
        for ours in sorted(names, key=len, reverse=True):
            if own.startswith(f"{ours}.") or (ours.startswith(".") and f"{ours}." in own):
                own = own.replace(ours, names[ours], 1)
        if ".resnets." in name and not prefix.startswith("first"):
            head, _, rest = own.rpartition(next(f".{one}." for one in _RESNET if f".{one}." in own))
            own = f"{head}.{_RESNET[name.split('.')[-2]]}.{rest}"
        own = own.replace("conv_shortcut", "nin_shortcut")
        state[f"{prefix}{own}"] = value.contiguous()
    return state


@pytest.fixture
def single(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """The tiny SD 1.5 as one file, with what is in no such file beside it."""
    folder = sd_folder(tmp_path_factory, "sd15")
    for name in ("tokenizer", "scheduler", "models"):
        (tmp_path / name).symlink_to(folder / name)
    for name in ("unet", "vae", "text_encoder"):  # their settings, not their weights
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_bytes((folder / name / "config.json").read_bytes())
    parts = open_sd(tmp_path_factory, "sd15").parts
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    state = _renamed(unet, "model.diffusion_model.", _unet_names())
    state |= _renamed(parts.vae, "first_stage_model.", _vae_names())
    words = {name: value.contiguous() for name, value in parts.encoders[0][1].state_dict().items()}
    state |= {f"cond_stage_model.transformer.text_model.{name}": value for name, value in words.items()}
    save_file(state, tmp_path / "comic.safetensors")
    return tmp_path / "comic.safetensors"


def test_a_single_file_draws_what_its_folder_draws(
    tmp_path_factory: pytest.TempPathFactory, single: Path
) -> None:
    assert recognise(single) == "sd15"
    checkpoint = open_published(VARIANTS["sd15"], single)
    renderer = SDRenderer(checkpoint, load_reference=PICTURES.__getitem__)
    request = sampled(CAST, guidance=4.0, steps=2)
    assert draw(renderer, request).tobytes() == draw(open_sd(tmp_path_factory, "sd15"), request).tobytes()


def test_a_file_with_holes_is_refused(single: Path) -> None:
    from safetensors.torch import load_file

    state = {name: one for name, one in load_file(single).items() if "input_blocks.1" not in name}
    save_file(state, single)
    checkpoint = open_published(VARIANTS["sd15"], single)
    with pytest.raises(IntegrityError, match="not a whole sd15 checkpoint"):
        SDRenderer(checkpoint, load_reference=PICTURES.__getitem__)


@pytest.mark.parametrize(
    ("family", "part", "count"),
    [("sd15", "unet", 859_520_964), ("sd15", "vae", 83_653_863), ("sdxl", "unet", 2_567_463_684)],
)
def test_the_settings_are_those_of_the_published_models(family: str, part: str, count: int) -> None:
    """By the numbers of weights that their makers name."""
    classes: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}
    with torch.device("meta"):
        model = classes[part].from_config(PUBLISHED[family][part])
    assert sum(value.numel() for value in model.parameters()) == count
