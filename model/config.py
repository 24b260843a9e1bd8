"""What a run is told, resolved: presets and flags in, one frozen `Settings` out. Pure; no heavy imports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from model.errors import ConfigError

Number = TypeVar("Number", int, float)

FIRST_STORY = Path(__file__).resolve().parent.parent / "examples" / "first_light.json"
QUALITIES = ("fast", "balanced", "high_quality")
INJECTIONS = ("similar", "diverse")
DEVICES = ("auto", "cuda", "mps", "cpu")
LONGEST = 1024
VIBE_THRESHOLD, VIBE_RETRIES = -0.1, 3
# Named choices of threshold and retries. Quality takes only what is liked with 65 % and spends up to seven
# pictures on it. Speed turns away only what is clearly disliked (under 40 %). Exploration stands at neutral,
# so that what no memory speaks of may pass.
VIBE_SETTINGS = {"quality": (0.3, 6), "speed": (-0.2, 2), "exploration": (0.0, 4)}
PLACES = "a folder, a safetensors or GGUF file, or a hub name such as ORG/NAME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What `--quality` stands for. `refine_steps`: last steps that follow the global prompt alone."""

    steps: int
    guidance: float
    refine_steps: int = 0


# One row a variant (model/render/variants.py has the rest of each row). Steps and guidance of the large ones
# are those their makers name; the starter's guidance was chosen by eye between 2.5 and 4, not measured.
PRESETS: dict[str, dict[str, Preset]] = {
    "starter": {
        "fast": Preset(steps=8, guidance=3.0),
        "balanced": Preset(steps=16, guidance=3.0),
        "high_quality": Preset(steps=32, guidance=3.0),
    },
    "flux-dev": {
        "fast": Preset(steps=12, guidance=3.5, refine_steps=6),
        "balanced": Preset(steps=20, guidance=3.5, refine_steps=10),
        "high_quality": Preset(steps=28, guidance=3.5, refine_steps=14),
    },
    "flux-schnell": {
        "fast": Preset(steps=2, guidance=1.0, refine_steps=2),
        "balanced": Preset(steps=4, guidance=1.0, refine_steps=4),
        "high_quality": Preset(steps=8, guidance=1.0, refine_steps=4),
    },
    "flux-kontext": {
        "fast": Preset(steps=12, guidance=2.5, refine_steps=4),
        "balanced": Preset(steps=20, guidance=2.5, refine_steps=6),
        "high_quality": Preset(steps=28, guidance=2.5, refine_steps=8),
    },
    **{
        name: {
            "fast": Preset(steps=20, guidance=guidance, refine_steps=6),
            "balanced": Preset(steps=30, guidance=guidance, refine_steps=10),
            "high_quality": Preset(steps=50, guidance=guidance, refine_steps=20),
        }
        for name, guidance in (("sd15", 7.5), ("sd15plus", 7.5), ("sdxl", 5.0), ("sdxlplus", 5.0))
    },
}

# What --model and --model_variant name together; the first variant of a model is its default.
MODELS: dict[str, dict[str, str]] = {
    "starter": {"": "starter"},
    "sd15": {"": "sd15"},
    "sd15plus": {"": "sd15plus"},
    "sdxl": {"": "sdxl"},
    "sdxlplus": {"": "sdxlplus"},
    "flux": {"dev": "flux-dev", "schnell": "flux-schnell"},
    "fluxplus": {"kontext": "flux-kontext"},
}
# Distilled to draw without guidance.
UNGUIDED = ("flux-schnell",)
# Most tokens of a global prompt, where a variant takes fewer than MOST_TOKENS.
TOKENS = {"flux-schnell": 256}
MOST_TOKENS = 512


