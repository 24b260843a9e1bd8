"""What an upscaler gains over Lanczos, and what it costs.

    python -m scripts.bench.upscale [--upscaler starter|PATH] [--n 24] [--seed 0]

Fresh panels of the drawn world, through `model.render.upscale` as in a run: PSNR against the same scene
rendered at four times the size, minus that of Lanczos, for four kinds of small picture: as the drawn world
renders it (drawn), the large one averaged down (averaged), from the VAE (redrawn), and noisy from the VAE and
blurred, as generated panels are (dreamed). Seconds are processor time of all threads
together, so that neighbours do not count.

Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from model.errors import ConfigError
from model.render.upscale import Upscaler, open_upscaler
from model.render.weights import STARTER
from scripts.bench.command import run, seed_flag
from scripts.starter.sharp import FACTOR, Picture, SharpPanel, draw_sharp
from scripts.starter.train_upscaler import lanczos, psnr
from scripts.starter.vae import open_vae, place

FIRST_SEED = 940_000_000  # of no training and no training's held-out panels
KINDS = ("drawn", "averaged", "redrawn", "dreamed")


def averaged(panel: SharpPanel) -> Picture:
    """The large picture, every FACTOR × FACTOR pixels become their mean."""
    height, width = panel.drawn.shape[:2]
    return np.asarray(Image.fromarray(panel.large).resize((width, height), Image.Resampling.BOX))


def gains(upscaler: Upscaler, panels: Sequence[SharpPanel]) -> dict[str, float]:
    """Mean PSNR over Lanczos in dB by kind of small picture, and the drawn ones' by colour and ink."""
    figures: dict[str, list[float]] = {}
    for panel in panels:
        longest = max(panel.large.shape[:2])
        for kind in KINDS:
            small: Picture = averaged(panel) if kind == "averaged" else getattr(panel, kind)
            large = upscaler.enlarge([Image.fromarray(small)], longest)[0]
            gain = psnr(np.asarray(large), panel.large) - psnr(lanczos(small), panel.large)
            figures.setdefault(kind, []).append(gain)
            if kind == "drawn":
                figures.setdefault("drawn_ink" if panel.ink else "drawn_colour", []).append(gain)
    return {kind: float(np.mean(values)) for kind, values in figures.items()}


def cpu_seconds_per_panel(upscaler: Upscaler, count: int) -> float:
    """Of `count` panels of 256 × 256 pixels in one call; the fastest of three calls."""
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)) for _ in range(count)]
    upscaler.enlarge(pictures, 256 * FACTOR)
    times: list[float] = []
    for _ in range(3):
        started = time.process_time()
        upscaler.enlarge(pictures, 256 * FACTOR)
        times.append((time.process_time() - started) / count)
    return min(times)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure an upscaler on fresh panels of the drawn world.")
    parser.add_argument("--upscaler", default="starter", help="starter, or a weights file (×4)")
    parser.add_argument("--n", type=int, default=24, help="panels")
    seed_flag(parser, 0)
    parser.add_argument("--vae", type=Path, default=STARTER / "vae")
    parser.add_argument("--device", default="cpu")
    flags = parser.parse_args()
    starter = STARTER / "upscaler" / "model.safetensors"
    source = starter if flags.upscaler == "starter" else Path(flags.upscaler)
    upscaler = open_upscaler(source, device=flags.device)
    if upscaler.scale != FACTOR:
        parser.error(f"{source} enlarges ×{upscaler.scale}; the comparison is for ×{FACTOR}")
    if not (flags.vae / "config.json").is_file():
        raise ConfigError(f"--vae: {flags.vae} holds no config.json; name the folder of an autoencoder")
    vae = place(open_vae(flags.vae), "cpu")
    panels = [draw_sharp(FIRST_SEED + flags.seed * 10_000 + index, vae) for index in range(flags.n)]
    figures = {f"gain_{kind}": value for kind, value in gains(upscaler, panels).items()}
    figures |= {f"cpu_seconds_of_{count}": cpu_seconds_per_panel(upscaler, count) for count in (1, 4)}
    figures["megabytes"] = source.stat().st_size / 1e6
    print(f"{source.name} ({upscaler.architecture}), {flags.n} panels, {torch.get_num_threads()} threads")
    for name, value in figures.items():
        print(f"  {name:20} {value:8.3f}")
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
