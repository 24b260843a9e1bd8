"""The starter's VAE: a 16× AutoencoderKL with 16 latent channels, and the ways in and out of it.

In: 8 bit pictures. Out: latents, and pictures again. Arithmetic is bfloat16 unless float32 is asked for,
weights stay as they are. Knows nothing of training; `train_vae.py` does that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

CHANNELS = (16, 32, 64, 128, 128)
LATENT_CHANNELS = 16
LOG_VARIANCE = -6.0


def fresh_vae(channels: Sequence[int] = CHANNELS) -> AutoencoderKL:
    """A new VAE without attention. Its posterior is narrow and stays so: sample() is near mode()."""
    shape: dict[str, Any] = {
        "down_block_types": ("DownEncoderBlock2D",) * len(channels),
        "up_block_types": ("UpDecoderBlock2D",) * len(channels),
        "block_out_channels": tuple(channels),
    }
    vae = AutoencoderKL(
        **shape,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=4,
        sample_size=256,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        force_upcast=False,
        shift_factor=0.0,
        scaling_factor=1.0,
    )
    # Training brings noise of its own, so the variance gets no gradient and stays what it is here.
    state = vae.encoder.conv_out.state_dict()
    state["weight"][LATENT_CHANNELS:] = 0
    state["bias"][LATENT_CHANNELS:] = LOG_VARIANCE
    return vae


def open_vae(folder: Path) -> AutoencoderKL:
    """Read a VAE from a diffusers folder on this machine, in float32, ready for use."""
    vae = AutoencoderKL.from_pretrained(folder, local_files_only=True, torch_dtype=torch.float32)
    return cast(AutoencoderKL, vae).eval()


def place(vae: AutoencoderKL, device: str) -> AutoencoderKL:
    """Move a VAE, channels last in memory: convolutions are faster so."""
    anything: Any = vae
    return anything.to(device, memory_format=torch.channels_last)


def pixels(pictures: NDArray[np.uint8], device: str = "cpu") -> Tensor:
    """(n, height, width, 3) 8 bit → (n, 3, height, width) float32 in [-1, 1], channels last in memory."""
    return torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def pictures(batch: Tensor) -> NDArray[np.uint8]:
    """The way back from `pixels`; what is out of range is clipped."""
    scaled = (batch.clamp(-1, 1) + 1) * 127.5
    return scaled.round().byte().permute(0, 2, 3, 1).cpu().numpy()


def encode(vae: AutoencoderKL, batch: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Pixels in [-1, 1] → the mode of their latents, (n, 16, height / 16, width / 16), computed in
    `dtype`."""
    with torch.autocast(batch.device.type, torch.bfloat16, enabled=dtype is torch.bfloat16):
        return vae.encode(batch, return_dict=False)[0].mode()


def decode(vae: AutoencoderKL, latents: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Latents → float32 pixels, near [-1, 1], computed in `dtype`."""
    with torch.autocast(latents.device.type, torch.bfloat16, enabled=dtype is torch.bfloat16):
        return vae.decode(cast(Any, latents), return_dict=False)[0].float()
