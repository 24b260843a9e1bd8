"""Flags: what can be set for a run, on the command line and from Python, and the `Settings` they become.

`FLAGS` is the one table: the command line makes its parser of it, Python passes the same names as keywords,
the documents are generated from it. Which checkpoint a place on disk is, and which file a GGUF level means,
is found by `model/run/settle.py`, which every caller goes through.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.config import (
    DEFAULTS,
    DEVICES,
    INJECTIONS,
    SCHEDULERS,
    VIBE_SETTINGS,
    Adapter,
    Settings,
    WeightsFile,
)
from model.errors import ConfigError
from model.variants import MODEL_NAMES, NO_GUIDANCE, QUALITIES, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One thing that can be set for a run, on the command line and from Python.

    Attributes:
        name: as it is typed, without dashes.
        kind: str, int, float, bool or Path; tuple: a text that may be given several times.
        help: one line; "{default}" is replaced by the default of the `Settings` field.
        field: of `Settings`, where it is called otherwise.
        metavar: what stands for the value in `--help`.
        choices: all values there are.
        low, high: of a number.
        scope: "model" (which weights), "draw" (what decides a rehearsal and a panel alike), or "book" (what
            is done with drawn panels).
    """

    name: str
    kind: type
    help: str
    field: str = ""
    metavar: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    scope: str = "draw"

    @property
    def typed(self) -> str:
        return f"--{self.name}"

    @property
    def described(self) -> str:
        """The help text with its default."""
        default = DEFAULTS.get(self.field or self.name)
        return self.help.format(default=f"{default:g}" if isinstance(default, float) else default)


FLAGS: tuple[Flag, ...] = (
    Flag(
        name="model",
        kind=str,
        metavar="NAME",
        scope="model",
        help=f"one of: {', '.join(MODEL_NAMES)}; or a folder in diffusers' layout, a safetensors or GGUF "
        "file, or a hub name (default: flux where it was downloaded, else starter)",
    ),
    Flag(
        name="model_variant",
        kind=str,
        metavar="NAME",
        scope="model",
        help="of flux: dev or schnell, of fluxplus: kontext; of a folder or file: also plus "
        "(default: dev, or what the files say)",
    ),
    Flag(
        name="quality",
        kind=str,
        choices=QUALITIES,
        help=f"one of: {', '.join(QUALITIES)} (default: {{default}})",
    ),
    Flag(
        name="num_inference_steps",
        field="steps",
        kind=int,
        metavar="N",
        low=1,
        high=1000,
        help="denoising steps (default: by quality)",
    ),
    Flag(
        name="guidance_scale",
        field="guidance",
        kind=float,
        metavar="X",
        low=0.0,
        high=100.0,
        help="guidance scale; 1 = off (default: by model)",
    ),
    Flag(
        name="scheduler",
        kind=str,
        choices=SCHEDULERS,
        help=f"sampler, one of: {', '.join(SCHEDULERS)} (default: flow_match; restart for the "
        "starter at balanced and high_quality; euler for Stable Diffusion, which takes neither)",
    ),
    Flag(
        name="detail",
        kind=str,
        metavar="auto|off|X",
        help="draw small heads once more at the model's own size, X = how much they may change, 0.1 to 0.7 "
        "(default: auto, by quality: 0.6 for the starter at balanced and high_quality, else off)",
    ),
    Flag(
        name="refine_steps",
        kind=int,
        metavar="N",
        low=0,
        help="last steps that follow the global prompt alone (default: by quality)",
    ),
    Flag(
        name="max_sequence_length",
        kind=int,
        metavar="N",
        low=1,
        help="most tokens of a global prompt (default: 512, or what the model takes)",
    ),
    Flag(
        name="lora",
        field="adapters",
        kind=tuple,
        metavar="FILE[:WEIGHT]",
        help="a LoRA file and its weight; may be given several times",
    ),
    Flag(
        name="reference_scale",
        kind=float,
        metavar="X",
        low=0.0,
        high=2.0,
        help="weight of characters' reference pictures, 0 to 2; 0 = off (default: {default})",
    ),
    Flag(
        name="gguf",
        kind=str,
        metavar="LEVEL",
        help="draw with quantized weights: a level such as Q4_K_S, a GGUF file, or auto for what fits "
        "(default: the model's own)",
    ),
    Flag(name="device", kind=str, choices=DEVICES, help="device to draw on (default: {default})"),
    Flag(
        name="seed",
        kind=int,
        metavar="N",
        low=0,
        high=2**63 - 1,
        help="random seed of the run (default: {default})",
    ),
    Flag(
        name="candidates",
        kind=int,
        metavar="N",
        low=1,
        high=64,
        help="rehearsal drawings for each character (default: {default})",
    ),
    Flag(
        name="detector",
        kind=str,
        metavar="PATH",
        help="weights of the network that finds characters, or none (default: auto, the model's own)",
    ),
    Flag(
        name="segmenter",
        kind=str,
        metavar="PATH",
        help="weights of the network that cuts characters out, or none (default: auto, the model's own)",
    ),
    Flag(
        name="face_scorer",
        kind=str,
        metavar="MODULE:FUNCTION",
        help="a Python function that scores pictures of heads, 0 to 1; it is run, so only if you trust it "
        "(default: the model's own network, if it has one)",
    ),
    Flag(
        name="allow_torchscript",
        kind=bool,
        help="run a --segmenter that is TorchScript, a program; only if you trust where it came from",
    ),
    Flag(name="library", kind=Path, metavar="DIR", help="where drawn panels are kept (default: {default})"),
    Flag(
        name="max_retries",
        kind=int,
        metavar="N",
        low=0,
        high=10,
        scope="book",
        help="most retries of a panel that is not accepted, 0 to 10 (default: {default})",
    ),
    Flag(
        name="vibe_settings",
        kind=str,
        metavar="NAME",
        choices=tuple(VIBE_SETTINGS),
        scope="book",
        help="threshold and retries by name: "
        + "; ".join(f"{name} ({least}, {most})" for name, (least, most) in VIBE_SETTINGS.items()),
    ),
    Flag(
        name="vibe_threshold",
        kind=float,
        metavar="X",
        low=-1.0,
        high=1.0,
        scope="book",
        help="lowest score of the vibe memory that a panel needs, -1 to 1 (default: {default})",
    ),
    Flag(
        name="vibe_category",
        kind=str,
        metavar="NAME",
        scope="book",
        help="score panels by this category (default: all)",
    ),
    Flag(
        name="vibe_guidance",
        kind=bool,
        scope="book",
        help="also steer: panels take on colours of pictures you like (default: off)",
    ),
    Flag(
        name="vibe_weight",
        kind=float,
        metavar="X",
        low=0.0,
        high=1.0,
        scope="book",
        help="how much of their colours, 0 to 1 (default: {default})",
    ),
    Flag(
        name="inject_every",
        kind=int,
        metavar="N",
        low=0,
        high=10_000,
        scope="book",
        help="every Nth panel takes on colours of a drawn one; 15 suits long books (default: 0, none does)",
    ),
    Flag(
        name="inject",
        kind=str,
        choices=INJECTIONS,
        scope="book",
        help="which one: similar to the panels before it, or diverse (default: {default})",
    ),
    Flag(
        name="inject_weight",
        kind=float,
        metavar="X",
        low=0.0,
        high=1.0,
        scope="book",
        help="how much of its colours, 0 to 1; beyond 0.5 backgrounds suffer (default: {default})",
    ),
    Flag(
        name="cache_entries",
        kind=int,
        metavar="N",
        low=0,
        high=10**9,
        scope="book",
        help="most panels the library keeps after a run (default: {default})",
    ),
    Flag(
        name="cache_gb",
        kind=float,
        metavar="X",
        low=0.0,
        high=1e6,
        scope="book",
        help="most gigabytes of panels it keeps; books and what you like or pin stay (default: {default})",
    ),
    Flag(
        name="upscaler",
        kind=str,
        metavar="PATH",
        scope="book",
        help="weights of the upscaler for accepted panels (such as ESRGAN), or none "
        "(default: starter, the project's own)",
    ),
    Flag(
        name="out",
        kind=Path,
        metavar="DIR",
        scope="model",
        help="the book's folder (default: outputs/<story>)",
    ),
)
_BY_NAME = {flag.name: flag for flag in FLAGS}
# Python callers may also use the names of the settings.
_BY_NAME |= {flag.field: flag for flag in FLAGS if flag.field and flag.field not in _BY_NAME}


