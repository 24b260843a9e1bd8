"""Fit of the formats without minima: x ≈ d·sc·q, with whole sc and q of either sign (Q3_K, Q6_K).

In go the values of many superblocks, one column a block; out come the whole numbers that minimise the squared
error, weighted where weights are given. Nothing here knows how they are laid out in bytes.

The search is that of `affine`, with one unknown a block: the scale by itself from several starts, d, then
whole sc beside D/d. (d once more by least squares was tried: it gained 0.0003 of the error.) The smallest q
reaches one step further from zero than the largest, so a scale may be negative, and the value of largest
magnitude is given the smallest q.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from quantization.affine import HALF_MAX, SMALL


@dataclass(frozen=True, slots=True, kw_only=True)
class SymmetricGrid:
    """The whole numbers a format has, and where the search begins.

    Attributes:
        levels: q is at least -levels and at most levels - 1.
        scales: sc is at least -scales and at most scales - 1.
        blocks: blocks of a superblock.
        starts: first scales to try: the value of largest magnitude over levels + start.
        rounds: least-squares solutions of the free scale after the first.
        steps: distances from D/d at which sc is tried where weights are given; without them the nearest sc is
            within 0.4 % of the best.
    """

    levels: int
    scales: int
    blocks: int
    starts: tuple[float, ...]
    rounds: int = 0
    steps: tuple[int, ...] = (0, -1, 1)


class SymmetricBlocks(NamedTuple):
    """N superblocks as whole numbers: d (N) half; sc (N, blocks) int8; q (size, N·blocks) int8."""

    d: Tensor
    sc: Tensor
    q: Tensor


class _Values:
    """The values of a chunk, with what every candidate needs of them."""

    def __init__(self, x: Tensor, weights: Tensor | None, levels: int) -> None:
        self.x = x
        self.weights = weights
        self.levels = levels
        self.weighted = x if weights is None else weights * x
        # Fresh memory for every step would cost as much as the arithmetic.
        self._q = torch.empty_like(x)
        self._product = torch.empty_like(x)

    def quantize(self, scale: Tensor) -> Tensor:
        """q of every value for one scale a block. It lives until the next call."""
        # A scale of zero makes garbage of q, which it then multiplies by zero.
        torch.mul(self.x, (scale + SMALL).reciprocal_(), out=self._q)
        return self._q.round_().clamp_(-self.levels, self.levels - 1)

    def sums(self, scales: Tensor) -> tuple[Tensor, Tensor]:
        """Quantize with every row of candidates, (C, blocks); Σxq and Σq² of each."""
        sums = self.x.new_empty((2, *scales.shape))
        for scale, sum_xq, sum_qq in zip(scales, *sums, strict=True):
            q = self.quantize(scale)
            torch.sum(torch.mul(self.weighted, q, out=self._product), 0, out=sum_xq)
            q.mul_(q)
            if self.weights is not None:
                q.mul_(self.weights)
            torch.sum(q, 0, out=sum_qq)
        return sums[0], sums[1]


def fit_symmetric(x: Tensor, weights: Tensor | None, grid: SymmetricGrid) -> SymmetricBlocks:
    """Quantize superblocks to `grid`.

    Args:
        x: (size of a block, N·blocks) float32, finite.
        weights: positive, of the same shape; None = all equal.
    Deterministic on one device and one version of torch.
    """
    values = _Values(x, weights, grid.levels)
    scale = _free(values, grid)
    d, sc, scale = _settle(values, grid, scale)
    q = values.quantize(scale)
    return SymmetricBlocks(d.half(), sc.to(torch.int8).view(-1, grid.blocks), q.to(torch.int8))


def _free(values: _Values, grid: SymmetricGrid) -> Tensor:
    """The scale of each block by itself."""
    low, high = values.x.amin(0), values.x.amax(0)
    # The end of larger magnitude takes the smallest q.
    extreme = torch.where(-low > high, low, high).neg_()
    scales = torch.stack([extreme * (1 / (grid.levels + start)) for start in grid.starts])
    for _ in range(grid.rounds):
        sum_xq, sum_qq = values.sums(scales)
        scales = sum_xq / sum_qq.clamp_min_(SMALL)
    sum_xq, sum_qq = values.sums(scales)
    scales = sum_xq / sum_qq.clamp_min_(SMALL)
    return _best(-(scales * sum_xq), scales)[1]


def _settle(values: _Values, grid: SymmetricGrid, scale: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """d of each superblock; whole sc of each block, as floats, and d·sc."""
    blocks = scale.view(-1, grid.blocks)
    low, high = blocks.amin(1), blocks.amax(1)
    # The scale of largest magnitude takes the smallest sc.
    d = torch.where(-low > high, low, high).div_(-grid.scales).clamp_(-HALF_MAX, HALF_MAX).half().float()
    unit = d[:, None].expand(-1, grid.blocks).reshape(-1)
    nearest = (scale / (unit + SMALL)).round_()
    steps = (0,) if values.weights is None else grid.steps
    sc = torch.stack([(nearest + step).clamp_(-grid.scales, grid.scales - 1) for step in steps])
    scales = unit * sc
    sum_xq, sum_qq = values.sums(scales)
    _, sc, scale = _best((scales * sum_qq - 2 * sum_xq).mul_(scales), sc, scales)
    return d, sc, scale


def _best(error: Tensor, *candidates: Tensor) -> list[Tensor]:
    """Of (C, blocks) candidates the one of least error, a block; the error first."""
    if len(error) == 1:
        return [error[0], *(candidate[0] for candidate in candidates)]
    # `min`, for on a CPU `argmin` takes twenty times as long.
    least, row = error.min(0)
    return [least, *torch.stack(candidates).gather(1, row.expand(len(candidates), 1, -1))[:, 0]]
