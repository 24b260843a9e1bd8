"""What ggml's blocks hold, as whole numbers: scales, minima and values of every block type.

In: bytes as a GGUF file has them. Out: `Numbers`, all unsigned as they are stored. This is done once for a
matrix, when it is loaded; `gguf_planes` keeps the numbers in an order in which they are unpacked faster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Numbers(NamedTuple):
    """N blocks. A value is `unit · scale · (q - zero) - unit · scale`, the latter of the minimum.

    q: (N, values) uint8. scales: (1 or 2, N, groups) uint8, of the values and of the minima; None where the
    units are all there is. units: (1 or 2, N) half, likewise.
    """

    q: Tensor
    scales: Tensor | None
    units: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A block type.

    Attributes:
        values: in a block.
        group: values of one scale.
        bits: of a value. (Of 8 bits they are signed, so are scales.)
        zero: what of a stored value is none.
        scale_bits: of a scale, 0 = groups have no scales of their own.
        scale_zero: what of a stored scale of the values is none.
        minima: whether something is subtracted.
        read: (N, bytes) uint8 → the numbers.
    """

    values: int
    group: int
    bits: int
    zero: int = 0
    scale_bits: int = 0
    scale_zero: int = 0
    minima: bool = False
    read: Callable[[Tensor], Numbers]


def _q8_0(blocks: Tensor) -> Numbers:
    return Numbers(blocks[:, 2:], None, _units(blocks[:, :2]))


def _q4_0(blocks: Tensor) -> Numbers:
    return Numbers(_spread(blocks[:, 2:], 16, 4), None, _units(blocks[:, :2]))


def _q4_1(blocks: Tensor) -> Numbers:
    return Numbers(_spread(blocks[:, 4:], 16, 4), None, _added(_units(blocks[:, :4])))


def _q5_0(blocks: Tensor) -> Numbers:
    q = _spread(blocks[:, 6:], 16, 4) | _bits(blocks[:, 2:6]) << 4
    return Numbers(q, None, _units(blocks[:, :2]))


def _q5_1(blocks: Tensor) -> Numbers:
    q = _spread(blocks[:, 8:], 16, 4) | _bits(blocks[:, 4:8]) << 4
    return Numbers(q, None, _added(_units(blocks[:, :4])))


def _q6_k(blocks: Tensor) -> Numbers:
    q = _spread(blocks[:, :128], 64, 4) | _spread(blocks[:, 128:192], 32, 2) << 4
    return Numbers(q, blocks[None, :, 192:208], _units(blocks[:, 208:]))


def _q5_k(blocks: Tensor) -> Numbers:
    q = _spread(blocks[:, 48:], 32, 4) | _spread(blocks[:, 16:48], 32, 1) << 4
    return Numbers(q, _pairs_of_scales(blocks[:, 4:16]), _units(blocks[:, :4]))


def _q4_k(blocks: Tensor) -> Numbers:
    return Numbers(_spread(blocks[:, 16:], 32, 4), _pairs_of_scales(blocks[:, 4:16]), _units(blocks[:, :4]))


def _q3_k(blocks: Tensor) -> Numbers:
    q = _spread(blocks[:, 32:96], 32, 2) | _spread(blocks[:, :32], 32, 1) << 2
    scales = _spread(blocks[:, 96:104], 8, 4) | _spread(blocks[:, 104:108], 4, 2) << 4
    return Numbers(q, scales[None], _units(blocks[:, 108:]))


def _q2_k(blocks: Tensor) -> Numbers:
    scales = torch.stack((blocks[:, :16] & 15, blocks[:, :16] >> 4))
    return Numbers(_spread(blocks[:, 16:80], 32, 2), scales, _units(blocks[:, 80:]))


def _spread(data: Tensor, width: int, bits: int) -> Tensor:
    """Bytes of several numbers: of each `width` bytes first all lowest bits, then the next.

    Several bytes are shifted as one word: what comes over from the next byte is masked out.
    """
    word, size = (torch.int64, 8) if width % 8 == 0 else (torch.int32, 4)
    shifts = torch.arange(0, 8, bits, dtype=word, device=data.device)[:, None]
    mask = ((1 << bits) - 1) * int.from_bytes(b"\1" * size, "little")
    # (A copy in any case: words begin where their size says.)
    words = data.reshape(-1).clone().view(word).view(len(data), -1, 1, width // size)
    return ((words >> shifts) & mask).view(torch.uint8).view(len(data), -1)


def _bits(data: Tensor) -> Tensor:
    """Of each byte its bits, the lowest first."""
    number = torch.arange(256, dtype=torch.uint8, device=data.device)[:, None]
    table = (number >> torch.arange(8, dtype=torch.uint8, device=data.device) & 1).view(torch.int64).view(-1)
    found = table.index_select(0, data.reshape(-1).int())
    return found.view(torch.uint8).view(len(data), -1)


def _pairs_of_scales(data: Tensor) -> Tensor:
    """Eight scales and minima of six bits in 12 bytes: the last four have their high bits with the first."""
    first, high = data[:, :8].reshape(-1, 2, 4), data[:, :8].reshape(-1, 2, 4) >> 6 << 4
    low = torch.stack((data[:, 8:] & 15, data[:, 8:] >> 4), 1)
    return torch.cat((first & 63, low | high), 2).transpose(0, 1)


def _units(data: Tensor) -> Tensor:
    """(N, 2 or 4) bytes → (1 or 2, N) half."""
    return data.contiguous().view(torch.float16).t()


def _added(units: Tensor) -> Tensor:
    """Of types that add their minimum: what is subtracted instead."""
    return torch.stack((units[0], -units[1]))


# By the number of ggml's type.
LAYOUTS = {
    2: Layout(values=32, group=32, bits=4, zero=8, read=_q4_0),
    3: Layout(values=32, group=32, bits=4, minima=True, read=_q4_1),
    6: Layout(values=32, group=32, bits=5, zero=16, read=_q5_0),
    7: Layout(values=32, group=32, bits=5, minima=True, read=_q5_1),
    8: Layout(values=32, group=32, bits=8, read=_q8_0),
    10: Layout(values=256, group=16, bits=2, scale_bits=4, minima=True, read=_q2_k),
    11: Layout(values=256, group=16, bits=3, zero=4, scale_bits=6, scale_zero=32, read=_q3_k),
    12: Layout(values=256, group=32, bits=4, scale_bits=6, minima=True, read=_q4_k),
    13: Layout(values=256, group=32, bits=5, scale_bits=6, minima=True, read=_q5_k),
    14: Layout(values=256, group=16, bits=6, zero=32, scale_bits=8, read=_q6_k),
}
