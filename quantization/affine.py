"""Fit of the formats with minima: x ≈ d·sc·q - dmin·m, with whole sc, m and q (Q2_K, Q4_K, Q5_K).

In go the values of many superblocks, one column a block; out come the whole numbers that minimise the squared
error, weighted where weights are given. Nothing here knows how they are laid out in bytes.

The search is coordinate descent from several starts, with every step a least-squares solution:

1. each block by itself, scale D and offset E free: quantize, solve for D and E, again, for every start;
2. the superblock's d and dmin from the largest D and E, in half precision;
3. each block again with whole sc and m: the neighbours of D/d, each with the m that goes with it, and the q
   that follow;
4. d and dmin by least squares for these sc, m, q over the superblock; step 3 once more with them, and for
   each superblock the better of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

HALF_MAX = 65504.0
SMALL = 1e-30  # what is less counts as zero


@dataclass(frozen=True, slots=True, kw_only=True)
class AffineGrid:
    """The whole numbers a format has, and where the search begins.

    Attributes:
        levels: largest q; the smallest is 0.
        scales: largest sc and m; the smallest is 0.
        blocks: blocks of a superblock.
        starts: first scales to try: the block's range over `levels` + start.
        shifts: first offsets to try, beside the minimum: fractions of the range cut off below.
        rounds: solutions of step 1 after the first.
        steps: distances from D/d that step 3 tries.
    """

    levels: int
    scales: int
    blocks: int
    starts: tuple[float, ...]
    shifts: tuple[float, ...] = (0.0,)
    rounds: int = 1
    steps: tuple[int, ...] = (0, -1, 1)


class AffineBlocks(NamedTuple):
    """N superblocks as whole numbers: d, dmin (N) half; sc, m (N, blocks) uint8; q (size, N·blocks) uint8."""

    d: Tensor
    dmin: Tensor
    sc: Tensor
    m: Tensor
    q: Tensor


class _Sums(NamedTuple):
    """Weighted sums over a block, one row a candidate: Σq, Σq², Σxq."""

    q: Tensor
    qq: Tensor
    xq: Tensor


class _Values:
    """The values of a chunk, with what every candidate needs of them."""

    def __init__(self, x: Tensor, weights: Tensor | None, levels: int) -> None:
        self.x = x
        self.weights = weights
        self.levels = levels
        self.weighted = x if weights is None else weights * x
        self.sum_x = self.weighted.sum(0)
        self.sum_1 = torch.full_like(self.sum_x, x.shape[0]) if weights is None else weights.sum(0)
        # Fresh memory for every step would cost as much as the arithmetic.
        self._q = torch.empty_like(x)
        self._product = torch.empty_like(x)

    def quantize(self, scale: Tensor, offset: Tensor) -> Tensor:
        """q of every value for one scale and offset a block. It lives until the next call."""
        # A scale of zero makes garbage of q, which it then multiplies by zero.
        inverse = (scale + SMALL).reciprocal_()
        torch.addcmul(offset * inverse, self.x, inverse, out=self._q)
        return self._q.round_().clamp_(0, self.levels)

    def sums(self, scales: Tensor, offsets: Tensor) -> _Sums:
        """Quantize with every row of candidates, (C, blocks) each."""
        sums = self.x.new_empty((3, *scales.shape))
        for scale, offset, sum_q, sum_qq, sum_xq in zip(scales, offsets, *sums, strict=True):
            q, product = self.quantize(scale, offset), self._product
            torch.sum(torch.mul(self.weighted, q, out=product), 0, out=sum_xq)
            if self.weights is None:
                torch.sum(q, 0, out=sum_q)
                q.mul_(q)
            else:
                torch.sum(torch.mul(self.weights, q, out=product), 0, out=sum_q)
                q.mul_(product)
            torch.sum(q, 0, out=sum_qq)
        return _Sums(*sums)

    def solve(self, sums: _Sums) -> tuple[Tensor, Tensor]:
        """Scale and offset of least squares, both ≥ 0."""
        whole = self.sum_1 * sums.qq
        determinant = whole - sums.q * sums.q
        flat = determinant <= 1e-6 * whole  # all q of the block are the same
        determinant.masked_fill_(flat, torch.inf)
        scale = (self.sum_1 * sums.xq - sums.q * self.sum_x).div_(determinant)
        offset = (sums.q * sums.xq - sums.qq * self.sum_x).div_(determinant)
        offset = torch.where(flat, -self.sum_x / self.sum_1, offset)
        through_zero = sums.xq / (sums.qq + SMALL)
        return torch.where(offset < 0, through_zero, scale).clamp_min_(0), offset.clamp_min_(0)

    def error(self, sums: _Sums, scale: Tensor, offset: Tensor) -> Tensor:
        """Squared error of each block, less the constant Σx²."""
        error = (scale * sums.qq - 2 * (sums.xq + offset * sums.q)).mul_(scale)
        return error.add_((offset * self.sum_1 + 2 * self.sum_x).mul_(offset))


def fit_affine(x: Tensor, weights: Tensor | None, grid: AffineGrid) -> AffineBlocks:
    """Quantize superblocks to `grid`.

    Args:
        x: (size of a block, N·blocks) float32, finite.
        weights: positive, of the same shape; None = all equal.
    Deterministic on one device and one version of torch.
    """
    values = _Values(x, weights, grid.levels)
    scale, offset = _free(values, grid)
    first = _settle(values, grid, *_units(scale, offset, grid), scale, offset)
    second = _settle(values, grid, *_refit(values, first, grid), first.scale, first.offset)
    better = (second.error.view(-1, grid.blocks).sum(1) < first.error.view(-1, grid.blocks).sum(1))[:, None]
    blocks = better.expand(-1, grid.blocks).reshape(-1)
    d = torch.where(better[:, 0], second.d, first.d)
    dmin = torch.where(better[:, 0], second.dmin, first.dmin)
    sc = torch.where(blocks, second.sc, first.sc)
    m = torch.where(blocks, second.m, first.m)
    q = values.quantize(_spread(d, grid) * sc, _spread(dmin, grid) * m)
    return AffineBlocks(
        d=d.half(),
        dmin=dmin.half(),
        sc=sc.to(torch.uint8).view(-1, grid.blocks),
        m=m.to(torch.uint8).view(-1, grid.blocks),
        q=q.to(torch.uint8),
    )


def _free(values: _Values, grid: AffineGrid) -> tuple[Tensor, Tensor]:
    """Step 1: scale and offset of each block by itself."""
    low = values.x.amin(0).clamp_max_(0)
    width = values.x.amax(0) - low
    pairs = [(start, shift) for shift in grid.shifts for start in grid.starts]
    scales = torch.stack([width * (1 / (grid.levels + start)) for start, _ in pairs])
    offsets = torch.stack([-(low + shift * width) for _, shift in pairs]).clamp_min_(0)
    for _ in range(grid.rounds):
        scales, offsets = values.solve(values.sums(scales, offsets))
    sums = values.sums(scales, offsets)
    scales, offsets = values.solve(sums)
    _, scale, offset = _best(values.error(sums, scales, offsets), scales, offsets)
    return scale, offset


class _Settled(NamedTuple):
    """A superblock in whole numbers, as floats: d, dmin (N); the others (N·blocks)."""

    d: Tensor
    dmin: Tensor
    sc: Tensor
    m: Tensor
    scale: Tensor
    offset: Tensor
    error: Tensor
    sums: _Sums


def _units(scale: Tensor, offset: Tensor, grid: AffineGrid) -> tuple[Tensor, Tensor]:
    """Step 2: d and dmin, so that the largest scale and offset take the largest whole number."""
    largest, lowest = scale.view(-1, grid.blocks).amax(1), offset.view(-1, grid.blocks).amax(1)
    return _half(largest / grid.scales), _half(lowest / grid.scales)


def _settle(
    values: _Values, grid: AffineGrid, d: Tensor, dmin: Tensor, scale: Tensor, offset: Tensor
) -> _Settled:
    """Step 3: whole sc and m of each block for given d and dmin."""
    unit, low_unit = _spread(d, grid), _spread(dmin, grid)
    nearest = (scale / (unit + SMALL)).round_()
    sc = torch.stack([(nearest + step).clamp_(0, grid.scales) for step in grid.steps])
    scales = unit * sc
    # A coarser scale reaches further: half of what it gains would keep the middle of the range in its place.
    # A quarter was measured to be best, for the upper end is clipped less often than the lower.
    wanted = offset + (scales - scale) * (grid.levels / 4)
    m = (wanted / (low_unit + SMALL)).round_().clamp_(0, grid.scales)
    offsets = low_unit * m
    sums = values.sums(scales, offsets)
    error = values.error(sums, scales, offsets)
    error, sc, m, scale, offset, *rest = _best(error, sc, m, scales, offsets, *sums)
    # Where half precision has no unit as small as the block needs, zeros are better: their error is 0 here.
    worse = error > 0
    for found in (sc, m, scale, offset, error):
        found.masked_fill_(worse, 0)
    return _Settled(d, dmin, sc, m, scale, offset, error, _Sums(*rest))


def _refit(values: _Values, found: _Settled, grid: AffineGrid) -> tuple[Tensor, Tensor]:
    """Step 4: d and dmin of least squares over the superblock for its sc, m and q."""

    def over(block: Tensor) -> Tensor:
        return block.view(-1, grid.blocks).sum(1)

    a11 = over(found.sc * found.sc * found.sums.qq)
    a12 = over(found.sc * found.m * found.sums.q)
    a22 = over(found.m * found.m * values.sum_1)
    b1, b2 = over(found.sc * found.sums.xq), over(found.m * values.sum_x)
    determinant = a11 * a22 - a12 * a12
    solvable = determinant > 1e-6 * a11 * a22
    determinant = torch.where(solvable, determinant, 1)
    d = torch.where(solvable, (b1 * a22 - b2 * a12) / determinant, found.d)
    dmin = torch.where(solvable, (b1 * a12 - b2 * a11) / determinant, found.dmin)
    return _half(d), _half(dmin)


def _best(error: Tensor, *candidates: Tensor) -> list[Tensor]:
    """Of (C, blocks) candidates the one of least error, a block; the error first."""
    if len(error) == 1:
        return [error[0], *(candidate[0] for candidate in candidates)]
    # `min`, for on a CPU `argmin` takes twenty times as long.
    least, row = error.min(0)
    return [least, *torch.stack(candidates).gather(1, row.expand(len(candidates), 1, -1))[:, 0]]


def _spread(unit: Tensor, grid: AffineGrid) -> Tensor:
    """(N) → (N·blocks)."""
    return unit[:, None].expand(-1, grid.blocks).reshape(-1)


def _half(unit: Tensor) -> Tensor:
    """Rounded to what half precision has, within its range."""
    return unit.clamp(0, HALF_MAX).half().float()
