"""Train the starter's upscaler: a 4× network of Real-ESRGAN's compact kind, on panels of the drawn world.

    python -m scripts.starter.train_upscaler --minutes 18 --out lab/upscaler     # the same command resumes

It learns to give back what was drawn at four times the size, from panels that are drawn small, that went
through the VAE, and that are as soft as generated ones. Out: `model.safetensors` (averaged weights, single
precision, SRVGGNetCompact's names), `checkpoint.pt`, `log.jsonl` with dB over Lanczos on held-out panels, and
`sheet.png` (parts of them at full size: Lanczos, the network, what was drawn).
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact
from torch import Tensor

from scripts.starter.course import Course
from scripts.starter.draw import sheet
from scripts.starter.optimizer import MuonAdam
from scripts.starter.sharp import FACTOR, SharpPanel, SharpPool, draw_sharp, tensor
from scripts.starter.train_vae import edge_loss
from scripts.starter.vae import open_vae, place

FEATURES, CONVOLUTIONS = 48, 8
SIDE = 64
BATCH = 16
RATE = 2e-3
EDGE_WEIGHT = 0.5
EMA = 0.995
REFRESH = 6  # steps between two new panels
FIRST_SEED, HELD_OUT_SEED = 60_000_000, 930_000_000
KINDS = ("drawn", "redrawn", "dreamed")
DETAIL = 80  # small pixels of a part shown on the sheet


def fresh_upscaler(features: int = FEATURES, convolutions: int = CONVOLUTIONS) -> Compact:
    """A new network; it begins as enlargement by nearest neighbour."""
    network = Compact(num_feat=features, num_conv=convolutions, upscale=FACTOR)
    last = network.body[-1]
    assert isinstance(last, torch.nn.Conv2d)
    assert last.bias is not None
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    return network


def enlarge(network: Compact, batch: Tensor) -> Tensor:
    """(n, 3, h, w), 0 to 1 → (n, 3, 4 h, 4 w) float32; arithmetic is bfloat16."""
    with torch.autocast(batch.device.type, torch.bfloat16):
        return network(batch.contiguous(memory_format=torch.channels_last)).float()


class Training:
    """A network with its optimiser: steps, and the averaged weights."""

    def __init__(self, network: Compact, device: str = "cpu") -> None:
        self.device = device
        self.network = network.to(device).to(memory_format=torch.channels_last).train()
        adam = ("body.0.", f"body.{len(network.body) - 1}.")
        self.optimizer = MuonAdam(self.network.named_parameters(), adam=adam, ema=EMA)

    def step(self, small: Tensor, large: Tensor, rate: float) -> float:
        """One step. Returns the loss."""
        made, goal = enlarge(self.network, small.to(self.device)), large.to(self.device)
        loss = (made - goal).abs().mean() + EDGE_WEIGHT * edge_loss(made, goal)
        loss.backward()
        self.optimizer.step(rate)
        return loss.item()

    def averaged(self) -> Compact:
        """A copy with the averaged weights, for use."""
        network = copy.deepcopy(self.network).eval()
        network.load_state_dict(self.network.state_dict() | self.optimizer.averaged())
        return network


@torch.no_grad()
def enlarged(network: Compact, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture, 8 bit RGB, four times as large."""
    device = next(network.parameters()).device
    made = enlarge(network, tensor(picture[None]).to(device)).clamp(0, 1)
    return (made[0] * 255).round().byte().permute(1, 2, 0).cpu().numpy()


def lanczos(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture, four times as large without any network."""
    height, width = picture.shape[:2]
    size = (width * FACTOR, height * FACTOR)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def psnr(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """In dB, of 8 bit pictures."""
    error = np.square(first.astype(np.float32) - second).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-6)))


def evaluate(network: Compact, panels: Sequence[SharpPanel]) -> dict[str, float]:
    """Mean PSNR of whole panels by kind of small picture, and how much of it Lanczos does not have."""
    figures: dict[str, float] = {}
    for kind in KINDS:
        pairs = [
            (psnr(enlarged(network, small), panel.large), psnr(lanczos(small), panel.large))
            for panel in panels
            for small in (getattr(panel, kind),)
        ]
        mine, plain = np.mean(pairs, axis=0)
        figures |= {f"psnr_{kind}": float(mine), f"gain_{kind}": float(mine - plain)}
    return figures


def contact_sheet(network: Compact, panels: Sequence[SharpPanel], path: Path) -> None:
    """Parts of panels around a head, a column each: Lanczos and network for each kind, and the goal."""
    rows: list[list[NDArray[np.uint8]]] = []
    for kind in KINDS:
        smalls = [getattr(panel, kind) for panel in panels]
        rows += [[lanczos(small) for small in smalls], [enlarged(network, small) for small in smalls]]
    rows.append([panel.large for panel in panels])
    parts: list[NDArray[np.uint8]] = []
    for row in rows:
        for panel, picture in zip(panels, row, strict=True):
            height, width = panel.drawn.shape[:2]
            x, y = panel.heads[0] if panel.heads else (width / 2, height / 2)
            left = int(np.clip(x - DETAIL / 2, 0, width - DETAIL)) * FACTOR
            top = int(np.clip(y - DETAIL / 2, 0, height - DETAIL)) * FACTOR
            parts.append(picture[top : top + DETAIL * FACTOR, left : left + DETAIL * FACTOR])
    sheet(parts, len(panels)).save(path)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train or resume the starter's upscaler.")
    parser.add_argument("--minutes", type=float, default=18.0, help="training in all, earlier runs included")
    parser.add_argument("--steps", type=int, help="steps in all, instead of minutes")
    parser.add_argument("--out", type=Path, default=Path("lab/upscaler"))
    parser.add_argument("--vae", type=Path, default=Path("model/starter/vae"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--panels", type=int, default=64, help="panels held in memory, 4 MB each")
    parser.add_argument("--held_out", type=int, default=8, help="panels to measure on, never trained on")
    parser.add_argument("--rate", type=float, default=RATE)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    flags = _arguments(argv)
    course = Course(flags.out, flags.minutes, flags.steps)
    saved = course.load()
    first_seed = saved["next_seed"] if saved else FIRST_SEED
    torch.manual_seed(first_seed)
    vae = place(open_vae(flags.vae), "cpu")
    pool = SharpPool(flags.panels, first_seed, vae)
    held_out = [draw_sharp(HELD_OUT_SEED + index, vae) for index in range(flags.held_out)]
    training = Training(fresh_upscaler(), flags.device)
    if saved:
        training.optimizer.restore(saved["optimizer"])
    rng, optimizer, losses = np.random.default_rng(first_seed), training.optimizer, [0.0]

    def report() -> None:
        course.save(optimizer=optimizer.state(), next_seed=pool.next_seed)
        measured = evaluate(training.averaged(), held_out)
        course.write(steps=optimizer.steps, loss=float(np.mean(losses[-50:])), **measured)

    course.pause()
    while course.tick(optimizer.steps):
        small, large = pool.batch(rng, flags.batch, SIDE)
        losses.append(training.step(small, large, course.rate(flags.rate, optimizer.steps)))
        if optimizer.steps % REFRESH == 0:
            pool.refresh()
        if course.due("report", 4):
            course.tick()
            report()
            course.pause()
    report()
    network = training.averaged()
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(state, flags.out / "model.safetensors")
    contact_sheet(network, [panel for panel in held_out if panel.heads][:6], flags.out / "sheet.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
