"""What of a model fits this machine: which GGUF file of it to take, and by which memory plans to draw.

In: settings and a checkpoint. Out: the settings with `--gguf` resolved to a file, and plans. Looks for GGUF
files beside the checkpoint's own weights, in the hub's cache, and in outputs/gguf/, where `run.py quantize
--report` puts them; what that measured is shown in the table. The choice itself is `quantization.advise`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from model.config import Settings
from model.errors import ConfigError, WeightsMissing
from model.files import sha256_of
from model.render.places import snapshot
from model.render.weights import Checkpoint, fingerprint_of
from quantization.advise import advice, advise, table, written
from quantization.levels import LEVELS, level_of
from quantization.plans import GB, Canvas, Machine, Plan
from quantization.sizes import FULL, MODELS, ModelSizes

MADE = Path("outputs/gguf")
_LEVEL = re.compile(r"(?:^|[-_.])(F16|Q[2-8]_K(?:_S)?|Q[458]_[01])$", re.IGNORECASE)
# Where the hub has GGUF files of a variant.
_PUBLISHED = {
    "flux-dev": "city96/FLUX.1-dev-gguf",
    "flux-schnell": "city96/FLUX.1-schnell-gguf",
    "flux-kontext": "QuantStack/FLUX.1-Kontext-dev-GGUF",
}


def sizes_of(checkpoint: Checkpoint) -> ModelSizes:
    """The sizes of the checkpoint's variant; fine-tunes change no shapes."""
    name = checkpoint.variant.name
    return MODELS[name if name in MODELS else checkpoint.variant.family]


def files_of(checkpoint: Checkpoint) -> Mapping[str, Path]:
    """Level → GGUF file of this model's transformer, of those that are on this machine."""
    found: dict[str, Path] = {}
    for path in _gguf_files(checkpoint):
        if level := named_level(path):
            found.setdefault(level, path)
    return found


def named_level(file: Path) -> str | None:
    """The level that a GGUF file's name ends in, as everybody names them."""
    match = _LEVEL.search(file.stem)
    return level_of(match[1]).name if match else None


def _gguf_files(checkpoint: Checkpoint) -> Iterator[Path]:
    own = checkpoint.part("transformer")
    if own.is_file():
        yield from own.parent.glob("*.gguf")
    else:
        yield from sorted(own.glob("*.gguf"))
    cached = snapshot(_PUBLISHED.get(checkpoint.variant.name, "none/none"))
    if cached is not None:
        yield from sorted(cached.glob("*.gguf"))
    yield from sorted(MADE.glob(f"{checkpoint.name}-*.gguf"))


def own_file(checkpoint: Checkpoint) -> Path | None:
    """The GGUF that the checkpoint is drawn with when nobody names another; None: it is not one."""
    own = checkpoint.part("transformer")
    if own.is_file():
        return own if own.suffix == ".gguf" else None
    return None if any(own.glob("*.safetensors")) else next(iter(sorted(own.glob("*.gguf"))), None)


def with_gguf(checkpoint: Checkpoint, file: Path) -> Checkpoint:
    """The checkpoint with the transformer of another file: other weights, another fingerprint.

    Raises:
        WeightsMissing: there is no such file.
    """
    if not file.is_file():
        raise WeightsMissing(f"--gguf: {file}: no such file; name another, a level, or auto")
    own = own_file(checkpoint)
    if own is not None and own.resolve() == file.resolve():
        return checkpoint
    part = checkpoint.part("transformer")
    config = checkpoint.parts.get("transformer_config", part / "config.json")
    mixed = fingerprint_of({"checkpoint": checkpoint.fingerprint, "transformer": sha256_of(file)})
    return replace(
        checkpoint,
        parts={**checkpoint.parts, "transformer": file, "transformer_config": config},
        fingerprint=mixed if checkpoint.fingerprint else "",
    )