def resolve(row: Variant, model: str, said: Mapping[str, Any], gguf: WeightsFile | None = None) -> Settings:
    """Hold what was said against the row, and fill the rest from its preset and the defaults.

    Args:
        row: the variant that `model` is.
        said: flag name → value, as `checked` returns them. `model`, `model_variant` and `gguf` are left to
            the caller.
        gguf: the file that `--gguf` turned out to mean.
    Raises:
        ConfigError: a value does not fit the row, or names a file that is not there.
    """
    named = dict(said)
    threshold, retries = VIBE_SETTINGS.get(
        named.pop("vibe_settings", ""), (DEFAULTS["vibe_threshold"], DEFAULTS["max_retries"])
    )
    preset = row.presets[named.get("quality", DEFAULTS["quality"])]
    steps = named.get("num_inference_steps", preset.steps)
    # A preset leaves the regions at least half of the steps; an explicit number is taken as it is.
    refine_steps = named.get("refine_steps", min(preset.refine_steps, steps // 2))
    if refine_steps > steps:
        raise ConfigError(f"--refine_steps: {refine_steps} is out of range; use 0 to {steps}")
    guidance = named.get("guidance_scale", preset.guidance)
    if row.guidance == NO_GUIDANCE and guidance != 1:
        raise ConfigError(
            f"--guidance_scale: {row.name} draws without guidance, found {guidance}; leave it out"
        )
    tokens = named.get("max_sequence_length", row.global_tokens)
    if tokens > row.global_tokens:
        raise ConfigError(f"--max_sequence_length: {tokens} is out of range; use 1 to {row.global_tokens}")
    for name in ("model", "model_variant", "gguf"):
        named.pop(name, None)
    by_field = {_BY_NAME[name].field or name: value for name, value in named.items()}
    by_field |= {
        "model": model,
        "variant": row.name,
        "gguf": gguf,
        "adapters": tuple(map(_adapter, named.get("lora", ()))),
        "steps": steps,
        "guidance": guidance,
        "refine_steps": refine_steps,
        "scheduler": _scheduler(row, named.get("scheduler", preset.scheduler)),
        "detail": _detail(named.get("detail", "auto"), preset.detail),
        "max_sequence_length": tokens,
        "vibe_threshold": named.get("vibe_threshold", threshold),
        "max_retries": named.get("max_retries", retries),
    }
    for flag in ("detector", "segmenter"):
        _weights_or_none(flag, named.get(flag, "auto"), "auto")
    _weights_or_none("upscaler", named.get("upscaler", "starter"), "starter")
    return Settings(**by_field)


def checked(said: Mapping[str, Any]) -> dict[str, Any]:
    """What was said, under the flags' own names, without what was left open (None).

    Raises:
        ConfigError: there is no such flag, or its value is of the wrong kind or out of range.
    """
    found: dict[str, Any] = {}
    for name, value in said.items():
        flag = _BY_NAME.get(name)
        if flag is None:
            near = difflib.get_close_matches(name, list(_BY_NAME), n=1)
            advice = f"did you mean --{near[0]}?" if near else "python run.py --help lists the flags"
            raise ConfigError(f"--{name}: there is no such flag; {advice}")
        if value is not None:
            found[flag.name] = _value(flag, value)
    return found


def _value(flag: Flag, value: Any) -> Any:
    kinds = {int: (int,), float: (int, float), str: (str, Path), Path: (str, Path), bool: (bool,)}
    if flag.kind is tuple:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ConfigError(f"{flag.typed}: found {value!r}, expected a list of texts")
        return tuple(str(one) for one in value)
    if not isinstance(value, kinds[flag.kind]) or (isinstance(value, bool) and flag.kind is not bool):
        expected = {int: "a whole number", float: "a number", bool: "True or False"}.get(flag.kind, "a text")
        raise ConfigError(f"{flag.typed}: found {value!r}, expected {expected}")
    if flag.kind in (int, float):
        low, high = flag.low, flag.high
        if not (low is None or low <= value) or not (high is None or value <= high):  # also refuses NaN
            allowed = f"{low} to {high}" if high is not None else f"{low} or more"
            raise ConfigError(f"{flag.typed}: {value} is out of range; use {allowed}")
        return value
    value = flag.kind(value)
    if flag.choices and value not in flag.choices:
        raise ConfigError(f"{flag.typed}: '{value}' is unknown; use one of {', '.join(flag.choices)}")
    return value


def _scheduler(row: Variant, said: str) -> str:
    """The sampler; when none is said, the one that the family is best known with."""
    if row.family not in ("sd15", "sdxl"):
        return said or "flow_match"
    if said in ("flow_match", "restart"):
        raise ConfigError(f"--scheduler: {said} is for Flux, not for {row.name}; use euler, ddim or dpm")
    return said or "euler"


def _detail(said: str | float, preset: float) -> float:
    """How much noise small heads get; `auto`: what the preset says."""
    if said in ("auto", "off"):
        return preset if said == "auto" else 0.0
    try:
        strength = float(said)
    except ValueError:
        strength = 0.0
    if not 0.1 <= strength <= 0.7:
        raise ConfigError(f"--detail: found '{said}'; use auto, off, or 0.1 to 0.7")
    return strength


def _adapter(said: str) -> Adapter:
    """`path`, or `path:weight`; a colon that no number follows belongs to the path, as in `C:`."""
    path, _, number = said.rpartition(":")
    try:
        weight = float(number)
    except ValueError:
        path, weight = said, 1.0
    if not -10 <= weight <= 10:
        raise ConfigError(f"--lora: {weight} is out of range; use -10.0 to 10.0")
    if not Path(path).is_file():
        raise ConfigError(f"--lora: {path} is no file; give a safetensors file, or FILE:WEIGHT")
    return Adapter(path=path, weight=weight)


def _weights_or_none(name: str, source: str, default: str) -> None:
    found = Path(source).is_file() if name == "upscaler" else Path(source).exists()
    if source not in (default, "none") and not found:
        wrong = "is no file" if name == "upscaler" else "does not exist"
        raise ConfigError(f"--{name}: {source} {wrong}; use {default}, none, or the path of its weights")


def add_flag(parser: argparse._ActionsContainer, flag: Flag) -> None:
    """One row of the table as an argument; what is not typed is left to `settle`."""
    if flag.kind is bool:
        parser.add_argument(flag.typed, action="store_true", default=None, help=flag.described)
    elif flag.kind is tuple:
        parser.add_argument(flag.typed, action="append", metavar=flag.metavar, help=flag.described)
    else:
        metavar = flag.metavar or "NAME"
        parser.add_argument(flag.typed, type=flag.kind, metavar=metavar, help=flag.described)
