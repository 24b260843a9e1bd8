"""What can be downloaded: the sets that `run.py download NAME` fetches, and where each file is published.

In: a name, and for Flux and its T5 a level of GGUF. Out: `Source`s, each some files of one repository with
their licence. Sizes are in the hub's answers, not here. A file whose name ends in `.index.json` stands for
itself and for every shard it lists. A pickle is named only where nothing else is published (SAM).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.errors import ConfigError
from model.variants import VARIANTS, variant_named

FLUX_DEV = "flux-1-dev-non-commercial-license"
APACHE = "apache-2.0"
INDEX = ".index.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Files of one repository.

    Attributes:
        repository: its name on the hub.
        files: paths in it.
        licence: as the hub names it.
        gated: whether its page asks for something to be accepted first; the hub's own answer counts.
        revision: branch, tag or commit.
    """

    repository: str
    files: tuple[str, ...]
    licence: str
    gated: bool = False
    revision: str = "main"

    @property
    def page(self) -> str:
        """Where a person reads the licence and accepts it."""
        return f"https://huggingface.co/{self.repository}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gguf:
    """Quantized weights that take the place of others.

    Attributes:
        repository, licence: as of a Source.
        pattern: file name with `{level}`.
        levels: level → as the repository spells it.
        instead_of: the files that are not needed then.
    """

    repository: str
    pattern: str
    levels: dict[str, str]
    licence: str
    instead_of: tuple[str, ...] = ()

    def source(self, level: str) -> Source:
        """The file of this level."""
        name = self.pattern.format(level=self.levels[level])
        return Source(repository=self.repository, files=(name,), licence=self.licence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """What one name fetches.

    Attributes:
        name: what is typed.
        purpose: one line for people.
        sources: what it is made of.
        gguf: where its quantized weights are; None: there are none.
    """

    name: str
    purpose: str
    sources: tuple[Source, ...] = ()
    gguf: Gguf | None = None

    def at(self, level: str | None) -> tuple[Source, ...]:
        """The sources, with quantized weights if a level is named.

        Raises:
            ConfigError: there is no such level of this set.
        """
        if level is None:
            return self.sources
        if self.gguf is None:
            having = ", ".join(name for name, one in CATALOG.items() if one.gguf)
            raise ConfigError(f"--gguf: {self.name} has no GGUF files; those have: {having}")
        if level.upper() not in self.gguf.levels:
            known = ", ".join(self.gguf.levels)
            raise ConfigError(f"--gguf: {self.name} has no '{level}'; use one of {known}")
        left = (
            replace(one, files=tuple(file for file in one.files if file not in self.gguf.instead_of))
            for one in self.sources
        )
        return (*(one for one in left if one.files), self.gguf.source(level.upper()))


def _within(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in names)


_TOKENIZER = ("merges.txt", "special_tokens_map.json", "tokenizer_config.json", "vocab.json")
_FLUX_TRANSFORMER = "transformer/diffusion_pytorch_model.safetensors.index.json"
_FLUX_FILES = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    *_within("text_encoder", "config.json", "model.safetensors"),
    *_within("text_encoder_2", "config.json", "model.safetensors.index.json"),
    *_within("tokenizer", *_TOKENIZER),
    *_within(
        "tokenizer_2", "special_tokens_map.json", "spiece.model", "tokenizer.json", "tokenizer_config.json"
    ),
    *("transformer/config.json", _FLUX_TRANSFORMER),
    *_within("vae", "config.json", "diffusion_pytorch_model.safetensors"),
)
_SD15_FILES = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    *_within("text_encoder", "config.json", "model.fp16.safetensors"),
    *_within("tokenizer", *_TOKENIZER),
    *_within("unet", "config.json", "diffusion_pytorch_model.fp16.safetensors"),
    *_within("vae", "config.json", "diffusion_pytorch_model.fp16.safetensors"),
)
_SDXL_FILES = (
    *_SD15_FILES,
    *_within("text_encoder_2", "config.json", "model.fp16.safetensors"),
    *_within("tokenizer_2", *_TOKENIZER),
)
_REDUX_FILES = (
    "model_index.json",
    "feature_extractor/preprocessor_config.json",
    *_within("image_embedder", "config.json", "diffusion_pytorch_model.safetensors"),
    *_within("image_encoder", "config.json", "model.safetensors"),
)
_VIT_H = _within("models/image_encoder", "config.json", "model.safetensors")
_VIT_BIGG = _within("sdxl_models/image_encoder", "config.json", "model.safetensors")


