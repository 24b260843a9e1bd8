"""How diffusers loads a GGUF file, and one step of the model that comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import FluxTransformer2DModel, GGUFQuantizationConfig


def load(path: Path, config: Path) -> Any:
    """The transformer of a GGUF file, with the folder of its config.json; offline."""
    return FluxTransformer2DModel.from_single_file(
        str(path),
        config=str(config),
        local_files_only=True,
        quantization_config=GGUFQuantizationConfig(compute_dtype=torch.float32),
        torch_dtype=torch.float32,
    )


def draw(model: Any) -> torch.Tensor:
    """One step on fixed noise."""
    random = torch.Generator().manual_seed(1)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    config = model.config
    ids = torch.stack(torch.meshgrid(torch.zeros(1), torch.arange(6.0), torch.arange(6.0), indexing="ij"), -1)
    with torch.no_grad():
        return model(
            hidden_states=noise(1, 36, config.in_channels),
            encoder_hidden_states=noise(1, 5, config.joint_attention_dim),
            pooled_projections=noise(1, config.pooled_projection_dim),
            timestep=torch.tensor([0.5]),
            guidance=torch.tensor([3.0]) if config.guidance_embeds else None,
            img_ids=ids.reshape(-1, 3),
            txt_ids=torch.zeros(5, 3),
            return_dict=False,
        )[0]
