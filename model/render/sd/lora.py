"""LoRA files for Stable Diffusion: into the UNet and the text encoders, whichever trainer wrote them.

In: the models of a checkpoint by name, and files. Out: the models, changed in place. diffusers reads the
dialects (kohya's, peft's, its own old ones) and leaves spellings of its own, which are brought to one here.
Knows nothing of checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from model.config import Adapter
from model.errors import ConfigError
from model.render.lora import merge, read_lora

# Spellings of the same layer, in the order they are replaced.
_SPELLINGS = (
    (".processor.", "."),
    (".lora_linear_layer.", ".lora."),
    (".to_out_lora.", ".to_out.0.lora."),
    (".to_q_lora.", ".to_q.lora."),
    (".to_k_lora.", ".to_k.lora."),
    (".to_v_lora.", ".to_v.lora."),
)
_CLIP = ((".to_out.0.", ".out_proj."), (".to_q.", ".q_proj."), (".to_k.", ".k_proj."), (".to_v.", ".v_proj."))


def merge_sd(models: Mapping[str, nn.Module], adapters: tuple[Adapter, ...], *, wide: bool) -> None:
    """Merge LoRA files.

    Args:
        models: `unet`, `text_encoder`, and for SDXL `text_encoder_2`.
        wide: the checkpoint is SDXL, whose UNet has other names in kohya's files.
    Raises:
        ConfigError: a file is for another model.
        IntegrityError: a file is damaged.
    """
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    pipeline: Any = StableDiffusionXLPipeline if wide else StableDiffusionPipeline
    unet: Any = models["unet"]
    for adapter in adapters:
        state, alphas = read_lora(pipeline, adapter, "unet", unet_config=unet.config)
        for stranger in sorted({name.partition(".")[0] for name in state} - set(models)):
            raise ConfigError(
                f"--lora: {adapter.path} is for a {stranger}, which this model has not; name another file"
            )
        changed = 0
        for part, model in models.items():
            own = {_name(name, part, model): tensor for name, tensor in state.items() if _is(name, part)}
            told = {_layer(_name(name, part, model)): one for name, one in alphas.items() if _is(name, part)}
            changed += merge(model, own, told | ({"": alphas[""]} if "" in alphas else {}), adapter.weight)
        if not changed:
            raise ConfigError(f"--lora: {adapter.path} changes nothing in this model; name another file")


def _is(name: str, part: str) -> bool:
    return name.startswith(f"{part}.")


def _name(name: str, part: str, model: nn.Module) -> str:
    """A tensor's name as the model spells it."""
    name = name.removeprefix(f"{part}.")
    for theirs, ours in _SPELLINGS if part == "unet" else (*_SPELLINGS, *_CLIP):
        name = name.replace(theirs, ours)
    # Files call the encoder's inside `text_model`; not every class of transformers has one.
    return name if hasattr(model, "text_model") else name.removeprefix("text_model.")


def _layer(name: str) -> str:
    """Whose alpha it is: the layer's name, without what the tensor is called."""
    return name.removesuffix(".alpha").removesuffix(".weight").removesuffix(".down").removesuffix(".lora")
