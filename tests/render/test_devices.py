"""Devices by name, and memory that runs out."""

from __future__ import annotations

import psutil
import pytest
import torch

from model.errors import ConfigError, OutOfMemory
from model.render.devices import compute_dtype, memory_errors, memory_of, pick_device
from model.variants import VARIANTS


def test_auto_is_a_device_that_works_and_cpu_is_always_there() -> None:
    assert torch.zeros(1, device=pick_device("auto")).item() == 0
    assert pick_device("cpu") == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_an_absent_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="--device: cuda is not available here; use auto"):
        pick_device("cuda")


def test_real_exhaustion_becomes_out_of_memory() -> None:
    with pytest.raises(OutOfMemory, match="cpu is out of memory"), memory_errors("cpu"):
        torch.empty(2**60, dtype=torch.uint8)


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shape"), memory_errors("cpu"):
        torch.zeros(2).view(3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_computed_in(variant: str) -> None:
    """float32 where half precision is slow or was not trained; Flux overflows in float16."""
    assert compute_dtype("cpu", VARIANTS[variant]) == torch.float32
    half = {"starter": torch.float32, "sd15": torch.float16, "sdxl": torch.float16}
    for device in ("cuda", "mps"):
        assert compute_dtype(device, VARIANTS[variant]) == half.get(
            variant.removesuffix("plus"), torch.bfloat16
        )


def test_a_cpus_memory_is_what_is_free_here() -> None:
    free, host, bfloat16 = memory_of("cpu")
    assert free == host
    assert 0 < free <= psutil.virtual_memory().total
    assert bfloat16


@pytest.mark.gpu
def test_a_cards_memory_is_its_own() -> None:
    before, host, _ = memory_of("cuda")
    taken = torch.ones(2**28, dtype=torch.uint8, device="cuda")
    assert memory_of("cuda")[0] <= before - taken.numel()
    assert before <= torch.cuda.get_device_properties(0).total_memory
    assert host <= psutil.virtual_memory().total


@pytest.mark.gpu
def test_a_card_that_is_full_is_out_of_memory() -> None:
    with pytest.raises(OutOfMemory, match="cuda is out of memory"), memory_errors("cuda"):
        torch.empty(2**50, dtype=torch.uint8, device="cuda")
