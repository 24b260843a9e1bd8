"""The samplers of Stable Diffusion, by the names people know; each is diffusers' own class.

- ``euler``: EulerDiscreteScheduler, without added noise.
- ``ddim``: DDIMScheduler, eta 0.
- ``dpm``: DPMSolverMultistepScheduler: DPM-Solver++ of order 2.

All three are deterministic. What the checkpoint says of its noise (betas, what the UNet predicts, how steps
are spaced) is kept whichever is chosen.
"""

from __future__ import annotations

from typing import Any

from model.errors import ConfigError

NAMES = ("euler", "ddim", "dpm")


def make_sd_scheduler(name: str, config: dict[str, Any], steps: int) -> Any:
    """A diffusers scheduler with its timesteps set.

    Args:
        name: one of NAMES.
        config: the checkpoint's scheduler config, of whatever class.
        steps: denoising steps.
    Raises:
        ConfigError: the name is unknown, or a sampler of flow models.
    """
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler

    classes = {"euler": EulerDiscreteScheduler, "ddim": DDIMScheduler, "dpm": DPMSolverMultistepScheduler}
    if name not in classes:
        what = "is for Flux" if name == "flow_match" else "is unknown"
        raise ConfigError(f"--scheduler: '{name}' {what}; Stable Diffusion takes one of {', '.join(NAMES)}")
    scheduler: Any = classes[name].from_config(config)
    scheduler.set_timesteps(steps)
    return scheduler


def start_at(scheduler: Any, strength: float) -> Any:
    """The last `strength` of a scheduler's timesteps, at least one, for a drawing that starts from a picture;
    the scheduler is told that the first of them is where it begins."""
    skipped = min(len(scheduler.timesteps) - 1, round((1 - strength) * len(scheduler.timesteps)))
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(skipped)
    return scheduler.timesteps[skipped:]
