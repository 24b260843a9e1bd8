"""Train the starter's VAE (a 16× AutoencoderKL with 16 latent channels) on panels that it draws as it goes.

    python -m scripts.starter.train_vae --minutes 20 --out lab/vae     # the same command resumes
    python -m scripts.starter.train_vae --minutes 10 --out lab/vae2 --init lab/vae --decoder_only

Latents carry noise in training, so that the decoder forgives a diffusion model its small errors. Out: the
averaged weights as a diffusers folder with shift and scale of the latents, `checkpoint.pt`, `log.jsonl`, and
`sheet.png` (held-out panels above what came back). With --decoder_only the encoder, shift and scale stay as
they are: latents that are already cached remain valid.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from scripts.starter.course import Course
from scripts.starter.draw import sheet
from scripts.starter.gallery import Gallery, Panel, draw_panel
from scripts.starter.optimizer import MuonAdam
from scripts.starter.patches import Critic
from scripts.starter.precision import chosen
from scripts.starter.vae import decode, encode, fresh_vae, open_vae, pictures, pixels, place

SIDE = 128
ADAM = ("conv_in", "decoder.conv_out")
NOISE = 0.15  # of the latents' standard deviation; in training between none and half as much again
KL_WEIGHT, EDGE_WEIGHT = 2e-4, 0.25
EMA = 0.995
FIRST_SEED, HELD_OUT_SEED = 30_000_000, 900_000_000
BATCH = 8


def edge_loss(first: Tensor, second: Tensor) -> Tensor:
    """L1 distance of horizontal and vertical differences, at full, half and quarter size."""
    difference, total = first - second, torch.zeros((), device=first.device)
    for scale in range(3):
        difference = F.avg_pool2d(difference, 2) if scale else difference
        total = total + difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
    return total


def reconstruction_loss(
    vae: AutoencoderKL, batch: Tensor, *, frozen_encoder: bool = False, dtype: torch.dtype = torch.bfloat16
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss of one batch of pixels in [-1, 1], the L1 distance in it, and what was drawn."""
    with torch.set_grad_enabled(not frozen_encoder):
        latents = encode(vae, batch, dtype)
    strength = (NOISE if frozen_encoder else 1.5 * NOISE) * latents.detach().float().std()
    strength = strength * torch.rand(len(batch), 1, 1, 1, device=batch.device)
    drawn = decode(vae, latents + strength * torch.randn_like(latents), dtype)
    distance = (drawn - batch).abs().mean()
    loss = distance + (drawn - batch).square().mean() + EDGE_WEIGHT * edge_loss(drawn, batch)
    return loss + KL_WEIGHT * latents.float().square().mean(), distance, drawn


class Training:
    """A VAE with its optimiser: steps, the averaged weights, and the state to go on from.

    Args:
        vae: what is trained, in place.
        device: where.
        decoder_only: the encoder stays as it is.
        dtype: of the arithmetic.
        adversarial: weight of a critic of patches; 0: there is none.
    """

    def __init__(
        self,
        vae: AutoencoderKL,
        device: str = "cpu",
        *,
        decoder_only: bool = False,
        dtype: torch.dtype = torch.bfloat16,
        adversarial: float = 0.0,
    ) -> None:
        self.vae = place(vae, device).train()
        self.decoder_only, self.dtype, self.adversarial = decoder_only, dtype, adversarial
        self.vae.encoder.requires_grad_(not decoder_only)
        self.optimizer = MuonAdam(self.vae.named_parameters(), adam=ADAM, ema=EMA, arithmetic=dtype)
        self.critic = Critic(device) if adversarial else None

    def step(self, batch: Tensor, rate: float) -> tuple[float, float]:
        """One step. Returns loss and L1 distance."""
        loss, distance, drawn = reconstruction_loss(
            self.vae, batch, frozen_encoder=self.decoder_only, dtype=self.dtype
        )
        if self.critic:
            loss = loss + self.adversarial * self.critic.against(drawn)
        loss.backward()
        self.optimizer.step(rate)
        if self.critic:
            self.critic.learn(drawn, batch)
        return loss.item(), distance.item()

    def averaged(self) -> AutoencoderKL:
        """A copy with the averaged weights, for use."""
        vae = copy.deepcopy(self.vae).eval()
        vae.load_state_dict(self.vae.state_dict() | self.optimizer.averaged())
        return vae

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs; the frozen encoder and its statistics too."""
        config = self.vae.config
        return {
            "weights": self.vae.state_dict(),
            "optimizer": self.optimizer.state(),
            "statistics": (config["shift_factor"], config["scaling_factor"]),
            "critic": self.critic.state() if self.critic else {},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`.

        Raises:
            ValueError: the state belongs to a run with the other setting of --decoder_only.
        """
        self.vae.load_state_dict(state["weights"])
        self.optimizer.restore(state["optimizer"])
        if self.critic and state.get("critic"):
            self.critic.restore(state["critic"])
        shift, scale = state["statistics"]
        self.vae.register_to_config(shift_factor=shift, scaling_factor=scale)


def batches_by_size(panels: Iterable[Panel], size: int = 8) -> Iterable[list[Panel]]:
    """Panels of one shape together, `size` at most."""

    def shape(panel: Panel) -> tuple[int, ...]:
        return panel.picture.shape

    for _, alike in itertools.groupby(sorted(panels, key=shape), shape):
        members = list(alike)
        yield from (members[start : start + size] for start in range(0, len(members), size))


