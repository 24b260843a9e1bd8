"""The small Stable Diffusion: a UNet of two resolutions and an IP-Adapter Plus, fresh.

Latents of the drawn world are small (16 × 16 for a panel of 256 pixels), so the UNet has two resolutions,
and attention at the lower one only, as SDXL has none at its highest: cells of 32 pixels obey words and
pictures. In: nothing. Out: the network to train. Knows nothing of data.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.embeddings import IPAdapterPlusImageProjection
from torch import Tensor, nn

from scripts.starter.sd.forward import Told, predict

UNET: dict[str, Any] = {
    "sample_size": 16, "in_channels": 16, "out_channels": 16, "cross_attention_dim": 192,
    "block_out_channels": (128, 256), "layers_per_block": 2, "attention_head_dim": 4, "norm_num_groups": 8,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
}  # fmt: skip
TOKENS = 8  # of a picture
INNER, INNER_HEADS = 128, 2  # of what turns a picture into tokens
# As stable-diffusion-2-1 publishes its own: SD's noise, velocity predicted.
NOISE: dict[str, Any] = {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction", "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1,
    "timestep_spacing": "trailing",
}  # fmt: skip


class Network(nn.Module):
    """A UNet with an IP-Adapter.

    Args:
        unet: its config; seen: width of the image encoder's states.
    """

    def __init__(self, unet: dict[str, Any] | None = None, seen: int = 192) -> None:
        super().__init__()
        self.unet = UNet2DConditionModel(**(unet or UNET))
        width = self.unet.config["cross_attention_dim"]
        self.projection = IPAdapterPlusImageProjection(
            embed_dims=seen, output_dims=width, hidden_dims=INNER, heads=INNER_HEADS, num_queries=TOKENS
        )
        self.adapter = nn.ModuleList()
        for name in self.unet.attn_processors:
            if name.endswith("attn2.processor"):
                layer: Any = self.unet.get_submodule(name.removesuffix(".processor"))
                inner = layer.to_k.out_features
                self.adapter.append(nn.ModuleList(nn.Linear(width, inner, bias=False) for _ in range(2)))
        _begin(self.unet)

    def forward(self, latents: Tensor, times: Tensor, told: Told) -> Tensor:
        """See `predict`; `told.pictures` are (B, n, tokens, seen), as the image encoder sees them."""
        seen, dtype = told.pictures, self.projection.proj_in.weight.dtype
        if seen.shape[1]:
            seen = self.projection(seen.flatten(0, 1).to(dtype)).unflatten(0, seen.shape[:2])
        shown = Told(
            prompts=told.prompts.to(dtype),
            valid=told.valid,
            shares=told.shares,
            pictures=seen,
            places=told.places,
        )
        return predict(self.unet, self.adapter, latents, times, shown)


def alphas() -> Tensor:
    """(1000,) cumulative products of the noise schedule."""
    return DDIMScheduler(**NOISE).alphas_cumprod


@torch.no_grad()
def _begin(unet: UNet2DConditionModel) -> None:
    """Every block begins as the identity, and the whole predicts nothing."""
    for name, parameter in unet.named_parameters():
        if name.startswith("conv_out") or ".conv2." in name or ".proj_out." in name:
            parameter.zero_()
