"""Train the starter's Flux transformer and text encoders on pools of the drawn world.

    python -m scripts.starter.train_flux --minutes 60    # resumes lab/flux/checkpoint.pt when it is there

Every batch holds scenes of one number of characters; panel shapes are mixed within it (padded to 72 cells,
masked). Text and references obey the block mask of `model/render/sequence.py`. A checkpoint every ten
minutes; a line a minute in `log.jsonl`. In: shards of `pool.py`. Out: a checkpoint that `export.py` turns
into `model/starter/`.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from model.render.weights import STARTER
from scripts.starter.blocks import FastFlux, to_training
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
# Samples of one step by number of characters: every step sees all three.
BATCH = {1: 20, 2: 20, 3: 8}


def learning_rate(base: float, step: int, fraction: float, *, warm_up: int = 100) -> float:
    """A warm-up of so many steps, constant, and a cosine to 4 % over the last 60 % of the run."""
    warm = min(1.0, (step + 1) / warm_up)
    if fraction < 0.4:
        return base * warm
    return base * warm * (0.04 + 0.96 * 0.5 * (1 + math.cos(math.pi * (min(fraction, 1.0) - 0.4) / 0.6)))


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
        saved_before = trained(flags.init)
        saved = {"samples": saved_before["samples"], "several": saved_before["samples_with_several"]}
    starter.transformer.load_state_dict(to_training(starter.transformer.state_dict()))
    starter.to(flags.device)
    optimizer = MuonAdam(starter.named_parameters(), adam=ADAM, frozen=flags.freeze, arithmetic=dtype)
    for index in optimizer.frozen:
        optimizer.parameters[index].requires_grad_(False)
    if "state" in saved:
        optimizer.restore(saved["state"])
    return starter, optimizer, saved.get("samples", 0), saved.get("several", 0)


def main() -> int:
    parser = argparse.ArgumentParser(description="Train or resume the starter's Flux transformer.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument(
        "--until", type=float, default=0.0, help="end at this time (seconds since 1970) instead"
    )
    parser.add_argument("--begun", type=float, default=0.0, help="with --until: when the whole run began")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--out", type=Path, default=Path("lab/flux"))
    parser.add_argument("--pool", type=Path, default=Path("lab/pool"))
    parser.add_argument(
        "--init", type=Path, default=STARTER, help="weights to go on from when --out has none"
    )
    parser.add_argument(
        "--attach",
        type=int,
        default=0,
        metavar="STEPS",
        help="first teach the text encoder what colours belong to",
    )
    parser.add_argument(
        "--freeze", nargs="*", default=[], metavar="PART", help="parts of names that stay as they are"
    )
    parser.add_argument("--fresh", action="store_true", help="start from nothing instead")
    parser.add_argument(
        "--text", type=Path, default=Path("model/starter"), help="folder with the tokenizers and encoders"
    )
    parser.add_argument("--held_out", type=Path, help="folder with a shard that is never trained on")
    parser.add_argument("--vae", type=Path, default=Path("model/starter/vae"))
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument(
        "--shift", type=float, default=1.8, help="how far the training times lean towards noise"
    )
    parser.add_argument(
        "--refresh", type=int, default=0, help="samples after which a new shard is made (0: never)"
    )
    parser.add_argument("--batch_scale", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no_compile", action="store_true")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    checkpoint, log = flags.out / "checkpoint.pt", flags.out / "log.jsonl"
    torch.manual_seed(flags.seed + int(time.time()))
    warm_up = 10 if checkpoint.exists() else 100  # an optimiser that goes on knows its gradients
    dtype, why = chosen(flags.precision, flags.device)
    sys.stdout.write(f"precision: {why}\n")
    starter, optimizer, seen, several = opened(flags, checkpoint, dtype)
    probe = RoleProbe(starter.text.t5.config.d_model, flags.device)
    if flags.attach:
        left = attach_colours(starter.text, probe, flags.attach)
        encoder = {name: value for name, value in starter.named_parameters() if name.startswith("text.t5.")}
        optimizer.replace(encoder)
        sys.stdout.write(f"colours attached: {left:.4f}\n")
    starter.to(dtype)
    fast = FastFlux(starter.transformer, compiled=not flags.no_compile)
    plain = FastFlux(starter.transformer, compiled=False)
    rng = random.Random(flags.seed + seen)
    scenes = Scenes(flags.pool, rng, fast, flags.device)
    held_out = Scenes(flags.held_out, rng, fast, flags.device) if flags.held_out else None
    sys.stdout.write(f"{sum(map(len, scenes.rows.values()))} scenes; {seen} samples seen so far\n")

    def save() -> None:
        temporary = checkpoint.with_suffix(".tmp")
        torch.save(
            {"state": optimizer.state(), "samples": seen, "several": several, "config": CONFIG}, temporary
        )
        temporary.replace(checkpoint)

    elapsed, last, step, running = 0.0, time.time(), 0, {1: 0.0, 2: 0.0, 3: 0.0}
    next_line, next_save, start_seen, refreshed = 60.0, 600.0, seen, seen
    begun, end = flags.begun or time.time(), flags.until
    total = sum(BATCH.values())

    def fraction() -> float:
        return (time.time() - begun) / (end - begun) if end else elapsed / (flags.minutes * 60)

    while fraction() < 1:
        for count, size in BATCH.items():
            batch = scenes.batch(count, size * flags.batch_scale)
            loss = velocity_loss(starter, fast, batch, shift=flags.shift, probe=probe).mean()
            (loss * (size / total)).backward()
            seen += len(batch["latents"])
            several += len(batch["latents"]) if count > 1 else 0
            running[count] = loss.item() if not running[count] else 0.97 * running[count] + 0.03 * loss.item()
        rate = learning_rate(flags.rate, step, fraction(), warm_up=warm_up)
        optimizer.step(rate)
        step += 1
        now = time.time()
        # A stall (a stopped process, a busy neighbour) is not training time.
        elapsed, last = elapsed + min(now - last, 30.0), now
        if elapsed > next_line:
            next_line += 60
            scenes.refresh()
            line = {
                "minutes": round(elapsed / 60, 1), "step": step, "samples": seen, "several": several,
                "rate": round(rate, 6), "per_second": round((seen - start_seen) / elapsed, 1),
                **{f"train_{k}": round(v, 4) for k, v in running.items()},
            }  # fmt: skip
            if held_out and int(elapsed // 60) % 5 == 0:
                line |= {name: round(value, 4) for name, value in validate(starter, plain, held_out).items()}
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
            last = time.time()
        if elapsed > next_save:
            next_save += 600
            save()
        if flags.refresh and seen - refreshed >= flags.refresh:
            refreshed = seen
            newest = max(int(path.stem.split("_")[1]) for path in scenes.loaded)
            command = [
                sys.executable,
                "-m",
                "scripts.starter.pool",
                "--first",
                str(newest + 1),
                "--out",
                str(flags.pool),
            ]
            subprocess.run([*command, "--vae", str(flags.vae), "--device", flags.device], check=True)
            scenes.refresh()
            last = time.time()
    save()
    return 0


if __name__ == "__main__":
    sys.exit(main())
