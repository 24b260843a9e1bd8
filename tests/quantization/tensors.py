"""What encoders are tried on: distributions that weights have, and matrices of the starter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from quantization.gguf_source import GgufSource
from quantization.sources import read_tensor

STARTER = Path(__file__).resolve().parents[2] / "model" / "starter" / "transformer" / "flux-q8_0.gguf"
SEED = 7


def _gauss(rows: int, columns: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(SEED))


def _laplace(rows: int, columns: int) -> Tensor:
    uniform = torch.rand(rows, columns, generator=torch.Generator().manual_seed(SEED)) - 0.5
    return -uniform.sign() * torch.log1p(-2 * uniform.abs().clamp_max(0.4999999))


def _heavy(rows: int, columns: int) -> Tensor:
    """Student's t with three degrees of freedom."""
    normal = torch.randn(4, rows, columns, generator=torch.Generator().manual_seed(SEED))
    return normal[0] / normal[1:].square().mean(0).sqrt()


DISTRIBUTIONS: dict[str, Callable[[int, int], Tensor]] = {
    "gauss": _gauss,
    "laplace": _laplace,
    "heavy": _heavy,
}


def starter_tensors(source: GgufSource, *, most: int) -> Iterator[tuple[str, Tensor]]:
    """Matrices of the starter, spread over its depth, cut into rows of 256 where its own are no multiple."""
    names = [
        name
        for name, shape in source.shapes.items()
        if len(shape) == 2 and "blocks." in name and shape[0] * shape[1] % 256 == 0
    ]
    for name in names[:: max(1, len(names) // most)][:most]:
        values = read_tensor(source, name).float()
        yield name, values if values.shape[1] % 256 == 0 else values.view(-1, 256)
