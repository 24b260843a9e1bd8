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
from model.render.places import weight_files
from model.render.sd_attention import install
from model.render.sd_lora import merge_sd
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
    merge_sd({name: getattr(pipeline, name) for name in named}, checkpoint.adapters, wide=wide)
    encoders = [(pipeline.tokenizer, pipeline.text_encoder)]
    if wide:
        encoders.append((pipeline.tokenizer_2, pipeline.text_encoder_2))
    (projection,) = pipeline.unet.encoder_hid_proj.image_projection_layers
    install(pipeline.unet)
    for module in (pipeline.unet, pipeline.image_encoder, *(encoder for _, encoder in encoders)):
        module.to(device).eval()
    return SDParts(
        unet=pipeline.unet,
        vae=pipeline.vae.to(device, memory_format=torch.channels_last).eval(),
        encoders=tuple(encoders),
        image_encoder=pipeline.image_encoder,
        image_processor=pipeline.feature_extractor,
        scheduler=_json(checkpoint.part("scheduler") / "scheduler_config.json"),
        silent=wide and _silent(checkpoint),
        patches=hasattr(projection, "latents"),
    )


def _assemble(checkpoint: Checkpoint, dtype: torch.dtype) -> Any:
    """The stock pipeline. It is here as what loads adapters; it never draws, so its scheduler does not matter
    and is one of which it has nothing to complain."""
    parts: dict[str, Any] = {
        "unet": UNet2DConditionModel.from_pretrained(
            checkpoint.part("unet"), torch_dtype=dtype, **_stored(checkpoint.part("unet"))
        ),
        # SDXL's overflows in float16.
        "vae": AutoencoderKL.from_pretrained(
            checkpoint.part("vae"), torch_dtype=torch.float32, **_stored(checkpoint.part("vae"))
        ),
        "text_encoder": _transformers(CLIPTextModel, checkpoint.part("text_encoder"), dtype),
        "tokenizer": CLIPTokenizer.from_pretrained(checkpoint.part("tokenizer"), local_files_only=True),
        "image_encoder": _transformers(
            CLIPVisionModelWithProjection, checkpoint.part("image_encoder"), dtype
        ),
        "scheduler": DDIMScheduler(steps_offset=1, clip_sample=False),
    }
    if checkpoint.variant.family == "sd15":
        return StableDiffusionPipeline(
            **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )  # pyright: ignore[reportArgumentType]
    return StableDiffusionXLPipeline(
        **parts,
        text_encoder_2=_transformers(CLIPTextModelWithProjection, checkpoint.part("text_encoder_2"), dtype),
        tokenizer_2=CLIPTokenizer.from_pretrained(checkpoint.part("tokenizer_2"), local_files_only=True),
        add_watermarker=False,
    )


def _transformers(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
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
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path}: not readable as JSON ({error}); fetch it again") from error
