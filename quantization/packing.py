"""Integers to ggml's bytes: where each bit of a superblock of 256 values lies.

In go N superblocks as `affine` and `symmetric` found them; out comes a (N, bytes) tensor. The layouts are
those that gguf-py, diffusers and ggml read; bytes of a number of two are in little-endian order.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from quantization.affine import AffineBlocks
from quantization.symmetric import SymmetricBlocks


def pack_q2_k(found: AffineBlocks) -> Tensor:
    """16 blocks of 16: sc and m in a byte, q in two bits, d, dmin."""
    return torch.cat(
        [_merge((found.sc, found.m), 4), _quarters(_rows(found.q)), _half(found.d), _half(found.dmin)], 1
    )


def pack_q3_k(found: SymmetricBlocks) -> Tensor:
    """16 blocks of 16: the high bits of q + 4, the low two, sc + 32 in six bits, d."""
    q = _rows(found.q) + 4
    sc = found.sc + 32
    low, high = sc & 15, sc >> 4
    scales = torch.cat([_merge((low[:, :8], low[:, 8:]), 4), _merge(high.view(-1, 4, 4).unbind(1), 2)], 1)
    return torch.cat([_eighths(q >> 2), _quarters(q & 3), scales, _half(found.d)], 1)


def pack_q4_k(found: AffineBlocks) -> Tensor:
    """8 blocks of 32: d, dmin, sc and m in six bits, q in four."""
    return torch.cat([_header(found), _pairs(_rows(found.q))], 1)


def pack_q5_k(found: AffineBlocks) -> Tensor:
    """8 blocks of 32: d, dmin, sc and m in six bits, the high bit of q, the low four."""
    q = _rows(found.q)
    return torch.cat([_header(found), _eighths(q >> 4), _pairs(q & 15)], 1)


def pack_q6_k(found: SymmetricBlocks) -> Tensor:
    """16 blocks of 16: the low four bits of q + 32, the high two, sc, d."""
    q = (_rows(found.q) + 32).view(-1, 2, 4, 32)
    low, high = q & 15, q >> 4
    return torch.cat(
        [
            _merge((low[:, :, :2], low[:, :, 2:]), 4).reshape(-1, 128),
            _merge(high.unbind(2), 2).reshape(-1, 64),
            found.sc.view(torch.uint8),
            _half(found.d),
        ],
        1,
    )


def _header(found: AffineBlocks) -> Tensor:
    """d, dmin and eight pairs of six bits in 12 bytes: the pairs of blocks 4 to 7 lend their high bits to
    the bytes of blocks 0 to 3."""
    sc, m = found.sc, found.m
    scales = [
        sc[:, :4] | (sc[:, 4:] >> 4 << 6),
        m[:, :4] | (m[:, 4:] >> 4 << 6),
        _merge((sc[:, 4:] & 15, m[:, 4:] & 15), 4),
    ]
    return torch.cat([_half(found.d), _half(found.dmin), *scales], 1)


def _rows(q: Tensor) -> Tensor:
    """(size, N·blocks) → (N, 256) bytes, in the order of the weights."""
    size = len(q)
    return q.view(size, -1, 8).permute(1, 2, 0).contiguous().view(-1, 256).view(torch.uint8)


def _pairs(q: Tensor) -> Tensor:
    """Four bits a value: in each 64 values, the first 32 are low, the others high."""
    return _merge(q.view(-1, 4, 2, 32).unbind(2), 4).reshape(-1, 128)


def _quarters(q: Tensor) -> Tensor:
    """Two bits a value: in each 128 values, byte i holds values i, i + 32, i + 64 and i + 96."""
    return _merge(q.view(-1, 2, 4, 32).unbind(2), 2).reshape(-1, 64)


def _eighths(q: Tensor) -> Tensor:
    """One bit a value: byte i holds values i, i + 32, …, i + 224."""
    return _merge(q.view(-1, 8, 32).unbind(1), 1)


def _merge(parts: Sequence[Tensor], bits: int) -> Tensor:
    """Parts of so many bits become bytes, the first part lowest.

    Several bytes at once, for no part reaches into the next: by single ones it takes three times as long.
    """
    wide = torch.int64 if parts[0].shape[-1] % 8 == 0 else torch.int32
    merged = parts[0].view(wide).clone()
    for place, part in enumerate(parts[1:], 1):
        merged |= part.view(wide) << (bits * place)
    return merged.view(torch.uint8)


def _half(unit: Tensor) -> Tensor:
    return unit[:, None].view(torch.uint8)
