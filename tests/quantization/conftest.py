"""A small Flux transformer whose rows every level can hold: diffusers' class, random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def small_flux() -> Any:
    import torch
    from diffusers import FluxTransformer2DModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return FluxTransformer2DModel(
            patch_size=1,
            in_channels=64,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=32,
            num_attention_heads=8,
            joint_attention_dim=256,
            pooled_projection_dim=256,
            guidance_embeds=True,
            axes_dims_rope=(8, 12, 12),
        ).eval()


@pytest.fixture(scope="session")
def small_folder(small_flux: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in diffusers' layout, in shards."""
    folder = tmp_path_factory.mktemp("flux") / "transformer"
    small_flux.save_pretrained(folder, max_shard_size="4MB")
    assert (folder / "diffusion_pytorch_model.safetensors.index.json").is_file()
    return folder
