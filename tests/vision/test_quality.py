"""The limit on crops that may be offered: whole sharp figures of the drawn world pass, spoilt ones do not."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from model.geometry import Box
from model.vision.crop import masked
from model.vision.quality import LEAST, Quality, quality, sharpness
from scripts.starter.judge.scenes import make_scene
from scripts.starter.world.reference import reference
from scripts.starter.world.scene import render
from scripts.starter.world.truth import ground_truth

SIDE = 128
SCENES = range(9_000_000, 9_000_030)  # seeds that nothing was trained on
PASS, SPOILT = 0.99, 0.02
FREE = 0.6  # of a figure's box, that neighbours' boxes leave; below that it is a spoilt one


@pytest.fixture(scope="module")
def crops() -> list[tuple[Image.Image, Image.Image, Box, list[Box]]]:
    """Crop, reference, box and neighbours of every figure in some drawn scenes, colour and ink."""
    found: list[tuple[Image.Image, Image.Image, Box, list[Box]]] = []
    for seed in SCENES:
        scene = make_scene(seed, 256, 256)
        picture, truths = Image.fromarray(render(scene)), ground_truth(scene)
        for index, (figure, truth) in enumerate(zip(scene.figures, truths, strict=True)):
            shown = Image.fromarray(
                np.asarray(reference(figure.identity, random.Random(seed), ink=scene.ink))
            )
            others = [other.box for other in truths[:index] + truths[index + 1 :]]
            found.append((masked(picture, truth.mask, truth.box), shown, truth.box, others))
    assert len(found) >= 40
    return found


def weigh(crop: Image.Image, shown: Image.Image, box: Box, others: list[Box]) -> Quality:
    return quality(crop, shown, box=box, neighbours=others, overlap=1.0, side=SIDE)


def test_whole_sharp_figures_pass(crops: list[tuple[Image.Image, Image.Image, Box, list[Box]]]) -> None:
    found = [one for one in (weigh(*crop) for crop in crops) if one.free >= FREE]
    assert len(found) >= 0.9 * len(crops)
    assert np.mean([one.value >= LEAST for one in found]) >= PASS


@pytest.mark.parametrize("spoil", ["blur", "tiny", "covered"])
def test_spoilt_figures_do_not(
    spoil: str, crops: list[tuple[Image.Image, Image.Image, Box, list[Box]]]
) -> None:
    passed: list[bool] = []
    for crop, shown, box, others in crops:
        if spoil == "blur":
            crop = crop.resize((SIDE, SIDE)).filter(ImageFilter.GaussianBlur(2))
        elif spoil == "tiny":
            crop = crop.resize((SIDE // 3, SIDE // 3))
        else:
            others = [replace(box, width=box.width * 0.5)]
        passed.append(weigh(crop, shown, box, others).value >= LEAST)
    assert np.mean(passed) <= SPOILT


def test_a_crop_somewhere_else_is_held_down_by_its_place() -> None:
    found = Quality(place=0.2, free=1.0, size=1.0, sharpness=0.9)
    assert (found.value, found.weakest) == (0.2, "place")


@given(level=st.integers(0, 255), width=st.integers(1, 40), height=st.integers(1, 40))
def test_a_plain_picture_is_not_sharp_and_no_number_is_lost(level: int, width: int, height: int) -> None:
    plain = Image.new("RGB", (width, height), (level, level, level))
    assert sharpness(plain) == 0.0
    found = quality(plain, plain, box=Box(0, 0, 0, 0), neighbours=[Box(0, 0, 1, 1)], overlap=0.0, side=SIDE)
    assert 0.0 <= found.value <= 1.0


@given(seed=st.integers(0, 2**32 - 1))
def test_blurring_takes_sharpness_away(seed: int) -> None:
    noise = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64), np.uint8))
    assert 0.0 <= sharpness(noise.filter(ImageFilter.GaussianBlur(2))) < sharpness(noise) <= 1.0
