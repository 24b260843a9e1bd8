"""Bytes: three decoders read the same floats; whole numbers come back; plain types are ggml's own."""

from __future__ import annotations

from typing import Any

import gguf
import numpy as np
import pytest
import torch
from diffusers.quantizers.gguf.utils import dequantize_functions
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quantization import packing
from quantization.affine import AffineBlocks
from quantization.kquants import encode
from quantization.levels import LEVELS, TYPES, BlockType
from quantization.symmetric import SymmetricBlocks
from tests.chance import examples
from tests.quantization import ggml

QUANTIZED = [kind for kind in TYPES.values() if kind.values > 1]
PLAIN = [kind for kind in QUANTIZED if not kind.weighted]


def decode(data: np.ndarray[Any, Any], kind: BlockType) -> np.ndarray[Any, Any]:
    return gguf.quants.dequantize(data, gguf.GGMLQuantizationType(kind.number))


def wild(seed: int, rows: int, columns: int) -> np.ndarray[Any, Any]:
    """Rows of very different size, with blocks that are zero, constant, of one sign, or have one outlier."""
    random = np.random.default_rng(seed)
    values = random.standard_normal((rows, columns)) * 10.0 ** random.integers(-6, 3, (rows, 1))
    values[0] = 0
    values[1] = 0.25
    values[2] = -3.0
    values[3] = np.abs(values[3])
    values[4, ::17] = 50.0
    values[5, :40] = 0
    return values.astype(np.float32)


@pytest.mark.parametrize("kind", QUANTIZED, ids=lambda kind: kind.name)
def test_three_decoders_read_the_same_floats(kind: BlockType) -> None:
    data = encode(torch.from_numpy(wild(1, 12, 1024)), kind).numpy()
    ours = decode(data, kind)
    number = gguf.GGMLQuantizationType(kind.number)
    blocks = torch.from_numpy(data.reshape(-1, kind.bytes))
    theirs = dequantize_functions[number](blocks, kind.values, kind.bytes, dtype=torch.float32)
    np.testing.assert_array_equal(ours, theirs.reshape(ours.shape).numpy())
    np.testing.assert_array_equal(ours, ggml.decode(data, kind))


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.name)
@given(data=st.data())
@settings(max_examples=examples(25), deadline=None)
def test_plain_types_are_ggmls_byte_by_byte(kind: BlockType, data: st.DataObject) -> None:
    # Few distinct values: ties of the largest magnitude and halves are where encoders part.
    # (Where a scale has no inverse, what C does is undefined.)
    few = st.sampled_from([0.0, 0.5, -0.5, 1.0, -1.0, 127.0, -127.0, 63.5, 1e-8, 3e4])
    some = st.floats(-1e4, 1e4, width=32).filter(lambda value: value == 0 or abs(value) > 1e-30)
    values = data.draw(arrays(np.float32, (4, 64), elements=few | some))
    if kind.name.endswith("_1"):
        values += 0.0  # of two zeros of either sign any may be the minimum
    np.testing.assert_array_equal(encode(torch.from_numpy(values), kind).numpy(), ggml.encode(values, kind))


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.name)
def test_plain_types_are_ggmls_on_many_weights(kind: BlockType) -> None:
    values = wild(2, 32, 2048)
    np.testing.assert_array_equal(encode(torch.from_numpy(values), kind).numpy(), ggml.encode(values, kind))


@pytest.mark.parametrize(
    ("name", "pack", "levels", "scales"),
    [
        ("Q2_K", packing.pack_q2_k, 3, 15),
        ("Q4_K", packing.pack_q4_k, 15, 63),
        ("Q5_K", packing.pack_q5_k, 31, 63),
    ],
)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=examples(20), deadline=None)
def test_whole_numbers_with_minima_come_back(
    name: str, pack: Any, levels: int, scales: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    blocks = 16 if name == "Q2_K" else 8
    size = 256 // blocks
    q = random.integers(0, levels + 1, (3 * blocks, size)).astype(np.uint8)
    sc, m = random.integers(0, scales + 1, (2, 3, blocks)).astype(np.uint8)
    d, dmin = random.random((2, 3)).astype(np.float16)
    made = pack(AffineBlocks(*map(torch.from_numpy, (d, dmin, sc, m, np.ascontiguousarray(q.T)))))
    scale = (d.astype(np.float32)[:, None] * sc).reshape(-1, 1)
    offset = (dmin.astype(np.float32)[:, None] * m).reshape(-1, 1)
    np.testing.assert_array_equal(decode(made.numpy(), TYPES[name]), (scale * q - offset).reshape(3, 256))


@pytest.mark.parametrize(
    ("name", "pack", "levels", "scales"),
    [("Q3_K", packing.pack_q3_k, 4, 32), ("Q6_K", packing.pack_q6_k, 32, 128)],
)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=examples(20), deadline=None)
def test_whole_numbers_of_either_sign_come_back(
    name: str, pack: Any, levels: int, scales: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    q = random.integers(-levels, levels, (3 * 16, 16)).astype(np.int8)
    sc = random.integers(-scales, scales, (3, 16)).astype(np.int8)
    d = (random.random(3) - 0.5).astype(np.float16)
    made = pack(SymmetricBlocks(*map(torch.from_numpy, (d, sc, np.ascontiguousarray(q.T)))))
    scale = (d.astype(np.float32)[:, None] * sc).reshape(-1, 1)
    np.testing.assert_array_equal(decode(made.numpy(), TYPES[name]), (scale * q).reshape(3, 256))


def test_numbers_and_sizes_are_those_of_gguf() -> None:
    for kind in TYPES.values():
        number = gguf.GGMLQuantizationType[kind.name]
        assert (kind.number, kind.values, kind.bytes) == (number, *gguf.GGML_QUANT_SIZES[number])
    for level in LEVELS.values():
        assert level.file_type == gguf.LlamaFileType[f"MOSTLY_{level.name}"]