def settled(
    settings: Settings, checkpoint: Checkpoint, say: Callable[[str], None], *, machine: Machine | None = None
) -> Settings:
    """The settings with `--gguf` as a path, or empty for the checkpoint's own weights; prints the table.

    Args:
        machine: to choose for; None = this one.
    Raises:
        ConfigError: the model cannot be loaded from GGUF, or what was named is no level and no file.
    """
    asked = settings.gguf
    if not asked or Path(asked).suffix == ".gguf":
        if asked and not Path(asked).is_file():
            raise ConfigError(f"--gguf: {asked}: no such file; name another, a level, or auto")
        return _checked(settings)
    model = sizes_of(checkpoint)
    if not model.levels:
        raise ConfigError(
            f"--gguf: {checkpoint.name} is not drawn from GGUF files, Flux is; leave the flag out"
        )
    machine = machine or machine_of(settings.device)
    here, canvas = files_of(checkpoint), canvas_of(checkpoint, settings.batch)
    sizes = {level: path.stat().st_size for level, path in here.items()}
    say(written(table(model, machine, canvas, measured=measured_errors(checkpoint), files=sizes), here=sizes))
    for line in advice(machine):
        say(f"{machine.kind}: {line}")
    if asked == "auto":
        wanted = advise(model, machine, canvas, levels=_choice(model, here, checkpoint))[0].level
        best = advise(model, machine, canvas)[0].level
        if best != wanted and best not in here:
            say(f"{best} would suit this machine best, but is not here: {_get(checkpoint, best)}")
    else:
        wanted = level_of(asked).name
        if wanted not in here:
            say(f"--gguf {wanted} is not here: {_get(checkpoint, wanted)}")
            nearest = _nearest(wanted, here)
            if nearest is None:
                say("going on with the model's own weights")
                return replace(settings, gguf="")
            wanted = nearest
    if wanted == FULL:
        say("the model's own weights are taken, without a level")
        return replace(settings, gguf="")
    say(f"taking {wanted}: {here[wanted]}")
    return _checked(replace(settings, gguf=str(here[wanted])))


def _checked(settings: Settings) -> Settings:
    """The settings, after a look at the header of their GGUF file: diffusers believes every header."""
    from quantization.sources import open_source

    if settings.gguf:
        open_source(Path(settings.gguf))
    return settings


def _choice(model: ModelSizes, here: Mapping[str, Path], checkpoint: Checkpoint) -> tuple[str, ...]:
    """What can be loaded: the levels that are here, and the whole weights where there are such."""
    part = checkpoint.part("transformer")
    hollow = part.is_dir() and not any(part.glob("*.safetensors"))
    whole = () if hollow or own_file(checkpoint) is not None else (FULL,)
    return (*whole, *(level for level in LEVELS if level in here)) or (FULL, *model.levels)


def _nearest(level: str, here: Mapping[str, Path]) -> str | None:
    """The level that is here with the bits nearest to those of `level`, the better one of two."""
    bits = LEVELS[level].type.bits
    return min(
        here,
        key=lambda one: (abs(LEVELS[one].type.bits - bits), -LEVELS[one].type.bits),
        default=None,
    )


def _get(checkpoint: Checkpoint, level: str) -> str:
    """What to type for a level that is not here."""
    if level == FULL:
        return "its whole weights are not on this machine"
    name = checkpoint.variant.name
    out = MADE / f"{checkpoint.name}-{level}.gguf"
    make = f"run.py quantize {checkpoint.part('transformer')} --level {level} -o {out}"
    return f"run.py download {name} --gguf {level}, or {make}" if name in _PUBLISHED else make


def measured_errors(checkpoint: Checkpoint) -> Mapping[str, float]:
    """Level → relative error of the weights, as `run.py quantize --report` found it; empty = it never ran."""
    path = MADE / f"{checkpoint.name}-report.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["levels"]
        return {row["level"]: float(row["error"]) for row in rows}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a report ({error}); make it anew, or remove it") from error


def canvas_of(checkpoint: Checkpoint, batch: int) -> Canvas:
    """The largest shape that the checkpoint draws, with two figures a panel."""
    width, height = max(checkpoint.shapes, key=lambda shape: shape[0] * shape[1])
    return Canvas(width=width, height=height, batch=batch)


def machine_of(device: str) -> Machine:
    """This machine, as it is now."""
    from model.render.devices import memory_of, pick_device

    kind = pick_device(device)
    free, host, bfloat16 = memory_of(kind)
    return Machine(kind=kind, free=free, host=host, bfloat16=bfloat16)


def plans_of(settings: Settings, checkpoint: Checkpoint, machine: Machine) -> Sequence[Plan]:
    """Plans to draw by, the best first; every one is for the weights that the settings name."""
    model = sizes_of(checkpoint)
    file = Path(settings.gguf) if settings.gguf else own_file(checkpoint)
    level = named_level(file) if file is not None else None
    # What is packed in its file may be unpacked once, or stay packed.
    levels = (FULL, level) if level else (FULL,)
    return advise(model, machine, canvas_of(checkpoint, settings.batch), levels=levels)


def told(plan: Plan, machine: Machine, name: str) -> str:
    """One line on the plan for a person."""
    line = f"{name} on {machine.kind}: {plan}"
    if plan.fits:
        return line
    return f"{line}; only {machine.free / GB:.1f} GB are free, so memory may run out"
