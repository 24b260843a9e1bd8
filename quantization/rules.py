"""Which tensor of a checkpoint goes into the file, under which name and as which block type.

In go names and shapes, out comes a plan; no tensor is read. What enters and leaves a Flux transformer stays
in half precision, vectors stay in single, a row that a block type cannot hold falls back to half.
Names: ComfyUI-GGUF and diffusers read Flux under Black Forest Labs' names. diffusers' own converter from
those knows one width only, 3072, so a smaller transformer in diffusers' layout keeps its names, which
diffusers loads as they are. A T5 encoder gets the names of llama.cpp, which transformers reads, given
its config.json: a GGUF file has no field for the activation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gguf

from model.errors import ConfigError
from quantization.levels import TYPES, BlockType, Level

Shapes = Mapping[str, tuple[int, ...]]

FLUX_WIDTH = 3072
_PREFIXES = ("model.diffusion_model.", "diffusion_model.")
_KEPT_BFL = ("img_in.", "txt_in.", "time_in.", "vector_in.", "guidance_in.", "final_layer.")
_KEPT_DIFFUSERS = ("x_embedder.", "context_embedder.", "time_text_embed.", "norm_out.", "proj_out.")

# Black Forest Labs' name → those of diffusers, stacked in this order.
_BFL = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    **{
        f"{bfl}_in.{side}_layer": f"time_text_embed.{ours}_embedder.linear_{number}"
        for bfl, ours in (("time", "timestep"), ("vector", "text"), ("guidance", "guidance"))
        for side, number in (("in", 1), ("out", 2))
    },
    "final_layer.linear": "proj_out",
    "final_layer.adaLN_modulation.1": "norm_out.linear",
}
_BFL_DOUBLE = {
    "img_mod.lin": "norm1.linear",
    "txt_mod.lin": "norm1_context.linear",
    "img_attn.qkv": "attn.to_q attn.to_k attn.to_v",
    "txt_attn.qkv": "attn.add_q_proj attn.add_k_proj attn.add_v_proj",
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
    "img_attn.proj": "attn.to_out.0",
    "txt_attn.proj": "attn.to_add_out",
    "img_mlp.0": "ff.net.0.proj",
    "img_mlp.2": "ff.net.2",
    "txt_mlp.0": "ff_context.net.0.proj",
    "txt_mlp.2": "ff_context.net.2",
}
_BFL_SINGLE = {
    "modulation.lin": "norm.linear",
    "linear1": "attn.to_q attn.to_k attn.to_v proj_mlp",
    "norm.query_norm": "attn.norm_q",
    "norm.key_norm": "attn.norm_k",
    "linear2": "proj_out",
}
_BLOCKS = (
    ("double_blocks", "transformer_blocks", _BFL_DOUBLE),
    ("single_blocks", "single_transformer_blocks", _BFL_SINGLE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One tensor of the file.

    Attributes:
        parts: names in the source, stacked along the first dimension.
        swapped: the halves of the first dimension change places.
        fallen_back: it would have the level's type, if that could hold its rows.
    """

    name: str
    parts: tuple[str, ...]
    shape: tuple[int, ...]
    type: BlockType
    swapped: bool = False
    fallen_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlan:
    """What the file will hold.

    Attributes:
        fields: metadata of the architecture, beside what every file has.
        left_out: tensors of the source that belong to other models.
    """

    architecture: str
    tensors: tuple[Planned, ...]
    fields: dict[str, Any]
    left_out: int


def plan_file(
    shapes: Shapes, level: Level, *, config: Mapping[str, Any] | None = None, origin: Mapping[str, Any]
) -> FilePlan:
    """Plan the GGUF file of a checkpoint.

    Args:
        config: the model's config.json, needed for a T5 encoder in safetensors.
        origin: metadata of the source, where it is itself a GGUF file.
    Raises:
        ConfigError: it is not a model that is known here.
    """
    prefix = next((p for p in _PREFIXES if any(name.startswith(p) for name in shapes)), "")
    inside = {name.removeprefix(prefix): name for name in shapes if name.startswith(prefix)}
    if scaled := next((name for name in inside if name.endswith(("scale_weight", "weight_scale"))), None):
        raise ConfigError(f"{scaled}: a checkpoint with scaled fp8 weights is not read; take the bf16 one")
    if any(name.startswith(("double_blocks.", "single_blocks.")) for name in inside):
        tensors = [
            _planned(name, (source,), shapes, level, name.startswith(_KEPT_BFL))
            for name, source in inside.items()
        ]
        return _plan("flux", tensors, {}, shapes)
    if any(name.startswith(("transformer_blocks.", "single_transformer_blocks.")) for name in inside):
        return _plan("flux", _from_diffusers(inside, shapes, level), {}, shapes)
    if origin.get("general.architecture") == "t5encoder":
        fields = {key: value for key, value in origin.items() if key.startswith(("t5encoder.", "tokenizer."))}
        return _plan("t5encoder", [_t5(name, name, shapes, level) for name in inside], fields, shapes)
    if any(name.startswith("encoder.block.0.layer.0.SelfAttention.") for name in inside):
        return _from_t5(shapes, level, config)
    if any(name.startswith("text_model.encoder.layers.") for name in inside):
        raise ConfigError("a CLIP text encoder: transformers does not read it as GGUF; use its safetensors")
    known = "a Flux transformer (names of Black Forest Labs or diffusers) or a T5 encoder"
    raise ConfigError(f"{len(shapes)} tensors of a model that is not known here, expected {known}")


def _plan(architecture: str, tensors: list[Planned], fields: dict[str, Any], shapes: Shapes) -> FilePlan:
    used = {part for tensor in tensors for part in tensor.parts}
    return FilePlan(
        architecture=architecture,
        tensors=tuple(tensors),
        fields=fields,
        left_out=len(shapes) - len(used),
    )


