"""A Flux checkpoint becomes diffusers' classes in memory.

In: a `Checkpoint` of the Flux family, a device and a dtype. Out: `FluxParts`. The transformer may be a folder
in diffusers' layout or one file, safetensors or GGUF, under anybody's names; LoRA files are merged into it.
Knows nothing of panels.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import FluxTransformer2DModel, GGUFQuantizationConfig
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5Tokenizer

from model.errors import IntegrityError, WeightsMissing
from model.render.flux.names import config_of, to_diffusers
from model.render.flux.redux import Redux, load_redux
from model.render.flux.vae import read_vae
from model.render.lora.merge import merge_adapters
from model.render.places import stored_as, weight_files
from model.render.weights import Checkpoint, verify
from model.variants import REDUX

_SCALED = ("scale_weight", "weight_scale", "scaled_fp8")


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxParts:
    """A Flux checkpoint in memory, on one device: classes of diffusers and transformers, which ship too few
    types to be checked.

    Attributes:
        transformer: FluxTransformer2DModel; vae: AutoencoderKL; t5: T5EncoderModel; clip: CLIPTextModel.
        scheduler: config of a FlowMatchEulerDiscreteScheduler.
        redux: what makes tokens of reference pictures; None where references are latents.
    """

    transformer: Any
    vae: Any
    t5: Any
    clip: Any
    t5_tokenizer: Any
    clip_tokenizer: Any
    scheduler: dict[str, Any]
    redux: Redux | None = None


def load_flux(checkpoint: Checkpoint, *, device: str, dtype: torch.dtype, packed: bool = False) -> FluxParts:
    """Verify and load a Flux checkpoint.

    Args:
        device: where everything goes once it is loaded.
        dtype: of all parts.
        packed: a GGUF's matrices stay as they are and are unpacked in every call; else once, into `dtype`:
            the numbers are the same, without the cost.
    Raises:
        WeightsMissing, IntegrityError: see `verify`; a part is missing or damaged.
        ConfigError: a LoRA file is for another model.
    """
    verify(checkpoint)
    return place(read_flux(checkpoint, dtype=dtype, packed=packed), device)


def read_flux(checkpoint: Checkpoint, *, dtype: torch.dtype, packed: bool = False) -> FluxParts:
    """Load every part into main memory."""
    scheduler = checkpoint.part("scheduler") / "scheduler_config.json"
    t5, clip = read_text(checkpoint, dtype=dtype)
    return FluxParts(
        transformer=read_transformer(checkpoint, dtype=dtype, packed=packed),
        vae=read_vae(checkpoint.part("vae"), dtype),
        t5=t5,
        clip=clip,
        t5_tokenizer=T5Tokenizer.from_pretrained(checkpoint.part("tokenizer_2"), local_files_only=True),
        clip_tokenizer=CLIPTokenizer.from_pretrained(checkpoint.part("tokenizer"), local_files_only=True),
        scheduler=json.loads(scheduler.read_text(encoding="utf-8")),
        redux=load_redux(checkpoint, dtype=dtype) if checkpoint.variant.reference == REDUX else None,
    )


def place(parts: FluxParts, device: str) -> FluxParts:
    """Everything on one device, ready to be called."""
    for module in (parts.transformer, parts.t5, parts.clip):
        module.to(device).eval()
    parts.vae.to(device, memory_format=torch.channels_last).eval()
    if parts.redux is not None:
        parts.redux.to(device)
    return parts


def read_text(checkpoint: Checkpoint, *, dtype: torch.dtype) -> tuple[Any, Any]:
    """T5 and CLIP, in main memory, LoRA files merged; raises as `load_flux`."""
    t5 = _read_encoder(T5EncoderModel, checkpoint.part("text_encoder_2"), dtype)
    clip = _read_encoder(CLIPTextModel, checkpoint.part("text_encoder"), dtype)
    merge_adapters({"text_encoder": clip, "text_encoder_2": t5}, checkpoint.adapters, "flux")
    return t5, clip


def read_transformer(checkpoint: Checkpoint, *, dtype: torch.dtype, packed: bool = False) -> Any:
    """The transformer in main memory, LoRA files merged; see `load_flux`."""
    source = checkpoint.part("transformer")
    files = (source,) if source.is_file() else weight_files(source)
    if not files:
        raise WeightsMissing(f"{source}: no GGUF or safetensors file there; restore it and run again")
    quantized = files[0].suffix == ".gguf"
    config = checkpoint.parts.get("transformer_config", source / "config.json")
    if quantized or source.is_file():
        transformer = _from_file(files[0], config, dtype, quantized)
        if quantized and not (packed and not checkpoint.adapters):
            transformer.dequantize()
    else:
        transformer: Any = FluxTransformer2DModel.from_pretrained(
            source, torch_dtype=dtype, local_files_only=True, **stored_as(files)
        )
    merge_adapters({"transformer": transformer}, checkpoint.adapters, "flux")
    return transformer


def _from_file(file: Path, config: Path, dtype: torch.dtype, quantized: bool) -> Any:
    state = to_diffusers(_tensors(file, quantized))
    with tempfile.TemporaryDirectory() as folder:
        # The tensors know better than a config that lay beside them how many blocks there are, and guidance.
        described = {**(_config(config) if config.is_file() else {}), **config_of(state)}
        (Path(folder) / "config.json").write_text(json.dumps(described), encoding="utf-8")
        kind: Any = FluxTransformer2DModel
        try:
            return kind.from_single_file(
                state,
                config=folder,
                local_files_only=True,
                torch_dtype=dtype,
                quantization_config=GGUFQuantizationConfig(compute_dtype=dtype) if quantized else None,
            )
        except (ValueError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise IntegrityError(
                f"{file}: not a whole Flux transformer ({reason}); fetch it again"
            ) from error


def _tensors(file: Path, quantized: bool) -> dict[str, Tensor]:
    if quantized:
        from diffusers.models.model_loading_utils import load_gguf_checkpoint

        try:
            return load_gguf_checkpoint(str(file))
        except (ValueError, KeyError, IndexError) as error:
            reason = " ".join(str(error).split())[:200]
            raise IntegrityError(f"{file}: not read by diffusers ({reason}); fetch another level") from error
    try:
        tensors = load_file(file)
    except SafetensorError as error:
        raise IntegrityError(f"{file}: not safetensors ({error}); fetch it again") from error
    if any(name.endswith(_SCALED) for name in tensors):
        raise IntegrityError(f"{file}: scaled fp8 weights are not read; take the bf16 file, or a GGUF")
    return tensors


def _config(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path}: not JSON ({error}); fetch it again") from error


def _read_encoder(kind: Any, source: Path, dtype: torch.dtype) -> Any:
    """A text encoder; transformers unpacks one in GGUF by itself."""
    files = weight_files(source)
    if files and files[0].suffix == ".gguf":
        # A GGUF file has no field for the activation: transformers would take another one than T5 1.1 has.
        if not (source / "config.json").is_file():
            raise WeightsMissing(
                f"{source / 'config.json'}: missing, without which {files[0].name} says too little; fetch it"
            )
        config = kind.config_class.from_pretrained(source, local_files_only=True)
        return kind.from_pretrained(
            source, gguf_file=files[0].name, config=config, dtype=dtype, local_files_only=True
        )
    return kind.from_pretrained(source, dtype=dtype, local_files_only=True, **stored_as(files))
