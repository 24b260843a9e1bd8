"""What a Flux panel costs at true size, against plain FluxPipeline, and what of it costs what.

    python -m scripts.bench.flux_full                 # a CUDA card of 64 GB or more: Flux dev's sizes, 1024²
    python -m scripts.bench.flux_full --scale small   # a CPU: every width and length a quarter, few blocks

In: nothing; weights are random (`random_flux`). For each level (bf16, Q8_0, Q4_K) a plain `FluxPipeline`,
with diffusers' own layers for GGUF, and panels of two characters through `FluxRenderer`, by the memory plan
that a run would take, with GGUF weights staying packed. Each row adds one thing to the row above: the
panel's prompt alone, the characters' words in their boxes, their references, and the refine steps of the
preset, which is the panel that a run draws. Rehearsals are no part of it. Every prompt and picture is new, so
encoding is in the figures. The ways take turns.

Out: a table (seconds; ratio to plain; what the multiplications in the transformer would let expect, attention
dense; seconds before, in and after the steps; peak memory), then one JSON line. `--kontext`: references as
latents beside the picture instead of Redux tokens.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import io
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image

from model.files import BlobId
from model.geometry import Box
from model.render.devices import compute_dtype, memory_of, pick_device
from model.render.flux.parts import FluxParts, place
from model.render.flux.renderer import FluxRenderer
from model.render.request import PanelRequest, Region, Sampling
from model.render.weights import Checkpoint
from model.variants import VARIANTS
from quantization.advise import advise
from quantization.plans import Canvas, Machine, MemoryPlan
from quantization.sizes import FULL, MODELS
from scripts.bench.command import run
from scripts.bench.plans import peak_of, sizes_of
from scripts.bench.random_flux import SCALES, TRUE, WORDS, Scale, grown, opened, quantize, write
from tests.render.plain import plain_pipeline

BOXES = (Box(0.05, 0.1, 0.4, 0.85), Box(0.55, 0.1, 0.4, 0.85))
LEVELS = (FULL, "Q8_0", "Q4_K_S")
PLAIN = "plain FluxPipeline"
ROWS = ("the prompt alone", "+ words in boxes", "+ references", "+ refine steps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to draw a panel.

    Attributes:
        seconds: of a panel, median.
        ratio: to plain FluxPipeline at the same level.
        expected: the same ratio by multiplications in the transformer, attention dense.
        before, steps, after: seconds of encoding, of the denoising steps, of decoding.
        peak: GB of the device's memory at most; on a CPU of the whole process.
        predicted: what the memory plan says of it; 0 = there is none.
    """

    level: str
    what: str
    seconds: float
    ratio: float
    expected: float
    before: float
    steps: float
    after: float
    peak: float
    predicted: float


class Clock:
    """Seconds of work, and its peak of memory.

    On a card the time on the wall, once all is done; on a CPU the time of its cores, which other programs do
    not lengthen as much.
    """

    def __init__(self, device: str) -> None:
        self._cuda = device.startswith("cuda")

    def now(self) -> float:
        if not self._cuda:
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    def peak(self, work: Callable[[], object]) -> float:
        """GB at most while it works."""
        if not self._cuda:
            return peak_of(work) / 1e9
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        work()
        return torch.cuda.max_memory_allocated() / 1e9


def prompts(tokens: int, turn: int) -> str:
    """A prompt of so many tokens (one is the end mark), another one each turn."""
    words = itertools.islice(itertools.cycle(WORDS), turn, turn + tokens - 1)
    return " ".join(words)


def picture(turn: int, index: int) -> bytes:
    """A reference picture, another one each turn."""
    random = np.random.default_rng([turn, index])
    drawn = Image.fromarray(random.integers(0, 255, (24, 16, 3), dtype=np.uint8)).resize((192, 288))
    packed = io.BytesIO()
    drawn.save(packed, "PNG")
    return packed.getvalue()


