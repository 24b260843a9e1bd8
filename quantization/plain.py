"""The formats without a search, byte by byte those of ggml: Q8_0, and Q4_0, Q4_1, Q5_0, Q5_1.

In go blocks of 32 values, a row each; out come their bytes. One scale to a block, and in the `_1` formats a
minimum; what the extremes of the block ask for is taken, nothing is fitted.
"""

from __future__ import annotations

import torch
from torch import Tensor


def encode_q8_0(x: Tensor) -> Tensor:
    """The largest magnitude becomes 127."""
    scale = x.abs().amax(1, keepdim=True) / 127
    q = x * _inverse(scale)
    # Halves go away from zero, as in C; torch's own rounding takes them to the even number.
    whole = q.trunc()
    q.sub_(whole).mul_(2).trunc_().add_(whole)
    return torch.cat([_half(scale), q.to(torch.int8).view(torch.uint8)], 1)


def encode_q4_0(x: Tensor) -> Tensor:
    """16 numbers around zero."""
    scale, q = _around_zero(x, 8)
    return torch.cat([_half(scale), _pairs(q)], 1)


def encode_q4_1(x: Tensor) -> Tensor:
    """16 numbers from the minimum to the maximum."""
    scale, low, q = _between_extremes(x, 15)
    return torch.cat([_half(scale), _half(low), _pairs(q)], 1)


def encode_q5_0(x: Tensor) -> Tensor:
    """32 numbers around zero."""
    scale, q = _around_zero(x, 16)
    return torch.cat([_half(scale), _bits(q >> 4), _pairs(q & 15)], 1)


def encode_q5_1(x: Tensor) -> Tensor:
    """32 numbers from the minimum to the maximum."""
    scale, low, q = _between_extremes(x, 31)
    return torch.cat([_half(scale), _half(low), _bits(q >> 4), _pairs(q & 15)], 1)


def _around_zero(x: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """The first value of largest magnitude becomes 0, zero becomes `levels`."""
    below, high = x.amin(1, keepdim=True).neg_(), x.amax(1, keepdim=True)
    extreme = torch.where(below > high, -below, high)
    tied = (below == high).view(-1).nonzero().view(-1)
    if len(tied):
        rows = x.index_select(0, tied)
        first = rows.gather(1, rows.abs().argmax(1, keepdim=True))
        # Adding zero takes the sign from a zero.
        extreme.index_copy_(0, tied, first.add_(0.0))
    scale = extreme / -levels
    q = (x * _inverse(scale)).add_(levels + 0.5)
    return scale, _whole(q).clamp_max_(2 * levels - 1)


def _between_extremes(x: Tensor, levels: int) -> tuple[Tensor, Tensor, Tensor]:
    """The minimum becomes 0, the maximum `levels`."""
    low = x.amin(1, keepdim=True)
    scale = (x.amax(1, keepdim=True) - low) / levels
    q = (x - low).mul_(_inverse(scale)).add_(0.5)
    return scale, low, _whole(q).clamp_max_(levels)


def _inverse(scale: Tensor) -> Tensor:
    return scale.reciprocal().masked_fill_(scale == 0, 0)


def _half(number: Tensor) -> Tensor:
    return number.half().view(torch.uint8)


def _whole(q: Tensor) -> Tensor:
    """Numbers from 0 to 127 without their fractions. (From float to uint8 takes four times as long.)"""
    return q.to(torch.int8)


def _pairs(q: Tensor) -> Tensor:
    """Four bits a value: the first 16 are low, the others high; eight bytes at once, for nothing carries."""
    eight = q.view(torch.int64)
    return torch.add(eight[:, :2], eight[:, 2:], alpha=16).view(torch.uint8)


def _bits(q: Tensor) -> Tensor:
    """One bit a value: byte i holds values 8i to 8i + 7.

    Eight bytes of 0 or 1 are one number; times this constant, byte i lands on bit 56 + i, and nothing carries
    into another.
    """
    return ((q.view(torch.int64) * 0x0102040810204080) >> 56).bitwise_and_(255).to(torch.uint8)
