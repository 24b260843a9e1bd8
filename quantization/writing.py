"""A GGUF file written tensor by tensor: the output is absent or complete, and an interrupted one goes on.

All shapes and types are known beforehand, so the header is written first and its bytes name the job. The data
goes to `.NAME.partial` beside the output, each tensor on disk before the next begins; when the last one is,
the file gets its name. Where a partial file with the same header is found, only what it lacks is made.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from model.errors import StorageError
from model.files import storage_errors
from quantization.rules import Planned

ALIGNMENT = 32
VERSION = 3


def write_gguf(
    path: Path,
    fields: Mapping[str, Any],
    tensors: Sequence[Planned],
    make: Callable[[Planned], Tensor],
    done: Callable[[Planned], None],
) -> int:
    """Write the file, or what an earlier attempt left to be written.

    Args:
        fields: metadata; str, bool, int (32 bit), float (32 bit), lists of one of these.
        make: the bytes of a tensor.
        done: called for each tensor once it is on disk, also for those that were found there.
    Returns:
        Tensors that an earlier attempt had already written.
    Raises:
        StorageError: the disk is full or refuses.
    """
    header = gguf_header(fields, tensors)
    ends = list(_ends(len(header), tensors))
    partial = path.with_name(f".{path.name}.partial")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if partial.is_file() and not _is_begun(partial):
            raise StorageError(f"{partial}: no GGUF file that was begun; move it away")
        found = _found(partial, header, ends)
        free = shutil.disk_usage(path.parent).free
        missing = ends[-1] - (ends[found - 1] if found else 0)
        if free < missing:
            raise StorageError(
                f"{path.parent}: {free / 1e9:.1f} GB free, {missing / 1e9:.1f} GB needed; free some space"
            )
        with partial.open("r+b" if found else "wb") as file:
            if found:
                file.truncate(ends[found - 1])
                file.seek(ends[found - 1])
            else:
                file.write(header)
            for tensor in tensors[:found]:
                done(tensor)
            for tensor, end in zip(tensors[found:], ends[found:], strict=True):
                data = make(tensor).contiguous().view(-1)
                memory: Any = data.numpy()
                file.write(memoryview(memory))
                del data, memory  # or they would stand beside the next tensor
                file.write(bytes(end - file.tell()))
                file.flush()
                os.fsync(file.fileno())
                done(tensor)
        partial.replace(path)
        _sync_folder(path.parent)
    return found


def gguf_header(fields: Mapping[str, Any], tensors: Sequence[Planned]) -> bytes:
    """All bytes before the first tensor."""
    parts = [b"GGUF", struct.pack("<IQQ", VERSION, len(tensors), len(fields))]
    parts += [_string(key) + _value(value) for key, value in fields.items()]
    offset = 0
    for tensor in tensors:
        sides = tuple(reversed(tensor.shape))
        parts.append(_string(tensor.name))
        parts.append(struct.pack(f"<I{len(sides)}QIQ", len(sides), *sides, tensor.type.number, offset))
        offset += _padded(tensor.type.bytes_of(tensor.shape))
    header = b"".join(parts)
    return header.ljust(_padded(len(header)), b"\0")


def _ends(start: int, tensors: Sequence[Planned]) -> Iterator[int]:
    """Where each tensor ends in the file, padding included."""
    for tensor in tensors:
        start += _padded(tensor.type.bytes_of(tensor.shape))
        yield start


def _is_begun(partial: Path) -> bool:
    """Whether an earlier attempt can have left this."""
    with partial.open("rb") as file:
        start = file.read(4)
    return b"GGUF".startswith(start.rstrip(b"\0"))


def _found(partial: Path, header: bytes, ends: list[int]) -> int:
    """Tensors of the same job that surely are on disk.

    The last one found is not: it was perhaps under way when the machine lost power, and a file can have its
    length before it has its bytes.
    """
    if not partial.is_file():
        return 0
    with partial.open("rb") as file:
        if file.read(len(header)) != header:
            return 0
        size = file.seek(0, os.SEEK_END)
    return max(0, sum(end <= size for end in ends) - 1)


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    """The type's number and the value. `bool` comes before `int`, which it is too."""
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        encoded = [_value(item) for item in items]
        kind = encoded[0][:4] if encoded else struct.pack("<I", 4)
        return struct.pack("<I", 9) + kind + struct.pack("<Q", len(items)) + b"".join(e[4:] for e in encoded)
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value) if value >= 0 else struct.pack("<Ii", 5, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    return struct.pack("<I", 8) + _string(str(value))


def _sync_folder(folder: Path) -> None:
    """Make the rename durable. Windows has no folder handles to sync and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