@torch.no_grad()
def evaluate(
    vae: AutoencoderKL, panels: Sequence[Panel], dtype: torch.dtype = torch.bfloat16
) -> dict[str, float]:
    """Mean PSNR in dB of whole panels: colour, ink, and all of them with noise on their latents."""
    device = vae.device.type
    figures: dict[str, list[float]] = {"psnr_colour": [], "psnr_ink": [], "psnr_noisy": []}
    for number, members in enumerate(batches_by_size(panels)):
        batch = pixels(np.stack([panel.picture for panel in members]), device)
        generator = torch.Generator().manual_seed(number)
        latents = encode(vae, batch, dtype)
        noise = torch.randn(latents.shape, generator=generator).to(latents.device)
        clean = decode(vae, latents, dtype)
        noisy = decode(vae, latents + NOISE * latents.float().std() * noise, dtype)
        for panel, value in zip(members, _psnr(clean, batch), strict=True):
            figures["psnr_ink" if panel.ink else "psnr_colour"].append(value)
        figures["psnr_noisy"] += _psnr(noisy, batch)
    return {name: float(np.mean(values)) for name, values in figures.items() if values}


def _psnr(first: Tensor, second: Tensor) -> list[float]:
    """Per picture, for values in [-1, 1]."""
    error = (first.clamp(-1, 1) - second).square().mean((1, 2, 3))
    return (10 * torch.log10(4 / error)).tolist()


@torch.no_grad()
def latent_statistics(vae: AutoencoderKL, panels: Sequence[Panel]) -> tuple[float, float]:
    """Mean and standard deviation over all values of the panels' latents."""
    parts: list[Tensor] = []
    for members in batches_by_size(panels):
        batch = pixels(np.stack([panel.picture for panel in members]), vae.device.type)
        parts.append(encode(vae, batch).float().flatten())
    values = torch.cat(parts)
    return values.mean().item(), values.std().item()


@torch.no_grad()
def contact_sheet(vae: AutoencoderKL, panels: Sequence[Panel], path: Path) -> None:
    """Write the panels in one row and their reconstructions in the next."""
    device = vae.device.type
    returned = [
        pictures(decode(vae, encode(vae, pixels(panel.picture[None], device))))[0] for panel in panels
    ]
    sheet([*(panel.picture for panel in panels), *returned], len(panels)).save(path)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train or resume the starter's VAE.")
    parser.add_argument("--minutes", type=float, default=20.0, help="training in all, earlier runs included")
    parser.add_argument("--steps", type=int, help="steps in all, instead of minutes")
    parser.add_argument("--out", type=Path, default=Path("lab/vae"))
    parser.add_argument("--init", type=Path, help="a VAE's folder to start from when --out has no checkpoint")
    parser.add_argument("--decoder_only", action="store_true", help="keep encoder, shift, scale of --init")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--rate", type=float, help="learning rate; 2e-3 for a new VAE, 1e-3 with --init")
    parser.add_argument("--panels", type=int, default=2000, help="panels held in memory, 0.2 MB each")
    parser.add_argument("--held_out", type=int, default=48, help="panels to measure on, never trained on")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes that draw; 0: none")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--adversarial", type=float, default=0.0, help="weight of a critic of patches")
    flags = parser.parse_args(argv)
    if flags.decoder_only and not flags.init:
        parser.error("--decoder_only keeps an encoder: name the VAE that has it with --init FOLDER")
    return flags


def main(argv: Sequence[str] | None = None) -> int:
    flags = _arguments(argv)
    course = Course(flags.out, flags.minutes, flags.steps)
    saved = course.load()
    first_seed = saved["next_seed"] if saved else FIRST_SEED
    gallery = Gallery(flags.panels, first_seed, workers=flags.workers)
    held_out = [draw_panel(HELD_OUT_SEED + index) for index in range(flags.held_out)]
    vae = open_vae(flags.init) if flags.init else fresh_vae()
    dtype, why = chosen(flags.precision, flags.device)
    sys.stdout.write(f"precision: {why}\n")
    training = Training(
        vae, flags.device, decoder_only=flags.decoder_only, dtype=dtype, adversarial=flags.adversarial
    )
    if saved:
        training.restore(saved)
    base = flags.rate or (1e-3 if flags.init else 2e-3)
    rng = np.random.default_rng(first_seed)
    torch.manual_seed(first_seed)
    optimizer, started, begun = training.optimizer, training.optimizer.steps, course.seconds
    figures = {"loss": 0.0, "l1": 0.0}

    def save() -> None:
        course.save(**training.state(), next_seed=gallery.next_seed)

    def report() -> None:
        seconds = max(course.seconds - begun, 1e-3)
        speed = (optimizer.steps - started) * flags.batch / seconds
        measured = evaluate(training.averaged(), held_out, dtype)
        course.write(steps=optimizer.steps, **figures, per_second=speed, **measured)

    course.pause()
    while course.tick(optimizer.steps):
        batch = pixels(gallery.crops(rng, flags.batch, SIDE), flags.device)
        loss, distance = training.step(batch, course.rate(base, optimizer.steps))
        figures = {"loss": loss, "l1": distance}
        course.tick()
        if course.due("checkpoint", 10):
            save()
        if course.due("report", 2):
            report()
        course.pause()
    save()
    report()
    vae = training.averaged()
    if not flags.decoder_only:
        mean, deviation = latent_statistics(vae, gallery.panels[:256])
        vae.register_to_config(shift_factor=mean, scaling_factor=1 / deviation)
    gallery.close()
    vae.save_pretrained(flags.out)
    contact_sheet(vae, held_out[:8], flags.out / "sheet.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
