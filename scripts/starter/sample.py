"""Draw panels with the transformer that is being trained: Euler steps over a batch of `Scenes`, from any
noise.

In: a batch, how many steps, guidance, the time to start from, and how often to go back to it (restart, Xu et
al. 2023). Out: latents. For measuring and for showing the face judge what the model draws; a run has its own
sampler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from scripts.starter.blocks import FastFlux
from scripts.starter.losses import Conditions, conditions, velocity
from scripts.starter.network import Starter


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a batch is drawn.

    Attributes:
        steps: Euler steps from `start` to the picture.
        guidance: 1 for none.
        start: 1 from noise alone; less: from the true latents with so much noise.
        restarts: how often noise is added again, up to `again`.
        again_steps: Euler steps of each restart.
    """

    steps: int = 16
    guidance: float = 3.0
    start: float = 1.0
    restarts: int = 0
    again: float = 0.7
    again_steps: int = 8


@torch.inference_mode()
def draw(starter: Starter, fast: FastFlux, batch: dict[str, Any], recipe: Recipe) -> Tensor:
    """(B, CELLS, 64) latents of the batch's scenes as the model draws them."""
    said = conditions(starter, batch)
    unsaid = None
    if recipe.guidance != 1:
        blank = {**batch, "everywhere": [""] * len(batch["latents"])}
        blank["regions"] = [[""] * batch["count"] for _ in batch["latents"]]
        unsaid = conditions(starter, {**blank, "present": torch.zeros_like(batch["present"])})
    clean = batch["latents"]
    noise = torch.randn_like(clean)
    latents = _walk(
        fast,
        batch,
        said,
        unsaid,
        recipe,
        (1 - recipe.start) * clean + recipe.start * noise,
        recipe.start,
        recipe.steps,
    )
    for _ in range(recipe.restarts):
        noisy = (1 - recipe.again) * latents + recipe.again * torch.randn_like(clean)
        latents = _walk(fast, batch, said, unsaid, recipe, noisy, recipe.again, recipe.again_steps)
    return latents


def _walk(
    fast: FastFlux,
    batch: dict[str, Any],
    said: Conditions,
    unsaid: Conditions | None,
    recipe: Recipe,
    latents: Tensor,
    start: float,
    steps: int,
) -> Tensor:
    times = torch.linspace(start, 0.0, steps + 1)
    for now, after in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        time_ = torch.full((len(latents),), now, device=latents.device)
        way = velocity(fast, batch, said, latents, time_)
        if unsaid is not None:
            other = velocity(fast, batch, unsaid, latents, time_)
            way = other + recipe.guidance * (way - other)
        latents = latents + (after - now) * way
    return latents
