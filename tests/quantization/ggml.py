"""ggml's own encoder and decoder, through ctypes: the oracle of tests/quantization and of the bench.

The library comes with the wheel of pywhispercpp (MIT), which is installed for development alone.
"""

from __future__ import annotations

import ctypes
import functools
from importlib.metadata import PackageNotFoundError, files
from typing import Any

import numpy as np

from quantization.levels import BlockType

Floats = np.ndarray[Any, np.dtype[np.float32]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def encode(weights: Floats, kind: BlockType, importance: Floats | None = None) -> Bytes:
    """Quantize (rows, columns) with ggml, on the calling thread."""
    weights = np.ascontiguousarray(weights, np.float32)
    rows, columns = weights.shape
    out = np.empty((rows, columns // kind.values * kind.bytes), np.uint8)
    matter = None
    if importance is not None:
        importance = np.ascontiguousarray(importance, np.float32)
        matter = importance.ctypes.data
    written = _library().ggml_quantize_chunk(
        kind.number, weights.ctypes.data, out.ctypes.data, 0, rows, columns, matter
    )
    if written != out.size:
        raise RuntimeError(f"ggml wrote {written} bytes, expected {out.size}")
    return out


def decode(data: Bytes, kind: BlockType) -> Floats:
    """(rows, bytes) → (rows, columns) float32 with ggml."""
    data = np.ascontiguousarray(data)
    out = np.empty((data.shape[0], data.shape[1] // kind.bytes * kind.values), np.float32)
    decoder = getattr(_library(), f"dequantize_row_{kind.name.replace('Q', 'q', 1)}")
    decoder.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    decoder.restype = None
    decoder(data.ctypes.data, out.ctypes.data, out.size)
    return out


@functools.cache
def _library() -> Any:
    try:
        found = files("pywhispercpp") or []
    except PackageNotFoundError as error:
        raise RuntimeError("pywhispercpp is not installed; install the dev extra") from error
    path = next(file for file in found if "ggml-base" in file.name and not file.name.endswith(".lib"))
    library = ctypes.CDLL(str(path.locate()))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [
        ctypes.c_int,
        *(ctypes.c_void_p,) * 2,
        *(ctypes.c_int64,) * 3,
        ctypes.c_void_p,
    ]
    return library
