"""One table of the models that draw panels: a row a variant. Settings, memory plans, downloads, doctor and
renderers all read it.

In: the name of a row, or what `--model` and `--model_variant` say. Out: its family, presets by quality, how
it takes references and guidance, the sizes and text lengths it was trained for, the number type it is
computed in, and which parts and GGUF files it needs from which repository of the hub. No tensors, no files
touched. How many weights its networks have stands in `quantization/sizes.py`, and is reached by
`Variant.sizes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.errors import ConfigError
from quantization.sizes import MODELS as SIZES
from quantization.sizes import ModelSizes

QUALITIES = ("fast", "balanced", "high_quality")

# How a character's picture reaches the model.
LATENTS = "latents"  # VAE latents beside the picture's tokens, for weights that were trained so
REDUX = "redux"  # SigLIP features through ReduxImageEncoder, 729 tokens beside the region's text
IP_ADAPTER = "ip_adapter"  # image prompts in the cross-attention
IP_ADAPTER_PLUS = "ip_adapter_plus"  # the same from patch features

# What --guidance_scale means to the model.
TRUE_GUIDANCE = "true"  # classifier-free: the batch has a second half, without the prompts
EMBEDDED_GUIDANCE = "embedded"  # a number that the model was distilled to read
NO_GUIDANCE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What `--quality` stands for.

    Attributes:
        steps: denoising steps.
        guidance: guidance scale; 1 = none.
        refine_steps: last steps that follow the global prompt alone.
        scheduler: sampler; empty = the one that the family is best known with.
        detail: how much noise small heads get before they are drawn once more; 0 = they are not.
    """

    steps: int
    guidance: float
    refine_steps: int = 0
    scheduler: str = ""
    detail: float = 0.0


