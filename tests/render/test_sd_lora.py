"""LoRA files on Stable Diffusion: each dialect changes the layers it names by weight · alpha / rank · B A."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from model.config import Adapter
from model.errors import ConfigError
from model.render.lora.merge import merge_adapters
from tests.render.sd_checkpoints import SECOND, WIDTH, unet_of, words_of

RANK, ALPHA, WEIGHT = 2, 4.0, 0.5
ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_q"
PROJECTION = "encoder.layers.1.self_attn.q_proj"
MLP = "encoder.layers.0.mlp.fc1"


def fresh(*, wide: bool) -> dict[str, Any]:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        encoders = zip(("text_encoder", "text_encoder_2"), words_of(wide=wide), strict=False)
        return {"unet": unet_of(wide=wide), **dict(encoders)}


@pytest.fixture
def models() -> dict[str, Any]:
    return fresh(wide=False)


def down(into: int) -> torch.Tensor:
    return torch.randn(RANK, into, generator=torch.Generator().manual_seed(1))


def up(out: int) -> torch.Tensor:
    return torch.randn(out, RANK, generator=torch.Generator().manual_seed(2))


def kohya(prefix: str, layer: str, into: int, out: int) -> dict[str, torch.Tensor]:
    stem = f"{prefix}_{layer.replace('.', '_')}"
    return {
        f"{stem}.lora_down.weight": down(into),
        f"{stem}.lora_up.weight": up(out),
        f"{stem}.alpha": torch.tensor(ALPHA),
    }


def peft(part: str, layer: str, into: int, out: int) -> dict[str, torch.Tensor]:
    return {f"{part}.{layer}.lora_A.weight": down(into), f"{part}.{layer}.lora_B.weight": up(out)}


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("dialect", ["kohya", "peft"])
def test_a_lora_changes_what_it_names(tmp_path: Path, dialect: str, wide: bool) -> None:
    models = fresh(wide=wide)
    before = {
        (part, name): value.clone()
        for part, one in models.items()
        for name, value in one.state_dict().items()
    }
    told = [("text_encoder", PROJECTION, WIDTH), ("text_encoder", MLP, WIDTH)]
    told += [("text_encoder_2", PROJECTION, SECOND), ("text_encoder_2", MLP, SECOND)] if wide else []
    if dialect == "kohya":
        # For SDXL kohya's trainer keeps the block names of Stability AI.
        layer = ATTENTION.replace("down_blocks.0.attentions.0", "input_blocks.1.1") if wide else ATTENTION
        state = kohya("lora_unet", layer, 16, 16)
        stems = {"text_encoder": "lora_te1" if wide else "lora_te", "text_encoder_2": "lora_te2"}
        for part, layer, width in told:
            state |= kohya(f"{stems[part]}_text_model", layer, width, width)
    else:
        state = peft("unet", ATTENTION, 16, 16)
        for part, layer, width in told:
            state |= peft(f"{part}.text_model", layer, width, width)
    save_file(state, tmp_path / "a.safetensors")
    adapter = Adapter(path=str(tmp_path / "a.safetensors"), weight=WEIGHT)
    merge_adapters(models, (adapter,), "sdxl" if wide else "sd15")
    scale = WEIGHT * (ALPHA / RANK if dialect == "kohya" else 1)
    expected = {("unet", f"{ATTENTION}.weight"): up(16) @ down(16) * scale}
    for part, layer, width in told:
        inside = "text_model." if hasattr(models[part], "text_model") else ""
        expected[part, f"{inside}{layer}.weight"] = up(width) @ down(width) * scale
    assert set(expected) <= set(before)
    for key, value in before.items():
        moved = models[key[0]].state_dict()[key[1]] - value
        torch.testing.assert_close(moved, expected.get(key, torch.zeros_like(value)), atol=1e-5, rtol=1e-5)


def test_a_lora_for_another_model_is_refused(models: dict[str, Any], tmp_path: Path) -> None:
    refused = functools.partial(merge_adapters, models, family="sd15")
    for state in (
        peft("unet", ATTENTION, 8, 16),
        peft("text_encoder_2", "text_model.encoder.layers.0.mlp.fc1", WIDTH, WIDTH),
        peft("unet", "down_blocks.7.attentions.0.to_q", 16, 16),
    ):
        save_file(state, tmp_path / "a.safetensors")
        with pytest.raises(ConfigError, match="--lora"):
            refused((Adapter(path=str(tmp_path / "a.safetensors")),))
