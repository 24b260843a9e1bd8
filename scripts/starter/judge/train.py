"""Train the judge: `python -m scripts.starter.judge.train --minutes 20 --out lab/judge` (again: resumes).

Panels are drawn first (`python -m scripts.starter.judge.scenes`). Out: `weights.safetensors` in half
precision, `checkpoint.pt`, `log.jsonl`. No picture that a model drew or a VAE touched is ever shown.
"""

from __future__ import annotations

import argparse
import copy
import random
import sys
from pathlib import Path

import torch
from torch import nn

from scripts.starter.course import Course
from scripts.starter.judge.accuracy import measure
from scripts.starter.judge.judge import Judge, new_network
from scripts.starter.judge.losses import finding_loss, make_batch, reading_loss
from scripts.starter.judge.network import Network
from scripts.starter.judge.scenes import HELD_OUT_SEEDS, Sheet
from scripts.starter.optimizer import MuonAdam

ADAM = ("out.", "panel.", "looks.", "edges.")
EMA = 0.995
FIND_EVERY = 2  # steps: finding is learnt sooner than reading
SETTLE = 24  # batches on which the averaged weights' normalisation is measured
FRESH = 8  # sheets in memory at one time
PANELS_A_SHEET = 160  # shown before the oldest sheet in memory gives way


class Shelf:
    """Some sheets in memory, the oldest replaced by the next from disk as they are used."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.paths = sorted(folder.glob("sheet_*.npz"))
        if not self.paths:
            raise SystemExit(
                f"{folder}: no sheets; run python -m scripts.starter.judge.scenes --out {folder}"
            )
        rng.shuffle(self.paths)
        self.rng, self.next, self.used = rng, 0, 0
        self.sheets: list[Sheet] = []
        while len(self.sheets) < min(FRESH, len(self.paths)):
            self._take()

    def batch(self, size: int) -> tuple[Sheet, list[int]]:
        """A sheet and `size` of its panels."""
        self.used += size
        if self.used >= PANELS_A_SHEET and len(self.paths) > len(self.sheets):
            self.used = 0
            self.sheets.pop(0)
            self._take()
        sheet = self.rng.choice(self.sheets)
        return sheet, self.rng.sample(range(len(sheet.place)), size)

    def _take(self) -> None:
        self.sheets.append(Sheet.load(self.paths[self.next % len(self.paths)]))
        self.next += 1


def averaged(network: Network, optimizer: MuonAdam, shelf: Shelf, rng: random.Random, size: int) -> Network:
    """A copy with the averaged weights, whose normalisation is measured anew."""
    copied = copy.deepcopy(network)
    copied.load_state_dict(network.state_dict() | optimizer.averaged())
    for module in copied.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain mean over the batches
    copied.train()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for _ in range(SETTLE):
            batch = make_batch(*shelf.batch(size), rng, worn=True)
            copied.find(batch.pictures)
            reading_loss(copied, batch, rng)
    return copied.eval()


def main() -> int:
    parser = argparse.ArgumentParser(description="Train or resume the judge.")
    parser.add_argument("--minutes", type=float, default=20.0, help="training in all, earlier runs included")
    parser.add_argument("--out", type=Path, default=Path("lab/judge"))
    parser.add_argument("--scenes", type=Path, default=Path("lab/judge/scenes"))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--report", type=float, default=5.0, help="minutes between two reports")
    parser.add_argument("--measure", type=int, default=96, help="panels that a report measures on")
    flags = parser.parse_args()
    course = Course(flags.out, flags.minutes)
    saved = course.load()
    torch.manual_seed(0)
    network = new_network()
    optimizer = MuonAdam(network.named_parameters(), adam=ADAM, ema=EMA)
    if saved:
        network.load_state_dict(saved["network"])
        optimizer.restore(saved["optimizer"])
    rng = random.Random(optimizer.steps)
    shelf = Shelf(flags.scenes, rng)
    lost: list[float] = []

    def keep() -> None:
        course.save(network=network.state_dict(), optimizer=optimizer.state())

    def report() -> None:
        judge = Judge(averaged(network, optimizer, shelf, rng, flags.batch))
        judge.save(flags.out / "weights.safetensors")
        measured = measure(judge, flags.measure, HELD_OUT_SEEDS)
        course.write(steps=optimizer.steps, loss=sum(lost) / max(1, len(lost)), **measured)
        lost.clear()

    course.pause()
    network.train()
    while course.tick():
        batch = make_batch(*shelf.batch(flags.batch), rng, worn=True)
        with torch.autocast("cpu", torch.bfloat16):
            loss = reading_loss(network, batch, rng)
            if optimizer.steps % FIND_EVERY == 0:
                loss = loss + finding_loss(network.find(batch.pictures), batch)
        loss.backward()
        optimizer.step(course.rate(flags.rate, optimizer.steps))
        lost.append(loss.item())
        course.tick()
        if optimizer.steps % 50 == 0:
            sys.stdout.write(f"{course.seconds / 60:.2f} min, {optimizer.steps} steps, {lost[-1]:.3f}\n")
            sys.stdout.flush()
        if course.due("report", flags.report):
            keep()
            report()
        course.pause()
    keep()
    report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
