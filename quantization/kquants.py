"""Encodes a tensor as the bytes of a block type, on its device, in pieces that bound the memory.

In goes a float tensor of rows; out come rows of bytes as ggml lays them out. The K types are searched here
(`affine`, `symmetric`), the others rounded as ggml does (`plain`). It knows nothing of files and names.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from quantization.affine import AffineGrid, fit_affine
from quantization.levels import BlockType
from quantization.packing import pack_q2_k, pack_q3_k, pack_q4_k, pack_q5_k, pack_q6_k
from quantization.plain import encode_q4_0, encode_q4_1, encode_q5_0, encode_q5_1, encode_q8_0
from quantization.symmetric import SymmetricGrid, fit_symmetric

# Starts, shifts and steps were chosen by measurement (scripts/bench/LOG.md): with fewer the error grows, with
# more it hardly falls.
_Q2_K = AffineGrid(levels=3, scales=15, blocks=16, starts=(-0.6, 0.0, 0.4), shifts=(0.0, 0.1))
_Q3_K = SymmetricGrid(levels=4, scales=32, blocks=16, starts=(-0.7, 0.0, 0.7))
_Q4_K = AffineGrid(levels=15, scales=63, blocks=8, starts=(-1.8, -1.2, -0.6, 0.0, 0.5))
_Q5_K = AffineGrid(levels=31, scales=63, blocks=8, starts=(-0.9, -0.3, 0.3))
_Q6_K = SymmetricGrid(levels=32, scales=128, blocks=16, starts=(-1.5, -1.0, -0.5, 0.0, 0.5, 1.0), steps=(0,))

# Values a piece, at most: a few arrays of them stay in a processor's second cache. Where torch's threads
# share each step, it must be worth their meeting; an accelerator wants more at once.
_PIECE = 1 << 17
_PIECE_SHARED = 1 << 18  # a thread
_PIECE_PLAIN = 1 << 20
_PIECE_ACCELERATED = 1 << 24

_SEARCHES: dict[str, tuple[int, Callable[[Tensor, Tensor | None], Tensor]]] = {
    "Q2_K": (16, lambda x, weights: pack_q2_k(fit_affine(x, weights, _Q2_K))),
    "Q3_K": (16, lambda x, weights: pack_q3_k(fit_symmetric(x, weights, _Q3_K))),
    "Q4_K": (32, lambda x, weights: pack_q4_k(fit_affine(x, weights, _Q4_K))),
    "Q5_K": (32, lambda x, weights: pack_q5_k(fit_affine(x, weights, _Q5_K))),
    "Q6_K": (16, lambda x, weights: pack_q6_k(fit_symmetric(x, weights, _Q6_K))),
}

_PLAIN = {
    "Q8_0": encode_q8_0,
    "Q5_1": encode_q5_1,
    "Q5_0": encode_q5_0,
    "Q4_1": encode_q4_1,
    "Q4_0": encode_q4_0,
}
_FLOATS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def encode(weights: Tensor, kind: BlockType, *, importance: Tensor | None = None) -> Tensor:
    """Quantize a tensor.

    Args:
        weights: any float type, (…, columns), columns a multiple of `kind.values`; on any device.
        kind: one of `levels.TYPES`.
        importance: (columns) how much an error in each column matters, positive; for K types only.
    Returns:
        uint8, (…, columns // kind.values · kind.bytes), on the CPU.
    Raises:
        ValueError: values that are not finite, a row that is no multiple, importance that does not fit.
    Deterministic on one device, one version of torch and one number of its threads: pieces differ with it,
    and with them, rarely, the rounding of a sum.
    """
    *rows, columns = weights.shape
    if columns % kind.values:
        raise ValueError(f"rows of {columns} values are no multiple of {kind.name}'s {kind.values}")
    if importance is not None:
        _check(importance, columns, kind)
        importance = importance.to(weights.device, torch.float32).view(-1, kind.values)
    blocks = weights.detach().reshape(-1, kind.values)
    piece = _most(kind, weights.device)
    # All of one size: a short last one would take as many operations for less.
    pieces = max(1, -(-blocks.numel() // piece))
    piece = max(1, -(-len(blocks) // pieces))

    out = torch.empty((len(blocks), kind.bytes), dtype=torch.uint8)

    for start in range(0, len(blocks), piece):
        x = blocks[start : start + piece].float()
        if not math.isfinite(float(x.sum())):
            raise ValueError("holds values that are not finite")
        matter = None
        if importance is not None:
            columns_of = torch.arange(start, start + len(x), device=x.device) % len(importance)
            matter = importance[columns_of]
        out[start : start + piece] = _encode_blocks(x, kind, matter)
    return out.view(*rows, columns // kind.values * kind.bytes)


def _check(importance: Tensor, columns: int, kind: BlockType) -> None:
    if not kind.weighted:
        raise ValueError(f"{kind.name} has no use for importance")
    if importance.shape != (columns,):
        raise ValueError(f"importance of shape {tuple(importance.shape)} for {columns} columns")
    if not bool((torch.isfinite(importance) & (importance > 0)).all()):
        raise ValueError("importance must be finite and positive")


def _most(kind: BlockType, device: torch.device) -> int:
    """Values of a piece, at most."""
    if device.type != "cpu":
        return _PIECE_ACCELERATED
    if not kind.weighted:
        return _PIECE_PLAIN
    threads = torch.get_num_threads()
    return _PIECE if threads == 1 else min(_PIECE_SHARED * threads, _PIECE_ACCELERATED)


def _encode_blocks(x: Tensor, kind: BlockType, importance: Tensor | None) -> Tensor:
    """(N, values) float32 → (N, bytes)."""
    if kind.name in _SEARCHES:
        size, search = _SEARCHES[kind.name]
        matter = None if importance is None else _columns(importance, size)
        return search(_columns(x, size), matter)
    if kind.name in _PLAIN:
        return _PLAIN[kind.name](x)
    return x.to(_FLOATS[kind.name]).view(torch.uint8)


def _columns(x: Tensor, size: int) -> Tensor:
    """(N, 256) → (size, blocks): each block a column.

    As if eight columns were one: torch's plain transpose, whose steps are powers of two, misses the cache.
    """
    return x.view(-1, 8, size).permute(2, 0, 1).contiguous().view(size, -1)
