"""Which device a run draws on, and what it means when that device is full."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import torch

from model.errors import ConfigError, OutOfMemory
from model.variants import Variant


def pick_device(asked: str) -> str:
    """`auto` → the best device here; any other name is checked.

    Raises:
        ConfigError: the device is not available.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    present = [name for name, here in available.items() if here]
    if asked == "auto":
        return present[0]
    if asked not in present:
        raise ConfigError(f"--device: {asked} is not available here; use auto, {', '.join(present)}")
    return asked


def compute_dtype(device: str, variant: Variant) -> torch.dtype:
    """What a variant is computed in: float32 on a CPU, else what its row says."""
    return torch.float32 if device == "cpu" else getattr(torch, variant.dtype)


def memory_of(kind: str) -> tuple[int, int, bool]:
    """Free bytes of a device and of main memory, and whether the device computes in bfloat16.

    On Apple's processors the device is told how much of the common memory it should not exceed.
    """
    import psutil

    host = psutil.virtual_memory().available
    if kind == "cuda":
        return torch.cuda.mem_get_info()[0], host, torch.cuda.get_device_capability()[0] >= 8
    if kind == "mps":
        room = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        return min(room, host), host, True
    return host, host, True


@contextlib.contextmanager
def memory_errors(device: str) -> Generator[None]:
    """Turn torch's ways of saying that memory is used up into OutOfMemory.

    On CPU torch raises a plain RuntimeError that only its text tells apart.
    """
    try:
        yield
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise OutOfMemory(
                f"{device} is out of memory; close other programs or use another --device"
            ) from error
        raise