class Pictures:
    """Reference pictures by digest, as a library would have them."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        self._known[name] = data
        return name

    def load(self, name: str) -> bytes:
        return self._known[name]


def request(scale: Scale, what: str, steps: int, turn: int, pictures: Pictures) -> PanelRequest:
    """The panel of one row."""
    row = ROWS.index(what)
    regions = tuple(
        Region(
            box=box,
            prompt=prompts(scale.region, 7 * turn + 3 * index),
            reference=BlobId(pictures.put(picture(turn, index)) if row >= 2 else ""),
        )
        for index, box in enumerate(BOXES)
    )
    return PanelRequest(
        weights="random",
        width=scale.side,
        height=scale.side,
        prompt=prompts(scale.prompt, turn),
        negative="",
        regions=regions if row else (),
        seed=turn,
        sampling=Sampling(steps=steps, guidance=3.5, refine_steps=steps // 2 if row == 3 else 0),
    )


def expected(scale: Scale, checkpoint: Checkpoint, what: str) -> float:
    """Multiplications of a row's steps over those of the plain ones."""
    if what == PLAIN:
        return 1
    image = (scale.side // 16) ** 2
    of_picture = (
        (checkpoint.reference // 16) ** 2
        if checkpoint.variant.name == "flux-kontext"
        else (scale.eye[2] // 14) ** 2
    )
    row = ROWS.index(what)
    free = image + scale.prompt
    bound = free + (2 * scale.region if row else 0) + (2 * of_picture if row >= 2 else 0)

    def of(tokens: int) -> float:
        # 12 width² in the linear layers of a block a token, two products of attention.
        return tokens * 12 * scale.width**2 + 2 * tokens**2 * scale.width

    drawn = (of(bound) + of(free)) / 2 if row == 3 else of(bound)
    return drawn / of(image + scale.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One panel: seconds before, in and after the steps, and the peak of memory in GB."""

    before: float
    steps: float
    after: float
    peak: float

    @property
    def seconds(self) -> float:
        return self.before + self.steps + self.after


class Timed:
    """A panel drawn either way, and timed.

    Args:
        parts: for FluxPipeline; diffusers' own layers where the weights are packed.
    """

    def __init__(
        self, parts: FluxParts, renderer: FluxRenderer, pictures: Pictures, scale: Scale, steps: int
    ) -> None:
        self._pipeline = plain_pipeline(parts)
        self._renderer, self._pictures = renderer, pictures
        self._scale, self._steps = scale, steps
        self._clock = Clock(renderer.device)

    def warm(self, what: str) -> None:
        """Run it once, shortly."""
        if what == PLAIN:
            self._plain(0, 2, [])
        else:
            self._ours(what, 0, 2, [])

    def draw(self, what: str, turn: int) -> Turn:
        told: list[float] = []
        started = self._clock.now()
        if what == PLAIN:
            peak = self._clock.peak(lambda: self._plain(turn, self._steps, told))
        else:
            peak = self._clock.peak(lambda: self._ours(what, turn, self._steps, told))
        ended = self._clock.now()
        # (The first step shows when it is over; it took as long as the second.)
        began = told[0] - (told[1] - told[0])
        return Turn(before=began - started, steps=told[-1] - began, after=ended - told[-1], peak=peak)

    @torch.inference_mode()
    def _plain(self, turn: int, steps: int, told: list[float]) -> None:
        def step(_: Any, __: int, ___: Any, kept: dict[str, Any]) -> dict[str, Any]:
            told.append(self._clock.now())
            return kept

        call: Any = self._pipeline
        call(
            prompt=prompts(self._scale.prompt, turn),
            width=self._scale.side,
            height=self._scale.side,
            num_inference_steps=steps,
            guidance_scale=3.5,
            max_sequence_length=self._scale.text,
            generator=torch.Generator().manual_seed(turn),
            callback_on_step_end=step,
        )

    def _ours(self, what: str, turn: int, steps: int, told: list[float]) -> None:
        panel = request(self._scale, what, steps, turn, self._pictures)
        self._renderer.draw([panel], on_step=lambda *_: told.append(self._clock.now()))


def plan_for(parts: FluxParts, scale: Scale, level: str, device: str, row: str) -> MemoryPlan | None:
    """How a run would keep to this machine's memory; a GGUF's weights stay packed, as on a smaller one."""
    free, host, bfloat16 = memory_of(device)
    machine = Machine(kind=device, free=free, host=host, bfloat16=bfloat16)
    if scale is TRUE:
        sizes = MODELS[row]
    else:
        sizes = sizes_of("flux", parts.transformer, parts.vae, width=scale.width, text=scale.text)
    canvas = Canvas(width=scale.side, height=scale.side)
    plan = advise(sizes, machine, canvas, levels=(level,))[0]
    return replace(plan, hot=0)


def at_level(
    folder: Path, scale: Scale, level: str, row: str, *, device: str, steps: int, turns: int
) -> list[Row]:
    """All rows of one level, turn by turn where one transformer serves all."""
    dtype = compute_dtype(device, VARIANTS[row])
    checkpoint = opened(folder, row, None if level == FULL else quantize(folder, level))
    plain = grown(checkpoint, scale, dtype)
    plan = plan_for(plain, scale, level, device, row) if device != "cpu" or level != FULL else None
    if plan is not None and plan.offload != "none":
        raise SystemExit(
            f"{level}: too large for this card as a whole; take a larger one, or another --level"
        )
    place(plain, device)
    # The layers of packed weights are exchanged for ours.
    parts = plain
    if level != FULL:
        parts = replace(plain, transformer=grown(checkpoint, scale, dtype).transformer)
    pictures = Pictures()
    renderer = FluxRenderer(
        checkpoint, load_reference=pictures.load, device=device, dtype=dtype, plan=plan, parts=parts
    )
    timed = Timed(plain, renderer, pictures, scale, steps)
    found: dict[str, list[Turn]] = {what: [] for what in (PLAIN, *ROWS)}
    # One transformer of its own after the other, so that peaks are those of one.
    for group in [(PLAIN, *ROWS)] if parts is plain else [(PLAIN,), ROWS]:
        for what in {PLAIN, ROWS[2]} & {*group}:
            timed.warm(what)
        for turn in range(turns):
            for what in group:
                number = 1 + list(found).index(what) + turn * len(found)
                found[what].append(timed.draw(what, number))
        if group == (PLAIN,):
            plain.transformer.to("cpu")
    return [
        Row(
            level=level,
            what=what,
            seconds=statistics.median(one.seconds for one in drawn),
            ratio=statistics.median(
                one.seconds / base.seconds for one, base in zip(drawn, found[PLAIN], strict=True)
            ),
            expected=expected(scale, checkpoint, what),
            before=statistics.median(one.before for one in drawn),
            steps=statistics.median(one.steps for one in drawn),
            after=statistics.median(one.after for one in drawn),
            peak=max(one.peak for one in drawn),
            predicted=plan.peak / 1e9 if plan and device != "cpu" and what != PLAIN else 0,
        )
        for what, drawn in found.items()
    ]


def measured(
    scale: Scale, levels: Sequence[str], row: str, *, device: str, steps: int, turns: int
) -> Iterator[Row]:
    """The rows of all levels, as they are found."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), scale)
        for level in levels:
            yield from at_level(Path(name), scale, level, row, device=device, steps=steps, turns=turns)
            gc.collect()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A Flux panel at true size, against FluxPipeline.")
    parser.add_argument("--scale", choices=tuple(SCALES), default="full")
    parser.add_argument("--level", action="append", choices=LEVELS, help="this one (default: all)")
    parser.add_argument("--kontext", action="store_true", help="references as latents")
    parser.add_argument("--steps", type=int, default=20, help="(default: 20, half of them refine steps)")
    parser.add_argument("--turns", type=int, default=3, help="panels a row, of which the median (default: 3)")
    parser.add_argument("--device", default="auto", help="cuda or cpu (default: the best)")
    flags = parser.parse_args(arguments)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    scale, device = SCALES[flags.scale], pick_device(flags.device)
    row = "flux-kontext" if flags.kontext else "flux-dev"
    print(f"{row}, {scale.name}: {scale.side}², {flags.steps} steps on {device}")
    print("| level | a panel | s | × plain | expected | before | steps | after | peak, GB | predicted |")
    print("| --- " * 10 + "|")
    rows: list[Row] = []
    how = {"device": device, "steps": flags.steps, "turns": flags.turns}
    for one in measured(scale, flags.level or LEVELS, row, **how):
        rows.append(one)
        print(
            f"| {one.level} | {one.what} | {one.seconds:.2f} | {one.ratio:.2f} | {one.expected:.2f} | "
            f"{one.before:.2f} | {one.steps:.2f} | {one.after:.2f} | {one.peak:.2f} | {one.predicted:.2f} |",
            flush=True,
        )
    print(json.dumps([asdict(one) for one in rows]))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