def _presets(
    guidance: float, fast: tuple[int, int], balanced: tuple[int, int], high: tuple[int, int]
) -> Mapping[str, Preset]:
    """(steps, refine steps) of each quality, with one guidance scale."""
    return {
        quality: Preset(steps=steps, guidance=guidance, refine_steps=refine)
        for quality, (steps, refine) in zip(QUALITIES, (fast, balanced, high), strict=True)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One component of a variant.

    Attributes:
        name: what it is called in diffusers' layout and asked for by (`Checkpoint.part`).
        repository: the hub's name of where its makers publish it.
        path: folder or file in that repository.
        file: a single file there that holds the same; empty = none.
    """

    name: str
    repository: str
    path: str
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufFiles:
    """Where the hub has GGUF files of a variant's transformer.

    Attributes:
        repository: its name on the hub.
        stem: files are called `<stem>-<LEVEL>.gguf`.
        levels: that it has, best first.
    """

    repository: str
    stem: str
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A row of the table.

    Attributes:
        name: what `run.py download NAME` fetches.
        model, model_variant: what `--model` and `--model_variant` call it; of one model the first row is the
            default.
        family: flux, sd15 or sdxl: which renderer draws with it.
        presets: steps, guidance and refine steps by quality.
        classic: the class of this name in earlier programs; empty = none.
        reference: how a reference reaches it: LATENTS, REDUX, IP_ADAPTER or IP_ADAPTER_PLUS.
        guidance: TRUE_GUIDANCE, EMBEDDED_GUIDANCE or NO_GUIDANCE.
        global_tokens: most tokens that are read of a global prompt.
        region_tokens: of a region prompt. Stable Diffusion reads on, in windows of so many; what a run adds
            of its own keeps within the first.
        side: a panel has about as many pixels as a square of this side, where the files do not say.
        multiple: panel sides are multiples of this many pixels.
        reference_side: of the square that a reference picture is resized to.
        background_prompt: cells outside the characters' boxes can have a prompt of their own.
        dtype: number type to compute in on a GPU. Flux overflows in float16, Stable Diffusion was published
            in it. On a CPU everything is computed in float32.
        parts: what it needs; empty = the project brings it.
        gguf: quantized transformers on the hub; None = nobody publishes any.
    """

    name: str
    model: str
    model_variant: str = ""
    family: str
    presets: Mapping[str, Preset]
    classic: str = ""
    reference: str
    guidance: str
    global_tokens: int
    region_tokens: int
    side: int
    multiple: int
    reference_side: int
    dtype: str
    background_prompt: bool = False
    parts: tuple[Part, ...] = ()
    gguf: GgufFiles | None = None

    @property
    def sizes(self) -> ModelSizes:
        """How large its networks are; variants of Stable Diffusion share those of their family."""
        return SIZES[self.name if self.name in SIZES else self.family]

    @property
    def repository(self) -> str:
        """Where the checkpoint itself is published; empty for the starter."""
        return self.parts[0].repository if self.parts else ""


_FLUX_PARTS = (
    "transformer",
    "vae",
    "text_encoder",
    "text_encoder_2",
    "tokenizer",
    "tokenizer_2",
    "scheduler",
)
_SD_PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")

_FLUX = "black-forest-labs/FLUX.1"
_ADAPTERS = "h94/IP-Adapter"


# What Black Forest Labs publish in one file as well.
_FILES = {"vae": "ae.safetensors", "image_embedder": "flux1-redux-dev.safetensors"}


def _base(repository: str, names: tuple[str, ...]) -> tuple[Part, ...]:
    files = _FILES if repository.startswith(_FLUX) else {}
    return tuple(
        Part(name=name, repository=repository, path=name, file=files.get(name, "")) for name in names
    )


def _adapter(file: str, encoder: str) -> tuple[Part, ...]:
    return (
        Part(name="ip_adapter", repository=_ADAPTERS, path=file),
        Part(name="image_encoder", repository=_ADAPTERS, path=encoder),
    )


_GGUF_LEVELS = ("Q8_0", "Q6_K", "Q5_K_S", "Q5_1", "Q5_0", "Q4_K_S", "Q4_1", "Q4_0", "Q3_K_S", "Q2_K")


def _flux(
    version: str,
    classic: str,
    reference: str,
    guidance: str,
    presets: Mapping[str, Preset],
    parts: tuple[Part, ...],
    gguf: GgufFiles,
    global_tokens: int = 512,
) -> Variant:
    return Variant(
        name=f"flux-{version}",
        model="fluxplus" if reference == LATENTS else "flux",
        model_variant=version,
        family="flux",
        presets=presets,
        classic=classic,
        reference=reference,
        guidance=guidance,
        global_tokens=global_tokens,
        region_tokens=128,
        side=1024,
        multiple=32,
        reference_side=512 if reference == LATENTS else 384,
        dtype="bfloat16",
        parts=parts,
        gguf=gguf,
    )


def _sd(
    name: str, classic: str, reference: str, parts: tuple[Part, ...], adapter: tuple[Part, ...]
) -> Variant:
    family = "sdxl" if name.startswith("sdxl") else "sd15"
    return Variant(
        name=name,
        model=name,
        family=family,
        presets=_presets(5.0 if family == "sdxl" else 7.5, (20, 6), (30, 10), (50, 20)),
        classic=classic,
        reference=reference,
        guidance=TRUE_GUIDANCE,
        global_tokens=512,
        region_tokens=75,
        side=1024 if family == "sdxl" else 512,
        multiple=64,
        reference_side=224,
        dtype="float16",
        background_prompt=True,
        parts=(*parts, *adapter),
    )


_REDUX_PARTS = _base(f"{_FLUX}-Redux-dev", ("image_embedder", "image_encoder", "feature_extractor"))
_SD15 = _base("stable-diffusion-v1-5/stable-diffusion-v1-5", _SD_PARTS)
_SDXL = _base("stabilityai/stable-diffusion-xl-base-1.0", (*_SD_PARTS, "text_encoder_2", "tokenizer_2"))
_VIT_H = "models/image_encoder"

# Steps and guidance of the large models are those that their makers name; the starter's guidance was chosen
# by eye between 2.5 and 4, not measured.
_ROWS = (
    Variant(
        name="starter",
        model="starter",
        family="flux",
        presets={
            "fast": Preset(steps=8, guidance=3.0),
            "balanced": Preset(steps=16, guidance=3.0, scheduler="restart", detail=0.6),
            "high_quality": Preset(steps=32, guidance=3.0, scheduler="restart", detail=0.6),
        },
        reference=LATENTS,
        guidance=TRUE_GUIDANCE,
        global_tokens=512,  # its manifest says how many it reads
        region_tokens=24,
        side=256,
        multiple=32,
        reference_side=128,
        dtype="float32",
    ),
    _sd(
        "sd15",
        "AUTOSTUDIO",
        IP_ADAPTER,
        _SD15,
        _adapter("models/ip-adapter_sd15.safetensors", _VIT_H),
    ),
    _sd(
        "sd15plus",
        "AUTOSTUDIOPlus",
        IP_ADAPTER_PLUS,
        _SD15,
        _adapter("models/ip-adapter-plus_sd15.safetensors", _VIT_H),
    ),
    _sd(
        "sdxl",
        "AUTOSTUDIOXL",
        IP_ADAPTER,
        _SDXL,
        _adapter("sdxl_models/ip-adapter_sdxl.safetensors", "sdxl_models/image_encoder"),
    ),
    _sd(
        "sdxlplus",
        "AUTOSTUDIOXLPlus",
        IP_ADAPTER_PLUS,
        _SDXL,
        _adapter("sdxl_models/ip-adapter-plus_sdxl_vit-h.safetensors", _VIT_H),
    ),
    _flux(
        "dev",
        "AUTOSTUDIOFLUX",
        REDUX,
        EMBEDDED_GUIDANCE,
        _presets(3.5, (12, 6), (20, 10), (28, 14)),
        (*_base(f"{_FLUX}-dev", _FLUX_PARTS), *_REDUX_PARTS),
        GgufFiles(repository="city96/FLUX.1-dev-gguf", stem="flux1-dev", levels=("F16", *_GGUF_LEVELS)),
    ),
    _flux(
        "schnell",
        "AUTOSTUDIOFLUX",
        REDUX,
        NO_GUIDANCE,
        _presets(1.0, (2, 2), (4, 4), (8, 4)),
        (*_base(f"{_FLUX}-schnell", _FLUX_PARTS), *_REDUX_PARTS),
        GgufFiles(
            repository="city96/FLUX.1-schnell-gguf", stem="flux1-schnell", levels=("F16", *_GGUF_LEVELS)
        ),
        global_tokens=256,
    ),
    _flux(
        "kontext",
        "AUTOSTUDIOFLUXPlus",
        LATENTS,
        EMBEDDED_GUIDANCE,
        _presets(2.5, (12, 4), (20, 6), (28, 8)),
        _base(f"{_FLUX}-Kontext-dev", _FLUX_PARTS),
        # city96 publishes none of Kontext; these are made with the same converter.
        GgufFiles(
            repository="QuantStack/FLUX.1-Kontext-dev-GGUF", stem="flux1-kontext-dev", levels=_GGUF_LEVELS
        ),
    ),
)

VARIANTS: Mapping[str, Variant] = {row.name: row for row in _ROWS}
# What `--model` may say, in the order of the table.
MODEL_NAMES = tuple(dict.fromkeys(row.model for row in _ROWS))


def variant_named(model: str, model_variant: str = "") -> Variant | None:
    """The row that `--model` and `--model_variant` name; None: `model` is no name but a place.

    Raises:
        ConfigError: the model has no such variant.
    """
    rows = [row for row in _ROWS if row.model == model]
    if rows:
        found = [row for row in rows if model_variant in ("", row.model_variant)]
        known = ", ".join(row.model_variant for row in rows if row.model_variant)
    elif model in VARIANTS:
        found = [VARIANTS[model]] if not model_variant or model.endswith(f"-{model_variant}") else []
        known = ""
    else:
        return None
    if not found:
        advice = f"use {known}" if known else "leave it out"
        raise ConfigError(f"--model_variant: {model} has no variant '{model_variant}'; {advice}")
    return found[0]


# What measures panels of checkpoints that bring no measuring networks of their own; none of it decides a
# pixel.
MEASURING_PARTS = {
    "clip": Part(name="clip", repository="timm/vit_base_patch32_clip_224.openai", path=""),
    "detector": Part(name="detector", repository="IDEA-Research/grounding-dino-tiny", path=""),
    "segmenter": Part(
        name="segmenter", repository="ybelkada/segment-anything", path="checkpoints/sam_vit_b_01ec64.pth"
    ),
}
