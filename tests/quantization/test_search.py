"""Search: never worse than ggml's own encoder, plain or weighted; what must not matter does not."""

from __future__ import annotations

from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quantization import kquants
from quantization.gguf_source import GgufSource
from quantization.kquants import encode
from quantization.levels import TYPES, BlockType
from tests.chance import examples
from tests.quantization import ggml
from tests.quantization.tensors import DISTRIBUTIONS, STARTER, starter_tensors

SEARCHED = [kind for kind in TYPES.values() if kind.weighted]


def rmse(data: Any, kind: BlockType, values: torch.Tensor, importance: torch.Tensor | None = None) -> float:
    decoded = torch.from_numpy(
        gguf.quants.dequantize(np.asarray(data), gguf.GGMLQuantizationType(kind.number))
    )
    squares = (decoded.double() - values.double()).square()
    if importance is not None:
        squares = squares * importance
    return float(squares.mean().sqrt())


@pytest.fixture(scope="module")
def importance() -> torch.Tensor:
    """Of columns, over a range of forty, as activations have it."""
    return torch.rand(1024, generator=torch.Generator().manual_seed(5)).square() + 0.025


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("kind", SEARCHED, ids=lambda kind: kind.name)
def test_error_is_at_most_ggmls(kind: BlockType, distribution: str, importance: torch.Tensor) -> None:
    values = DISTRIBUTIONS[distribution](128, 1024)
    ours, theirs = encode(values, kind), ggml.encode(values.numpy(), kind)
    assert rmse(ours, kind, values) <= rmse(theirs, kind, values)
    ours = encode(values, kind, importance=importance)
    theirs = ggml.encode(values.numpy(), kind, importance.numpy())
    assert rmse(ours, kind, values, importance) <= rmse(theirs, kind, values, importance)


@pytest.mark.parametrize("kind", SEARCHED, ids=lambda kind: kind.name)
def test_error_on_the_starter_is_at_most_ggmls(kind: BlockType) -> None:
    for name, values in starter_tensors(GgufSource(STARTER), most=3):
        ours, theirs = encode(values, kind), ggml.encode(values.numpy(), kind)
        assert rmse(ours, kind, values) <= rmse(theirs, kind, values), name


@pytest.mark.parametrize("kind", SEARCHED, ids=lambda kind: kind.name)
def test_importance_lowers_the_error_where_it_is_high(kind: BlockType, importance: torch.Tensor) -> None:
    values = DISTRIBUTIONS["gauss"](64, 1024)
    weighted, plain = encode(values, kind, importance=importance), encode(values, kind)
    assert rmse(weighted, kind, values, importance) < rmse(plain, kind, values, importance)


@pytest.mark.parametrize("kind", SEARCHED, ids=lambda kind: kind.name)
def test_threads_and_types_do_not_matter(kind: BlockType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kquants, "_PIECE", 5 * 256)
    values = DISTRIBUTIONS["laplace"](16, 512).bfloat16()
    importance = torch.linspace(0.1, 2, 512)
    whole = encode(values, kind, importance=importance)
    assert torch.equal(whole, encode(values.float(), kind, importance=importance))
    monkeypatch.setattr(kquants, "_PIECE_SHARED", 256)
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found = encode(values, kind, importance=importance)
            assert torch.equal(found, encode(values, kind, importance=importance)), threads
            # Pieces of other lengths: a sum may round otherwise, no more.
            assert (found != whole).float().mean() < 0.01, threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", SEARCHED, ids=lambda kind: kind.name)
def test_importance_goes_to_the_columns_of_every_piece(
    kind: BlockType, importance: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = DISTRIBUTIONS["gauss"](8, 1024)
    whole = encode(values, kind, importance=importance)
    monkeypatch.setattr(kquants, "_PIECE", 3 * 256)
    monkeypatch.setattr(kquants, "_PIECE_SHARED", 3 * 256)
    pieces = encode(values, kind, importance=importance)
    # Sums in another order may tip a balance; importance in the wrong columns would tip them all.
    assert float((whole == pieces).double().mean()) > 0.98


@pytest.mark.parametrize("kind", SEARCHED, ids=lambda kind: kind.name)
@given(data=st.data())
@settings(max_examples=examples(25), deadline=None)
def test_any_weights_are_held_to_their_range(kind: BlockType, data: st.DataObject) -> None:
    values = data.draw(arrays(np.float32, (2, 256), elements=st.floats(-1e4, 1e4, width=32)))
    decoded = gguf.quants.dequantize(
        encode(torch.from_numpy(values), kind).numpy(), gguf.GGMLQuantizationType(kind.number)
    )
    assert np.isfinite(decoded).all()
    # Zeros are always at hand, so no superblock may be worse than them.
    squares = np.square(decoded.astype(np.float64) - values).sum(1)
    assert (squares <= np.square(values.astype(np.float64)).sum(1) * (1 + 1e-6) + 1e-12).all()


@pytest.mark.parametrize("kind", SEARCHED, ids=lambda kind: kind.name)
@pytest.mark.parametrize("value", [1e-4, -1e-4, 1e-5, -1e-5, 1e-6, -1e-6])
def test_a_weight_too_small_for_half_precision_does_not_move_its_neighbours(
    kind: BlockType, value: float
) -> None:
    values = torch.zeros(1, 256)
    values[0, 0] = value
    decoded = gguf.quants.dequantize(encode(values, kind).numpy(), gguf.GGMLQuantizationType(kind.number))
    assert np.square(decoded.astype(np.float64) - values.numpy()).sum() <= value**2 * (1 + 1e-6)


@pytest.mark.parametrize("kind", SEARCHED, ids=lambda kind: kind.name)
@pytest.mark.parametrize("value", [0.0, 0.7, -0.7])
def test_constant_weights_stay_constant(kind: BlockType, value: float) -> None:
    decoded = gguf.quants.dequantize(
        encode(torch.full((1, 512), value), kind).numpy(), gguf.GGMLQuantizationType(kind.number)
    )
    np.testing.assert_allclose(decoded, value, rtol=1e-3)


def test_unusable_weights_are_refused() -> None:
    kind = TYPES["Q4_K"]
    for broken in (float("nan"), float("inf"), -float("inf")):
        values = torch.zeros(2, 256)
        values[1, 3] = broken
        with pytest.raises(ValueError, match="not finite"):
            encode(values, kind)
    with pytest.raises(ValueError, match="no multiple"):
        encode(torch.zeros(2, 192), kind)
    with pytest.raises(ValueError, match="no use"):
        encode(torch.zeros(2, 256), TYPES["Q8_0"], importance=torch.ones(256))
    with pytest.raises(ValueError, match="columns"):
        encode(torch.zeros(2, 256), kind, importance=torch.ones(255))
    with pytest.raises(ValueError, match="positive"):
        encode(torch.zeros(2, 256), kind, importance=torch.zeros(256))
