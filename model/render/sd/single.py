"""One file of Stable Diffusion, as web UIs keep it, becomes diffusers' models.

In: a safetensors file under CompVis' names, and the family it is of. Out: UNet, VAE and text encoders,
converted by diffusers. Such a file holds no settings: where the folder of the same checkpoint is at hand its
configs are taken, else those of the published models. Knows nothing of adapters or of drawing.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.errors import IntegrityError

_WIDE = {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}
_VAE = {**_WIDE, "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "sample_size": 512}
_CLIP = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "max_position_embeddings": 77,
    "vocab_size": 49408,
    "hidden_act": "quick_gelu",
    "projection_dim": 768,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
}
# What stable-diffusion-v1-5 and stable-diffusion-xl-base-1.0 say in their config files; the rest is the
# default of the classes.
PUBLISHED: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "sd15": {
        "unet": {"sample_size": 64, "cross_attention_dim": 768},
        "vae": _VAE,
        "text_encoder": _CLIP,
    },
    "sdxl": {
        "unet": {
            "sample_size": 128,
            "block_out_channels": [320, 640, 1280],
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
            "transformer_layers_per_block": [1, 2, 10],
            "attention_head_dim": [5, 10, 20],
            "cross_attention_dim": 2048,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
        "vae": {**_VAE, "sample_size": 1024, "scaling_factor": 0.13025},
        "text_encoder": _CLIP,
        "text_encoder_2": {
            **_CLIP,
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_attention_heads": 20,
            "num_hidden_layers": 32,
            "hidden_act": "gelu",
            "projection_dim": 1280,
        },
    },
}
_CLASSES = {
    "unet": ("diffusers", "UNet2DConditionModel"),
    "vae": ("diffusers", "AutoencoderKL"),
    "text_encoder": ("transformers", "CLIPTextModel"),
    "text_encoder_2": ("transformers", "CLIPTextModelWithProjection"),
}


def read_single(file: Path, family: str, known: Mapping[str, Path], others: Mapping[str, Any]) -> Any:
    """The stock pipeline of a single file.

    Args:
        family: sd15 or sdxl.
        known: folders of the same checkpoint's components; those with a `config.json` are believed.
        others: what the file does not hold: tokenizers, scheduler, image encoder, and options of the
            pipeline.
    Raises:
        IntegrityError: the file does not hold what its family has.
    """
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    kind: Any = StableDiffusionXLPipeline if family == "sdxl" else StableDiffusionPipeline
    with tempfile.TemporaryDirectory() as folder:
        _write_configs(Path(folder), kind.__name__, PUBLISHED[family], known)
        try:
            pipeline = kind.from_single_file(str(file), config=folder, local_files_only=True, **others)
        except (KeyError, ValueError, RuntimeError, AttributeError) as error:
            raise _holes(file, family, " ".join(str(error).split())[:200]) from error
    # diffusers leaves weights of text encoders that the file lacks without numbers.
    for name in PUBLISHED[family]:
        for weight, value in getattr(pipeline, name).named_parameters():
            if value.is_meta:
                raise _holes(file, family, f"{name} has no {weight}")
    return pipeline


def _holes(file: Path, family: str, reason: str) -> IntegrityError:
    return IntegrityError(
        f"{file}: not a whole {family} checkpoint ({reason}); fetch it again, or name its folder"
    )


def _write_configs(
    folder: Path, pipeline: str, published: Mapping[str, dict[str, Any]], known: Mapping[str, Path]
) -> None:
    """A folder in diffusers' layout that holds settings only."""
    index: dict[str, Any] = {"_class_name": pipeline}
    for name, told in published.items():
        index[name] = _CLASSES[name]
        (folder / name).mkdir()
        own = known.get(name, Path()) / "config.json"
        if name in known and own.is_file():
            shutil.copy(own, folder / name / "config.json")
        else:
            said = {"_class_name": _CLASSES[name][1], **told}
            (folder / name / "config.json").write_text(json.dumps(said), encoding="utf-8")
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
