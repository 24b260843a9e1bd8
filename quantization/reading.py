"""Bytes of a weights file into the memory of a tensor."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from model.errors import ConfigError

MOST_NUMBERS = 1 << 48  # of a tensor, sides of 0 left aside: more than any disk holds


def read_into(path: Path, offset: int, values: Tensor) -> None:
    """Fill a contiguous tensor from a file."""
    memory: Any = values.view(-1).view(torch.uint8).numpy()
    with path.open("rb") as file:
        file.seek(offset)
        found = cast(Any, file).readinto(memory)
    if found != len(memory):
        raise ConfigError(f"{path}: ends at {found} of {len(memory)} bytes of a tensor; download it again")
