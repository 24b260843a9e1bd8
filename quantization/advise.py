"""What fits this machine: the best plan for drawing, and smaller ones to fall back on.

In: a model's `ModelSizes`, a `Machine`, a `Canvas` (see `plans`). Out: `MemoryPlan`s, and the table that
`--gguf` prints. Pure: nothing is loaded, looked up or measured here, and no torch is needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from quantization.levels import LEVELS
from quantization.plans import GB, Canvas, Machine, MemoryPlan, predict
from quantization.sizes import FULL, ModelSizes

_LEFT = 1.15  # how much less the next smaller plan needs, at least

# What a choice costs, in one coin: 1 = waiting a third longer for the same picture. Relations between them
# decide, and they are a judgement: nobody would see what Q8_0 loses, a level below four bits shows in the
# picture, a plan that streams single layers is several times slower.
_LEVEL_COST = {
    FULL: 0.0,
    "Q8_0": 0.2,
    "Q6_K": 0.5,
    "Q5_K_S": 1.5,
    "Q4_K_S": 3.4,
    "Q3_K_S": 9.0,
    "Q2_K": 14.0,
}
# Moving takes its time, and more for each gigabyte that moves in every step: (once, a gigabyte).
_OFFLOAD_COST = {"none": (0.0, 0.0), "model": (1.0, 0.0), "group": (2.0, 0.08), "sequential": (6.0, 0.2)}
_TEXT_COST = {"device": 0.0, "cpu": 0.6}
_TILING_COST = 0.04
_BATCH_COST = 0.05  # of each halving

# Error of the weights, relative RMSE on Gaussian ones (scripts/bench/LOG.md): what a level does to any model
# of which nothing has been measured.
TYPICAL_ERROR = {
    FULL: 0.0,
    "F16": 0.0003,
    "Q8_0": 0.0054,
    "Q6_K": 0.0173,
    "Q5_K_S": 0.0347,
    "Q5_1": 0.0382,
    "Q5_0": 0.0423,
    "Q4_K_S": 0.0701,
    "Q4_1": 0.0789,
    "Q4_0": 0.0873,
    "Q3_K_S": 0.1445,
    "Q2_K": 0.2602,
}


def advise(
    model: ModelSizes,
    machine: Machine,
    canvas: Canvas,
    *,
    levels: Sequence[str] | None = None,
) -> tuple[MemoryPlan, ...]:
    """Plans for a machine, the best one that fits first, each further one smaller than the one before.

    Args:
        levels: that may be chosen, `FULL` among them or not; None = all that the model can be loaded at.
    Returns:
        At least one; if none fits, the smallest one, with `fits` false.
    """
    chosen = (FULL, *model.levels) if levels is None else tuple(levels)
    plans = sorted(
        _candidates(model, machine, canvas, chosen),
        key=lambda plan: (_cost(plan, canvas), plan.peak),
    )
    fitting = [plan for plan in plans if plan.fits]
    if not fitting:
        return (min(plans, key=lambda plan: (max(plan.peak, plan.host), _cost(plan, canvas))),)
    ladder = fitting[:1]
    for plan in fitting[1:]:
        if plan.peak * _LEFT <= ladder[-1].peak:
            ladder.append(plan)
    return tuple(ladder)


def _candidates(
    model: ModelSizes, machine: Machine, canvas: Canvas, levels: Sequence[str]
) -> Iterator[MemoryPlan]:
    """Every way of drawing that means something on this machine."""
    moved = machine.kind == "cuda"  # elsewhere what is offloaded stays in the same memory
    batches = [canvas.batch]
    while batches[-1] > 1:
        batches.append(batches[-1] // 2)
    texts = [text for text in _TEXT_COST if moved or text != "cpu"]
    offloads = tuple(_OFFLOAD_COST) if moved else ("none",)
    for level, offload, text, tiling, batch in product(levels, offloads, texts, (False, True), batches):
        yield predict(
            model,
            machine,
            replace(canvas, batch=batch),
            level=level,
            offload=offload,
            text=text,
            tiling=tiling,
        )


def _cost(plan: MemoryPlan, canvas: Canvas) -> float:
    halvings = (canvas.batch // plan.batch).bit_length() - 1
    level = _LEVEL_COST.get(plan.level)
    if level is None:  # one that is taken only when it is asked for
        level = 60 * TYPICAL_ERROR[plan.level]
    moving, each_gigabyte = _OFFLOAD_COST[plan.offload]
    return (
        level
        + moving
        + each_gigabyte * plan.host / GB
        + _TEXT_COST[plan.text]
        + _TILING_COST * plan.tiling
        + _BATCH_COST * halvings
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One level in the table of `--gguf`.

    Attributes:
        file: bytes of its GGUF file, or of the weights in half precision.
        plan: the best plan at this level.
        error: of the weights, relative; measured on this model, or typical.
        measured: which of the two.
    """

    level: str
    file: int
    plan: MemoryPlan
    error: float
    measured: bool


def table(
    model: ModelSizes,
    machine: Machine,
    canvas: Canvas,
    *,
    measured: Mapping[str, float] | None = None,
    files: Mapping[str, int] | None = None,
) -> tuple[Row, ...]:
    """What each level would take on this machine, best level first.

    Args:
        measured: level → relative error of the weights, from `run.py quantize --report`.
        files: level → bytes of its file, where there is one; such levels get a row in any case.
    """
    known, sizes = measured or {}, files or {}
    further = [level for level in LEVELS if level in sizes and level not in model.levels]
    return tuple(
        Row(
            level=level,
            file=sizes.get(level, model.denoiser.file_bytes(level)),
            plan=advise(model, machine, canvas, levels=(level,))[0],
            error=known.get(level, TYPICAL_ERROR[level]),
            measured=level in known,
        )
        for level in sorted((FULL, *model.levels, *further), key=_bits, reverse=True)
    )


def _bits(level: str) -> float:
    return 32.0 if level == FULL else LEVELS[level].type.bits


def written(rows: Sequence[Row], *, here: Collection[str] = ()) -> str:
    """The table for a terminal; levels whose file is `here` have a star, errors that are typical a tilde."""
    lines = [
        "level    file GB  error    peak GB  fits  plan (* = the file is here, ~ = typical of any model)"
    ]
    for row in rows:
        error = f"{row.error:.4f}" if row.measured or row.level == FULL else f"~{row.error:.3f}"
        level = row.level + ("*" if row.level in here else "")
        lines.append(
            f"{level:8} {row.file / GB:7.3f}  {error:7}  {row.plan.peak / GB:7.2f}  "
            f"{'yes' if row.plan.fits else 'no':4}  offload {row.plan.offload}, batch {row.plan.batch}"
            f"{', VAE in tiles' if row.plan.tiling else ''}"
            f"{', text ' + row.plan.text if row.plan.text != 'device' else ''}"
        )
    return "\n".join(lines)


def advice(machine: Machine) -> tuple[str, ...]:
    """What holds on this kind of device for every model."""
    if machine.kind == "cuda":
        if machine.bfloat16:
            return ("where weights do not fit, they wait in main memory and are moved when they are used",)
        return (
            "this card emulates bfloat16, which Flux needs: expect half its usual speed or less",
            "a GGUF level saves memory here, not time: each layer is unpacked when it is used",
        )
    if machine.kind == "mps":
        return (
            "memory is shared with the system: offloading gains nothing, a smaller level does",
            "operations that the device lacks run on the CPU; there is no float64",
        )
    return (
        "compute in float32; a level saves memory, but each step then unpacks the weights once",
        "the starter draws in seconds here; a model of Flux's size takes minutes a step",
    )
