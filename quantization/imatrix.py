"""How much each column of each weight matters: the mean square of what the layer is fed.

`gather` watches a model at work on the user's own prompts; `write_importance` and `read_importance` keep
the result as safetensors, a tensor's name → (columns). `read_importance` also takes llama.cpp's GGUF files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save
from torch import Tensor, nn

from model.errors import ConfigError
from model.files import write_bytes
from quantization.sources import open_source, read_tensor

# A column that was never fed still has some weight: other prompts may feed it.
LEAST = 1e-3
# Of the mean squares the root is taken. Measured on the starter (scripts/bench/importance.py): that keeps the
# gain on prompts that were watched, and loses next to nothing on others, where the squares lose a tenth.
POWER = 0.5


@contextlib.contextmanager
def gather(model: nn.Module) -> Generator[dict[str, Tensor]]:
    """Watch every linear layer of `model`; leaving, the dictionary holds weight name → mean squares."""
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    result: dict[str, Tensor] = {}

    def watcher(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def watch(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            fed: Tensor = inputs[0].detach().float()
            rows = fed.reshape(-1, fed.shape[-1])
            sums[name] = sums.get(name, 0) + rows.square().sum(0)
            counts[name] = counts.get(name, 0) + len(rows)

        return watch

    modules: list[tuple[str, nn.Module]] = list(cast(Any, model).named_modules())
    handles = [
        module.register_forward_pre_hook(watcher(f"{name}.weight"))
        for name, module in modules
        if isinstance(module, nn.Linear)
    ]
    try:
        yield result
    finally:
        for handle in handles:
            handle.remove()
        result |= {name: (total / counts[name]).cpu() for name, total in sums.items()}


def write_importance(path: Path, importance: Mapping[str, Tensor]) -> None:
    """Keep what `gather` found."""
    write_bytes(path, save({name: value.contiguous() for name, value in importance.items()}))


def read_importance(path: Path) -> dict[str, Tensor]:
    """Weight name → (columns) float32: mean squares over their mean, at least `LEAST`, to the `POWER`.

    Raises:
        ConfigError: the file is not one of these, or a vector is not finite or negative.
    """
    source = open_source(path)
    vectors: dict[str, Tensor] = {}
    for name in source.shapes:
        if name.endswith(".counts") and source.metadata:
            continue
        vector = read_tensor(source, name).float().reshape(-1)
        mean = vector.mean()
        if not bool(torch.isfinite(mean) & (mean > 0) & (vector >= 0).all()):
            raise ConfigError(f"{path}: {name} has values that are negative or not finite; gather it again")
        vectors[name.removesuffix(".in_sum2")] = (vector / mean).clamp_min_(LEAST) ** POWER
    return vectors
