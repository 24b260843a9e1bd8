"""The starter's transformer and text encoders together: fresh, or as shipped in model/starter."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel
from torch import nn

from model.render.flux.parts import load_flux
from model.render.weights import open_checkpoint
from scripts.starter.text import TextEncoders, load_text

CONFIG = {
    "patch_size": 1, "in_channels": 64, "num_layers": 2, "num_single_layers": 3, "attention_head_dim": 64,
    "num_attention_heads": 6, "joint_attention_dim": 192, "pooled_projection_dim": 128,
    "guidance_embeds": False, "axes_dims_rope": [16, 24, 24],
}  # fmt: skip


class Starter(nn.Module):
    """The transformer and its text encoders."""

    def __init__(self, transformer: FluxTransformer2DModel, text: TextEncoders) -> None:
        super().__init__()
        self.transformer, self.text = transformer, text


def shipped(folder: Path) -> Starter:
    """The starter in `folder` (the layout of model/starter), its Q8_0 transformer dequantized."""
    parts = load_flux(open_checkpoint(folder), device="cpu", dtype=torch.float32)
    return Starter(parts.transformer.requires_grad_(True).train(), load_text(folder))


def trained(folder: Path) -> dict[str, int]:
    """What the manifest of `folder` says of the transformer's training so far."""
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["training"]["flux"]


def fresh_transformer() -> FluxTransformer2DModel:
    """A new transformer; modulation and output start at zero, so that every block starts as the identity."""
    transformer = FluxTransformer2DModel(**CONFIG)
    for name, parameter in transformer.named_parameters():
        if ("norm" in name and ".linear." in name) or name.startswith("proj_out"):
            nn.init.zeros_(parameter)
    return transformer
