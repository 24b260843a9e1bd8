"""What training is made of: times, precision, turns of batches, drawing with it, the stages of the whole."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.starter import precision, train
from scripts.starter.blocks import FastFlux
from scripts.starter.feeder import Turns, feed, seeded
from scripts.starter.network import Starter
from scripts.starter.patches import Critic
from scripts.starter.pool import SHAPES
from scripts.starter.sample import Recipe, draw
from scripts.starter.scenes import Scenes
from scripts.starter.times import BAND, training_times
from scripts.starter.train_flux import Clock, learning_rate
from tests.starter.test_flux_training import small_text, small_transformer


@given(st.integers(1, 400), st.floats(0.5, 4))
@settings(max_examples=30, deadline=None)
def test_times_are_within_and_half_of_them_in_the_band(size: int, shift: float) -> None:
    times = training_times(size, shift=shift)
    assert times.shape == (size,)
    assert ((times > 0) & (times < 1)).all()
    inside = ((times >= BAND[0]) & (times <= BAND[1])).sum()
    assert inside >= size // 2


def test_precision_is_measured_or_as_asked() -> None:
    dtype, why = precision.chosen("float32", "cpu")
    assert (dtype, why) == (torch.float32, "float32, as asked")
    name, rates = precision.fastest(seconds=0.1)
    assert set(rates) == set(precision.NAMES)
    assert rates[name] == max(rates.values())


def test_the_rate_falls_at_the_planned_end() -> None:
    assert learning_rate(1.0, 1000, 0.0) == learning_rate(1.0, 1000, 0.39) == 1.0
    assert learning_rate(1.0, 0, 0.0) < 0.1
    assert learning_rate(1.0, 1000, 1.0) == pytest.approx(0.04)
    assert learning_rate(1.0, 1000, 1.2) == pytest.approx(0.04), "a last step may come late"


def test_a_clock_with_a_planned_end_knows_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 150.0)
    assert Clock(1.0, until=200.0, begun=100.0).fraction == pytest.approx(0.5)
    assert Clock(0.0).fraction == 1.0


def pool_of(folder: Path) -> Path:
    """A shard of nine scenes, three with each number of characters, of noise."""
    folder.mkdir()
    torch.manual_seed(0)
    names = {
        "hair": "red", "style": "long hair", "eyes": "blue", "outfit": "dress", "color": "green",
        "acc": "none", "expr": "sad", "pose": "waving", "box": (0.1, 0.1, 0.5, 0.8),
        "head": (0.2, 0.1, 0.3, 0.3),
    }  # fmt: skip
    abouts, offset = [], 0
    for index in range(9):
        count, (rows, columns) = 1 + index % 3, list(SHAPES)[index % len(SHAPES)]
        abouts.append(
            {"rows": rows, "columns": columns, "ink": False, "count": count, "frame": "bust", "bg": "beach",
             "characters": [names] * count, "reference": offset}
        )  # fmt: skip
        offset += count
    latents, references = torch.randn(9, 72, 64).half(), torch.randn(offset, 16, 64).half()
    torch.save({"latents": latents, "references": references, "about": abouts}, folder / "shard_00000.pt")
    return folder


def test_every_turn_has_all_numbers_of_characters(tmp_path: Path) -> None:
    pool, fast = pool_of(tmp_path / "pool"), FastFlux(small_transformer(), compiled=False)
    turns = Turns(lambda worker: Scenes(pool, seeded(0, worker), fast, "cpu"), {1: 3, 2: 2, 3: 1})
    turn = next(feed(turns, 0, "cpu"))
    assert [(batch["count"], len(batch["latents"])) for batch in turn] == [(1, 3), (2, 2), (3, 1)]


def test_the_model_in_training_can_draw(tmp_path: Path) -> None:
    starter = Starter(small_transformer(), small_text())
    fast = FastFlux(starter.transformer, compiled=False)
    batch = Scenes(pool_of(tmp_path / "pool"), random.Random(0), fast, "cpu").batch(2, 2, held_out=True)
    torch.manual_seed(1)
    drawn = draw(starter, fast, batch, Recipe(steps=2, restarts=1, again_steps=1))
    assert drawn.shape == batch["latents"].shape
    assert torch.isfinite(drawn).all()
    barely = draw(starter, fast, batch, Recipe(steps=1, guidance=1.0, start=1e-4))
    assert torch.allclose(barely, batch["latents"], atol=0.01)


def test_a_critic_of_patches_learns() -> None:
    torch.manual_seed(0)
    critic, real = Critic(rate=3e-3), torch.rand(4, 3, 32, 32).round() * 2 - 1
    drawn = torch.nn.functional.avg_pool2d(real, 3, 1, 1)
    losses = [critic.learn(drawn, real) for _ in range(40)]
    assert losses[-1] < 0.7 * losses[0]
    assert critic.against(drawn) > critic.against(real), "what is drawn is told from what is real"
    other = Critic()
    other.restore(critic.state())
    assert torch.equal(other.network(real), critic.network(real))


def test_a_stage_is_done_once_and_its_time_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def run(asked: list[str], *, check: bool) -> None:
        calls.append(asked)
        if "broken" in asked:
            raise subprocess.CalledProcessError(1, asked)

    monkeypatch.setattr(train.subprocess, "run", run)
    stages = train.Stages(tmp_path, 10.0)
    stages.run("first", "a.module", "--n", 3)
    assert calls == [[sys.executable, "-m", "a.module", "--n", "3"]]
    with pytest.raises(subprocess.CalledProcessError):
        stages.run("second", "a.module", "broken")
    again = train.Stages(tmp_path, 10.0)
    again.run("first", "a.module", "--n", 3)
    assert len(calls) == 2, "what is done is not done again"
    assert again.left("second", 0.5) < 5.0, "time that went into an interrupted stage counts"
    assert json.loads((tmp_path / "stages.json").read_text(encoding="utf-8"))["done"] == ["first"]
