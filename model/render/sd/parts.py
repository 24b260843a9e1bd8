"""A Stable Diffusion checkpoint becomes diffusers' classes in memory.

In: a `Checkpoint` of the family sd15 or sdxl, a device and a dtype. Out: `SDParts`. The IP-Adapter is loaded
by diffusers' own loader, plain or Plus. Weights are safetensors. Knows nothing of panels.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
)

from model.errors import IntegrityError
from model.render.lora.merge import merge_adapters
from model.render.places import weight_files
from model.render.sd.attention import install
from model.render.sd.single import read_single
from model.render.weights import Checkpoint, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class SDParts:
    """A Stable Diffusion checkpoint in memory, on one device: classes of diffusers and transformers, which
    ship too few types to be checked.

    Attributes:
        unet: UNet2DConditionModel, its attention processors regional; vae: AutoencoderKL, in float32.
        encoders: (tokenizer, text encoder), one pair for SD 1.5, two for SDXL.
        image_encoder: CLIPVisionModelWithProjection; image_processor: its CLIPImageProcessor.
        scheduler: the config of the scheduler that it was published with.
        silent: an empty negative prompt means zeros (see `Prompts`).
        patches: the adapter reads patch features (IP-Adapter Plus), not one vector a picture.
    """

    unet: Any
    vae: Any
    encoders: tuple[tuple[Any, Any], ...]
    image_encoder: Any
    image_processor: Any
    scheduler: dict[str, Any]
    silent: bool
    patches: bool


def load_sd(checkpoint: Checkpoint, *, device: str, dtype: torch.dtype) -> SDParts:
    """Verify and load a Stable Diffusion checkpoint with its IP-Adapter and LoRA files.

    Raises:
        ConfigError: a LoRA file is for another model.
        WeightsMissing, IntegrityError: see `verify`.
    """
    verify(checkpoint)
    pipeline = _assemble(checkpoint, dtype)
    adapter = checkpoint.part("ip_adapter")
    try:
        pipeline.load_ip_adapter(str(adapter), subfolder="", weight_name=adapter.name)
    except (KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise IntegrityError(
            f"{adapter}: no IP-Adapter for this checkpoint ({reason}); "
            f"use the file that `run.py download {checkpoint.variant.name}` fetches"
        ) from error
    wide = checkpoint.variant.family == "sdxl"
    named = ("unet", "text_encoder", "text_encoder_2")[: 3 if wide else 2]
    merge_adapters(
        {name: getattr(pipeline, name) for name in named}, checkpoint.adapters, checkpoint.variant.family
    )
    encoders = [(pipeline.tokenizer, pipeline.text_encoder)]
    if wide:
        encoders.append((pipeline.tokenizer_2, pipeline.text_encoder_2))
    (projection,) = pipeline.unet.encoder_hid_proj.image_projection_layers
    install(pipeline.unet)
    return SDParts(
        unet=pipeline.unet.to(device).eval(),
        vae=pipeline.vae.to(device, memory_format=torch.channels_last).eval(),
        encoders=tuple((tokenizer, encoder.to(device).eval()) for tokenizer, encoder in encoders),
        image_encoder=pipeline.image_encoder.to(device).eval(),
        image_processor=pipeline.feature_extractor,
        scheduler=_json(checkpoint.part("scheduler") / "scheduler_config.json"),
        silent=wide and _silent(checkpoint),
        patches=hasattr(projection, "latents"),
    )


def _assemble(checkpoint: Checkpoint, dtype: torch.dtype) -> Any:
    """The stock pipeline. It is here as what loads adapters; it never draws, so its scheduler does not matter
    and is one of which it has nothing to complain."""
    wide = checkpoint.variant.family == "sdxl"
    others: dict[str, Any] = {
        "tokenizer": _tokenizer(checkpoint.part("tokenizer")),
        "image_encoder": _encoder(CLIPVisionModelWithProjection, checkpoint.part("image_encoder"), dtype),
        "scheduler": DDIMScheduler(steps_offset=1, clip_sample=False),
        "feature_extractor": None,
    }
    if wide:
        others |= {"tokenizer_2": _tokenizer(checkpoint.part("tokenizer_2")), "add_watermarker": False}
    else:
        others |= {"safety_checker": None, "requires_safety_checker": False}
    if (single := checkpoint.parts.get("single_file")) is not None:
        family = checkpoint.variant.family
        pipeline = read_single(single, family, checkpoint.parts, {**others, "torch_dtype": dtype})
        pipeline.vae.to(torch.float32)
        return pipeline
    unet, vae = checkpoint.part("unet"), checkpoint.part("vae")
    parts: dict[str, Any] = {
        "unet": UNet2DConditionModel.from_pretrained(unet, torch_dtype=dtype, **_stored(unet)),
        # SDXL's overflows in float16.
        "vae": AutoencoderKL.from_pretrained(vae, torch_dtype=torch.float32, **_stored(vae)),
        "text_encoder": _encoder(CLIPTextModel, checkpoint.part("text_encoder"), dtype),
    }
    if not wide:
        return StableDiffusionPipeline(**parts, **others)
    second = _encoder(CLIPTextModelWithProjection, checkpoint.part("text_encoder_2"), dtype)
    return StableDiffusionXLPipeline(**parts, **others, text_encoder_2=second)


def _tokenizer(folder: Path) -> Any:
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def _encoder(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    return kind.from_pretrained(folder, dtype=dtype, **_stored(folder))


def _stored(folder: Path) -> dict[str, Any]:
    """How a component's weights are called: halves of the same may be all that was fetched."""
    files = weight_files(folder)
    name = files[0].name if files else ""
    half = next((kind for kind in ("fp16", "bf16") if f".{kind}." in name), None)
    return {"variant": half, "local_files_only": True}


def _silent(checkpoint: Checkpoint) -> bool:
    """SDXL's `force_zeros_for_empty_prompt`: true unless the checkpoint says otherwise."""
    index = checkpoint.folder / "model_index.json"
    return not index.is_file() or bool(_json(index).get("force_zeros_for_empty_prompt", True))


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise IntegrityError(f"{path}: not readable as JSON ({error}); fetch it again") from error
