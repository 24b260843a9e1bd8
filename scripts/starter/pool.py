"""Training pools of the drawn world: scenes rendered on every core, encoded once by the VAE, kept as latents.

A shard is one file: packed latents of the scenes (padded to the largest shape), of one reference a
character, and the attributes that captions are made of. The trainer asks for a fresh shard as it goes,
because fewer than 60,000 scenes are learnt by heart.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.render.sequence import pack
from scripts.starter.captions import attributes
from scripts.starter.precision import NAMES
from scripts.starter.vae import encode, open_vae, pixels, place
from scripts.starter.world import Identity, Scene, ground_truth, reference, render

# Shapes in cells of 32 pixels (rows, columns) with their share: all near 64 cells, from 1:2 to 2:1.
SHAPES = {
    (8, 8): 0.28,
    (7, 9): 0.16,
    (9, 7): 0.14,
    (6, 10): 0.16,
    (10, 6): 0.12,
    (6, 12): 0.08,
    (12, 6): 0.06,
}
TRAINING_SEEDS, HELD_OUT_SEEDS = 10_000_000, 2_000_000_000
# What comes out broken most often is drawn most often: full bodies, ink, curly hair.
INK, MORE_CURLY = 0.32, 0.12
CELL = 32
CELLS = 72
REFERENCE = 128


def character(rng: random.Random) -> Identity:
    """Somebody of the drawn world, with curly hair more often than chance: it is broken most often."""
    who = Identity.random(rng)
    return replace(who, style="curly hair") if rng.random() < MORE_CURLY else who


def draw_one(seed: int) -> tuple[np.ndarray, dict[str, Any], list[np.ndarray]]:
    """One scene of the pool: its picture, what is in it, and one reference picture a character."""
    rng = random.Random(seed)
    rows, columns = rng.choices(list(SHAPES), list(SHAPES.values()))[0]
    share = (0.03, 0.49, 0.34, 0.14) if columns / rows > 0.9 else (0.03, 0.57, 0.36, 0.04)
    count = rng.choices((0, 1, 2, 3), share)[0]
    frames = (0.50, 0.34, 0.16) if count < 2 else (0.62, 0.38, 0.0)
    frame = rng.choices(("full body", "bust", "close-up"), frames)[0]
    ink = rng.random() < INK
    cast = [character(rng) for _ in range(count)]
    scene = Scene.random(rng, columns * CELL, rows * CELL, identities=cast, ink=ink, frame=frame)
    characters, references = [], []
    for figure, truth in zip(scene.figures, ground_truth(scene), strict=True):
        # A reference is mostly in the panel's own style, as a rehearsal would be.
        style = ink if rng.random() < 0.8 else not ink
        references.append(reference(figure.identity, rng, size=REFERENCE, ink=style))
        places = {"box": truth.box.as_tuple(), "head": truth.head.as_tuple()}
        characters.append(attributes(figure.identity, figure.state) | places)
    about = {
        "rows": rows, "columns": columns, "ink": ink, "count": count, "frame": scene.frame,
        "bg": scene.background, "characters": characters,
    }  # fmt: skip
    return render(scene), about, references


class Encoder:
    """The VAE's encoder, latents shifted, scaled and packed as the transformer sees them."""

    def __init__(self, folder: Path, device: str = "cpu", dtype: torch.dtype = torch.bfloat16) -> None:
        self.device, self.dtype = device, dtype
        self.vae = place(open_vae(folder), device)

    @torch.no_grad()
    def __call__(self, pictures: list[np.ndarray]) -> Tensor:
        """N pictures (H, W, 3) uint8 of one size → (N, cells, 64) float16 tokens."""
        config: Any = self.vae.config
        out = []
        for start in range(0, len(pictures), 16):
            batch = pixels(np.stack(pictures[start : start + 16]), self.device)
            latents = encode(self.vae, batch, self.dtype).float()
            out.append(pack((latents - config.shift_factor) * config.scaling_factor).half().cpu())
        return torch.cat(out)


def make_shard(first_seed: int, count: int, encoder: Encoder, workers: int) -> dict[str, Any]:
    """Render and encode `count` scenes with seeds from `first_seed` on."""
    seeds = range(first_seed, first_seed + count)
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        drawn = pool.map(draw_one, seeds, chunksize=32)
    latents = torch.zeros(count, CELLS, 64, dtype=torch.float16)
    for rows, columns in SHAPES:
        members = [
            i for i, (_, about, _) in enumerate(drawn) if (about["rows"], about["columns"]) == (rows, columns)
        ]
        if members:
            latents[members, : rows * columns] = encoder([drawn[i][0] for i in members])
    pictures = [picture for _, _, references in drawn for picture in references]
    abouts, offset = [], 0
    for _, about, references in drawn:
        about["reference"] = offset
        offset += len(references)
        abouts.append(about)
    return {"latents": latents, "references": encoder(pictures), "about": abouts}


def main() -> int:
    parser = argparse.ArgumentParser(description="Render and encode shards of the drawn world.")
    parser.add_argument("--vae", type=Path, default=Path("model/starter/vae"))
    parser.add_argument("--out", type=Path, default=Path("lab/pool"))
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--count", type=int, default=4000, help="scenes a shard")
    parser.add_argument("--first", type=int, default=0, help="number of the first shard; decides its seeds")
    parser.add_argument("--held_out", action="store_true", help="seeds that no training shard ever has")
    parser.add_argument("--keep", type=int, default=20, help="delete the oldest shards beyond this many")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16"))
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    encoder = Encoder(flags.vae, flags.device, NAMES[flags.precision])
    for shard in range(flags.first, flags.first + flags.shards):
        started = time.time()
        base = HELD_OUT_SEEDS if flags.held_out else TRAINING_SEEDS
        data = make_shard(base + shard * flags.count, flags.count, encoder, flags.workers)
        path = flags.out / f"shard_{shard:05d}.pt"
        torch.save(data, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)
        sys.stdout.write(f"{path}: {flags.count} scenes in {time.time() - started:.0f} s\n")
        sys.stdout.flush()
    for old in sorted(flags.out.glob("shard_*.pt"))[: -flags.keep]:
        old.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
