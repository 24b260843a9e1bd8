"""Train the starter's SAM: the pixels of the figure that a box is drawn round.

    python -m scripts.starter.train_segmenter --minutes 15 --out lab/segmenter --vae model/starter/vae

The same command resumes. Masks of the drawn world are free and exact. A batch is a number of panels with all
of their figures; boxes are a little off, as a detector's are. Out: a segmenter's folder (`config.json`,
`model.safetensors` with averaged float32 weights), `pool.npz` (the panels), `checkpoint.pt`, `log.jsonl`. The
log's figures are IoUs that `SamSegmenter` reaches on whole panels of seeds that training never sees.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from segment_anything.modeling import Sam
from torch import Tensor

from model.geometry import Box
from model.vision.sam import SamSegmenter, SamShape, build, corner_tensor
from model.vision.sam_files import CONFIG, WEIGHTS
from model.vision.segment import Segmenter
from scripts.starter.course import Course
from scripts.starter.optimizer import MuonAdam
from scripts.starter.outlines import (
    GRID,
    SIDE,
    Outlined,
    Pool,
    draw_many,
    jittered,
    make_pool,
    through_vae,
)
from scripts.starter.segmenter import SHAPE, Batch, mask_loss, predict, start_from_clip

# Prompts that are never given here: points, masks.
UNUSED = ("mask_downscaling", "not_a_point_embed", "point_embeddings.0", "point_embeddings.1")
ADAM = ("embed", "rel_pos", "token.weight", "tokens.weight")
EMA = 0.995
FIRST_SEED, HELD_OUT_SEED = 60_000_000, 930_000_000
JITTER, ASKED_JITTER = 0.08, 0.05  # in training; when measured
GAIN = 0.2  # how much stronger or weaker a channel's contrast may be
BATCH = 16


def choose(pool: Pool, size: int, rng: random.Random) -> Batch:
    """`size` panels of the pool, half of them mirrored, their contrast changed, their boxes jittered."""
    chosen = rng.sample(range(len(pool.pictures)), size)
    squares = pool.pictures[chosen]
    masks: list[np.ndarray] = []
    owners: list[int] = []
    corners: list[Tensor] = []
    for owner, panel in enumerate(chosen):
        width, height = (int(length) for length in pool.sizes[panel])
        figures = slice(pool.firsts[panel], pool.firsts[panel + 1])
        outlines, boxes = pool.masks[figures], [Box(*box) for box in pool.boxes[figures].tolist()]
        if rng.random() < 0.5:
            cells = -(-width * GRID // SIDE)  # masks are mirrored in whole cells, so pictures are too
            used = cells * SIDE // GRID
            squares[owner, :, :used] = squares[owner, :, :used][:, ::-1].copy()
            outlines = outlines.copy()
            outlines[:, :, :cells] = outlines[:, :, :cells][:, :, ::-1].copy()
            boxes = [Box(used / width - box.right, box.y, box.width, box.height) for box in boxes]
        masks.append(outlines)
        owners += [owner] * len(boxes)
        corners.append(corner_tensor([jittered(box, JITTER, rng) for box in boxes], width, height))
    gains = torch.tensor([[rng.uniform(1 - GAIN, 1 + GAIN) for _ in range(3)] for _ in chosen])
    centred = torch.from_numpy(squares).permute(0, 3, 1, 2).float().sub_(SHAPE.mean[0])
    return Batch(
        pictures=centred.mul_(gains[:, :, None, None] / SHAPE.deviation[0]),
        owners=torch.tensor(owners),
        corners=torch.cat(corners),
        masks=torch.from_numpy(np.concatenate(masks)).float().div_(255),
    )


class Training:
    """A SAM with its optimiser: steps, the averaged weights, and the state to go on from."""

    def __init__(self, sam: Sam, device: str = "cpu") -> None:
        self.sam, self.device = sam.to(device).train(), device
        for name, parameter in self.sam.named_parameters():
            parameter.requires_grad_(not any(part in name for part in UNUSED))
        # The optimiser takes its masters from weights of full precision, and keeps them.
        self.optimizer = MuonAdam(self.sam.named_parameters(), adam=ADAM, ema=EMA)
        for part in (self.sam.image_encoder, self.sam.mask_decoder):
            part.bfloat16()

    def step(self, batch: Batch, rate: float) -> tuple[float, float]:
        """One step. Returns loss and mean IoU."""
        there = {
            field.name: getattr(batch, field.name).to(self.device) for field in dataclasses.fields(batch)
        }
        loss, reached = mask_loss(*predict(self.sam, Batch(**there)), there["masks"])
        loss.backward()
        self.optimizer.step(rate)
        return loss.item(), reached.item()

    def averaged(self) -> Sam:
        """A copy with the averaged weights, for use."""
        sam = copy.deepcopy(self.sam).float().eval()
        sam.load_state_dict(self.sam.state_dict() | self.optimizer.averaged())
        return sam


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """IoU of two masks; 1 for two empty ones."""
    either = (first | second).sum()
    return float((first & second).sum() / either) if either else 1.0


def measure(segmenter: Segmenter, panels: Sequence[Outlined], jitter: float, seed: int) -> list[list[float]]:
    """IoU of every figure of every panel, asked for by its true box, jittered."""
    rng = random.Random(seed)
    asked = [[jittered(box, jitter, rng) for box in panel.boxes] for panel in panels]
    found = segmenter.segment([Image.fromarray(panel.picture) for panel in panels], asked)
    return [
        [overlap(mask, true) for mask, true in zip(masks, panel.masks, strict=True)]
        for masks, panel in zip(found, panels, strict=True)
    ]


def evaluate(sam: Sam, clean: Sequence[Outlined], redrawn: Sequence[Outlined]) -> dict[str, float]:
    """Mean IoUs from boxes jittered by `ASKED_JITTER`: all, the worst tenth, colour, ink, redrawn."""
    segmenter = SamSegmenter(copy.deepcopy(sam))
    each = measure(segmenter, clean, ASKED_JITTER, HELD_OUT_SEED)
    every = np.sort([value for values in each for value in values])
    figures = {"iou": float(every.mean()), "iou_worst_tenth": float(every[: len(every) // 10 + 1].mean())}
    for name, ink in (("iou_colour", False), ("iou_ink", True)):
        some = [
            value for panel, values in zip(clean, each, strict=True) if panel.ink == ink for value in values
        ]
        figures |= {name: float(np.mean(some))} if some else {}
    if redrawn:
        again = measure(segmenter, redrawn, ASKED_JITTER, HELD_OUT_SEED)
        figures["iou_redrawn"] = float(np.mean([value for values in again for value in values]))
    return figures


def write_folder(sam: Sam, shape: SamShape, out: Path) -> None:
    """Write the model as a segmenter's folder."""
    out.mkdir(parents=True, exist_ok=True)
    (out / CONFIG).write_text(json.dumps(dataclasses.asdict(shape), indent=1) + "\n", encoding="utf-8")
    save_file(
        {name: value.float().cpu().contiguous() for name, value in sam.state_dict().items()}, out / WEIGHTS
    )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train or resume the starter's segmenter.")
    parser.add_argument("--minutes", type=float, default=15.0, help="training in all; 0 only draws the pool")
    parser.add_argument("--steps", type=int, help="steps in all, instead of minutes")
    parser.add_argument("--out", type=Path, default=Path("lab/segmenter"))
    parser.add_argument("--vae", type=Path, help="a VAE's folder; a share of the panels passes through it")
    parser.add_argument(
        "--clip", type=Path, help="an open_clip folder whose vision tower the encoder starts from"
    )
    parser.add_argument("--vae_share", type=float, default=0.35)
    parser.add_argument("--panels", type=int, default=6000, help="panels to learn from, 0.25 MB each")
    parser.add_argument("--held_out", type=int, default=64, help="panels to measure on, never trained on")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--workers", type=int, default=1, help="processes that draw; 0: none")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    flags = _arguments(argv)
    course = Course(flags.out, flags.minutes, flags.steps)
    saved = course.load()
    drawn = flags.out / "pool.npz"
    if not drawn.exists():
        make_pool(FIRST_SEED, flags.panels, flags.vae, flags.vae_share, flags.workers).save(drawn)
    if not flags.minutes:
        return 0
    pool = Pool.load(drawn)
    clean = draw_many(range(HELD_OUT_SEED, HELD_OUT_SEED + flags.held_out), flags.workers)
    chance = random.Random(HELD_OUT_SEED)
    redrawn = through_vae(clean, flags.vae, 1.0, chance, flags.device) if flags.vae else []
    torch.manual_seed(FIRST_SEED)
    sam = build(SHAPE)
    if flags.clip:
        start_from_clip(sam, flags.clip)
    training = Training(sam, flags.device)
    optimizer = training.optimizer
    if saved:
        training.sam.load_state_dict(saved["weights"])
        optimizer.restore(saved["optimizer"])
    rng = random.Random(FIRST_SEED + optimizer.steps)
    figures, started, begun = {"loss": 0.0, "iou_learning": 0.0}, optimizer.steps, course.seconds

    def save() -> None:
        # The weights too: what is not trained (positions, unused prompts) was made up by chance.
        course.save(weights=training.sam.state_dict(), optimizer=optimizer.state())

    def report() -> None:
        speed = (optimizer.steps - started) * flags.batch / max(course.seconds - begun, 1e-3)
        measured = evaluate(training.averaged(), clean, redrawn)
        course.write(steps=optimizer.steps, panels_per_second=speed, **figures, **measured)

    course.pause()
    while course.tick(optimizer.steps):
        batch = choose(pool, flags.batch, rng)
        loss, reached = training.step(batch, course.rate(flags.rate, optimizer.steps))
        figures = {"loss": loss, "iou_learning": reached}
        course.tick()
        if course.due("checkpoint", 2):
            save()
        if course.due("report", 2):
            report()
        course.pause()
    save()
    report()
    write_folder(training.averaged(), SHAPE, flags.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
