"""The palette of another panel on Stable Diffusion: what it says of noise is what it says of flows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler

from model.render.sd.style import lean
from model.render.style import Palette
from tests.render.sd_checkpoints import OLD_ARRAYS

pytestmark = OLD_ARRAYS

KINDS: tuple[Any, ...] = (EulerDiscreteScheduler, DDIMScheduler, DPMSolverMultistepScheduler)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("predicts", ["epsilon", "v_prediction"])
def test_the_panel_that_is_meant_takes_the_palette(kind: Any, predicts: str) -> None:
    scheduler = kind(prediction_type=predicts, steps_offset=1)
    scheduler.set_timesteps(10)
    generator = torch.Generator().manual_seed(0)
    picture, noise = (torch.randn(1, 4, 8, 8, generator=generator) for _ in range(2))
    time = scheduler.timesteps[2]
    latents = scheduler.add_noise(picture, noise, time[None])
    whole = scheduler.add_noise(torch.ones(1), torch.zeros(1), time[None])
    dark = scheduler.add_noise(torch.zeros(1), torch.ones(1), time[None])
    size = (whole**2 + dark**2) ** 0.5
    said = noise if predicts == "epsilon" else (whole * noise - dark * picture) / size
    weight = torch.zeros(1, 64, 1)
    weight[:, :32] = 1
    palette = Palette(
        mean=torch.tensor([2.0, -1.0, 0.5, 0.0]).view(1, 1, 4),
        spread=torch.full((1, 1, 4), 0.5),
        weight=weight,
    )
    moved = lean(said, latents, scheduler, time, palette)
    assert torch.equal(moved[:, :, 4:], said[:, :, 4:]), "cells that it has no say in"
    if predicts == "epsilon":
        drawn = (latents - dark * moved) / whole
    else:
        drawn = (whole * latents / size - dark * moved) / size
    expected = (picture - picture.mean((2, 3), keepdim=True)) / picture.std((2, 3), keepdim=True)
    expected = expected * 0.5 + palette.mean.view(1, 4, 1, 1)
    torch.testing.assert_close(drawn[:, :, :4], expected[:, :, :4], atol=1e-3, rtol=1e-3)


def test_late_steps_are_the_models_own() -> None:
    scheduler = EulerDiscreteScheduler(steps_offset=1)
    scheduler.set_timesteps(30)
    palette = Palette(mean=torch.ones(1, 1, 4), spread=torch.ones(1, 1, 4), weight=torch.ones(1, 16, 1))
    latents = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    moved = [
        not torch.equal(lean(latents, latents, scheduler, t, palette), latents) for t in scheduler.timesteps
    ]
    assert moved[0]
    assert not moved[-1]
    assert moved == sorted(moved, reverse=True)
