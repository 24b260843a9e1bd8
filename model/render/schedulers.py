"""The samplers of a flow-matching model, by the names people know.

A flow model moves on straight paths x = (1 - σ) · picture + σ · noise, so each classic sampler is meant
in its flow form:

- ``flow_match``: Euler steps at the checkpoint's own spacing of σ (its time shift).
- ``euler``: Euler steps at evenly spaced σ.
- ``ddim``: DDIM's deterministic update on a straight path is the Euler step: it draws what ``euler`` draws.
- ``dpm``: DPM-Solver++ of order 2 (multistep) at the checkpoint's spacing.
- ``restart``: ``flow_match``, then noise is added up to σ = 0.7 and taken away again in half as many steps,
twice
  (Xu et al. 2023, "Restart Sampling for Improving Generative Processes", arXiv:2306.14878). What the first
  pass got wrong in the middle of its way is drawn again; an error that is made anew each time does not add
  up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model.errors import ConfigError

NAMES = ("flow_match", "euler", "ddim", "dpm", "restart")
# (σ that noise is added up to, share of the steps that take it away again), one after another.
RESTARTS = ((0.7, 0.5), (0.7, 0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One way down from noise to a picture.

    Attributes:
        noise: σ that it starts from; 1 for the first pass, which starts from noise alone.
        scheduler: diffusers' own, its timesteps set.
    """

    noise: float
    scheduler: Any


def passes(
    name: str, config: dict[str, Any], steps: int, image_tokens: int, *, strength: float = 1.0
) -> tuple[Pass, ...]:
    """What a sampler does, pass by pass; all but `restart` have one.

    Args:
        name, config, steps, image_tokens: see `make_scheduler`.
        strength: σ of the first pass, for a drawing that starts from a picture: Euler steps at evenly spaced
            σ whatever the sampler, as many as its share of the way; `restart` does them twice.
    Raises:
        ConfigError: the name is unknown.
    """
    if strength < 1:
        part = _part(strength, max(1, round(strength * steps)))
        return (part, _part(strength, len(part.scheduler.timesteps))) if name == "restart" else (part,)
    if name != "restart":
        return (Pass(noise=1.0, scheduler=make_scheduler(name, config, steps, image_tokens)),)
    first = Pass(noise=1.0, scheduler=make_scheduler("flow_match", config, steps, image_tokens))
    return (first, *(_part(noise, max(1, round(share * steps))) for noise, share in RESTARTS))


def _part(noise: float, steps: int) -> Pass:
    """The last part of the way, from σ = `noise`, in Euler steps at evenly spaced σ."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    scheduler: Any = FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False)
    scheduler.set_timesteps(sigmas=[noise * (steps - step) / steps for step in range(steps)])
    return Pass(noise=noise, scheduler=scheduler)


def make_scheduler(name: str, config: dict[str, Any], steps: int, image_tokens: int) -> Any:
    """A diffusers scheduler with its timesteps set.

    Args:
        name: one of NAMES but restart.
        config: the checkpoint's FlowMatchEulerDiscreteScheduler config.
        steps: denoising steps.
        image_tokens: length of the packed image sequence; resolution-dependent shifts need it.
    Raises:
        ConfigError: the name is unknown.
    """
    import numpy as np
    from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler

    if name not in NAMES:
        raise ConfigError(f"--scheduler: '{name}' is unknown; use one of {', '.join(NAMES)}")
    if name == "restart":
        raise ValueError("restart is several schedulers; ask `passes` for them")
    sigmas = np.linspace(1.0, 1 / steps, steps)
    if name == "flow_match":
        scheduler: Any = FlowMatchEulerDiscreteScheduler.from_config(config)
        if config.get("use_dynamic_shifting"):
            scheduler.set_timesteps(sigmas=sigmas.tolist(), mu=_dynamic_shift(config, image_tokens))
        else:
            scheduler.set_timesteps(sigmas=sigmas.tolist())
        return scheduler
    if name == "dpm":
        shift = (
            float(np.exp(_dynamic_shift(config, image_tokens))) if config.get("use_dynamic_shifting") else 0.0
        )
        scheduler = DPMSolverMultistepScheduler(
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            flow_shift=shift or config.get("shift", 1.0),
        )
        scheduler.set_timesteps(steps)
        return scheduler
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False)
    scheduler.set_timesteps(sigmas=sigmas.tolist())
    return scheduler


def _dynamic_shift(config: dict[str, Any], image_tokens: int) -> float:
    """The time shift mu of Flux.1, linear in the number of image tokens (FluxPipeline's calculate_shift)."""
    low, high = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    base, most = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    slope = (most - base) / (high - low)
    return image_tokens * slope + base - slope * low
