"""Panels for the face judge: scenes as the world draws them, and as the model does at several settings.

    python -m scripts.starter.faces.panels --out lab/faces --checkpoint lab/flux/checkpoint.pt --rounds 20

Everything goes through the VAE, the world's own panels too: the judge is to see how a head is drawn, not
how it was stored. Scenes that the model only had to clean of a little noise count as drawn. Each round adds
one file of panels; `--held_out` keeps scenes apart for measuring. In: shards of `pool.py`. Out:
`panels_<name>_<n>.pt`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.render.sequence import unpack
from model.render.weights import STARTER
from scripts.starter.blocks import FastFlux, to_training
from scripts.starter.network import Starter, shipped
from scripts.starter.sample import Recipe, draw
from scripts.starter.scenes import Scenes
from scripts.starter.vae import decode, open_vae, pictures, place

# Label 1: drawn. What the model barely touched is as drawn (mean squared error of latents under .13).
DRAWN = {
    "drawn": None,
    "touched": Recipe(steps=3, guidance=1.0, start=0.3),
    # The model's own hand at work, guided, on faces that are decided: a judge must not mind the hand.
    "finished": Recipe(steps=6, guidance=3.0, start=0.5),
}
# Label 0, as often as the number says.
SMEARED = {
    "euler 16": (Recipe(), 3),
    "euler 8": (Recipe(steps=8), 2),
    "euler 12 unguided": (Recipe(steps=12, guidance=1.0), 1),
    "euler 12, guidance 2": (Recipe(steps=12, guidance=2.0), 1),
    "restarted": (Recipe(steps=12, restarts=1), 2),
    "half way": (Recipe(steps=8, guidance=1.0, start=0.8), 1),
}
COUNTS = (0.5, 0.35, 0.15)


def smeared_recipe(rng: random.Random) -> tuple[str, Recipe]:
    """One of `SMEARED`; restarts go back to anywhere between .6 and .8."""
    names = list(SMEARED)
    name = rng.choices(names, [weight for _, weight in SMEARED.values()])[0]
    return name, replace(SMEARED[name][0], again=rng.uniform(0.6, 0.8))


@torch.inference_mode()
def decoded(vae: Any, latents: Tensor, batch: dict[str, Any], dtype: torch.dtype) -> list[np.ndarray]:
    """One picture a scene: RGB, 8 bit, of its own shape."""
    out = []
    for row, about in zip(latents, batch["about"], strict=True):
        tall, wide = about["rows"], about["columns"]
        unpacked = (
            unpack(row[None, : tall * wide], tall, wide) / vae.config.scaling_factor + vae.config.shift_factor
        )
        out.append(pictures(decode(vae, unpacked, dtype))[0])
    return out


def trained_starter(checkpoint: Path | None) -> Starter:
    """The starter with the averaged weights of a checkpoint of train_flux; without one, as shipped."""
    starter = shipped(STARTER)
    starter.transformer.load_state_dict(to_training(starter.transformer.state_dict()))
    if checkpoint is not None:
        saved = torch.load(checkpoint, weights_only=True, map_location="cpu")["state"]
        state = starter.state_dict() | dict(zip(saved["names"], saved["average"], strict=True))
        state["text.t5.encoder.embed_tokens.weight"] = state["text.t5.shared.weight"]
        starter.load_state_dict(state)
    return starter.eval().requires_grad_(False)


def main() -> int:
    parser = argparse.ArgumentParser(description="Draw panels of both kinds for the face judge.")
    parser.add_argument("--pool", type=Path, default=Path("lab/pool"))
    parser.add_argument("--out", type=Path, default=Path("lab/faces"))
    parser.add_argument("--name", default="a", help="of this run's files")
    parser.add_argument("--checkpoint", type=Path, help="of train_flux; default: the shipped weights")
    parser.add_argument("--vae", type=Path, nargs="+", default=[STARTER / "vae"], help="taken in turns")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=1e9, help="no new round after so many")
    parser.add_argument("--size", type=int, default=12, help="panels of each kind in a round")
    parser.add_argument("--drawn", type=int, help="of each drawn kind; default: as many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    dtype = getattr(torch, flags.precision)
    starter = trained_starter(flags.checkpoint).to(flags.device, dtype)
    fast = FastFlux(starter.transformer, compiled=False)
    vaes: list[Any] = [place(open_vae(folder), flags.device) for folder in flags.vae]
    rng = random.Random(flags.seed)
    torch.manual_seed(flags.seed)
    scenes = Scenes(flags.pool, rng, fast, flags.device)
    started = time.time()
    for number in range(flags.rounds):
        begun = time.time()
        if number and begun - started > 60 * flags.minutes:
            break
        count = rng.choices((1, 2, 3), COUNTS)[0]
        vae = vaes[number % len(vaes)]
        kept: dict[str, list[Any]] = {"pictures": [], "figures": [], "about": []}
        name, recipe = smeared_recipe(rng)
        kinds: list[tuple[str, Recipe | None, int]] = [(name, recipe, 0)]
        kinds += [(kind, made, 1) for kind, made in DRAWN.items()]
        for kind, made, label in kinds:
            size = flags.drawn if label and flags.drawn else flags.size
            batch = scenes.batch(count, size, held_out=True)
            latents = batch["latents"] if made is None else draw(starter, fast, batch, made)
            for picture, about in zip(decoded(vae, latents, batch, dtype), batch["about"], strict=True):
                figures = [(*who["box"], *who["head"]) for who in about["characters"]]
                kept["pictures"].append(picture)
                kept["figures"].append(figures)
                kept["about"].append((kind, label, about["frame"], about["ink"], about["count"]))
        path = flags.out / f"panels_{flags.name}_{number:03d}.pt"
        torch.save({**kept, "pictures": [torch.from_numpy(p) for p in kept["pictures"]]}, path)
        sys.stdout.write(f"{path}: {name}, {count} each, {time.time() - begun:.0f} s\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
