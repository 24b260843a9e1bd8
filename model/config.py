"""Settings: everything a run needs to know besides the story, as one frozen value. No heavy imports.

Defaults stand here alone; steps, guidance, refine steps and prompt length have none, because they come from
the variant's row (`model/variants.py`). What may be said, and how it becomes `Settings`: `model/flags.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_INSTALLED = _ROOT / "autostudio" / "examples"  # where a wheel has them
FIRST_STORY = (_INSTALLED if _INSTALLED.is_dir() else _ROOT / "examples") / "first_light.json"
INJECTIONS = ("similar", "diverse")
DEVICES = ("auto", "cuda", "mps", "cpu")
SCHEDULERS = ("flow_match", "euler", "ddim", "dpm", "restart")
# Named choices of threshold and retries. Quality takes only what is liked with 65 % and spends up to seven
# pictures on it. Speed turns away only what is clearly disliked (under 40 %). Exploration stands at neutral,
# so that what no memory says anything about may pass.
VIBE_SETTINGS = {"quality": (0.3, 6), "speed": (-0.2, 2), "exploration": (0.0, 4)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A LoRA file and how strongly it acts."""

    path: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """A GGUF file that takes the place of a checkpoint's own transformer.

    Attributes:
        path: of the file.
        level: the level that most of its weights are stored at, read from its header, never from its name;
            empty: they are stored whole (F16, BF16, F32).
    """

    path: Path
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a run needs to know besides the story.

    Attributes:
        model: what `--model` said: a name of the table, a folder, a weights file, or a hub name.
        variant: the row of `VARIANTS` that it is.
        adapters: LoRA files, in the order they are applied.
        gguf: a file with the transformer's weights; None = the checkpoint's own weights.
        device: one of DEVICES.
        seed: of the run; every panel's own seed is derived from it.
        steps, guidance, refine_steps, scheduler, max_sequence_length, reference_scale: see render's
            `Sampling`.
        candidates: pictures drawn of each character without a reference; the best one is kept.
        detail: how much noise small heads get before they are drawn once more, 0 to 0.7; 0 = they are not.
        max_retries: how often a panel that is not accepted is drawn again, at most.
        vibe_threshold: least score of the vibe memory that a panel needs, −1 to 1.
        vibe_category: of the memories that panels are scored by; None = all.
        vibe_guidance: whether panels take on colours of liked pictures.
        vibe_weight: how much of them, 0 to 1.
        inject_every: every Nth panel takes on colours of a drawn one; 0 = none does.
        inject: which one: one of INJECTIONS.
        inject_weight: how much of them, 0 to 1.
        cache_entries, cache_gb: how large the panel cache may be after a run.
        detector, segmenter: what looks at drawn panels: "auto" (the checkpoint's own), "none", or a path.
        face_scorer: MODULE:FUNCTION that scores heads in place of the checkpoint's own network; empty: none.
        allow_torchscript: a segmenter that is a program may be run.
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
    gguf: WeightsFile | None = None
    quality: str = "balanced"
    device: str = "auto"
    seed: int = 0
    steps: int
    guidance: float
    refine_steps: int
    scheduler: str
    detail: float = 0.0
    max_sequence_length: int
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
    face_scorer: str = ""
    allow_torchscript: bool = False
    upscaler: str = "starter"
    longest: int = 1024
    batch: int = 8
    out: Path | None = None
    library: Path = Path("outputs/library")
    dpi: int = 150


DEFAULTS: Mapping[str, Any] = {
    field.name: field.default for field in fields(Settings) if field.default is not MISSING
}
