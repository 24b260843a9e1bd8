"""Nothing is measured on scenes that any training drew, and the judge shares none with anybody."""

from __future__ import annotations

from itertools import pairwise

import pytest

from model.errors import ConfigError
from scripts.bench import control, held_out, upscale
from scripts.starter import pool, train_clip, train_detector, train_segmenter, train_upscaler, train_vae
from scripts.starter.judge import scenes

# First seeds. Trainings count up, each has room for more than it will ever draw.
TRAINED = {
    "drawer": (pool.TRAINING_SEEDS, 20_000_000),
    "vae": (train_vae.FIRST_SEED, 10_000_000),
    "clip": (train_clip.FIRST_SEED, 10_000_000),
    "segmenter": (train_segmenter.FIRST_SEED, 10_000_000),
    "upscaler": (train_upscaler.FIRST_SEED, 10_000_000),
    "detector": (train_detector.FIRST_SEED, 100_000_000),
    "judge": (scenes.TRAINING_SEEDS, 500_000_000),
}
MEASURED = {
    "drawer": (pool.HELD_OUT_SEEDS, 100_000_000),
    "vae": (train_vae.HELD_OUT_SEED, 10_000_000),
    "clip": (train_clip.HELD_OUT_SEED, 10_000_000),
    "segmenter": (train_segmenter.HELD_OUT_SEED, 10_000_000),
    "upscaler": (train_upscaler.HELD_OUT_SEED, 10_000_000),
    "detector": (train_detector.HELD_OUT_SEED, 100_000_000),
    "judge": (scenes.HELD_OUT_SEEDS, 500_000_000),
    "bench of the upscaler": (upscale.FIRST_SEED, 10_000_000),
    "bench of control": (control.SEEDS, 100_000_000),
    "bench of the starter": (held_out.SEEDS, held_out.NEAR * held_out.RANGE),
    "bench of the starter, far ranges": (
        held_out.first_seed(held_out.NEAR),
        (held_out.RANGES - held_out.NEAR) * held_out.RANGE,
    ),
}


def meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[0] + other[1] and other[0] < one[0] + one[1]


@pytest.mark.parametrize("measured", MEASURED)
def test_what_is_measured_was_never_trained_on(measured: str) -> None:
    assert [name for name, span in TRAINED.items() if meet(span, MEASURED[measured])] == []


def test_the_judge_learns_from_scenes_of_its_own() -> None:
    others = {name: span for name, span in TRAINED.items() if name != "judge"}
    assert [name for name, span in others.items() if meet(span, TRAINED["judge"])] == []


@pytest.mark.parametrize("name", ["bench of the starter", "bench of the starter, far ranges"])
def test_the_bench_has_scenes_of_its_own(name: str) -> None:
    bench = MEASURED[name]
    others = {name: span for name, span in MEASURED.items() if span != bench}
    assert [name for name, span in others.items() if meet(span, bench)] == []


@pytest.mark.parametrize("number", [-1, held_out.RANGES])
def test_bench_refuses_ranges_that_are_not_its_own(number: int) -> None:
    with pytest.raises(ConfigError, match="use 0 to 1000000"):
        held_out.held_out_panels(1, number)


@pytest.mark.parametrize("number", [0, 39, 40, 4711, 1_000_000])
def test_bench_has_a_million_ranges(number: int) -> None:
    assert held_out.held_out_panels(2, number) != held_out.held_out_panels(2, number - 1 if number else 1)
    cast, panels = held_out.cast_panels(1, number)
    assert len(cast) == held_out.MEMBERS
    assert panels


def test_measurements_within_a_range_do_not_meet() -> None:
    starts = [held_out.PANELS, held_out.CAST, held_out.DRAWN, held_out.JUDGED, held_out.RANGE]
    assert all(later - earlier >= 1_000_000 for earlier, later in pairwise(starts))
