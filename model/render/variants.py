"""One table of what panels can be drawn with: a row a variant, no tensors, no files touched.

In: the name of a row. Out: its family, how it takes references and guidance, the sizes and text lengths it
was trained for, and which parts it needs from which repository of the hub. What decides how long it draws
(steps, guidance, refine steps by quality) stands in model/config.py, which must load without this room.
Knows nothing of where files lie (`places`) or how they are read (`weights`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.config import MOST_TOKENS, PRESETS, TOKENS, Preset

# How a character's picture reaches the model.
LATENTS = "latents"  # VAE latents beside the picture's tokens, for weights that were trained so
REDUX = "redux"  # SigLIP features through ReduxImageEncoder, 729 tokens beside the region's text
IP_ADAPTER = "ip_adapter"  # image prompts in the cross-attention
IP_ADAPTER_PLUS = "ip_adapter_plus"  # the same from patch features

# What --guidance_scale means to the model.
TRUE_GUIDANCE = "true"  # classifier-free: a second, untold half of the batch
EMBEDDED_GUIDANCE = "embedded"  # a number that the model was distilled to read
NO_GUIDANCE = "none"


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
class Variant:
    """A row of the table.

    Attributes:
        name: the row of model.config.PRESETS, and what `run.py download NAME` fetches.
        family: flux, sd15 or sdxl: which renderer draws with it.
        classic: the class of this name in earlier programs; empty = none.
        reference: how a reference reaches it: LATENTS, REDUX, IP_ADAPTER or IP_ADAPTER_PLUS.
        guidance: TRUE_GUIDANCE, EMBEDDED_GUIDANCE or NO_GUIDANCE.
        global_tokens: most tokens that are read of a global prompt.
        region_tokens: of a region prompt. Stable Diffusion reads on, in windows of so many; what a run adds
            of its own keeps within the first.
        side: a panel has about as many pixels as a square of this side, where the files do not say.
        multiple: panel sides are multiples of this many pixels.
        reference_side: of the square that a reference picture is resized to.
        parts: what it needs; empty = the project brings it.
    """

    name: str
    family: str
    classic: str = ""
    reference: str
    guidance: str
    global_tokens: int
    region_tokens: int
    side: int
    multiple: int
    reference_side: int
    parts: tuple[Part, ...] = ()

    @property
    def presets(self) -> Mapping[str, Preset]:
        """Steps, guidance and refine steps by quality."""
        return PRESETS[self.name]

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


def _flux(name: str, classic: str, reference: str, guidance: str, parts: tuple[Part, ...]) -> Variant:
    return Variant(
        name=name,
        family="flux",
        classic=classic,
        reference=reference,
        guidance=guidance,
        global_tokens=TOKENS.get(name, MOST_TOKENS),
        region_tokens=128,
        side=1024,
        multiple=32,
        reference_side=512 if reference == LATENTS else 384,
        parts=parts,
    )


def _sd(
    name: str, classic: str, reference: str, parts: tuple[Part, ...], adapter: tuple[Part, ...]
) -> Variant:
    family = "sdxl" if name.startswith("sdxl") else "sd15"
    return Variant(
        name=name,
        family=family,
        classic=classic,
        reference=reference,
        guidance=TRUE_GUIDANCE,
        global_tokens=MOST_TOKENS,
        region_tokens=75,
        side=1024 if family == "sdxl" else 512,
        multiple=64,
        reference_side=224,
        parts=(*parts, *adapter),
    )


_REDUX_PARTS = _base(f"{_FLUX}-Redux-dev", ("image_embedder", "image_encoder", "feature_extractor"))
_SD15 = _base("stable-diffusion-v1-5/stable-diffusion-v1-5", _SD_PARTS)
_SDXL = _base("stabilityai/stable-diffusion-xl-base-1.0", (*_SD_PARTS, "text_encoder_2", "tokenizer_2"))
_VIT_H = "models/image_encoder"

_ROWS = (
    Variant(
        name="starter",
        family="flux",
        reference=LATENTS,
        guidance=TRUE_GUIDANCE,
        global_tokens=16,
        region_tokens=24,
        side=256,
        multiple=32,
        reference_side=128,
    ),
    _flux(
        "flux-dev",
        "AUTOSTUDIOFLUX",
        REDUX,
        EMBEDDED_GUIDANCE,
        (*_base(f"{_FLUX}-dev", _FLUX_PARTS), *_REDUX_PARTS),
    ),
    _flux(
        "flux-schnell",
        "AUTOSTUDIOFLUX",
        REDUX,
        NO_GUIDANCE,
        (*_base(f"{_FLUX}-schnell", _FLUX_PARTS), *_REDUX_PARTS),
    ),
    _flux(
        "flux-kontext",
        "AUTOSTUDIOFLUXPlus",
        LATENTS,
        EMBEDDED_GUIDANCE,
        _base(f"{_FLUX}-Kontext-dev", _FLUX_PARTS),
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
)

VARIANTS: Mapping[str, Variant] = {row.name: row for row in _ROWS}

# What looks at panels of checkpoints that bring no eyes of their own; none of it decides a pixel.
EYES = {
    "clip": Part(name="clip", repository="timm/vit_base_patch32_clip_224.openai", path=""),
    "detector": Part(name="detector", repository="IDEA-Research/grounding-dino-tiny", path=""),
    "segmenter": Part(
        name="segmenter", repository="ybelkada/segment-anything", path="checkpoints/sam_vit_b_01ec64.pth"
    ),
}
