"""Guide latents: where figures are put, and how far they pull."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from model.geometry import Box
from model.render.guide import PAPER, Guide, covered, cut_figure, place_figures
from tests.render.sd_checkpoints import OLD_ARRAYS

pytestmark = OLD_ARRAYS


def figure(size: tuple[int, int], colour: str = "red") -> Image.Image:
    return Image.new("RGBA", size, colour)


def on_paper(paper: str = "white") -> Image.Image:
    """A red block of 10 × 20 pixels, not in the middle of a square."""
    drawn = Image.new("RGB", (40, 40), paper)
    ImageDraw.Draw(drawn).rectangle((5, 10, 14, 29), fill="red")
    return drawn


@pytest.mark.parametrize("paper", ["white", "black", "lightblue"])
def test_a_figure_is_cut_out_along_its_paper(paper: str) -> None:
    cut = cut_figure(on_paper(paper))
    assert cut.size == (10, 20)
    assert cut.getextrema() == ((255, 255), (0, 0), (0, 0), (255, 255))


@pytest.mark.parametrize("size", [64, 900])
def test_white_clothes_on_white_paper_are_part_of_the_figure(size: int) -> None:
    drawn = Image.new("RGB", (size, size), "white")
    edge = (size // 4, size // 8, 3 * size // 4, 7 * size // 8)
    ImageDraw.Draw(drawn).rectangle(edge, fill="white", outline="black", width=size // 32)
    cover = np.asarray(cut_figure(drawn).getchannel("A"))
    assert (cover > 0).mean() > 0.95
    # What is open to the outside is paper, however deep it reaches in.
    ImageDraw.Draw(drawn).rectangle((size // 2, 0, size // 2 + size // 16, size // 2), fill="white")
    assert np.asarray(cut_figure(drawn).getchannel("A"))[size // 3, size // 4] == 0


def test_transparency_says_where_the_figure_is() -> None:
    picture = on_paper().convert("RGBA")
    picture.putalpha(Image.new("L", picture.size))
    picture.paste(figure((6, 8)), (20, 4))
    assert cut_figure(picture).size == (6, 8)


def test_a_picture_without_a_figure_stays_whole() -> None:
    assert cut_figure(Image.new("RGB", (30, 20), "white")).size == (30, 20)


def test_figures_stand_on_the_floor_of_their_boxes_unstretched() -> None:
    panel, cover = place_figures(64, 32, [(Box(0.5, 0.0, 0.5, 1.0), figure((10, 20)))])
    assert panel.size == cover.size == (64, 32)
    # 10 × 20 in a box of 32 × 32: 16 × 32, in its middle.
    assert cover.getbbox() == (40, 0, 56, 32)
    assert panel.getpixel((48, 16)) == (255, 0, 0)
    assert panel.getpixel((2, 2)) == PAPER
    _, cover = place_figures(64, 64, [(Box(0.0, 0.0, 0.5, 1.0), figure((20, 10)))])
    assert cover.getbbox() == (0, 48, 32, 64)


def test_later_figures_stand_in_front() -> None:
    whole = Box(0.0, 0.0, 1.0, 1.0)
    panel, _ = place_figures(8, 8, [(whole, figure((4, 4))), (whole, figure((4, 4), "blue"))])
    assert panel.getpixel((4, 4)) == (0, 0, 255)


def test_a_figure_covers_its_own_box_and_no_one_elses() -> None:
    cover = Image.new("L", (64, 64), 255)
    boxes = [Box(0.0, 0.0, 0.75, 1.0), Box(0.5, 0.0, 0.5, 1.0)]
    for mine, expected in (((True, False), 32), ((False, True), 32), ((True, True), 64), ((False, False), 0)):
        assert int(covered(cover, boxes, mine, 8, 8).sum()) == expected
    half = Image.new("L", (64, 64))
    half.paste(255, (0, 0, 64, 35))
    assert covered(half, boxes, (True, True), 8, 8)[0].any(1).tolist() == [True] * 4 + [False] * 4


@given(
    st.tuples(*(st.floats(0, 1, width=32),) * 4),
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
)
def test_any_box_takes_any_figure(box: tuple[float, ...], size: tuple[int, int]) -> None:
    panel, cover = place_figures(32, 24, [(Box(*box), figure(size))])
    left, top, right, bottom = Box(*box).pixels(32, 24)
    found = cover.getbbox()
    if found is not None:
        assert left <= found[0] < found[2] <= right
        assert top <= found[1] < found[3] <= bottom
    assert panel.size == cover.size


SCHEDULERS = (EulerDiscreteScheduler, DDIMScheduler, DPMSolverMultistepScheduler)


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_a_guide_pulls_in_its_cells_for_a_third_of_the_steps(kind: Any) -> None:
    scheduler: Any = kind(steps_offset=1)
    scheduler.set_timesteps(30)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    where = torch.zeros(1, 1, 8, 8)
    where[..., :4] = 1
    guide = Guide(latents=torch.full((1, 4, 8, 8), 3.0), where=where)
    plain = noise * scheduler.init_noise_sigma
    started = guide.start(noise, scheduler)
    assert torch.equal(started[..., 4:], plain[..., 4:])
    assert (started - plain)[..., :4].abs().min() > 1e-3
    pulls: list[float] = []
    for done in range(1, 30):
        there = scheduler.add_noise(guide.latents, noise, scheduler.timesteps[done : done + 1])
        mixed = guide.mix(plain, noise, scheduler, done)
        assert torch.equal(mixed[..., 4:], plain[..., 4:])
        share = (mixed - plain)[..., :4] / (there - plain)[..., :4]
        pulls.append(float(np.median(share)))
    assert pulls[:9] == sorted(pulls[:9], reverse=True)
    assert pulls[0] > 0.1
    assert pulls[8] > 0
    assert pulls[9:] == [0.0] * 20
