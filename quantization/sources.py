"""Tensors of checkpoints that strangers wrote, one at a time: safetensors files, shards, folders.

Headers are not trusted: every size is held against the file's own before anything is allocated, and pickles
are not read at all. Tensors are read, not mapped: a mapped file of 24 GB would count as this process's.
GGUF files are `gguf_source`'s; which tensor means what is `rules`'.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import IO, Any, Protocol, cast

import torch
from torch import Tensor

from model.errors import ConfigError
from quantization.reading import MOST_NUMBERS, read_into

# Bytes of a header: the largest known have less than one million, and JSON makes ten times as much of them.
MOST_HEADER = 1 << 24
TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
PICKLES = {".pt", ".pth", ".ckpt", ".bin", ".pkl"}


class Source(Protocol):
    """Where tensors come from: safetensors or GGUF.

    Attributes:
        files: all files of it, in order.
        shapes: name → shape, outermost first.
        dtypes: name → type that it is read in; quantized ones as float32.
        metadata: what a GGUF file says of itself; empty for safetensors.
    """

    files: tuple[Path, ...]
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, torch.dtype]
    metadata: dict[str, Any]

    def fill(self, name: str, values: Tensor) -> None:
        """Read a tensor into memory of its shape and type."""
        ...


def read_tensor(source: Source, name: str) -> Tensor:
    """The tensor in the type it is stored in; quantized ones as float32."""
    values = torch.empty(source.shapes[name], dtype=source.dtypes[name])
    source.fill(name, values)
    return values


def open_source(path: Path) -> Source:
    """Open a checkpoint: a safetensors or GGUF file, an index of shards, or a folder in diffusers' layout.

    Raises:
        ConfigError: it is absent, of another kind, or its header does not fit the file.
    """
    from quantization.gguf_source import GgufSource

    if path.is_dir():
        files = _files_of(path)
        return GgufSource(files[0]) if files[0].suffix == ".gguf" else SafetensorsSource(files)
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file or folder; name a checkpoint")
    if path.name.endswith(".safetensors.index.json"):
        return SafetensorsSource(_shards_of(path))
    if path.suffix.lower() in PICKLES:
        raise ConfigError(f"{path}: a pickle can run any code, so it is not read; save it as safetensors")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"GGUF":
        return GgufSource(path)
    if path.suffix.lower() == ".gguf":
        raise ConfigError(f"{path}: begins with {magic!r}, expected b'GGUF'; download it again")
    return SafetensorsSource((path,))


def _files_of(folder: Path) -> tuple[Path, ...]:
    """The weights of a model's folder; of a whole pipeline's folder those of the transformer."""
    if (folder / "model_index.json").is_file() or not any(folder.glob("*.safetensors")):
        folder = folder / "transformer" if (folder / "transformer").is_dir() else folder
    index = sorted(folder.glob("*.safetensors.index.json"))
    if index:
        return _shards_of(index[0])
    files = sorted(folder.glob("*.safetensors"))
    files = files or sorted(folder.glob("*.gguf"))
    if len(files) == 1:
        return (files[0],)
    found = "no weights" if not files else f"{len(files)} files of weights and no index"
    raise ConfigError(f"{folder}: {found}, expected one file, or shards with an index; name the file itself")


def _shards_of(index: Path) -> tuple[Path, ...]:
    try:
        names: Any = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        shards = tuple(index.parent / Path(name).name for name in sorted(set(names)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{index}: not an index of shards ({error}); download it again") from error
    for shard in shards:
        if not shard.is_file():
            raise ConfigError(f"{shard}: missing, though {index.name} names it; download it")
    return shards


class SafetensorsSource:
    """One safetensors file, or the shards of one checkpoint."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self.files = files
        self.metadata: dict[str, Any] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, torch.dtype] = {}
        self._places: dict[str, tuple[Path, int]] = {}
        for path in files:
            with path.open("rb") as file:
                self._add(path, file)

    def _add(self, path: Path, file: IO[bytes]) -> None:
        size = path.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, MOST_HEADER):
            raise ConfigError(
                f"{path}: its header claims {length} bytes of a file of {size} ({MOST_HEADER} are read at "
                f"most); not safetensors, or cut off"
            )
        try:
            header = cast(dict[str, Any], json.loads(file.read(length)))
            for name, facts in header.items():
                if name == "__metadata__":
                    continue
                shape = tuple(int(side) for side in facts["shape"])
                begin, end = (int(offset) for offset in facts["data_offsets"])
                self._place(path, name, facts["dtype"], shape, (8 + length + begin, 8 + length + end), size)
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise ConfigError(f"{path}: not a safetensors header ({error}); download it again") from error

    def _place(
        self, path: Path, name: str, kind: str, shape: tuple[int, ...], span: tuple[int, int], size: int
    ) -> None:
        dtype = TYPES.get(kind)
        if dtype is None:
            raise ConfigError(
                f"{path}: {name} is of type {kind}, expected one of {', '.join(TYPES)}; "
                f"save the checkpoint in one of these"
            )
        wanted = dtype.itemsize * math.prod(shape)
        begin, end = span
        if (
            min(shape, default=1) < 0
            or math.prod(filter(None, shape)) > MOST_NUMBERS
            or begin < 0
            or end > size
            or end - begin != wanted
        ):
            raise ConfigError(
                f"{path}: {name} claims bytes {begin} to {end} of {size} for {wanted}; download it again"
            )
        self.shapes[name] = shape
        self.dtypes[name] = dtype
        self._places[name] = (path, begin)

    def fill(self, name: str, values: Tensor) -> None:
        """Read a tensor into memory of its shape and type."""
        path, begin = self._places[name]
        read_into(path, begin, values)
