"""Train the face judge: first to find heads, then to tell drawn heads from smeared ones; measure it and write
it.

    python -m scripts.starter.faces.train --panels lab/faces --held_out lab/faces_held_out --minutes 8 --out
    lab/face

Out: `config.json` and `model.safetensors` (half precision) for `model/starter/face/`, and a line of figures:
AUC on heads of held-out scenes in all, by framing and by how they were drawn. Scale and shift make the score
a probability (Platt 1999, as many heads of each kind), the limit is what 97 in 100 of the drawn ones reach.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from model.geometry import Box
from model.vision.face_network import FaceNetwork
from model.vision.faces import CONFIG, WEIGHTS, FaceJudge
from scripts.starter.faces.heads import FRAMES, Somebody, everybody, figures, heads

BATCH = 64
RATE = 2e-3
WARM_UP = 30
FINDING = 0.3  # share of the time for the finder
SHAPE: dict[str, list[int]] = {"finder": [24, 32, 48, 64], "judge": [32, 48, 80, 112]}
PASSES = 0.97  # share of drawn heads above the limit


def prepared(squares: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, np.ndarray]:
    """Squares as the networks take them, brighter or darker, in half of the cases mirrored; which ones
    are."""
    batch = torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 127.5 - 1
    mirrored = rng.random(len(squares)) < 0.5
    batch = torch.where(torch.from_numpy(mirrored)[:, None, None, None], batch.flip(3), batch)
    light = torch.from_numpy(rng.normal(1, 0.05, (len(squares), 1, 1, 1)).astype(np.float32))
    return (batch * light).clamp(-1, 1), mirrored


def moved(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Each square a little turned, scaled and shifted: what is smeared stays so, and nothing is learnt by
    heart."""
    size = len(batch)
    turn, scale = rng.normal(0, 0.05, size), rng.normal(1, 0.06, size)
    way = np.zeros((size, 2, 3), np.float32)
    way[:, 0, 0] = way[:, 1, 1] = np.cos(turn) / scale
    way[:, 0, 1], way[:, 1, 0] = -np.sin(turn) / scale, np.sin(turn) / scale
    way[:, :, 2] = rng.normal(0, 0.06, (size, 2))
    grid = F.affine_grid(torch.from_numpy(way), [*batch.shape], align_corners=False)
    return F.grid_sample(batch, grid, "bilinear", "border", align_corners=False)


@dataclass(frozen=True, slots=True)
class Length:
    """How long something is trained: for so many minutes, or, if that is said, for so many steps."""

    minutes: float = 0.0
    steps: int = 0


def fit(parameters: Any, step: Callable[[], Tensor], length: Length, *, rate: float = RATE) -> int:
    """AdamW with a warm-up and a cosine; returns the steps."""
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.02, betas=(0.9, 0.98))
    begun, steps = time.monotonic(), 0

    def fraction() -> float:
        if length.steps:
            return steps / length.steps
        return (time.monotonic() - begun) / (60 * length.minutes)

    while (over := fraction()) < 1:
        warm = rate * min(1.0, (steps + 1) / WARM_UP)
        for group in optimizer.param_groups:
            group["lr"] = warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * over)))
        optimizer.zero_grad(set_to_none=True)
        step().backward()
        optimizer.step()
        steps += 1
    return steps


def train_finder(network: FaceNetwork, people: Sequence[Somebody], length: Length, seed: int) -> int:
    """Teach it where heads are, on drawn panels."""
    squares, targets = figures(people, random.Random(seed), times=3)
    rng, device = np.random.default_rng(seed), next(network.parameters()).device

    def step() -> Tensor:
        chosen = rng.integers(len(squares), size=BATCH)
        batch, mirrored = prepared(squares[chosen], rng)
        wanted = targets[chosen].copy()
        wanted[mirrored, 0] = 1 - wanted[mirrored, 0]
        boxes = network.find(batch.to(device))
        return 20 * F.smooth_l1_loss(boxes, torch.from_numpy(wanted).to(device), beta=0.02)

    return fit(network.finder.parameters(), step, length)


