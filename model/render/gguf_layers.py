"""Linear layers whose weights stay as a GGUF file has them, unpacked when they are used, or once.

In: a model that diffusers loaded from a GGUF file. Out: the same model with other layers: as many as the
memory allows hold their weights unpacked (hot), the others are unpacked into one buffer that all of them
share. The numbers are those of diffusers' own layers, bit for bit: half precision after every product, as
there. But theirs go over a whole matrix operation by operation, with fresh memory for each; ours go piece by
piece, so that a piece stays in the cache, and on a CPU Q8_0 takes fewer and plainer operations.
Knows nothing of Flux, of files and of plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gguf
import torch
from diffusers.quantizers.gguf import utils as diffusers_gguf
from torch import Tensor, nn

# Values unpacked at once: a few arrays of them stay in a processor's second cache.
_PIECE = 1 << 17
_PIECE_ACCELERATED = 1 << 24


class Buffer:
    """Memory that layers unpack into, one after another. It grows to the largest of them."""

    def __init__(self) -> None:
        self._memory: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def of(self, shape: tuple[int, int], device: torch.device, dtype: torch.dtype) -> Tensor:
        """(rows, columns), not initialised; what it held before is lost."""
        size = shape[0] * shape[1]
        memory = self._memory.get((device, dtype))
        if memory is None or memory.numel() < size:
            memory = self._memory[device, dtype] = torch.empty(size, device=device, dtype=dtype)
        return memory[:size].view(shape)


class PackedLinear(nn.Module):
    """A linear layer with packed weights.

    Args:
        packed: (rows, bytes of a row) uint8, blocks of `kind`.
        kind: number of ggml's type.
        bias: (rows) or None.
        dtype: to compute in.
        buffer: shared with layers that are never used at the same time as this one.
    """

    packed: Tensor
    bias: Tensor | None

    def __init__(
        self, packed: Tensor, kind: int, bias: Tensor | None, dtype: torch.dtype, buffer: Buffer
    ) -> None:
        super().__init__()
        self._block, self._bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)]
        self.in_features = packed.shape[1] // self._bytes * self._block
        self.out_features = packed.shape[0]
        self.kind, self.dtype, self._buffer = kind, dtype, buffer
        # Buffers move with the model; its dtype they do not share, so `.to(dtype)` must leave bytes alone.
        self.register_buffer("packed", packed)
        self.register_buffer("bias", None if bias is None else bias.to(dtype))

    @property
    def weight(self) -> Tensor:
        """(rows, columns) unpacked, in memory of its own."""
        return self._unpack(torch.empty(self.shape, dtype=self.dtype, device=self.packed.device))

    @property
    def shape(self) -> tuple[int, int]:
        return self.out_features, self.in_features

    def forward(self, fed: Tensor) -> Tensor:
        weight = self._unpack(self._buffer.of(self.shape, self.packed.device, self.dtype))
        return nn.functional.linear(fed, weight, self.bias)

    def _unpack(self, into: Tensor) -> Tensor:
        blocks, values = self.packed.view(-1, self._bytes), into.view(-1, self._block)
        on_cpu = self.packed.device.type == "cpu"
        plain = _PLAIN.get(self.kind) if on_cpu and self.dtype == torch.float32 else None
        decode = diffusers_gguf.dequantize_functions[gguf.GGMLQuantizationType(self.kind)]
        step = max(1, (_PIECE if on_cpu else _PIECE_ACCELERATED) // self._block)
        for start in range(0, len(blocks), step):
            piece = slice(start, start + step)
            if plain is not None:
                plain(blocks[piece], values[piece])
            else:
                values[piece] = decode(blocks[piece], self._block, self._bytes)
        return into

    def extra_repr(self) -> str:
        name = gguf.GGMLQuantizationType(self.kind).name
        return f"in_features={self.in_features}, out_features={self.out_features}, {name}"


def _unpack_q8_0(blocks: Tensor, values: Tensor) -> None:
    values.copy_(blocks[:, 2:].view(torch.int8)).mul_(_halves(blocks[:, :2]))
    values.copy_(values.half())


def _halves(data: Tensor) -> Tensor:
    """Bytes of numbers in half precision, as single ones."""
    return data.contiguous().view(torch.float16).float()


# By the number of the type: blocks in, values filled. In float32 a product is exact until it is rounded.
_PLAIN = {8: _unpack_q8_0}


def keep_packed(model: nn.Module, *, hot: int = 0) -> int:
    """Give a model that diffusers loaded from a GGUF file our layers, in place.

    Args:
        hot: bytes that layers may take beyond their packed weights, to hold them unpacked.
    Returns:
        Bytes of those that were taken.
    """
    found = list(_gguf_layers(model))
    buffer, taken = Buffer(), 0
    # The largest first: without them the buffer is smaller, too.
    for parent, name, layer in sorted(found, key=lambda one: -one[2].weight.numel()):
        packed: Tensor = layer.weight.as_tensor().view(torch.uint8)
        bias = None if layer.bias is None else layer.bias.detach()
        ours = PackedLinear(packed, int(layer.weight.quant_type), bias, layer.compute_dtype, buffer)
        rows, columns = ours.shape
        more = rows * columns * layer.compute_dtype.itemsize - packed.numel()
        if more <= hot - taken:
            taken += more
            setattr(parent, name, _unpacked(ours))
        else:
            setattr(parent, name, ours)
    return taken


def _unpacked(layer: PackedLinear) -> nn.Linear:
    """An ordinary layer of the same numbers."""
    with torch.device("meta"):
        plain = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
    plain.weight = nn.Parameter(layer.weight, requires_grad=False)
    if layer.bias is not None:
        plain.bias = nn.Parameter(layer.bias, requires_grad=False)
    return plain


def _gguf_layers(model: nn.Module) -> Iterator[tuple[nn.Module, str, Any]]:
    """Each quantized layer with its parent and its name there."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, diffusers_gguf.GGUFLinear) and hasattr(child.weight, "quant_type"):
                yield parent, name, child
