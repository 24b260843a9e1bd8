"""The course of one training run: its clock, its learning rate, its checkpoint and its log.

Training is measured in minutes, or in steps where steps are given, summed over all runs of the same command,
so that an interrupted run goes on at the same place of its schedule. In: a folder and how long to train in
all. Out: `checkpoint.pt` and `log.jsonl` in that folder. Knows nothing of what is trained.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import torch

# A stopped process or a busy neighbour is not training time.
LONGEST_STEP = 30.0
WARM_STEPS = 100


class Course:
    """Clock, schedule, checkpoint and log of one training.

    Args:
        out: folder of checkpoint and log; made if absent.
        minutes: training time in all, earlier runs included.
        steps: steps in all, earlier runs included; where given, time does not count.
    """

    def __init__(self, out: Path, minutes: float, steps: int | None = None) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.checkpoint, self.log = out / "checkpoint.pt", out / "log.jsonl"
        self.limit, self.step_limit = minutes * 60, steps
        self.seconds, self.steps = 0.0, 0
        self._last = time.monotonic()
        self._due: dict[str, float] = {}

    @property
    def fraction(self) -> float:
        """Share of the training that is over, 0 to 1."""
        if self.step_limit is not None:
            return min(1.0, self.steps / self.step_limit) if self.step_limit > 0 else 1.0
        return min(1.0, self.seconds / self.limit) if self.limit > 0 else 1.0

    def tick(self, steps: int = 0) -> bool:
        """Count the time since the last `tick` or `pause` as training. Returns whether to go on.

        Args:
            steps: steps done so far, earlier runs included.
        """
        now = time.monotonic()
        self.seconds, self._last = self.seconds + min(now - self._last, LONGEST_STEP), now
        self.steps = max(self.steps, steps)
        return self.seconds < self.limit if self.step_limit is None else self.steps < self.step_limit

    def pause(self) -> None:
        """Leave the time since the last `tick` out: it went into something else than training."""
        self._last = time.monotonic()

    def due(self, what: str, minutes: float) -> bool:
        """Whether `minutes` of training have passed since this last said so, or since it was first asked."""
        at = self._due.setdefault(what, self.seconds + minutes * 60)
        if self.seconds < at:
            return False
        self._due[what] = self.seconds + minutes * 60
        return True

    def rate(self, base: float, steps: int) -> float:
        """Learning rate: a short warm-up, constant for one half, then a cosine to 2 %."""
        warm = base * min(1.0, (steps + 1) / WARM_STEPS)
        if self.fraction < 0.5:
            return warm
        return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (2 * self.fraction - 1))))

    def save(self, **state: Any) -> None:
        """Write the checkpoint so that either the old or the new one is there, whole."""
        temporary = self.checkpoint.with_suffix(".tmp")
        torch.save({**state, "seconds": self.seconds}, temporary)
        temporary.replace(self.checkpoint)

    def load(self) -> dict[str, Any] | None:
        """What `save` wrote, on the CPU, or None for a new run; the clock goes on where it stood."""
        if not self.checkpoint.exists():
            return None
        state = torch.load(self.checkpoint, weights_only=True, map_location="cpu")
        self.seconds = state.pop("seconds")
        return state

    def write(self, **figures: float) -> None:
        """Append one line to the log, and print it."""
        line = {"minutes": round(self.seconds / 60, 2), **{k: round(v, 5) for k, v in figures.items()}}
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
