"""Packed weights in an order that is unpacked by few long operations; as many bytes as in the file.

In a GGUF file a block's scale, high bits and low bits stand side by side, a few bytes each: operations on
them are short and many. `arrange` keeps the same numbers as planes: the low bits of a piece of the matrix,
its high bits, then all scales. A byte of a plane holds values that are far apart, so that every shift of a
whole plane is a part of the piece. `unpack` makes the weights.

The numbers are those of diffusers' decoders, bit for bit: half precision after every product and difference.
On a CPU they come from single precision, rounded: products of halves and such whole numbers are exact there,
and conversions that a processor has by the dozen take the place of those that it has one by one.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from model.render.gguf.blocks import Layout


class Buffer:
    """Memory that layers unpack into, one after another. It grows to the largest of them."""

    def __init__(self) -> None:
        self._memory: dict[tuple[str, torch.device, torch.dtype], Tensor] = {}

    def of(self, purpose: str, size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
        """(size), not initialised; what it held before is lost."""
        memory = self._memory.get((purpose, device, dtype))
        if memory is None or memory.numel() < size:
            # Whoever comes first: a tensor of inference mode could not be written outside of it.
            with torch.inference_mode(False):
                memory = torch.empty(size, device=device, dtype=dtype)
            self._memory[purpose, device, dtype] = memory
        return memory[:size]


def arrange(blocks: Tensor, layout: Layout, piece: int) -> Tensor:
    """(N, bytes) as in the file → (N · bytes) for `unpack`, `piece` blocks at once."""
    planes: list[Tensor] = []
    scales: list[Tensor] = []
    units: list[Tensor] = []
    for part in blocks.split(piece):
        numbers = layout.read(part)
        planes.append(_split(numbers.q, layout.bits))
        units.append(numbers.units)
        if numbers.scales is not None:
            scales.append(numbers.scales)
    if scales:
        planes.append(_split(torch.cat(scales, 1), layout.scale_bits))
    planes.append(torch.cat(units, 1).contiguous().view(-1).view(torch.uint8))
    return torch.cat(planes)


def unpack(packed: Tensor, layout: Layout, into: Tensor, piece: int, buffer: Buffer) -> Tensor:
    """Fill `into` with the weights that `arrange` was given, by pieces of the same size."""
    values = into.view(-1)
    count = values.numel() // layout.values
    single = packed.device.type == "cpu" and into.dtype == torch.float32
    scales, minima = _factors(packed, layout, count, single, buffer)
    size, groups = layout.values * layout.bits // 8, layout.values // layout.group
    for start in range(0, count, piece):
        end = min(count, start + piece)
        q = _join(packed[start * size : end * size], layout.bits, buffer, "values")
        if layout.zero:
            q.sub_(layout.zero)
        part = values[start * layout.values : end * layout.values].view(-1, layout.group)
        columns = slice(start * groups, end * groups)
        lowest = None if minima is None else minima[columns]
        if single:
            _in_single(q.view(torch.int8).view(part.shape), scales[columns], lowest, part, buffer)
        else:
            products = q.view(torch.int8).view(part.shape) * scales[columns]
            part.copy_(products if lowest is None else products.sub_(lowest))
    return into


def _in_single(q: Tensor, scale: Tensor, lowest: Tensor | None, part: Tensor, buffer: Buffer) -> None:
    """One piece: multiply, round, subtract, round."""
    half = buffer.of("half", part.numel(), part.device, torch.float16).view(part.shape)
    part.copy_(q)
    half.copy_(part.mul_(scale))
    part.copy_(half)
    if lowest is not None:
        half.copy_(part.sub_(lowest))
        part.copy_(half)


def _factors(
    packed: Tensor, layout: Layout, count: int, single: bool, buffer: Buffer
) -> tuple[Tensor, Tensor | None]:
    """What the values of each group are multiplied by, and what is subtracted: (groups, 1) each.

    In single precision or in half, the same numbers.
    """
    kinds = 2 if layout.minima else 1
    units = packed[-2 * kinds * count :].view(torch.float16).view(kinds, count, 1)
    if single:
        units = units.float()
    if layout.scale_bits:
        groups = layout.values // layout.group
        start = count * layout.values * layout.bits // 8
        size = kinds * count * groups * layout.scale_bits // 8
        whole = _join(packed[start : start + size], layout.scale_bits, buffer, "scales")
        if layout.scale_zero:
            whole.sub_(layout.scale_zero)
        units = units * whole.view(torch.int8).view(kinds, count, groups)
        if single:
            units = units.half().float()
    both = units.view(kinds, -1, 1)
    return both[0], both[1] if layout.minima else None


def _widths(bits: int) -> tuple[int, ...]:
    """The planes of numbers of so many bits, the lowest first."""
    return {8: (8,), 6: (4, 2), 5: (4, 1), 4: (4,), 3: (2, 1), 2: (2,)}[bits]


def _split(whole: Tensor, bits: int) -> Tensor:
    """Whole numbers of so many bits, a byte each, as planes."""
    whole = whole.reshape(-1)
    planes: list[Tensor] = []
    lower = 0
    for width in _widths(bits):
        parts = (whole >> lower & (1 << width) - 1).view(8 // width, -1)
        plane = parts[0].clone()
        for place, part in enumerate(parts[1:], 1):
            plane |= part << place * width
        planes.append(plane)
        lower += width
    return torch.cat(planes)


def _join(planes: Tensor, bits: int, buffer: Buffer, purpose: str) -> Tensor:
    """What `_split` was given, in memory of the buffer."""
    count = planes.numel() * 8 // bits
    whole = buffer.of(purpose, count, planes.device, torch.uint8)
    if bits == 8:
        return planes
    start = lower = 0
    for width in _widths(bits):
        plane = planes[start : start + count * width // 8]
        into = whole if not lower else buffer.of(purpose + ", higher", count, planes.device, torch.uint8)
        torch.bitwise_right_shift(plane, _shifts(width, planes.device), out=into.view(8 // width, -1))
        into.bitwise_and_((1 << width) - 1)
        if lower:
            torch.add(whole, into, alpha=1 << lower, out=whole)
        start, lower = start + plane.numel(), lower + width
    return whole


@functools.cache
def _shifts(width: int, device: torch.device) -> Tensor:
    """(parts of a byte, 1)."""
    with torch.inference_mode(False):
        return torch.arange(0, 8, width, dtype=torch.uint8, device=device)[:, None]
