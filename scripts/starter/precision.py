"""Which arithmetic trains fastest on this machine: a few seconds of measuring, one word as the answer.

A processor without bfloat16 units is up to ten times slower in bfloat16 than in float32, one with matrix
units sixteen times faster; its flags say which instructions there are, not how fast they are. Knows nothing
of models.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

NAMES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SIDE, ROWS = 384, 4096


def speed(step: Callable[[], object], seconds: float, device: str) -> float:
    """Calls a second of `step`, after one that does not count."""

    def wait() -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    step()
    wait()
    begun, calls = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        step()
        wait()
        calls += 1
    return calls / (time.perf_counter() - begun)


def _layer(dtype: torch.dtype, device: str) -> Callable[[], object]:
    """A transformer layer's worth of work, forwards and backwards: products, a norm and an activation."""
    shape = [(ROWS, SIDE), (4 * SIDE, SIDE), (SIDE, 4 * SIDE)]
    tokens, wide, narrow = (
        torch.randn(size, device=device, dtype=dtype).mul_(0.05).requires_grad_(True) for size in shape
    )

    def step() -> object:
        hidden: Tensor = torch.nn.functional.layer_norm(tokens, (SIDE,))
        hidden = torch.nn.functional.gelu(hidden @ wide.T, approximate="tanh") @ narrow.T
        return torch.autograd.grad(hidden.sum(), (tokens, wide, narrow))

    return step


def fastest(device: str = "cpu", *, seconds: float = 3.0) -> tuple[str, dict[str, float]]:
    """Measure float32 and bfloat16 for `seconds` in all.

    Returns:
        the faster one's name, a key of `NAMES`, and layers a second by name.
    """
    rates = {
        name: speed(_layer(dtype, device), seconds / len(NAMES), device) for name, dtype in NAMES.items()
    }
    return max(rates, key=lambda name: rates[name]), rates


def chosen(wanted: str, device: str) -> tuple[torch.dtype, str]:
    """The dtype for `wanted` ("auto", "float32" or "bfloat16") and a sentence that says why."""
    if wanted != "auto":
        return NAMES[wanted], f"{wanted}, as asked"
    name, rates = fastest(device)
    measured = ", ".join(f"{key} {value:.1f}" for key, value in rates.items())
    return NAMES[name], f"{name}: layers a second here are {measured}"
