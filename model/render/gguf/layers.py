"""Linear layers whose weights stay as a GGUF file has them, unpacked when they are used, or once.

In: a model that diffusers loaded from a GGUF file. Out: the same model with other layers: as many as the
memory allows hold their weights unpacked (hot), the others are unpacked into one buffer that all of them
share. The numbers are those of diffusers' own layers, bit for bit. But theirs go over a whole matrix
operation by operation, with fresh memory for each; ours go piece by piece, so that a piece stays in the
cache, over bytes in an order of their own (`gguf_planes`).
Knows nothing of Flux, of files and of plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gguf
import torch
from diffusers.quantizers.gguf import utils as diffusers_gguf
from torch import Tensor, nn

from model.render.gguf.blocks import LAYOUTS
from model.render.gguf.planes import Buffer, arrange, unpack

# Values unpacked at once: a few arrays of them stay in a processor's second cache.
_PIECE = 1 << 17
_PIECE_ACCELERATED = 1 << 24


class PackedLinear(nn.Module):
    """A linear layer with packed weights.

    Args:
        packed: (rows, bytes of a row) uint8, blocks of `kind` as a file has them.
        kind: number of ggml's type.
        bias: (rows) or None.
        dtype: to compute in.
        buffer: shared with layers that are never used at the same time as this one.
        device: where it will be used. (It works anywhere; other processors want other sizes of pieces.)
    """

    packed: Tensor
    bias: Tensor | None

    def __init__(
        self,
        packed: Tensor,
        kind: int,
        bias: Tensor | None,
        dtype: torch.dtype,
        buffer: Buffer,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        self._block, self._bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)]
        self.in_features = packed.shape[1] // self._bytes * self._block
        self.out_features = packed.shape[0]
        self.kind, self.dtype, self._buffer = kind, dtype, buffer
        self._piece = max(1, (_PIECE if device == "cpu" else _PIECE_ACCELERATED) // self._block)
        if layout := LAYOUTS.get(kind):
            packed = arrange(packed.view(-1, self._bytes), layout, self._piece)
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
        size = self.out_features * self.in_features
        into = self._buffer.of("weights", size, self.packed.device, self.dtype).view(self.shape)
        return nn.functional.linear(fed, self._unpack(into), self.bias)

    def _unpack(self, into: Tensor) -> Tensor:
        if layout := LAYOUTS.get(self.kind):
            return unpack(self.packed, layout, into, self._piece, self._buffer)
        decode = diffusers_gguf.dequantize_functions[gguf.GGMLQuantizationType(self.kind)]
        blocks, values = self.packed.view(-1, self._bytes), into.view(-1, self._block)
        for start in range(0, len(blocks), self._piece):
            piece = slice(start, start + self._piece)
            values[piece] = decode(blocks[piece], self._block, self._bytes)
        return into

    def extra_repr(self) -> str:
        name = gguf.GGMLQuantizationType(self.kind).name
        return f"in_features={self.in_features}, out_features={self.out_features}, {name}"


def keep_packed(model: nn.Module, *, hot: int = 0, device: str = "cpu") -> int:
    """Give a model that diffusers loaded from a GGUF file our layers, in place.

    Args:
        hot: bytes that layers may take beyond their packed weights, to hold them unpacked.
        device: where the model will be used.
    Returns:
        Bytes of those that were taken.
    """
    found = list(_gguf_layers(model))
    buffer, taken = Buffer(), 0
    # The largest first: without them the buffer is smaller, too.
    for parent, name, layer in sorted(found, key=lambda one: -one[2].weight.numel()):
        packed: Tensor = layer.weight.as_tensor().view(torch.uint8)
        values = layer.out_features * layer.in_features
        more = values * layer.compute_dtype.itemsize - packed.numel()
        if more <= hot - taken:
            taken += more
            setattr(parent, name, _unpacked(layer))
        else:
            bias = None if layer.bias is None else layer.bias.detach()
            kind = int(layer.weight.quant_type)
            setattr(parent, name, PackedLinear(packed, kind, bias, layer.compute_dtype, buffer, device))
    return taken


def _unpacked(layer: Any) -> nn.Linear:
    """An ordinary layer of the same numbers."""
    with torch.device("meta"):
        plain = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
    dtype = layer.compute_dtype
    weight = diffusers_gguf.dequantize_gguf_tensor(layer.weight).to(dtype)
    plain.weight = nn.Parameter(weight, requires_grad=False)
    if layer.bias is not None:
        plain.bias = nn.Parameter(layer.bias.detach().to(dtype), requires_grad=False)
    return plain


def _gguf_layers(model: nn.Module) -> Iterator[tuple[nn.Module, str, Any]]:
    """Each quantized layer with its parent and its name there."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, diffusers_gguf.GGUFLinear) and hasattr(child.weight, "quant_type"):
                yield parent, name, child