def _flux(row: str) -> Source:
    licence = APACHE if row == "flux-schnell" else FLUX_DEV
    return Source(repository=VARIANTS[row].repository, files=_FLUX_FILES, licence=licence, gated=True)


def _flux_gguf(row: str) -> Gguf:
    files = VARIANTS[row].gguf
    assert files is not None
    return Gguf(
        repository=files.repository,
        pattern=files.stem + "-{level}.gguf",
        levels={level: level for level in files.levels},
        licence=APACHE if row == "flux-schnell" else FLUX_DEV,
        instead_of=(_FLUX_TRANSFORMER,),
    )


def _adapter(file: str, encoder: tuple[str, ...]) -> Source:
    return Source(repository="h94/IP-Adapter", files=(file, *encoder), licence=APACHE)


_REDUX = Source(
    repository="black-forest-labs/FLUX.1-Redux-dev", files=_REDUX_FILES, licence=FLUX_DEV, gated=True
)
_SD15 = Source(
    repository=VARIANTS["sd15"].repository,
    files=_SD15_FILES,
    licence="creativeml-openrail-m",
)
_SDXL = Source(repository=VARIANTS["sdxl"].repository, files=_SDXL_FILES, licence="openrail++")
_DINO = Source(
    repository="IDEA-Research/grounding-dino-tiny",
    files=(
        *("config.json", "model.safetensors", "preprocessor_config.json"),
        *("special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"),
    ),
    licence=APACHE,
)
_SAM = Source(
    repository="ybelkada/segment-anything", files=("checkpoints/sam_vit_b_01ec64.pth",), licence=APACHE
)
_CLIP = Source(
    repository="timm/vit_base_patch32_clip_224.openai",
    files=("open_clip_config.json", "open_clip_model.safetensors"),
    licence=APACHE,
)
_SETS = (
    Set(
        name="flux-dev",
        purpose="Flux dev; references through Redux",
        sources=(_flux("flux-dev"), _REDUX),
        gguf=_flux_gguf("flux-dev"),
    ),
    Set(
        name="flux-schnell",
        purpose="Flux schnell, four steps; references through Redux",
        sources=(_flux("flux-schnell"), _REDUX),
        gguf=_flux_gguf("flux-schnell"),
    ),
    Set(
        name="flux-kontext",
        purpose="Flux Kontext; references as latents",
        sources=(_flux("flux-kontext"),),
        gguf=_flux_gguf("flux-kontext"),
    ),
    Set(
        name="sd15",
        purpose="Stable Diffusion 1.5 with IP-Adapter",
        sources=(_SD15, _adapter("models/ip-adapter_sd15.safetensors", _VIT_H)),
    ),
    Set(
        name="sd15plus",
        purpose="Stable Diffusion 1.5 with IP-Adapter Plus",
        sources=(_SD15, _adapter("models/ip-adapter-plus_sd15.safetensors", _VIT_H)),
    ),
    Set(
        name="sdxl",
        purpose="Stable Diffusion XL with IP-Adapter",
        sources=(_SDXL, _adapter("sdxl_models/ip-adapter_sdxl.safetensors", _VIT_BIGG)),
    ),
    Set(
        name="sdxlplus",
        purpose="Stable Diffusion XL with IP-Adapter Plus (ViT-H)",
        sources=(_SDXL, _adapter("sdxl_models/ip-adapter-plus_sdxl_vit-h.safetensors", _VIT_H)),
    ),
    Set(name="redux", purpose="Redux and its SigLIP alone", sources=(_REDUX,)),
    Set(name="grounding-dino", purpose="finds characters: --detector", sources=(_DINO,)),
    Set(name="sam", purpose="cuts characters out: --segmenter", sources=(_SAM,)),
    Set(
        name="clip",
        purpose="CLIP ViT-B/32: compares characters; for the vibe memory, CLIP_MODEL_NAME",
        sources=(_CLIP,),
    ),
)
CATALOG: dict[str, Set] = {one.name: one for one in _SETS}
# A model's name alone fetches its default variant.
ALIASES = {
    row.model: row.name
    for row in reversed(tuple(VARIANTS.values()))
    if row.model != row.name and variant_named(row.model) is row
}


def named(name: str) -> Set:
    """A set by its name.

    Raises:
        ConfigError: there is none of this name.
    """
    if name.lower() == "starter":
        raise ConfigError("download: the starter comes with the project, there is nothing to fetch")
    found = CATALOG.get(ALIASES.get(name.lower(), name.lower()))
    if found is None:
        raise ConfigError(
            f"download: '{name}' is unknown; use one of {', '.join([*CATALOG, *ALIASES])}, or --list"
        )
    return found