def variant_named(model: str, model_variant: str = "") -> str | None:
    """The row of PRESETS that `--model` and `--model_variant` name; None: `model` is no name but a place.

    Raises:
        ConfigError: the model has no such variant.
    """
    if model in MODELS:
        rows = MODELS[model]
        row = rows.get(model_variant) if model_variant else next(iter(rows.values()))
        known = ", ".join(name for name in rows if name)
    elif model in PRESETS:
        row, known = (model if not model_variant or model.endswith(f"-{model_variant}") else None), ""
    else:
        return None
    if row is None:
        advice = f"use {known}" if known else "leave it out"
        raise ConfigError(f"--model_variant: {model} has no variant '{model_variant}'; {advice}")
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A LoRA file and how strongly it acts."""

    path: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a run needs to know besides the story.

    Attributes:
        model: what --model said: a name of MODELS or PRESETS, a folder, a weights file, or a hub name.
        variant: the row of PRESETS that it is.
        adapters: LoRA files, in the order they are applied.
        gguf: a GGUF file with the transformer's weights; also a level or "auto", until `fitting` has found
            the file; empty = the model's own weights.
        device: one of DEVICES.
        seed: of the run; every panel's own seed comes from it.
        steps, guidance, refine_steps, scheduler, max_sequence_length, reference_scale: see render's
            `Sampling`.
        candidates: pictures drawn of each character without a reference; the best one is kept.
        max_retries: how often a panel that is not accepted is drawn again, at most.
        vibe_threshold: least score of the vibe memory that a panel needs, −1 to 1.
        vibe_category: of the memories that panels are scored by; None = all.
        vibe_guidance: whether panels lean towards liked pictures.
        vibe_weight: how far they lean, 0 to 1.
        inject_every: every Nth panel leans towards a drawn one; 0 = none does.
        inject: which one: one of INJECTIONS.
        inject_weight: how far it leans, 0 to 1.
        cache_entries, cache_gb: how large the panel cache may be after a run.
        detector, segmenter: what looks at drawn panels: "auto" (the checkpoint's own), "none", or a path.
        upscaler: what brings accepted panels to page resolution: "starter", "none", or a weights file.
        longest: pixels that the longest side of an enlarged panel has at least.
        batch: most panels in one batch.
        out: where the book goes; None = outputs/<story slug>.
        library: where drawn panels are kept.
        dpi: of the pages' pictures.
    """

    model: str = "starter"
    variant: str = "starter"
    adapters: tuple[Adapter, ...] = ()
    gguf: str = ""
    quality: str = "balanced"
    device: str = "auto"
    seed: int = 0
    steps: int
    guidance: float
    refine_steps: int
    scheduler: str = "flow_match"
    max_sequence_length: int = 512
    reference_scale: float = 1.0
    candidates: int = 3
    max_retries: int = 3
    vibe_threshold: float = -0.1
    vibe_category: str | None = None
    vibe_guidance: bool = False
    vibe_weight: float = 0.5
    inject_every: int = 0
    inject: str = "similar"
    inject_weight: float = 0.5
    cache_entries: int = 100_000
    cache_gb: float = 20.0
    detector: str = "auto"
    segmenter: str = "auto"
    upscaler: str = "starter"
    longest: int = LONGEST
    batch: int = 8
    out: Path | None = None
    library: Path = Path("outputs/library")
    dpi: int = 150


