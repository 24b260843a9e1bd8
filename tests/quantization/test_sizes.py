"""The table of sizes against models that have the official shapes and no memory."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from quantization.levels import LEVELS
from quantization.rules import plan_file
from quantization.sizes import MODELS
from quantization.sources import open_source

STARTER = Path(__file__).parents[2] / "model" / "starter"


def shapes_of(model: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(values.shape) for name, values in model.state_dict().items()}


@pytest.mark.parametrize(("name", "guided"), [("flux-dev", True), ("flux-schnell", False)])
def test_flux_has_the_numbers_of_the_table(name: str, guided: bool) -> None:
    import torch
    from diffusers import FluxTransformer2DModel

    with torch.device("meta"):
        shapes = shapes_of(FluxTransformer2DModel(guidance_embeds=guided))
    part = MODELS[name].denoiser
    counts = {"Q4_K": 0, "F16": 0, "F32": 0}
    for tensor in plan_file(shapes, LEVELS["Q4_K_S"], origin={}).tensors:
        counts[tensor.type.name] += math.prod(tensor.shape)
    assert counts == {"Q4_K": part.packed, "F16": part.kept, "F32": part.vectors}
    blocks: dict[str, int] = {}
    for key, shape in shapes.items():
        block = re.match(r"(single_)?transformer_blocks\.\d+\.", key)
        blocks[block[0] if block else ""] = blocks.get(block[0] if block else "", 0) + math.prod(shape)
    assert part.outside == blocks.pop("")
    assert part.block == max(blocks.values())
    assert part.leaf == max(map(math.prod, shapes.values()))


def test_text_encoders_and_vae_have_the_numbers_of_the_table() -> None:
    import torch
    from diffusers import AutoencoderKL
    from transformers import T5Config, T5EncoderModel

    with torch.device("meta"):
        t5 = T5EncoderModel(
            T5Config(
                d_model=4096,
                d_ff=10240,
                num_heads=64,
                num_layers=24,
                vocab_size=32128,
                feed_forward_proj="gated-gelu",
            )
        )
        blocks: dict[str, Any] = {
            "block_out_channels": (128, 256, 512, 512),
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
        }
        vae = AutoencoderKL(
            **blocks,
            layers_per_block=2,
            latent_channels=16,
            use_quant_conv=False,
            use_post_quant_conv=False,
        )
    flux = MODELS["flux-dev"]
    assert sum(p.numel() for p in t5.parameters()) == flux.text[0].weights
    assert sum(p.numel() for p in vae.parameters()) == flux.vae.weights


def test_the_starter_has_the_numbers_of_the_table() -> None:
    starter = MODELS["starter"]
    shapes = open_source(STARTER / "transformer" / "flux-q8_0.gguf").shapes
    counts = {"Q8_0": 0, "F16": 0, "F32": 0}
    for tensor in plan_file(shapes, LEVELS["Q8_0"], origin={}).tensors:
        counts[tensor.type.name] += math.prod(tensor.shape)
    part = starter.denoiser
    assert counts == {"Q8_0": part.packed, "F16": part.kept, "F32": part.vectors}
    for folder, text in zip(("text_encoder_2", "text_encoder"), starter.text, strict=True):
        shapes = open_source(STARTER / folder / "model.safetensors").shapes
        assert sum(map(math.prod, shapes.values())) == text.weights
