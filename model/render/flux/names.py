"""A Flux transformer's tensors under diffusers' names, whichever names the file has.

In: tensors as Black Forest Labs publish them, as ComfyUI saves whole checkpoints (behind a prefix), or as
diffusers does; of any width, plain or quantized by rows. Out: the same numbers under diffusers' names.
diffusers has a converter of its own that knows one width only, 3072. `quantization/rules.py` goes the other
way. Knows nothing of files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from model.errors import IntegrityError

_PREFIX = re.compile(r"^(?:model\.)?diffusion_model\.")

ENTRANCES = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": "norm_out.linear",
    **{
        f"{theirs}_in.{layer}": f"time_text_embed.{ours}_embedder.{linear}"
        for theirs, ours in (("time", "timestep"), ("vector", "text"), ("guidance", "guidance"))
        for layer, linear in (("in_layer", "linear_1"), ("out_layer", "linear_2"))
    },
}
# One tensor there, so many here: rows of equal number, in this order; `proj_mlp` takes the rest.
INSIDE_DOUBLE = {
    "img_mod.lin": ("norm1.linear",),
    "txt_mod.lin": ("norm1_context.linear",),
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "img_attn.norm.query_norm": ("attn.norm_q",),
    "img_attn.norm.key_norm": ("attn.norm_k",),
    "txt_attn.norm.query_norm": ("attn.norm_added_q",),
    "txt_attn.norm.key_norm": ("attn.norm_added_k",),
    "img_attn.proj": ("attn.to_out.0",),
    "txt_attn.proj": ("attn.to_add_out",),
    "img_mlp.0": ("ff.net.0.proj",),
    "img_mlp.2": ("ff.net.2",),
    "txt_mlp.0": ("ff_context.net.0.proj",),
    "txt_mlp.2": ("ff_context.net.2",),
}
INSIDE_SINGLE = {
    "modulation.lin": ("norm.linear",),
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    "norm.query_norm": ("attn.norm_q",),
    "norm.key_norm": ("attn.norm_k",),
    "linear2": ("proj_out",),
}
_BLOCK = re.compile(r"(double|single)_blocks\.(\d+)\.(.+)")


def to_diffusers(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The transformer's tensors under diffusers' names; those of other models in the file are left out.

    Raises:
        IntegrityError: a tensor has no place in Flux.
    """
    inside = {_PREFIX.sub("", name): value for name, value in tensors.items() if _PREFIX.match(name)} or dict(
        tensors
    )
    if not any(_BLOCK.match(name) for name in inside):
        return inside
    if "img_in.bias" not in inside:
        raise IntegrityError(
            "img_in.bias: not in the file, expected in every Flux transformer; fetch it again"
        )
    width = len(inside["img_in.bias"])
    return {ours: part for name, value in inside.items() for ours, part in _renamed(name, value, width)}


def config_of(state: Mapping[str, Tensor]) -> dict[str, object]:
    """What a transformer of Flux.1's width is, from its tensors' names; diffusers' defaults are its sizes."""
    blocks = {
        kind: len({name.split(".")[1] for name in state if name.startswith(f"{kind}.")})
        for kind in ("transformer_blocks", "single_transformer_blocks")
    }
    return {
        "_class_name": "FluxTransformer2DModel",
        "num_layers": blocks["transformer_blocks"],
        "num_single_layers": blocks["single_transformer_blocks"],
        "guidance_embeds": any(".guidance_embedder." in name for name in state),
    }


def _renamed(name: str, value: Tensor, width: int) -> Iterator[tuple[str, Tensor]]:
    stem, _, suffix = name.rpartition(".")
    block = _BLOCK.match(stem)
    if block is None:
        if stem not in ENTRANCES:
            raise IntegrityError(f"{name}: no tensor of Flux; the file is of another model")
        yield f"{ENTRANCES[stem]}.{suffix}", _swapped(value) if stem.startswith("final_layer.ada") else value
        return
    kind, number, inner = block.groups()
    names = (INSIDE_DOUBLE if kind == "double" else INSIDE_SINGLE).get(inner)
    if names is None:
        raise IntegrityError(f"{name}: no tensor of Flux; the file is of another model")
    before = "transformer_blocks" if kind == "double" else "single_transformer_blocks"
    for ours, part in zip(names, _parts(value, names, width), strict=True):
        yield f"{before}.{number}.{ours}.{'weight' if suffix == 'scale' else suffix}", part


def _parts(value: Tensor, names: Sequence[str], width: int) -> Sequence[Tensor]:
    if len(names) == 1:
        return (value,)
    rows = [len(value) - width * (len(names) - 1) if name == "proj_mlp" else width for name in names]
    return value.split(rows)


def _swapped(value: Tensor) -> Tensor:
    """Black Forest Labs put shift before scale here, diffusers scale before shift."""
    import torch

    shift, scale = value.chunk(2)
    return torch.cat([scale, shift])
