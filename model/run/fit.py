"""What of a model fits this machine: which GGUF file of it to take, and by which memory plans to draw.

In: settings and a checkpoint. Out: the `WeightsFile` that `--gguf` means, and plans. Looks for GGUF files
beside the checkpoint's own weights, in the hub's cache, and in outputs/gguf/, where `run.py quantize
--report` puts them; what that measured is shown in the table. A file's level is read from its header: names
say what people want. The choice itself is `quantization.advise`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from model.config import Settings, WeightsFile
from model.errors import ConfigError, WeightsMissing
from model.files import sha256_of
from model.render.places import snapshot
from model.render.weights import Checkpoint, fingerprint_of
from quantization.advise import advice, advise, table, written
from quantization.levels import LEVELS, level_of
from quantization.plans import GB, Canvas, Machine, MemoryPlan
from quantization.sizes import FULL, ModelSizes

MADE = Path("outputs/gguf")


def weights_file(path: Path) -> WeightsFile:
    """A GGUF file with the level that its header says; diffusers believes every header, so it is checked
    here.

    Raises:
        ConfigError: it is no GGUF file, or its header does not fit it.
    """
    from quantization.gguf_source import GgufSource
    from quantization.sources import open_source

    source = open_source(path)
    if not isinstance(source, GgufSource):
        raise ConfigError(f"--gguf: {path}: not a GGUF file; name another, a level, or auto")
    return WeightsFile(path=path, level=source.level)


def files_of(checkpoint: Checkpoint) -> Mapping[str, WeightsFile]:
    """Level → GGUF file of this model's transformer, of those that are on this machine and whole."""
    found: dict[str, WeightsFile] = {}
    for path in _gguf_files(checkpoint):
        try:
            file = weights_file(path)
        except ConfigError:  # half a download: what is asked for by its path says why
            continue
        if file.level:
            found.setdefault(file.level, file)
    return found


def _gguf_files(checkpoint: Checkpoint) -> Iterator[Path]:
    own = checkpoint.part("transformer")
    if own.is_file():
        yield from own.parent.glob("*.gguf")
    else:
        yield from sorted(own.glob("*.gguf"))
    published = checkpoint.variant.gguf
    cached = snapshot(published.repository) if published is not None else None
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


def find_gguf(
    asked: str,
    checkpoint: Checkpoint,
    *,
    batch: int,
    device: str,
    say: Callable[[str], None],
    machine: Machine | None = None,
) -> WeightsFile | None:
    """The file that `--gguf` means; None = the checkpoint's own weights are to be drawn with.

    Args:
        asked: a path, a level, or "auto".
        batch: most panels in one batch; device: as `--device` says.
        say: gets the table of levels, and why one was taken.
        machine: to choose for; None = this one.
    Raises:
        ConfigError: the model cannot be loaded from GGUF, or what was asked for is no level and no file.
    """
    if Path(asked).is_file():
        return weights_file(Path(asked))
    if Path(asked).suffix == ".gguf":
        raise ConfigError(f"--gguf: {asked}: no such file; name another, a level, or auto")
    model = checkpoint.variant.sizes
    if not model.levels:
        raise ConfigError(
            f"--gguf: {checkpoint.name} is not drawn from GGUF files, Flux is; leave the flag out"
        )
    wanted = "" if asked == "auto" else level_of(asked).name
    machine = machine or machine_of(device)
    here, canvas = files_of(checkpoint), canvas_of(checkpoint, batch)
    sizes = {level: file.path.stat().st_size for level, file in here.items()}
    say(written(table(model, machine, canvas, measured=measured_errors(checkpoint), files=sizes), here=sizes))
    for line in advice(machine):
        say(f"{machine.kind}: {line}")
    if not wanted:
        wanted = advise(model, machine, canvas, levels=_choice(model, here, checkpoint))[0].level
        best = advise(model, machine, canvas)[0].level
        if best != wanted and best not in here:
            say(f"{best} would suit this machine best, but is not here: {_get(checkpoint, best)}")
    elif wanted not in here:
        say(f"--gguf {wanted} is not here: {_get(checkpoint, wanted)}")
        nearest = _nearest(wanted, here)
        if nearest is None:
            say("going on with the model's own weights")
            return None
        wanted = nearest
    if wanted == FULL:
        say("the model's own weights are taken, without a level")
        return None
    say(f"taking {wanted}: {here[wanted].path}")
    return here[wanted]


def _choice(model: ModelSizes, here: Mapping[str, WeightsFile], checkpoint: Checkpoint) -> tuple[str, ...]:
    """What can be loaded: the levels that are here, and the whole weights where there are such."""
    part = checkpoint.part("transformer")
    hollow = part.is_dir() and not any(part.glob("*.safetensors"))
    whole = () if hollow or own_file(checkpoint) is not None else (FULL,)
    return (*whole, *(level for level in LEVELS if level in here)) or (FULL, *model.levels)


def _nearest(level: str, here: Mapping[str, WeightsFile]) -> str | None:
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
    row = checkpoint.variant
    out = MADE / f"{checkpoint.name}-{level}.gguf"
    make = f"run.py quantize {checkpoint.part('transformer')} --level {level} -o {out}"
    return f"run.py download {row.name} --gguf {level}, or {make}" if row.gguf is not None else make


def measured_errors(checkpoint: Checkpoint) -> Mapping[str, float]:
    """Level → relative error of the weights, as `run.py quantize --report` found it; empty = it never ran."""
    path = MADE / f"{checkpoint.name}-report.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["levels"]
        return {row["level"]: float(row["error"]) for row in rows}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
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


def plans_of(settings: Settings, checkpoint: Checkpoint, machine: Machine) -> Sequence[MemoryPlan]:
    """Plans to draw by, the best first; every one is for the weights that the settings name."""
    own = own_file(checkpoint) if settings.gguf is None else None
    file = settings.gguf if own is None else weights_file(own)
    # What is packed in its file may be unpacked once, or stay packed.
    levels = (FULL, file.level) if file is not None and file.level else (FULL,)
    return advise(checkpoint.variant.sizes, machine, canvas_of(checkpoint, settings.batch), levels=levels)


def plan_line(plan: MemoryPlan, machine: Machine, name: str) -> str:
    """One line on the plan for a person."""
    line = f"{name} on {machine.kind}: {plan}"
    if plan.fits:
        return line
    return f"{line}; only {machine.free / GB:.1f} GB are free, so memory may run out"
