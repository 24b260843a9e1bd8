"""What a LoRA file is made of, by the names of its tensors: which layer of what, and by which formula.

In: a safetensors file of any trainer, its header only. Out: `Layer`s, or a refusal that says what it is.
Every tensor of the file belongs to a layer: none is left out. The names are those of kohya's trainer,
OneTrainer, LyCORIS, PEFT, diffusers old and new, ComfyUI, ai-toolkit and XLabs. Needs no torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import ConfigError
from model.files import mistaken_for

_ADAPTER = r"(?:\.(?!weight$|bias$)[\w-]+)?"  # PEFT's name of an adapter, such as `.default`
# What a tensor is to its layer → how its name ends.
_ROLES = tuple(
    (role, re.compile(pattern + "$"))
    for role, pattern in (
        ("down", rf"\.(?:lora_A{_ADAPTER}|lora_down|lora\.down|lora_linear_layer\.down|down)(?:\.weight)"),
        ("up", rf"\.(?:lora_B{_ADAPTER}|lora_up|lora\.up|lora_linear_layer\.up|up)(?:\.weight)"),
        ("down", r"\.lora_A"),
        ("up", r"\.lora_B"),
        ("mid", r"\.lora_mid\.weight"),
        ("up_bias", rf"\.lora_B{_ADAPTER}\.bias"),
        ("alpha", r"\.alpha"),
        ("magnitude", rf"\.(?:dora_scale|lora_magnitude_vector{_ADAPTER}(?:\.weight)?)"),
        *((f"hada_{one}", rf"\.hada_{one}") for one in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")),
        *((f"lokr_{one}", rf"\.lokr_{one}") for one in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")),
        ("diff", r"\.(?:diff|w_norm)"),
        ("diff_bias", r"\.(?:diff_b|b_norm)"),
    )
)
# Formulas, by the tensors that a layer must have and may have besides.
_ANY = frozenset({"alpha", "magnitude"})
_FORMULAS: dict[str, tuple[tuple[frozenset[str], ...], frozenset[str]]] = {
    "lora": ((frozenset({"down", "up"}),), _ANY | {"mid", "up_bias", "diff_bias"}),
    "loha": (
        (frozenset({"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}),),
        _ANY | {"hada_t1", "hada_t2"},
    ),
    "lokr": (
        tuple(
            frozenset({*one, *other})
            for one in (("lokr_w1",), ("lokr_w1_a", "lokr_w1_b"))
            for other in (("lokr_w2",), ("lokr_w2_a", "lokr_w2_b"))
        ),
        _ANY | {"lokr_t2"},
    ),
    "difference": (
        (frozenset({"diff"}), frozenset({"diff_bias"})),
        frozenset({"diff", "diff_bias", "alpha"}),
    ),
}
_STRANGE = (
    (r"\.oft_(?:blocks|diag|r)\b", "OFT"),
    (r"\.(?:boft_|oft_b)", "BOFT"),
    (r"\.[ab][12]\.weight$", "GLoRA"),
    (r"\.on_input$|\.ia3_l", "IA3"),
    (r"^bundle_emb\.|\.string_to_param|^emb_params$|^clip_[lg]$", "textual inversion"),
    (r"\.(?:set_weight|reshape_weight)$", "a control LoRA"),
    (r"\.lora_embedding_[AB]", "a LoRA of word embeddings"),
    (r"\.(?:vera_|lora_ga|hra_u|poly_)", "a PEFT method"),
)
# Words of a name → the model whose layers are called so; the first that is found.
_MODELS = (
    (r"distilled_guidance_layer", "Chroma"),
    (r"joint_blocks|attn2\.add_", "Stable Diffusion 3"),
    (r"double_stream_modulation|double_blocks[._]\d+[._](?:img|txt)_mlp[._]linear", "FLUX.2"),
    (r"double_blocks|single_blocks|single_transformer_blocks", "Flux"),
    (r"attn[._]add_[qkv]_proj|context_embedder", "Flux"),
    (r"transformer_blocks[._]\d+[._](?:img|txt)_(?:mlp|mod)", "Qwen-Image"),
    (r"noise_refiner|context_refiner|layers[._]\d+[._](?:attention|feed_forward)", "Lumina or Z-Image"),
    (r"(?:^|[._])blocks[._]\d+[._](?:self|cross)_attn", "Wan"),
    (r"caption_projection|adaln_single", "PixArt, LTX or their kin"),
    (r"input_blocks|output_blocks|middle_block|down_blocks|up_blocks|mid_block", "Stable Diffusion"),
)
_USE = "use a file of LoRA, DoRA, LoHa or LoKr matrices"
FAMILIES = {"flux": "Flux", "sd15": "Stable Diffusion 1.5", "sdxl": "SDXL"}
# How names of a part begin → the part, in diffusers' words; "main" is the transformer or the UNet.
_PARTS = tuple(
    (re.compile(begins), part)
    for begins, part in (
        (r"(?:lora_te3_|text_encoder_3\.|text_encoders\.t5xxl\.|t5xxl\.)(?:transformer\.)?", "t5"),
        (r"(?:lora_te2_|text_encoder_2\.|text_encoders\.clip_g\.|clip_g\.)(?:transformer\.)?", "second"),
        (r"(?:lora_te1?_|text_encoder\.|text_encoders\.clip_l\.|clip_l\.)(?:transformer\.)?", "text_encoder"),
        (r"(?:lora_unet_|lora_transformer_|transformer\.|unet\.|(?:model\.)?diffusion_model\.)", "main"),
    )
)
_PEFT = "base_model.model."
_TEXT = re.compile(r"(?:text_model\.)?encoder\.layers\.\d+\.|encoder\.block\.\d+\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one file does to one layer.

    Attributes:
        part: transformer, unet, text_encoder or text_encoder_2, as in diffusers' layout.
        name: of the layer in that part, as the file spells it, without what stands before it.
        formula: lora, loha, lokr or difference.
        tensors: what a tensor is to the formula → its name in the file.
    """

    part: str
    name: str
    formula: str
    tensors: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A LoRA file's layers, and what its own description says of alpha: part → PEFT's LoraConfig."""

    path: Path
    layers: tuple[Layer, ...]
    described: Mapping[str, Mapping[str, Any]]


def read_contents(path: Path, family: str) -> Contents:
    """Look into a LoRA file; no tensor is read.

    Args:
        family: flux, sd15 or sdxl: which model it is to be merged into.
    Raises:
        ConfigError: it is no LoRA file, one of another model, or one of a kind that cannot be merged; the
            message says which.
    """
    names, metadata = _header(path)
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name in names:
        role = next(((role, match) for role, end in _ROLES if (match := end.search(name))), None)
        if role is None:
            raise ConfigError(f"--lora: {path}: {_strange(name)}")
        part, layer = _place(name[: role[1].start()], family)
        tensors = found.setdefault((part, layer), {})
        if role[0] in tensors:
            raise ConfigError(f"--lora: {path}: {name} and {tensors[role[0]]} are the same part of one layer")
        tensors[role[0]] = name
    if not found:
        raise ConfigError(f"--lora: {path}: no tensors in it, so it changes nothing; name another file")
    layers = tuple(
        Layer(part=part, name=layer, formula=_formula(path, layer, tensors), tensors=tensors)
        for (part, layer), tensors in found.items()
    )
    _check_family(path, layers, family)
    return Contents(path=path, layers=layers, described=_described(path, metadata, family))


def settings_beside(path: Path) -> Path | None:
    """PEFT's `adapter_config.json`, which says alpha of an `adapter_model.safetensors` beside it."""
    beside = path.with_name("adapter_config.json")
    return beside if path.name == "adapter_model.safetensors" and beside.is_file() else None


