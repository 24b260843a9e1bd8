"""Train the starter's Flux transformer and text encoders on pools of the drawn world.

    python -m scripts.starter.train_flux --minutes 60    # resumes lab/flux/checkpoint.pt when it is there

Every step sees scenes with one, two and three characters; panel shapes are mixed within a batch (padded to 72
cells, masked). Text and references obey the block mask of `model/render/sequence.py`. A checkpoint every ten
minutes; a line a minute in `log.jsonl`; shards that are added to the pool meanwhile are taken up. In: shards
of `pool.py`. Out: a checkpoint that `export.py` turns into `model/starter/`.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from model.render.weights import STARTER
from scripts.starter.blocks import FastFlux, to_training
from scripts.starter.feeder import Turn, Turns, feed, seeded
from scripts.starter.losses import RoleProbe, attach_colours, validate, velocity_loss
from scripts.starter.network import CONFIG, Starter, fresh_transformer, shipped, trained
from scripts.starter.optimizer import MuonAdam
from scripts.starter.precision import chosen
from scripts.starter.scenes import Scenes
from scripts.starter.text import load_text

ADAM = (
    "shared", "embedding", "relative_attention", "x_embedder", "transformer.proj_out", "context_embedder",
    "norm1.linear", "norm1_context.linear", "norm.linear", "norm_out",
)  # fmt: skip
# Samples of one step by number of characters.
BATCH = {1: 20, 2: 20, 3: 8}
CONSTANT = 0.4  # share of the run before the learning rate falls
WARM_UP = 30
SAVE, LINE = 600.0, 60.0  # seconds between checkpoints, and between lines of the log
STALL = 30.0  # a stopped process or a busy neighbour is not training time


def learning_rate(base: float, step: int, fraction: float, *, warm_up: int = WARM_UP) -> float:
    """A warm-up of so many steps, constant, and a cosine to 4 % over the last 60 % of the run."""
    warm = base * min(1.0, (step + 1) / warm_up)
    if fraction < CONSTANT:
        return warm
    turned = math.pi * (min(fraction, 1.0) - CONSTANT) / (1 - CONSTANT)
    return warm * (0.04 + 0.96 * 0.5 * (1 + math.cos(turned)))


class Clock:
    """How much of the run is over: by minutes of training, or by the time of day at which it is to end.

    Args:
        minutes: of this run.
        until: seconds since 1970; 0: `minutes` counts.
        begun: with `until`: when the run began, were it resumed meanwhile; 0: now.
    """

    def __init__(self, minutes: float, until: float = 0.0, begun: float = 0.0) -> None:
        self.seconds, self._last = 0.0, time.time()
        self._limit, self._until, self._begun = minutes * 60, until, begun or time.time()

    def tick(self) -> None:
        """Count the time since the last tick or pause."""
        now = time.time()
        self.seconds, self._last = self.seconds + min(now - self._last, STALL), now

    def pause(self) -> None:
        """Leave the time since the last tick out."""
        self._last = time.time()

    @property
    def fraction(self) -> float:
        if self._until:
            return (time.time() - self._begun) / max(self._until - self._begun, 1.0)
        return self.seconds / self._limit if self._limit else 1.0


def opened(
    flags: argparse.Namespace, checkpoint: Path, dtype: torch.dtype
) -> tuple[Starter, MuonAdam, int, int]:
    """The network in training layout and float32, its optimiser, samples seen, and those with several
    characters: from the checkpoint, else from the weights of --init, else from nothing (--fresh)."""
    saved: dict[str, Any] = {}
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True, map_location="cpu")
    if saved or flags.fresh:
        starter = Starter(fresh_transformer(), load_text(flags.text))
    else:
        starter = shipped(flags.init)
        before = trained(flags.init)
        saved = {"samples": before["samples"], "several": before["samples_with_several"]}
    starter.transformer.load_state_dict(to_training(starter.transformer.state_dict()))
    starter.to(flags.device)
    optimizer = MuonAdam(starter.named_parameters(), adam=ADAM, frozen=flags.freeze, arithmetic=dtype)
    for index in optimizer.frozen:
        optimizer.parameters[index].requires_grad_(False)
    if "state" in saved:
        optimizer.restore(saved["state"])
    return starter, optimizer, saved.get("samples", 0), saved.get("several", 0)


class Run:
    """One run of training: the network, what it has seen, its checkpoint and its log."""

    def __init__(self, flags: argparse.Namespace) -> None:
        flags.out.mkdir(parents=True, exist_ok=True)
        self.flags = flags
        self.checkpoint, self.log = flags.out / "checkpoint.pt", flags.out / "log.jsonl"
        # An optimiser that goes on knows its gradients.
        self.warm_up = 10 if self.checkpoint.exists() else WARM_UP
        dtype, why = chosen(flags.precision, flags.device)
        sys.stdout.write(f"precision: {why}\n")
        self.starter, self.optimizer, self.seen, self.several = opened(flags, self.checkpoint, dtype)
        self.first, self.steps = self.seen, 0
        self.losses: dict[int, float] = {}
        self.probe = RoleProbe(self.starter.text.t5.config.d_model, flags.device)
        if flags.attach:
            self._attach(flags.attach)
        self.starter.to(dtype)
        self.fast = FastFlux(self.starter.transformer, compiled=not flags.no_compile)

    def _attach(self, steps: int) -> None:
        left = attach_colours(self.starter.text, self.probe, steps)
        named = self.starter.named_parameters()
        self.optimizer.replace({name: value for name, value in named if name.startswith("text.t5.")})
        sys.stdout.write(f"colours attached: {left:.4f}\n")

    def turns(self) -> Turns:
        """The pool's batches."""
        flags, sizes = self.flags, {count: size * self.flags.batch_scale for count, size in BATCH.items()}
        seed = flags.seed + self.seen
        # Positions are worked out on the processor: a process that only makes batches never sees the card.
        plain = FastFlux(fresh_transformer(), compiled=False)
        return Turns(lambda worker: Scenes(flags.pool, seeded(seed, worker), plain, "cpu"), sizes)

    def step(self, turn: Turn, fraction: float) -> float:
        """Learn from one turn; returns the learning rate."""
        total = sum(len(batch["latents"]) for batch in turn)
        found: list[tuple[int, torch.Tensor]] = []
        for batch in turn:
            size, count = len(batch["latents"]), batch["count"]
            loss = velocity_loss(self.starter, self.fast, batch, shift=self.flags.shift, probe=self.probe)
            (loss.mean() * (size / total)).backward()
            found.append((count, loss.detach().mean()))
            self.seen += size
            self.several += size if count > 1 else 0
        rate = learning_rate(self.flags.rate, self.steps, fraction, warm_up=self.warm_up)
        self.optimizer.step(rate)
        self.steps += 1
        for count, loss in found:
            self.losses[count] = 0.97 * self.losses.get(count, loss.item()) + 0.03 * loss.item()
        return rate

    def save(self) -> None:
        """Write the checkpoint: the old one or the new one is there, whole."""
        temporary = self.checkpoint.with_suffix(".tmp")
        facts = {"samples": self.seen, "several": self.several, "config": CONFIG}
        torch.save({"state": self.optimizer.state(), **facts}, temporary)
        temporary.replace(self.checkpoint)

    def write(self, clock: Clock, rate: float, **more: float) -> None:
        """Add a line to the log, and print it."""
        line = {
            "minutes": round(clock.seconds / 60, 1), "step": self.steps, "samples": self.seen,
            "several": self.several, "rate": round(rate, 6),
            "per_second": round((self.seen - self.first) / max(clock.seconds, 1e-3), 1),
            **{f"train_{count}": round(loss, 4) for count, loss in self.losses.items()},
            **{name: round(value, 4) for name, value in more.items()},
        }  # fmt: skip
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train or resume the starter's Flux transformer.")
    add = parser.add_argument
    add("--minutes", type=float, default=60.0)
    add("--until", type=float, default=0.0, help="end at this time (seconds since 1970) instead")
    add("--begun", type=float, default=0.0, help="with --until: when the whole run began")
    add("--out", type=Path, default=Path("lab/flux"))
    add("--pool", type=Path, default=Path("lab/pool"))
    add("--init", type=Path, default=STARTER, help="weights to go on from when --out has none")
    add("--attach", type=int, default=0, metavar="STEPS", help="first teach what colours belong to")
    add("--freeze", nargs="*", default=[], metavar="PART", help="parts of names that stay as they are")
    add("--fresh", action="store_true", help="start from nothing instead")
    add("--text", type=Path, default=STARTER, help="folder with the tokenizers and encoders")
    add("--held_out", type=Path, help="folder with a shard that is never trained on")
    add("--rate", type=float, default=2e-3)
    add("--shift", type=float, default=1.5, help="how far the times outside the band lean towards noise")
    add("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    add("--batch_scale", type=int, default=1)
    add("--workers", type=int, default=0, help="processes that make batches; for a card")
    add("--device", default="cpu")
    add("--seed", type=int, default=0)
    add("--no_compile", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    flags = _arguments(argv)
    torch.manual_seed(flags.seed + int(time.time()))
    run = Run(flags)
    plain = FastFlux(run.starter.transformer, compiled=False)
    held_out = Scenes(flags.held_out, random.Random(0), plain, flags.device) if flags.held_out else None
    turns = feed(run.turns(), flags.workers, flags.device)
    sys.stdout.write(f"{run.seen} samples seen so far\n")
    clock = Clock(flags.minutes, flags.until, flags.begun)
    lines, saves = 1, 1
    while clock.fraction < 1:
        rate = run.step(next(turns), clock.fraction)
        clock.tick()
        if clock.seconds > lines * LINE:
            measured = validate(run.starter, plain, held_out) if held_out and lines % 5 == 0 else {}
            run.write(clock, rate, **measured)
            lines += 1
        if clock.seconds > saves * SAVE:
            run.save()
            saves += 1
        clock.pause()
    run.save()
    return 0


if __name__ == "__main__":
    sys.exit(main())