def _planned(
    name: str, parts: tuple[str, ...], shapes: Shapes, level: Level, kept: bool, *, swapped: bool = False
) -> Planned:
    first, *rest = (shapes[part] for part in parts)
    if any(shape[1:] != first[1:] for shape in rest):
        raise ConfigError(f"{name}: its parts {', '.join(parts)} differ in width; the checkpoint is broken")
    shape = (first[0] + sum(shape[0] for shape in rest), *first[1:]) if first else (1,)
    if len(shape) < 2:
        return Planned(name=name, parts=parts, shape=shape, type=TYPES["F32"], swapped=swapped)
    fallen_back = not kept and shape[-1] % level.type.values != 0
    kind = TYPES["F16"] if kept or fallen_back else level.type
    return Planned(name=name, parts=parts, shape=shape, type=kind, swapped=swapped, fallen_back=fallen_back)


def _from_diffusers(inside: Mapping[str, str], shapes: Shapes, level: Level) -> list[Planned]:
    width = shapes[inside["x_embedder.weight"]][0] if "x_embedder.weight" in inside else 0
    if width != FLUX_WIDTH:
        return [
            _planned(name, (source,), shapes, level, name.startswith(_KEPT_DIFFUSERS))
            for name, source in inside.items()
        ]
    tensors: list[Planned] = []
    for bfl, ours in _bfl_names(inside).items():
        parts = tuple(inside[name] for name in ours if name in inside)
        if len(parts) != len(ours):
            raise ConfigError(
                f"{bfl}: {', '.join(set(ours) - set(inside))} missing; the checkpoint is broken"
            )
        # diffusers keeps scale before shift here, Black Forest Labs shift before scale.
        swapped = bfl.startswith("final_layer.adaLN")
        tensors.append(_planned(bfl, parts, shapes, level, bfl.startswith(_KEPT_BFL), swapped=swapped))
    left = set(inside.values()) - {part for tensor in tensors for part in tensor.parts}
    if left:
        raise ConfigError(f"{min(left)}: no tensor of Flux; the checkpoint is of another model")
    return tensors


def _bfl_names(names: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Black Forest Labs' names of all tensors that diffusers' names can make."""
    tables = [("", "", _BFL)]
    for theirs, ours, table in _BLOCKS:
        numbers = {int(match[1]) for name in names if (match := re.match(rf"{ours}\.(\d+)\.", name))}
        tables += [(f"{theirs}.{number}.", f"{ours}.{number}.", table) for number in sorted(numbers)]
    made: dict[str, tuple[str, ...]] = {}
    for theirs, ours, table in tables:
        for bfl, joined in table.items():
            for suffix in ("weight", "bias"):
                parts = tuple(f"{ours}{part}.{suffix}" for part in joined.split())
                if any(part in names for part in parts):
                    made[theirs + bfl + "." + ("scale" if "_norm" in bfl else suffix)] = parts
    return made


def names_in_diffusers(name: str) -> tuple[str, ...]:
    """What diffusers calls the parts of a tensor that Black Forest Labs name so; they are fed the same."""
    for theirs, ours, table in _BLOCKS:
        if (match := re.fullmatch(rf"{theirs}\.(\d+)\.(.+)\.weight", name)) and match[2] in table:
            return tuple(f"{ours}.{match[1]}.{part}.weight" for part in table[match[2]].split())
    return ()


def _from_t5(shapes: Shapes, level: Level, config: Mapping[str, Any] | None) -> FilePlan:
    try:
        facts = dict(config or {})
        if not str(facts.get("feed_forward_proj", "")).startswith("gated"):
            raise ConfigError("a T5 encoder without gates: transformers reads the gated kind only as GGUF")
        layers = int(facts["num_layers"])
        fields = {
            "t5encoder.context_length": int(facts.get("n_positions", 512)),
            "t5encoder.block_count": layers,
            "t5encoder.embedding_length": int(facts["d_model"]),
            "t5encoder.feed_forward_length": int(facts["d_ff"]),
            "t5encoder.attention.head_count": int(facts["num_heads"]),
            "t5encoder.attention.key_length": int(facts["d_kv"]),
            "t5encoder.attention.value_length": int(facts["d_kv"]),
            "t5encoder.attention.layer_norm_epsilon": float(facts["layer_norm_epsilon"]),
            "t5encoder.attention.layer_norm_rms_epsilon": float(facts["layer_norm_epsilon"]),
            "t5encoder.attention.relative_buckets_count": int(facts["relative_attention_num_buckets"]),
            "t5encoder.decoder_start_token_id": int(facts.get("decoder_start_token_id", 0)),
            "t5encoder.vocab_size": int(facts["vocab_size"]),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"a T5 encoder needs its config.json beside it: {error} was not found there"
        ) from error
    names: Any = gguf.get_tensor_name_map(gguf.MODEL_ARCH.T5ENCODER, layers)
    tensors: list[Planned] = []
    for source in shapes:
        stem, _, suffix = source.rpartition(".")
        # The embedding stands in a checkpoint twice, or under its second name alone.
        if stem == "encoder.embed_tokens":
            if "shared.weight" in shapes:
                continue
            stem = "shared"
        name = names.get_name(stem)
        if name is None:
            raise ConfigError(f"{source}: no tensor of a T5 encoder; name a folder with the encoder alone")
        tensors.append(_t5(f"{name}.{suffix}", source, shapes, level))
    return _plan("t5encoder", tensors, fields, shapes)


def _t5(name: str, source: str, shapes: Shapes, level: Level) -> Planned:
    return _planned(name, (source,), shapes, level, ".attn_rel_b." in name)
