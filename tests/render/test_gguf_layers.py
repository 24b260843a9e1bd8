"""Layers with packed weights compute what diffusers' do, bit for bit, and take the memory they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from diffusers.quantizers.gguf.utils import GGUFLinear, GGUFParameter, dequantize_functions
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from model.render.gguf.blocks import LAYOUTS
from model.render.gguf.layers import PackedLinear, keep_packed
from model.render.gguf.planes import Buffer, arrange, unpack
from quantization.kquants import encode
from quantization.levels import TYPES
from tests.chance import examples

KINDS = ("Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0", "Q3_K", "Q2_K")


def diffusers_layer(rows: int, columns: int, kind: str, seed: int) -> GGUFLinear:
    random = torch.Generator().manual_seed(seed)
    layer = GGUFLinear(columns, rows, bias=True, compute_dtype=torch.float32)
    packed = encode(torch.randn(rows, columns, generator=random), TYPES[kind])
    number = gguf.GGMLQuantizationType(TYPES[kind].number)
    parameter: Any = GGUFParameter  # its __new__ takes more than Parameter's
    layer.weight = parameter(packed, quant_type=number)
    layer.bias = nn.Parameter(torch.randn(rows, generator=random), requires_grad=False)
    return layer


def model(kind: str) -> Any:
    """Two layers in a row, the second within another module."""
    return nn.Sequential(
        diffusers_layer(48, 256, kind, 0), nn.ModuleDict({"deep": diffusers_layer(64, 768, kind, 1)})
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_gives_the_numbers_of_diffusers(kind: str) -> None:
    theirs, fed = model(kind), torch.randn(3, 768, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        wanted = theirs[0](fed[:, :256]), theirs[1]["deep"](fed)
        for hot in (0, 2**40):
            ours = model(kind)
            keep_packed(ours, hot=hot)
            # Twice, for the buffer has been used by the other layer in between.
            for _ in range(2):
                assert torch.equal(ours[0](fed[:, :256]), wanted[0])
                assert torch.equal(ours[1]["deep"](fed), wanted[1])


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 20), piece=st.integers(1, 8))
@settings(max_examples=examples(15), deadline=None)
def test_any_bytes_give_the_numbers_of_diffusers(kind: str, seed: int, count: int, piece: int) -> None:
    type_ = TYPES[kind]
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (count, type_.bytes), np.uint8)
    # Units of any finite size, of either sign; all else may be anything.
    halves = (random.standard_normal((count, 2)) * 10.0 ** random.integers(-7, 3, (count, 2))).astype(
        np.float16
    )
    size = 2 if kind in ("Q8_0", "Q6_K", "Q5_0", "Q4_0", "Q3_K") else 4
    place = type_.bytes - size if kind in ("Q6_K", "Q3_K", "Q2_K") else 0
    blocks[:, place : place + size] = halves.view(np.uint8)[:, :size]
    data, layout = torch.from_numpy(blocks), LAYOUTS[type_.number]
    decode = dequantize_functions[gguf.GGMLQuantizationType(type_.number)]
    wanted = decode(data, type_.values, type_.bytes)
    packed = arrange(data, layout, piece)
    assert packed.numel() == data.numel()
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        found = unpack(packed, layout, torch.empty(count, type_.values, dtype=dtype), piece, Buffer())
        assert torch.equal(found, wanted.to(dtype))


def test_memory_decides_how_many_layers_are_hot() -> None:
    dense = [48 * 256 * 4, 64 * 768 * 4]
    packed = [48 * 256 // 32 * 18, 64 * 768 // 32 * 18]
    more = [one - other for one, other in zip(dense, packed, strict=True)]
    for hot, kinds in (
        (more[0] - 1, (PackedLinear, PackedLinear)),
        (more[0], (nn.Linear, PackedLinear)),
        (more[1], (PackedLinear, nn.Linear)),  # the largest one first
        (sum(more), (nn.Linear, nn.Linear)),
    ):
        ours = model("Q4_0")
        taken = keep_packed(ours, hot=hot)
        assert taken <= hot
        assert (type(ours[0]), type(ours[1]["deep"])) == kinds


def test_casting_a_model_leaves_the_bytes_alone() -> None:
    ours = model("Q4_K")
    keep_packed(ours)
    before = ours[0].packed.clone()
    ours.to(torch.float64)
    assert torch.equal(ours[0].packed, before)


def test_the_weights_of_a_file_are_those_that_ggufs_own_decoder_reads(tmp_path: Path) -> None:
    layer: Any = diffusers_layer(16, 512, "Q8_0", 5)
    wanted = gguf.quants.dequantize(
        np.asarray(layer.weight.as_tensor()), gguf.GGMLQuantizationType(TYPES["Q8_0"].number)
    )
    holder: Any = nn.Sequential(layer)
    keep_packed(holder)
    # diffusers multiplies in half precision, so do we.
    assert np.abs(holder[0].weight.numpy() - wanted).max() <= np.abs(wanted).max() * 2**-10
