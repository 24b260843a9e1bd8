"""Crops never lose a part of the figure, whatever its place, shape and paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.geometry import Box
from model.vision.crop import crop_box, cut_out, masked

PAPER, INK = (236, 230, 214), (180, 40, 60)
SHADES = st.tuples(*[st.integers(0, 255)] * 3)


def drawn(
    size: tuple[int, int], figure: tuple[int, int, int, int], paper: tuple[int, int, int] = PAPER
) -> Image.Image:
    picture = Image.new("RGB", size, paper)
    ImageDraw.Draw(picture).rectangle(figure, fill=INK)
    return picture


def count(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(picture) == colour).all(axis=2).sum())


@given(data=st.data(), width=st.integers(24, 120), height=st.integers(24, 120))
def test_a_figure_inside_is_kept_whole_and_little_else(data: st.DataObject, width: int, height: int) -> None:
    left, top = data.draw(st.integers(1, width - 12)), data.draw(st.integers(1, height - 12))
    right, bottom = data.draw(st.integers(left + 6, width - 2)), data.draw(st.integers(top + 6, height - 2))
    picture = drawn((width, height), (left, top, right, bottom))
    cut = cut_out(picture)
    assert cut.mode == "RGB"
    assert cut.width == cut.height
    assert count(cut, INK) == count(picture, INK)
    assert cut.width == round(max(right - left + 1, bottom - top + 1) * 1.12)
    assert count(cut, INK) + count(cut, PAPER) == cut.width * cut.height


@given(paper=SHADES.filter(lambda shade: max(abs(a - b) for a, b in zip(shade, INK, strict=True)) > 40))
def test_the_paper_keeps_its_colour(paper: tuple[int, int, int]) -> None:
    cut = cut_out(drawn((60, 80), (20, 10, 40, 70), paper))
    assert cut.getpixel((0, 0)) == paper
    assert cut.getpixel((cut.width - 1, cut.height - 1)) == paper


def test_a_figure_that_stands_on_the_lower_rim_is_kept_whole() -> None:
    picture = drawn((80, 80), (30, 5, 50, 79))
    assert count(cut_out(picture), INK) == count(picture, INK)


def test_two_parts_of_a_figure_are_both_kept() -> None:
    picture = drawn((100, 100), (10, 10, 20, 90))
    ImageDraw.Draw(picture).rectangle((80, 40, 90, 50), fill=INK)
    assert count(cut_out(picture), INK) == count(picture, INK)


def test_specks_do_not_count_as_the_figure() -> None:
    picture = drawn((100, 100), (40, 40, 60, 60))
    for place in ((3, 3), (95, 50), (50, 97)):
        picture.putpixel(place, (0, 0, 0))
    assert cut_out(picture).size == (24, 24)  # 21 and a margin


@given(width=st.integers(5, 90), height=st.integers(5, 90), noise=st.integers(0, 12), seed=st.integers(0, 9))
def test_a_picture_without_a_figure_comes_back_whole(width: int, height: int, noise: int, seed: int) -> None:
    grain = np.random.default_rng(seed).integers(-noise, noise + 1, (height, width, 3))
    picture = Image.fromarray((grain + 200).astype(np.uint8))
    cut = cut_out(picture)
    side = max(width, height)
    assert cut.size == (side, side)
    left, top = (side - width) // 2, (side - height) // 2
    assert np.array_equal(np.asarray(cut.crop((left, top, left + width, top + height))), np.asarray(picture))


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK"])
def test_any_mode_of_picture_is_cut_out(mode: str) -> None:
    cut = cut_out(drawn((60, 60), (20, 20, 40, 40), (255, 255, 255)).convert(mode))
    assert (cut.mode, cut.size) == ("RGB", (24, 24))


@given(x=st.floats(-0.5, 1.5), y=st.floats(-0.5, 1.5), width=st.floats(0, 1.5), height=st.floats(0, 1.5))
def test_a_box_is_cropped_to_a_white_square(x: float, y: float, width: float, height: float) -> None:
    picture = Image.new("RGB", (40, 30), INK)
    box = Box(x, y, width, height)
    left, top, right, bottom = box.pixels(40, 30)
    wide, tall = right - left, bottom - top
    if not (wide > 0 and tall > 0):
        wide, tall = picture.size
    cut = crop_box(picture, box)
    assert cut.size == (max(wide, tall),) * 2
    assert count(cut, INK) == wide * tall
    assert count(cut, INK) + count(cut, (255, 255, 255)) == cut.width * cut.height


def test_a_crop_shows_what_stood_in_the_box() -> None:
    picture = Image.new("RGB", (40, 40), "white")
    picture.paste(Image.new("RGB", (10, 20), INK), (10, 20))
    cut = crop_box(picture, Box(0.25, 0.5, 0.25, 0.5))
    assert cut.size == (20, 20)
    assert count(cut, INK) == 200
    assert cut.getpixel((10, 0)) == INK


@given(data=st.data(), width=st.integers(1, 60), height=st.integers(1, 60), seed=st.integers(0, 99))
@settings(deadline=None)
def test_a_masked_figure_is_whole_alone_and_in_the_middle(
    data: st.DataObject, width: int, height: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 200, (height, width, 3), np.uint8)  # darker than paper, so that it can be told
    mask: NDArray[np.bool_] = rng.random((height, width)) < data.draw(st.sampled_from([0.02, 0.3, 1.0]))
    mask[data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] = True
    cut = masked(Image.fromarray(pixels), mask, Box(0, 0, 1, 1))
    rows, columns = np.flatnonzero(mask.max(axis=1)), np.flatnonzero(mask.max(axis=0))
    tall, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    assert cut.mode == "RGB"
    assert cut.size == (max(tall, wide),) * 2
    square = np.asarray(cut)
    shown: NDArray[np.bool_] = np.asarray(square.min(axis=2) < 250)
    assert np.array_equal(square[shown], pixels[mask])
    assert (square[~shown] == 255).all()
    places = np.argwhere(shown)
    top, left = places.min(axis=0)
    assert (left, top) == ((cut.width - wide) // 2, (cut.height - tall) // 2)
    clear = masked(Image.fromarray(pixels), mask, Box(0, 0, 1, 1), transparent=True)
    assert clear.mode == "RGBA"
    assert np.array_equal(np.asarray(clear)[..., 3] == 255, shown)
    assert np.array_equal(np.asarray(clear)[..., :3], square)


def test_without_a_mask_the_box_is_shown() -> None:
    picture = drawn((40, 30), (10, 10, 19, 19))
    box, nothing = Box(0.25, 0.3, 0.5, 0.5), np.zeros((30, 40), bool)
    assert masked(picture, nothing, box).tobytes() == crop_box(picture, box).tobytes()
    assert masked(picture, nothing, box, transparent=True).mode == "RGBA"


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(40, 30\)"):
        masked(Image.new("RGB", (40, 30)), np.ones((40, 30), bool), Box(0, 0, 1, 1))