def _header(path: Path) -> tuple[list[str], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        mistaken = mistaken_for(path)
        if mistaken:
            raise ConfigError(f"--lora: {path} is {mistaken}")
        opened: Any = safe_open(str(path), framework="np")
        with opened as file:
            return list(file.keys()), dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:160]
        raise ConfigError(
            f"--lora: {path}: no safetensors file that can be read ({reason}); download it again"
        ) from error


def _place(stem: str, family: str) -> tuple[str, str]:
    """Which part of the model a layer is of, and its name there."""
    name = stem.removeprefix(_PEFT)
    part = "main"
    for begins, named in _PARTS:
        if match := begins.match(name):
            name, part = name[match.end() :], named
            break
    else:
        if _TEXT.match(name):
            part = "t5" if ".block." in name else "text_encoder"
    name = name.removeprefix(_PEFT).removeprefix("model.")
    if part in ("second", "t5"):
        part = "text_encoder_2"
    return ("transformer" if family == "flux" else "unet") if part == "main" else part, name


def _formula(path: Path, layer: str, tensors: Mapping[str, str]) -> str:
    have = frozenset(tensors)
    for formula, (needed, optional) in _FORMULAS.items():
        if any(one <= have <= one | optional for one in needed):
            return formula
    raise ConfigError(
        f"--lora: {path}: {layer} has only {', '.join(sorted(tensors.values()))}, which makes no whole LoRA, "
        "LoHa, LoKr or difference; download the file again"
    )


