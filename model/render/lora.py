"""LoRA files merged into weights when a checkpoint is loaded: nothing is computed twice while drawing.

In: a model of diffusers or transformers, and what a LoRA file says of it, under the model's own names. Out:
the model, changed in place: W + weight · alpha / rank · B A. Knows nothing of checkpoints.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from model.config import Adapter
from model.errors import ConfigError, IntegrityError

_log = logging.getLogger(__name__)

_DOWN = (".lora_A.weight", ".lora.down.weight", ".lora_down.weight", ".down.weight")
_UP = (".lora_B.weight", ".lora.up.weight", ".lora_up.weight", ".up.weight")


def merge(model: nn.Module, state: Mapping[str, Tensor], alphas: Mapping[str, float], weight: float) -> int:
    """Add a LoRA to a model's weights.

    Args:
        state: NAME + `.lora_A.weight` (rank, in) and `.lora_B.weight` (out, rank), as the peft library names
            them, or in diffusers' older spellings; `NAME.alpha` where it is in the file.
        alphas: alpha by the name of a layer, "" for all the others; a layer without one has its rank.
        weight: how strongly it acts.
    Returns:
        How many matrices were changed.
    Raises:
        ConfigError: it is for a model of other names or sizes.
    """
    changed = 0
    for name, down in state.items():
        stem = next((name.removesuffix(one) for one in _DOWN if name.endswith(one)), None)
        if stem is None:
            continue
        up = next((state[stem + one] for one in _UP if stem + one in state), None)
        target = _matrix(model, stem)
        if up is None or target is None:
            raise ConfigError(f"--lora: {stem} has no counterpart in this model; the file is for another one")
        known = {
            **{"": len(down)},
            **alphas,
            **({stem: state[f"{stem}.alpha"]} if f"{stem}.alpha" in state else {}),
        }
        alpha = next(float(known[key]) for key in (stem, f"{stem}.alpha", name, "") if key in known)
        product = up.flatten(1).float() @ down.flatten(1).float()
        if product.numel() != target.numel() or len(product) != len(target):
            raise ConfigError(
                f"--lora: {stem} is {tuple(product.shape)} in the file, expected {tuple(target.shape)}; "
                "the file is for another model"
            )
        with torch.no_grad():
            target += (product.view_as(target) * (weight * alpha / len(down))).to(target)
        changed += 1
    return changed


def merge_flux(transformer: nn.Module, adapters: tuple[Adapter, ...]) -> None:
    """Merge LoRA files into a FluxTransformer2DModel, whichever of the known trainers wrote them.

    Raises:
        ConfigError: a file is for another model.
        IntegrityError: a file is damaged.
    """
    from diffusers import FluxPipeline

    for adapter in adapters:
        state, alphas = read_lora(FluxPipeline, adapter, "transformer", return_alphas=True)
        ours = {
            name.removeprefix("transformer."): value
            for name, value in state.items()
            if not name.startswith(("text_encoder.", "text_encoder_2."))
        }
        if len(ours) < len(state):
            _log.warning("--lora: %s also trains a text encoder; that part is left out", adapter.path)
        told = {name.removeprefix("transformer."): value for name, value in alphas.items()}
        if not merge(transformer, ours, told, adapter.weight):
            raise ConfigError(
                f"--lora: {adapter.path} changes nothing in a Flux transformer; name another file"
            )


def read_lora(
    pipeline: Any, adapter: Adapter, part: str, **options: Any
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """A file's tensors under diffusers' names, and its alphas, as `merge` takes them.

    Args:
        pipeline: the class whose `lora_state_dict` knows the dialects of this family.
        part: transformer or unet: whose alpha a file's own description is asked for.
    Raises:
        IntegrityError: it is not a safetensors file, or of no dialect that is known.
    """
    path = Path(adapter.path)
    try:
        found: Any = pipeline.lora_state_dict(
            str(path.parent or Path(".")),
            weight_name=path.name,
            use_safetensors=True,
            local_files_only=True,
            return_lora_metadata=True,
            **options,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise IntegrityError(f"--lora: {path}: no LoRA file that can be read ({reason})") from error
    state, alphas, described = found
    alpha = (described or {}).get(f"{part}.lora_alpha")
    return state, {**({"": alpha} if alpha is not None else {}), **(alphas or {})}


def _matrix(model: nn.Module, name: str) -> Tensor | None:
    """The weight of the layer of this name."""
    try:
        weight = model.get_submodule(name).weight
    except AttributeError:
        return None
    return weight if isinstance(weight, Tensor) else None
