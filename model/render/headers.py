"""The names of the tensors in a weights file, from its header alone.

In: a safetensors or GGUF file of a stranger. Out: names. Sizes in the header are held against the file's own.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

from model.errors import ConfigError, IntegrityError

_MOST_HEADER = 100_000_000  # bytes, as in the safetensors library


def tensor_names(file: Path) -> tuple[str, ...]:
    """What is in the file.

    Raises:
        ConfigError: it is a file of another kind.
        IntegrityError: its header is damaged.
    """
    with file.open("rb") as opened:
        start = opened.read(8)
        if start[:4] == b"GGUF":
            return _gguf_names(file)
        if file.suffix != ".safetensors":
            raise ConfigError(f"{file}: neither safetensors nor GGUF; other formats are not read")
        size = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < size <= min(_MOST_HEADER, file.stat().st_size - 8):
            raise IntegrityError(f"{file}: no safetensors header found; fetch it again")
        try:
            header = json.loads(opened.read(size))
            return tuple(name for name in header if name != "__metadata__")
        except (ValueError, TypeError, RecursionError) as error:
            raise IntegrityError(f"{file}: its header is damaged ({error}); fetch it again") from error


def _gguf_names(file: Path) -> tuple[str, ...]:
    from quantization.gguf_source import GgufSource

    try:
        return tuple(GgufSource(file).shapes)
    except ConfigError as error:
        raise IntegrityError(str(error)) from error
