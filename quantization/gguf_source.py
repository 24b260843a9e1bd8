"""Tensors of a GGUF file, dequantized one at a time; the header is read by hand, for it is not trusted.

Every count and length is compared with what is left of the file, and with what any model has, before it is
used: a header cannot ask for more memory or time than that.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import Tensor

from model.errors import ConfigError
from quantization.levels import LEVELS, TYPES, BlockType
from quantization.reading import MOST_NUMBERS, read_into

MOST_HEADER = 1 << 26  # bytes; with all tokens of a tokenizer it has a few million
MOST_ENTRIES = 1 << 20  # of a list, fields, tensors; the largest tokenizers have a quarter of that
# All that gguf-py can tell the size of: it also decodes types that are not made here.
_BY_NUMBER = {
    kind.value: BlockType(name=kind.name, number=kind.value, values=values, bytes=size)
    for kind, (values, size) in gguf.GGML_QUANT_SIZES.items()
} | {kind.number: kind for kind in TYPES.values()}
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_FLOATS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_ROWS = 1 << 22  # values dequantized at once


class GgufSource:
    """One GGUF file of version 2 or 3, little-endian."""

    def __init__(self, path: Path) -> None:
        self.files = (path,)
        self.metadata: dict[str, Any] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, torch.dtype] = {}
        self._places: dict[str, tuple[BlockType, int]] = {}
        size = path.stat().st_size
        with path.open("rb") as file:
            header = _Header(path, file.read(min(size, MOST_HEADER)))
        version = header.scalar(4)
        if version not in {2, 3}:
            raise ConfigError(f"{path}: GGUF version {version}, expected 2 or 3; convert it first")
        tensors, fields = header.count(8), header.count(8)
        for _ in range(fields):
            name = header.string()
            self.metadata[name] = header.value(header.scalar(4))
        infos = [self._info(header) for _ in range(tensors)]
        alignment = self.metadata.get("general.alignment", 32)
        if isinstance(alignment, bool) or not isinstance(alignment, int) or not 0 < alignment <= 1 << 20:
            raise ConfigError(f"{path}: aligned to {str(alignment)[:40]!r}; download it again")
        start = -(-header.position // alignment) * alignment
        for name, shape, kind, offset in infos:
            end = start + offset + kind.bytes_of(shape)
            if end > size:
                raise ConfigError(
                    f"{path}: {name} ends at byte {end} of a file of {size}; cut off; download it again"
                )
            self.shapes[name] = shape
            self.dtypes[name] = _FLOATS.get(kind.name, torch.float32)
            self._places[name] = (kind, start + offset)

    @property
    def level(self) -> str:
        """The level that most of its weights are stored at; empty: they are stored whole."""
        weights: dict[str, int] = {}
        for name, (kind, _) in self._places.items():
            weights[kind.name] = weights.get(kind.name, 0) + math.prod(self.shapes[name])
        most = max(weights, key=weights.__getitem__, default="F32")
        return next((level.name for level in LEVELS.values() if level.type.name == most), "")

    def _info(self, header: _Header) -> tuple[str, tuple[int, ...], BlockType, int]:
        name = header.string()
        sides = header.scalar(4)
        if not 0 < sides <= 4:
            raise ConfigError(
                f"{header.path}: {name} has {sides} dimensions, expected 1 to 4; download it again"
            )
        shape = tuple(reversed([int(header.scalar(10)) for _ in range(sides)]))
        if math.prod(filter(None, shape)) > MOST_NUMBERS:
            raise ConfigError(f"{header.path}: {name} claims sides of {shape}; download it again")
        number, offset = header.scalar(4), header.scalar(10)
        kind = _BY_NUMBER.get(number)
        if kind is None:
            raise ConfigError(
                f"{header.path}: {name} is of type number {number}, expected one of {', '.join(TYPES)}"
            )
        if shape[-1] % kind.values:
            raise ConfigError(f"{header.path}: {name} has rows of {shape[-1]}, which {kind.name} cannot hold")
        return name, shape, kind, int(offset)

    def fill(self, name: str, values: Tensor) -> None:
        """Read a tensor into memory of its shape and type; quantized ones are decoded."""
        kind, offset = self._places[name]
        if kind.name in _FLOATS:
            read_into(self.files[0], offset, values)
            return
        stored = torch.empty((values.numel() // kind.values, kind.bytes), dtype=torch.uint8)
        read_into(self.files[0], offset, stored)
        into = values.view(-1, kind.values)
        quants: Any = gguf.quants
        step = _ROWS // kind.values
        for start in range(0, len(stored), step):
            piece = stored[start : start + step].numpy()
            try:
                # A damaged scale may be infinite; that is a wrong picture, and no warning.
                with np.errstate(all="ignore"):
                    decoded = quants.dequantize(piece, gguf.GGMLQuantizationType(kind.number))
            except NotImplementedError as error:
                raise ConfigError(
                    f"{self.files[0]}: {name} is of type {kind.name}, which is not read; take another level"
                ) from error
            into[start : start + step] = torch.tensor(decoded)


class _Header:
    """Reads values one after another and refuses to leave the bytes."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.data = data
        self.position = 4  # after the magic number

    def _take(self, size: int) -> int:
        start = self.position
        if size > len(self.data) - start:
            raise ConfigError(
                f"{self.path}: its header claims {size} bytes at {start}, {len(self.data) - start} are left; "
                f"download it again"
            )
        self.position += size
        return start

    def scalar(self, kind: int) -> Any:
        layout = "<" + _SCALARS[kind]
        return struct.unpack_from(layout, self.data, self._take(struct.calcsize(layout)))[0]

    def count(self, least: int) -> int:
        """A number of things that take at least so many bytes each."""
        number = int(self.scalar(10))
        left = len(self.data) - self.position
        if number > min(left // least, MOST_ENTRIES):
            raise ConfigError(
                f"{self.path}: its header claims {number} entries, {left} bytes are left for them and "
                f"{MOST_ENTRIES} are read at most; download it again"
            )
        return number

    def string(self) -> str:
        length = int(self.scalar(10))
        start = self._take(length)
        return self.data[start : start + length].decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self.scalar(kind)
        if kind == _STRING:
            return self.string()
        inner = self.scalar(4) if kind == _ARRAY else None
        if inner in _SCALARS:
            letter = _SCALARS[inner]
            number = self.count(struct.calcsize(letter))
            return list(
                struct.unpack_from(
                    f"<{number}{letter}", self.data, self._take(number * struct.calcsize(letter))
                )
            )
        if inner == _STRING:
            return [self.string() for _ in range(self.count(8))]
        raise ConfigError(
            f"{self.path}: a field of type {kind} holding {inner} is not known; download it again"
        )
