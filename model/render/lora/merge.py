"""LoRA files merged into weights when a checkpoint is loaded: nothing is computed twice while drawing.

In: the parts of a model in memory, and files. Out: the parts, changed in place: each file adds its weight
times what its own formula says, one file after the other. Whatever is in a file acts, or the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from model.config import Adapter
from model.errors import ConfigError
from model.render.lora.formulas import Strength, addition, with_magnitude
from model.render.lora.names import FAMILIES, Contents, Layer, read_contents
from model.render.lora.targets import Target, flat, targets_of

# Columns of a matrix → whose width that is, for whoever took the wrong file.
_WIDTHS = {
    768: ", as of Stable Diffusion 1.5",
    1024: ", as of Stable Diffusion 2",
    2048: ", as of SDXL",
    3072: ", as of Flux.1",
}


def merge_adapters(models: Mapping[str, nn.Module], adapters: Sequence[Adapter], family: str) -> None:
    """Merge LoRA files into some parts of a model; what they say of its other parts is left to other calls.

    Args:
        models: transformer or unet, text_encoder, text_encoder_2 → the part, as far as it is in memory.
        family: flux, sd15 or sdxl.
    Raises:
        ConfigError: a file is no LoRA file, for another model, or of a kind that is not merged.
    """
    targets = {part: targets_of(part, model) for part, model in models.items()} if adapters else {}
    for adapter in adapters:
        contents = read_contents(Path(adapter.path), family)
        layers = [layer for layer in contents.layers if layer.part in models]
        if not layers:
            continue
        try:
            tensors = load_file(adapter.path)
        except (SafetensorError, OSError) as error:
            raise ConfigError(f"--lora: {adapter.path}: cannot be read ({error}); fetch it again") from error
        for layer in layers:
            target = targets[layer.part].get(flat(layer.name))
            if target is None:
                raise _no_counterpart(contents, layer, targets[layer.part], family)
            own = {role: tensors[name] for role, name in layer.tensors.items()}
            try:
                _apply(target, layer, own, _strength(contents, layer), adapter.weight)
            except (ValueError, RuntimeError) as error:
                reason = " ".join(str(error).split())[:160]
                raise ConfigError(
                    f"--lora: {adapter.path}: {layer.name}: {reason}; the file is for another model"
                ) from error


def _apply(
    target: Target, layer: Layer, tensors: Mapping[str, Tensor], strength: Strength, share: float
) -> None:
    """Change one layer by one file. Raises ValueError or RuntimeError when the sizes do not fit."""
    before = target.read()
    added = addition(layer.formula, tensors, strength)
    if added is not None:
        if added.numel() != before.numel() or len(added) != len(before):
            width = _WIDTHS.get(added.shape[-1], "")
            raise ValueError(f"{tuple(added.shape)} in the file{width}, expected {tuple(before.shape)}")
        added = added.reshape(before.shape)
        if not torch.isfinite(added).all():
            raise ValueError("not every number is finite; the file is damaged")
        if "magnitude" in tensors:
            after = with_magnitude(before, added, tensors["magnitude"].float(), share)
        else:
            after = before + share * added
        target.write(after)
    for role in ("up_bias", "diff_bias"):
        if role in tensors:
            scale = strength.scale(tensors, len(tensors["down"])) if role == "up_bias" else 1.0
            target.add_bias(share * scale * tensors[role].float())


def _strength(contents: Contents, layer: Layer) -> Strength:
    """What PEFT's description says of a layer: a pattern's alpha before the common one."""
    told = contents.described.get(layer.part, {})
    alpha: Any = told.get("lora_alpha")
    patterns = told.get("alpha_pattern")
    if isinstance(patterns, dict):
        for pattern, value in patterns.items():
            if layer.name == pattern or layer.name.endswith(f".{pattern}") or _fits(pattern, layer.name):
                alpha = value
                break
    usable = isinstance(alpha, int | float) and not isinstance(alpha, bool)
    return Strength(alpha=float(alpha) if usable else None, rooted=bool(told.get("use_rslora")))


def _fits(pattern: str, name: str) -> bool:
    """As PEFT matches: a regular expression for the end of the name. What is none matches nothing."""
    if len(pattern) > 200 or not re.fullmatch(r"[\w.^$|()\\\[\]*+?-]*", pattern):
        return False
    try:
        return re.match(rf"(.*\.)?({pattern})$", name) is not None
    except re.error:
        return False


def _no_counterpart(
    contents: Contents, layer: Layer, targets: Mapping[str, Target], family: str
) -> ConfigError:
    """Why a layer of the file has no place in the model."""
    strangers = [one for one in contents.layers if one.part == layer.part and flat(one.name) not in targets]
    of = sum(one.part == layer.part for one in contents.layers)
    return ConfigError(
        f"--lora: {contents.path}: {layer.name} has no counterpart in the {layer.part} of this "
        f"{FAMILIES[family]} ({len(strangers)} of {of} layers have none); the file is for another model"
    )