def _strange(name: str) -> str:
    """What a tensor is that belongs to no LoRA."""
    for pattern, kind in _STRANGE:
        if re.search(pattern, name):
            return f"holds {kind} ({name}), which is not merged here; {_USE}"
    if name.endswith((".weight", ".bias")):
        return f"holds plain weights ({name}): no LoRA but a model, or a part of one; give it to --model"
    return f"holds {name}, which is of no known kind of LoRA; {_USE}"


def model_of(names: Iterable[str]) -> str:
    """Which model layers of these names belong to, in words; "" when it cannot be told."""
    text = "\n".join(names)
    return next((model for pattern, model in _MODELS if re.search(pattern, text)), "")


def _check_family(path: Path, layers: tuple[Layer, ...], family: str) -> None:
    """Refuse a file whose layers are those of another kind of model; sizes are looked at later."""
    main = [layer.name for layer in layers if layer.part in ("transformer", "unet")]
    found = model_of(main)
    wanted = "Flux" if family == "flux" else "Stable Diffusion"
    if found and found != wanted:
        raise ConfigError(
            f"--lora: {path} is for {found} ({main[0]}), this model is {FAMILIES[family]}; the file is for "
            "another model"
        )
    if family == "sd15" and any(layer.part == "text_encoder_2" for layer in layers):
        raise ConfigError(
            f"--lora: {path} also trains a second text encoder, as of SDXL, and this model is "
            f"{FAMILIES[family]}; the file is for another model"
        )


def _described(path: Path, metadata: Mapping[str, str], family: str) -> dict[str, dict[str, Any]]:
    """PEFT's LoraConfig of each part, from the file's metadata or from the file beside it."""
    found: dict[str, dict[str, Any]] = {}
    main = "transformer" if family == "flux" else "unet"
    try:
        told = json.loads(metadata.get("lora_adapter_metadata") or "{}")
        for name, value in told.items():
            part, dot, key = name.partition(".")
            found.setdefault(part if dot else main, {})[key or name] = value
        beside = settings_beside(path)
        if beside is not None:
            found[main] = {**json.loads(beside.read_text(encoding="utf-8")), **found.get(main, {})}
    except (ValueError, AttributeError, OSError, RecursionError, TypeError) as error:
        raise ConfigError(
            f"--lora: {path}: what it says of its alpha cannot be read ({error}); download it again"
        ) from error
    return found
