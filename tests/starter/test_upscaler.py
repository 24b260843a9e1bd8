"""The starter's upscaler: better than Lanczos, faithful to colours, and its training learns and resumes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model.render.upscale import Upscaler, open_upscaler
from model.render.weights import STARTER
from scripts.starter import train_upscaler
from scripts.starter.course import Course
from scripts.starter.export import export_upscaler
from scripts.starter.sharp import FACTOR, Recolouring, render_large, tensor
from scripts.starter.train_upscaler import fresh_upscaler, lanczos, psnr
from scripts.starter.vae import fresh_vae
from scripts.starter.world import Scene, render

FIRST_SEED = 950_000_000  # of no training
PANELS = 6
LEAST_GAIN = 3.0  # dB


@pytest.fixture(scope="module")
def starter() -> Upscaler:
    return open_upscaler(STARTER / "upscaler" / "model.safetensors")


def scene(number: int) -> Scene:
    rng = random.Random(FIRST_SEED + number)
    return Scene.random(rng, 256, 256, ink=number % 5 == 4)


def test_fresh_drawn_panels_gain_over_lanczos(starter: Upscaler) -> None:
    gains: list[float] = []
    for number in range(PANELS):
        small, large = render(scene(number)), render_large(scene(number))
        made = starter.enlarge([Image.fromarray(small)])[0]
        assert made.size == (1024, 1024)
        gains.append(psnr(np.asarray(made), large) - psnr(lanczos(small), large))
    assert np.mean(gains) >= LEAST_GAIN, gains
    assert min(gains) > 1


@pytest.mark.parametrize(
    "colour", ["#ffffff", "#000000", "#808080", "#ff0000", "#00c8ff", "#fbd9c0", "#203010"]
)
def test_a_flat_picture_stays_flat(starter: Upscaler, colour: str) -> None:
    made = starter.enlarge([Image.new("RGB", (40, 40), colour)], 160)[0]
    flat = np.asarray(Image.new("RGB", made.size, colour), np.int16)
    assert np.abs(np.asarray(made, np.int16) - flat).max() <= 2


def test_tiles_leave_no_seams(starter: Upscaler) -> None:
    picture = Image.fromarray(render(scene(0)))
    whole = np.asarray(starter.enlarge([picture])[0], np.int16)
    tiled = np.asarray(starter.enlarge([picture], side=128)[0], np.int16)
    assert np.abs(whole - tiled).max() <= 1


def test_the_large_panel_is_the_small_one_drawn_larger() -> None:
    for number in (0, 4):
        small, large = render(scene(number)), Image.fromarray(render_large(scene(number)))
        averaged = np.asarray(large.resize((256, 256), Image.Resampling.BOX))
        assert psnr(averaged, small) > 27  # smoothed outlines and dots are not the mean of their parts


def test_recolouring_is_the_same_for_small_and_large() -> None:
    colours = tensor(np.random.default_rng(0).integers(0, 256, (8, 1, 4, 3), dtype=np.uint8))
    recolour = Recolouring(np.random.default_rng(1), 8)
    small, large = recolour(colours), recolour(colours.repeat_interleave(4, -1))
    assert torch.equal(small.repeat_interleave(4, -1), large)
    assert 0 <= small.min() < small.max() <= 1
    assert 0 < sum(not torch.equal(a, b) for a, b in zip(small, colours, strict=True)) < 8


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Small parts of panels, and the same with each pixel repeated and its light and dark exchanged."""
    small = tensor(np.stack([render(scene(number))[96:128, 96:128] for number in range(2)]))
    return small, 1 - small.repeat_interleave(FACTOR, -1).repeat_interleave(FACTOR, -2)


def test_it_learns_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    small, large = batch()
    torch.manual_seed(0)
    first = train_upscaler.Training(fresh_upscaler(16, 2))
    losses = [first.step(small, large, 5e-3) for _ in range(30)]
    assert losses[-1] < 0.7 * losses[0]
    Course(tmp_path, 1).save(optimizer=first.optimizer.state())
    state = Course(tmp_path, 1).load()
    assert state is not None
    second = train_upscaler.Training(fresh_upscaler(16, 2))
    second.optimizer.restore(state["optimizer"])
    assert second.step(small, large, 1e-3) == pytest.approx(first.step(small, large, 1e-3), rel=1e-4)


def test_the_command_resumes_and_what_it_writes_loads_as_anyones(tmp_path: Path) -> None:
    fresh_vae((4, 4, 4, 4, 4)).save_pretrained(tmp_path / "vae")
    small = ["--batch", "1", "--panels", "2", "--held_out", "1", "--out", str(tmp_path / "out")]
    small += ["--vae", str(tmp_path / "vae")]
    assert train_upscaler.main([*small, "--steps", "1"]) == 0
    assert train_upscaler.main([*small, "--steps", "2"]) == 0
    lines = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert [line["steps"] for line in lines] == [1, 2]
    assert {"gain_drawn", "gain_redrawn", "gain_dreamed"} <= lines[1].keys()
    export_upscaler(tmp_path / "out", tmp_path / "model")
    path = tmp_path / "model" / "upscaler" / "model.safetensors"
    assert path.stat().st_size < 1.5e6
    exported = open_upscaler(path)
    assert (exported.architecture, exported.scale) == ("RealESRGAN Compact", FACTOR)
    assert exported.enlarge([Image.new("RGB", (20, 10))], 80)[0].size == (80, 40)
