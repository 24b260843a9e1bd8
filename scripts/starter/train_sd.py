"""Train a small Stable Diffusion with an IP-Adapter on pools of the drawn world.

    python -m scripts.starter.train_sd --minutes 45 --out lab/sd    # the same command resumes
    python run.py examples/first_light.json --model lab/sd/model

UNet2DConditionModel, CLIPTextModel and IP-Adapter Plus in their published classes and layouts; VAE and image
encoder are the starter's. First a text encoder learns to read, then the UNet and the adapter learn to draw,
conditioned as by `model/render/sd/attention.py`. In: shards of `pool.py`. Out: the folder `model` in
--out, which `--model` takes, every ten minutes and at the end; `checkpoint.pt` likewise; a line a minute in
`log.jsonl`.
"""

from __future__ import annotations

import argparse
import copy
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.render.weights import STARTER
from scripts.starter.course import Course
from scripts.starter.optimizer import MuonAdam
from scripts.starter.sd.export import export_sd
from scripts.starter.sd.eyes import image_encoder, look_at, nothing
from scripts.starter.sd.network import Network, alphas
from scripts.starter.sd.scenes import Batch, Scenes
from scripts.starter.sd.words import Words, new_encoder, new_tokenizer, teach
from scripts.starter.vae import open_vae

ADAM = ("conv_in", "conv_out", "time_embedding", "projection.latents")
EMA = 0.995
LEAN = 0.75  # times are u ** LEAN of the schedule: a little more noise than not
CHECKED = 6  # held-out batches
WORD_STEPS = 400


def velocity_loss(
    network: Network, batch: Batch, noise_levels: Tensor, times: Tensor, noise: Tensor
) -> Tensor:
    """(B,) squared error of the predicted velocity, weighted.

    Args:
        noise_levels: (1000,) cumulative alphas; times: (B,) of them; noise: like the latents.
    """
    kept = noise_levels[times][:, None, None, None]
    clean = batch.latents
    noisy = kept.sqrt() * clean + (1 - kept).sqrt() * noise
    velocity = kept.sqrt() * noise - (1 - kept).sqrt() * clean
    error = (network(noisy, times, batch.told).float() - velocity).square()
    return (error * batch.weight).mean((1, 2, 3))


class Training:
    """A network with its optimiser."""

    def __init__(self, network: Network, dtype: torch.dtype = torch.bfloat16) -> None:
        self.optimizer = MuonAdam(network.named_parameters(), adam=ADAM, ema=EMA)
        self.network = network.to(dtype).train()
        self.levels = alphas()
        self.dtype = dtype

    def step(self, batch: Batch, rate: float) -> float:
        """One step. Returns the loss."""
        times = (1000 * torch.rand(len(batch.latents)) ** LEAN).long().clamp(max=999)
        loss = velocity_loss(self.network, batch, self.levels, times, torch.randn_like(batch.latents)).mean()
        loss.backward()
        self.optimizer.step(rate)
        return loss.item()

    def averaged(self) -> Network:
        """A copy with the averaged weights, for use."""
        network = copy.deepcopy(self.network).float().eval()
        network.load_state_dict(self.optimizer.averaged())
        return network

    @torch.no_grad()
    def check(self, scenes: Scenes) -> float:
        """Loss on held-out scenes, always the same ones with the same noise."""
        before, scenes.rng = scenes.rng, random.Random(11)
        generator = torch.Generator().manual_seed(5)
        losses: list[float] = []
        for _ in range(CHECKED):
            batch = scenes.batch(32, held_out=True)
            noise = torch.randn(batch.latents.shape, generator=generator)
            times = torch.linspace(20, 980, 32).long()
            losses.append(velocity_loss(self.network, batch, self.levels, times, noise).mean().item())
        scenes.rng = before
        return sum(losses) / len(losses)


def opened_words(folder: Path, steps: int = WORD_STEPS) -> Words:
    """The tokenizer and text encoder in `folder`; where there are none, new ones are made, taught and kept.

    Tokenizers made twice from the same captions number their words differently, so both are kept together.
    """
    if not folder.is_dir():
        tokenizer = new_tokenizer()
        words = Words(tokenizer, new_encoder(tokenizer))
        teach(words, steps, report=sys.stdout.write)
        temporary = folder.with_suffix(".tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        words.save(temporary)
        temporary.rename(folder)
    return Words.load(folder)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Train or resume a small Stable Diffusion.")
    parser.add_argument(
        "--minutes", type=float, default=45.0, help="training time in all, earlier runs included"
    )
    parser.add_argument("--steps", type=int, help="steps in all, instead of minutes")
    parser.add_argument("--out", type=Path, default=Path("lab/sd"))
    parser.add_argument("--pool", type=Path, default=Path("lab/pool"))
    parser.add_argument("--held_out", type=Path, help="folder with a shard that is never trained on")
    parser.add_argument("--starter", type=Path, default=STARTER, help="whose VAE and image encoder are used")
    parser.add_argument("--batch", type=int, default=28)
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args(argv)
    course = Course(flags.out, flags.minutes, flags.steps)
    saved = course.load()
    torch.manual_seed(flags.seed)
    words = opened_words(flags.out / "words")
    training = Training(Network())
    samples = saved["samples"] if saved else 0
    if saved:
        training.optimizer.restore(saved["optimizer"])
    torch.manual_seed(flags.seed + samples)
    for pool in filter(None, (flags.pool, flags.held_out)):
        look_at(pool, flags.out, flags.starter)
    vae: Any = open_vae(flags.starter / "vae").config
    blank, rng = nothing(image_encoder(flags.starter / "clip")), random.Random(flags.seed + samples)
    shift = vae.shift_factor * vae.scaling_factor
    scenes = Scenes(flags.pool, flags.out, words, blank, rng, shift=shift)
    held_out = Scenes(flags.held_out, flags.out, words, blank, rng, shift=shift) if flags.held_out else None
    sys.stdout.write(f"{len(scenes)} scenes; {samples} samples seen so far\n")

    def save() -> None:
        course.save(optimizer=training.optimizer.state(), samples=samples)
        export_sd(training.averaged(), words, flags.starter, flags.out / "model")

    average, begun, since = 0.0, samples, course.seconds
    course.pause()
    while course.tick(training.optimizer.steps):
        loss = training.step(scenes.batch(flags.batch), course.rate(flags.rate, training.optimizer.steps))
        samples += flags.batch
        average = 0.97 * average + 0.03 * loss if average else loss
        if course.due("log", 1):
            speed = (samples - begun) / max(course.seconds - since, 1e-6)
            figures = {"samples": samples, "per_second": speed, "train": average}
            if held_out is not None and course.due("check", 4):
                figures["held_out"] = training.check(held_out)
            course.write(**figures)
            course.pause()
        if course.due("save", 10):
            save()
            course.pause()
    save()
    return 0


if __name__ == "__main__":
    sys.exit(main())
