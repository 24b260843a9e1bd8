"""Advice: what is said to fit does, by its own prediction, and less memory never gets a larger plan."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantization.advise import TYPICAL_ERROR, advice, advise, table, written
from quantization.plans import GB, Canvas, Machine, predict
from quantization.sizes import FULL, MODELS
from tests.chance import examples

models = st.sampled_from(sorted(MODELS)).map(MODELS.__getitem__)
machines = st.builds(
    Machine,
    kind=st.sampled_from(["cuda", "mps", "cpu"]),
    free=st.integers(GB // 2, 120 * GB),
    host=st.integers(GB, 256 * GB),
    bfloat16=st.booleans(),
)
canvases = st.builds(
    Canvas,
    width=st.sampled_from([256, 512, 768, 1024, 1536]),
    height=st.sampled_from([256, 512, 768, 1024]),
    figures=st.integers(0, 8),
    batch=st.sampled_from([1, 2, 4, 8]),
)


@given(model=models, machine=machines, canvas=canvases)
@settings(max_examples=examples(60), deadline=None)
def test_plans_fit_and_each_next_one_is_smaller(model, machine, canvas) -> None:
    plans = advise(model, machine, canvas)
    for plan in plans:
        assert plan.fits == (
            plan.peak <= machine.usable
            and (machine.kind != "cuda" or plan.host <= machine.host - machine.host // 10)
        )
        assert plan.batch <= canvas.batch
        if machine.kind != "cuda":
            assert plan.offload == "none"  # moving within one memory gains nothing
            assert plan.text != "cpu"
    if len(plans) > 1:
        assert all(plan.fits for plan in plans)
    for larger, smaller in itertools.pairwise(plans):
        assert smaller.peak < larger.peak


@given(model=models, machine=machines, canvas=canvases, more=st.integers(1, 64))
@settings(max_examples=examples(60), deadline=None)
def test_more_memory_never_ends_what_fits(model, machine, canvas, more) -> None:
    if advise(model, machine, canvas)[0].fits:
        larger = replace(machine, free=machine.free + more * GB, host=machine.host + more * GB)
        assert advise(model, larger, canvas)[0].fits


@given(model=models, machine=machines, canvas=canvases)
@settings(max_examples=examples(40), deadline=None)
def test_every_saving_saves(model, machine, canvas) -> None:
    # With room for all, so that encoders stay in every plan and are no difference between them.
    machine = replace(machine, free=10**15, host=10**15)
    plain = predict(model, machine, canvas)
    assert predict(model, machine, canvas, tiling=True).decode <= plain.decode
    sizes = [
        predict(model, machine, canvas, offload=way).denoise
        for way in ("none", "model", "group", "sequential")
    ]
    assert sizes == sorted(sizes, reverse=True)
    for level in model.levels:
        packed = predict(model, machine, canvas, level=level)
        assert packed.denoise < plain.denoise
    larger = replace(canvas, width=canvas.width + 256)
    assert predict(model, machine, larger).peak >= plain.peak


def test_a_large_card_takes_the_weights_as_they_are_and_a_small_one_a_level() -> None:
    canvas = Canvas(width=1024, height=1024)
    flux = MODELS["flux-dev"]
    large, middle, small = (
        advise(flux, Machine(kind="cuda", free=size * GB, host=32 * GB), canvas)[0] for size in (80, 16, 6)
    )
    assert (large.level, large.offload) == (FULL, "none")
    assert (middle.level, middle.offload) == ("Q8_0", "none")
    assert small.fits
    assert small.offload == "group"
    # What no machine can do is said, not hidden.
    nothing = advise(flux, Machine(kind="cpu", free=4 * GB, host=4 * GB), canvas)
    assert len(nothing) == 1
    assert not nothing[0].fits


def test_flux_computes_in_bfloat16_and_every_cpu_in_float32() -> None:
    canvas = Canvas(width=512, height=512)
    found = [
        advise(MODELS["sd15"], Machine(kind=kind, free=16 * GB, host=16 * GB, bfloat16=half), canvas)[0].dtype
        for kind, half in (("cuda", True), ("cuda", False), ("mps", True), ("cpu", True))
    ]
    assert found == ["float16", "float16", "float16", "float32"]
    flux = advise(MODELS["flux-dev"], Machine(kind="cuda", free=16 * GB, host=16 * GB), canvas)[0]
    assert flux.dtype == "bfloat16"
    assert len({advice(Machine(kind=kind, free=1, host=1)) for kind in ("cuda", "mps", "cpu")}) == 3


def test_the_table_has_a_row_a_level_with_what_was_measured() -> None:
    machine = Machine(kind="cuda", free=12 * GB, host=32 * GB)
    rows = table(MODELS["flux-dev"], machine, Canvas(width=1024, height=1024), measured={"Q4_K_S": 0.0690})
    assert [row.level for row in rows] == [FULL, "Q8_0", "Q6_K", "Q5_K_S", "Q4_K_S", "Q3_K_S", "Q2_K"]
    assert [row.file for row in rows] == sorted((row.file for row in rows), reverse=True)
    assert [row.error for row in rows] == sorted(row.error for row in rows)
    assert [row.level for row in rows if row.measured] == ["Q4_K_S"]
    lines = written(rows).splitlines()
    assert len(lines) == 1 + len(rows)
    assert "0.0690" in lines[5]
    assert f"~{TYPICAL_ERROR['Q2_K']:.3f}" in lines[7]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_sizes_of_files_are_those_that_people_know(name: str) -> None:
    gigabytes = {"flux": 23.8, "sdxl": 5.13, "sd15": 1.72, "star": 0.0363}
    assert MODELS[name].denoiser.file_bytes(FULL) / GB == pytest.approx(gigabytes[name[:4]], rel=0.01)
    if name == "flux-dev":  # published files: 12.7, 9.86, 8.29, 6.81 GB
        levels = {"Q8_0": 12.7, "Q6_K": 9.86, "Q5_K_S": 8.29, "Q4_K_S": 6.81}
        for level, size in levels.items():
            assert MODELS[name].denoiser.file_bytes(level) / GB == pytest.approx(size, rel=0.01)
