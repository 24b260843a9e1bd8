"""Flux's VAE, from a folder in diffusers' layout or from the one file that Black Forest Labs publish.

In: a folder, or `ae.safetensors`, which holds CompVis' names and no settings. Out: AutoencoderKL in main
memory. Sizes are read off the tensors; what no tensor tells is that of Flux.1. Knows nothing of panels.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from model.errors import IntegrityError
from model.render.places import stored_as, weight_files

# What Flux.1's VAE says in its config file beside its sizes.
_SETTINGS = {
    "_class_name": "AutoencoderKL",
    "sample_size": 1024,
    "scaling_factor": 0.3611,
    "shift_factor": 0.1159,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}


def read_vae(source: Path, dtype: torch.dtype) -> Any:
    """The VAE in main memory.

    Raises:
        IntegrityError: the file is no whole VAE.
    """
    kind: Any = AutoencoderKL
    if not source.is_file():
        return kind.from_pretrained(
            source, torch_dtype=dtype, local_files_only=True, **stored_as(weight_files(source))
        )
    try:
        tensors = load_file(source)
    except SafetensorError as error:
        raise IntegrityError(f"{source}: not safetensors ({error}); fetch it again") from error
    with tempfile.TemporaryDirectory() as folder:
        try:
            settings = {**_SETTINGS, **sizes_of(tensors)}
            (Path(folder) / "config.json").write_text(json.dumps(settings), encoding="utf-8")
            return kind.from_single_file(str(source), config=folder, local_files_only=True, torch_dtype=dtype)
        except (KeyError, ValueError, RuntimeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise IntegrityError(f"{source}: not a whole VAE ({reason}); fetch it again") from error


def sizes_of(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The config entries that the tensors tell: channels by level, layers, channels of the latents.

    Raises:
        KeyError: a tensor that every VAE has is missing.
    """
    levels = _count(tensors, r"encoder\.down\.(\d+)\.")
    return {
        "block_out_channels": [
            tensors[f"encoder.down.{level}.block.0.conv1.weight"].shape[0] for level in range(levels)
        ],
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "layers_per_block": _count(tensors, r"encoder\.down\.0\.block\.(\d+)\."),
        "latent_channels": tensors["decoder.conv_in.weight"].shape[1],
    }


def _count(tensors: dict[str, Tensor], pattern: str) -> int:
    """How many numbers the names have there, from 0 on."""
    return len({match[1] for name in tensors if (match := re.match(pattern, name))})