def train_judge(
    network: FaceNetwork, drawn: np.ndarray, smeared: np.ndarray, length: Length, seed: int
) -> int:
    """Teach it which heads are drawn; as many of each kind in every batch."""
    rng, device = np.random.default_rng(seed), next(network.parameters()).device
    labels = torch.cat([torch.full((BATCH // 2,), 0.98), torch.full((BATCH // 2,), 0.02)]).to(device)

    def step() -> Tensor:
        squares = np.concatenate(
            [kind[rng.integers(len(kind), size=BATCH // 2)] for kind in (drawn, smeared)]
        )
        return F.binary_cross_entropy_with_logits(
            network.score(moved(prepared(squares, rng)[0], rng).to(device)), labels
        )

    return fit(network.judge.parameters(), step, length)


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """How often a drawn head scores higher than a smeared one."""
    if not len(positive) or not len(negative):
        return float("nan")
    below = np.searchsorted(np.sort(negative), positive, "left") + np.searchsorted(
        np.sort(negative), positive, "right"
    )
    return float((below / (2 * len(negative))).mean())


def platt(drawn: np.ndarray, smeared: np.ndarray) -> tuple[float, float]:
    """Scale and shift of the logit that make it a probability, both kinds being as common."""
    values = torch.tensor(np.concatenate([drawn, smeared]), dtype=torch.float64)
    labels = torch.cat([torch.ones(len(drawn)), torch.zeros(len(smeared))]).double()
    weights = torch.cat([torch.full((len(part),), 1 / len(part)) for part in (drawn, smeared)]).double()
    line = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([line], max_iter=100)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(
            values * line[0] + line[1], labels, weight=weights, reduction="sum"
        )
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    scale, shift = line.detach().tolist()
    return scale, shift


def write(network: FaceNetwork, out: Path, **facts: float) -> None:
    """Config and half-precision weights."""
    out.mkdir(parents=True, exist_ok=True)
    config = {"model_type": "face-judge", **SHAPE, **{name: round(value, 5) for name, value in facts.items()}}
    (out / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    state = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
    save_file({name: value.half().cpu().contiguous() for name, value in state.items()}, out / WEIGHTS)


def found(judge: FaceJudge, people: Sequence[Somebody]) -> list[Box]:
    """The head of everybody, as a run would find it."""
    return [row[0] for row in judge.heads([who.picture for who in people], [[who.box] for who in people])]


def measure(judge: FaceJudge, people: Sequence[Somebody]) -> tuple[dict[str, float], np.ndarray, np.ndarray]:
    """Figures on held-out people, and the scores of the drawn and of the smeared ones."""
    boxes = found(judge, people)
    figures_: dict[str, float] = {
        "head_iou": float(
            np.mean([box.iou(who.head) for box, who in zip(boxes, people, strict=True) if who.drawn])
        )
    }
    scores = np.array(
        [row[0] for row in judge.score([who.picture for who in people], [[box] for box in boxes])]
    )
    drawn = np.array([who.drawn for who in people])
    figures_["auc"] = auc(scores[drawn], scores[~drawn])
    passes = float(np.quantile(scores[drawn], 1 - PASSES))
    for frame in FRAMES:
        here = np.array([who.frame == frame for who in people])
        figures_[f"auc {frame}"] = auc(scores[here & drawn], scores[here & ~drawn])
        figures_[f"pass {frame}"] = float((scores[here & ~drawn] >= passes).mean())
    for kind in sorted({who.kind for who in people}):
        here = np.array([who.kind == kind for who in people])
        figures_[f"pass {kind}"] = float((scores[here] >= passes).mean())
    return figures_, scores[drawn], scores[~drawn]


def main() -> int:
    parser = argparse.ArgumentParser(description="Train the face judge.")
    parser.add_argument("--panels", type=Path, default=Path("lab/faces"))
    parser.add_argument("--held_out", type=Path, default=Path("lab/faces_held_out"))
    parser.add_argument("--out", type=Path, default=Path("lab/face"))
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--init", type=Path, help="a judge to go on from; its finder stays as it is")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    flags = parser.parse_args()
    torch.manual_seed(flags.seed)
    people = list(everybody(sorted(flags.panels.glob("panels_*.pt"))))
    others = list(everybody(sorted(flags.held_out.glob("panels_*.pt"))))
    drawn = [who for who in people if who.drawn]
    smeared = [who for who in people if not who.drawn]
    sys.stdout.write(f"{len(drawn)} drawn heads, {len(smeared)} smeared ones; held out {len(others)}\n")
    if flags.init:
        network, steps = FaceJudge(flags.init, device=flags.device).network, 0
    else:
        network = FaceNetwork(SHAPE["finder"], SHAPE["judge"]).to(flags.device)
        steps = train_finder(network.train(), drawn, Length(FINDING * flags.minutes), flags.seed)
    network.requires_grad_(True)
    write(network.eval(), flags.out, limit=0.5, scale=1.0, shift=0.0)
    judge = FaceJudge(flags.out)
    rng = random.Random(flags.seed)
    squares = [heads(kind, found(judge, kind), rng, times=2) for kind in (drawn, smeared)]
    network.judge.train()
    minutes = flags.minutes if flags.init else (1 - FINDING) * flags.minutes
    looked = train_judge(network, squares[0], squares[1], Length(minutes), flags.seed)
    write(network.eval(), flags.out, limit=0.5, scale=1.0, shift=0.0)
    _, high, low = measure(FaceJudge(flags.out), others)
    logits = [np.log(part / (1 - part)) for part in (high.clip(1e-6, 1 - 1e-6), low.clip(1e-6, 1 - 1e-6))]
    scale, shift = platt(*logits)
    certain = 1 / (1 + np.exp(-(logits[0] * scale + shift)))
    write(network, flags.out, limit=float(np.quantile(certain, 1 - PASSES)), scale=scale, shift=shift)
    final = FaceJudge(flags.out)
    figures_, _, _ = measure(final, others)
    line = {"steps": steps, "looked": looked, "limit": final.limit, **figures_}
    sys.stdout.write(json.dumps({name: round(float(value), 4) for name, value in line.items()}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