def resolve(
    *,
    model: str = "starter",
    model_variant: str = "",
    variant: str | None = None,
    lora: Sequence[str] = (),
    gguf: str = "",
    quality: str = "balanced",
    steps: int | None = None,
    guidance: float | None = None,
    refine_steps: int | None = None,
    scheduler: str | None = None,
    max_sequence_length: int | None = None,
    reference_scale: float = 1.0,
    device: str = "auto",
    seed: int = 0,
    candidates: int = 3,
    max_retries: int | None = None,
    vibe_settings: str | None = None,
    vibe_threshold: float | None = None,
    vibe_category: str | None = None,
    vibe_guidance: bool = False,
    vibe_weight: float = 0.5,
    inject_every: int = 0,
    inject: str = "similar",
    inject_weight: float = 0.5,
    cache_entries: int = 100_000,
    cache_gb: float = 20.0,
    detector: str = "auto",
    segmenter: str = "auto",
    upscaler: str = "starter",
    out: Path | None = None,
    library: Path = Path("outputs/library"),
) -> Settings:
    """Fill what was not said from the preset, and check the rest.

    Args:
        variant: the row of PRESETS that `model` is, where it is no name but a place.
    Raises:
        ConfigError: a value is out of range; the message names its flag.
    """
    row = variant or variant_named(model, model_variant)
    if row is None and (Path(model) / "manifest.json").is_file():
        row = "starter"
    if row is None:
        raise ConfigError(f"--model: '{model}' is unknown; use one of {', '.join(MODELS)}, or {PLACES}")
    if vibe_settings is not None and vibe_settings not in VIBE_SETTINGS:
        raise ConfigError(
            f"--vibe_settings: '{vibe_settings}' is unknown; use one of {', '.join(VIBE_SETTINGS)}"
        )
    threshold, retries = VIBE_SETTINGS.get(vibe_settings or "", (VIBE_THRESHOLD, VIBE_RETRIES))
    if inject not in INJECTIONS:
        raise ConfigError(f"--inject: '{inject}' is unknown; use one of {', '.join(INJECTIONS)}")
    if quality not in QUALITIES:
        raise ConfigError(f"--quality: '{quality}' is unknown; use one of {', '.join(QUALITIES)}")
    preset = PRESETS[row][quality]
    steps = _within("--num_inference_steps", preset.steps if steps is None else steps, 1, 1000)
    # A preset leaves the regions at least half of the steps; whoever names a number gets that number.
    refine_steps = min(preset.refine_steps, steps // 2) if refine_steps is None else refine_steps
    if row in UNGUIDED and guidance not in (None, 1):
        raise ConfigError(f"--guidance_scale: {row} draws without guidance, found {guidance}; leave it out")
    tokens = TOKENS.get(row, MOST_TOKENS)
    if max_sequence_length is None:
        max_sequence_length = tokens
    return Settings(
        model=model,
        variant=row,
        adapters=tuple(map(_adapter, lora)),
        gguf=gguf,
        quality=quality,
        device=device,
        seed=_within("--seed", seed, 0, 2**63 - 1),
        steps=steps,
        guidance=_within("--guidance_scale", preset.guidance if guidance is None else guidance, 0.0, 100.0),
        refine_steps=_within("--refine_steps", refine_steps, 0, steps),
        scheduler=_scheduler(row, scheduler),
        max_sequence_length=_within("--max_sequence_length", max_sequence_length, 1, tokens),
        reference_scale=_within("--reference_scale", reference_scale, 0.0, 2.0),
        candidates=_within("--candidates", candidates, 1, 64),
        max_retries=_within("--max_retries", retries if max_retries is None else max_retries, 0, 10),
        vibe_threshold=_within(
            "--vibe_threshold", threshold if vibe_threshold is None else vibe_threshold, -1.0, 1.0
        ),
        vibe_category=vibe_category,
        vibe_guidance=vibe_guidance,
        vibe_weight=_within("--vibe_weight", vibe_weight, 0.0, 1.0),
        inject_every=_within("--inject_every", inject_every, 0, 10_000),
        inject=inject,
        inject_weight=_within("--inject_weight", inject_weight, 0.0, 1.0),
        cache_entries=_within("--cache_entries", cache_entries, 0, 10**9),
        cache_gb=_within("--cache_gb", cache_gb, 0.0, 1e6),
        detector=_eye("--detector", detector),
        segmenter=_eye("--segmenter", segmenter),
        upscaler=_upscaler(upscaler),
        out=out,
        library=library,
    )


def _scheduler(row: str, said: str | None) -> str:
    """The sampler; without a word on it, the one that the family is best known with."""
    if not row.startswith("sd"):
        return said or "flow_match"
    if said == "flow_match":
        raise ConfigError(f"--scheduler: flow_match is for Flux, not for {row}; use euler, ddim or dpm")
    return said or "euler"


def _adapter(said: str) -> Adapter:
    """`path`, or `path:weight`; a colon that no number follows belongs to the path, as in `C:`."""
    path, _, weight = said.rpartition(":")
    try:
        adapter = Adapter(path=path, weight=_within("--lora", float(weight), -10.0, 10.0))
    except ValueError:
        adapter = Adapter(path=said)
    if not Path(adapter.path).is_file():
        raise ConfigError(f"--lora: {adapter.path} is no file; give a safetensors file, or FILE:WEIGHT")
    return adapter


def _eye(flag: str, source: str) -> str:
    if source not in ("auto", "none") and not Path(source).exists():
        raise ConfigError(f"{flag}: {source} does not exist; use auto, none, or the path of its weights")
    return source


def _upscaler(source: str) -> str:
    if source not in ("starter", "none") and not Path(source).is_file():
        raise ConfigError(f"--upscaler: {source} is no file; use starter, none, or the path of its weights")
    return source


def _within(flag: str, value: Number, low: Number, high: Number) -> Number:
    if not low <= value <= high:  # also refuses NaN
        raise ConfigError(f"{flag}: {value} is out of range; use {low} to {high}")
    return value
