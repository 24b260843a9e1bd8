"""A Flux checkpoint becomes diffusers' classes in memory.

In: a `Checkpoint` of the Flux family, a device and a dtype. Out: `FluxParts`. Knows nothing of panels.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel, GGUFQuantizationConfig
from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5Tokenizer

from model.errors import WeightsMissing
from model.render.weights import Checkpoint, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxParts:
    """A Flux checkpoint in memory, on one device: classes of diffusers and transformers, which ship too few
    types to be checked.

    Attributes:
        transformer: FluxTransformer2DModel; vae: AutoencoderKL; t5: T5EncoderModel; clip: CLIPTextModel.
        scheduler: config of a FlowMatchEulerDiscreteScheduler.
    """

    transformer: Any
    vae: Any
    t5: Any
    clip: Any
    t5_tokenizer: Any
    clip_tokenizer: Any
    scheduler: dict[str, Any]


def load_flux(checkpoint: Checkpoint, *, device: str, dtype: torch.dtype) -> FluxParts:
    """Verify and load a Flux checkpoint.

    The transformer comes from its GGUF file through diffusers' GGUF path and is then dequantized once into
    `dtype`: the numbers are those of dequantizing at every step, without the cost.

    Raises:
        WeightsMissing, IntegrityError: see `verify`.
    """
    verify(checkpoint)
    folder = checkpoint.folder
    gguf = next(folder.glob("transformer/*.gguf"), None)
    if gguf is None:
        raise WeightsMissing(f"{folder / 'transformer'}: no GGUF file there; restore it and run again")
    transformer: Any = FluxTransformer2DModel.from_single_file(
        str(gguf),
        config=str(folder),
        subfolder="transformer",
        local_files_only=True,
        quantization_config=GGUFQuantizationConfig(compute_dtype=dtype),
        torch_dtype=dtype,
    )
    transformer.dequantize()
    vae: Any = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=dtype, local_files_only=True)
    t5: Any = T5EncoderModel.from_pretrained(folder / "text_encoder_2", dtype=torch.float32)
    clip: Any = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    return FluxParts(
        transformer=transformer.to(device).eval(),
        vae=vae.to(device, memory_format=torch.channels_last).eval(),
        t5=t5.to(device).eval(),
        clip=clip.to(device).eval(),
        t5_tokenizer=T5Tokenizer.from_pretrained(folder / "tokenizer_2"),
        clip_tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        scheduler=json.loads((folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8")),
    )
