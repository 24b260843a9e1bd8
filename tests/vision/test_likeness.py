"""PSNR and SSIM against what they are by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from model.vision.likeness import psnr, ssim


def picture(values: object) -> Image.Image:
    return Image.fromarray(np.asarray(values, dtype=np.uint8))


def test_equal_pictures_are_alike() -> None:
    noise = picture(np.random.default_rng(0).integers(0, 256, (32, 24, 3)))
    assert psnr(noise, noise) == math.inf
    assert ssim(noise, noise) == pytest.approx(1)


def test_a_shift_of_five_levels_is_34_decibels_and_hardly_changes_structure() -> None:
    grey = np.random.default_rng(1).integers(40, 200, (32, 32, 1)).repeat(3, 2)
    assert psnr(picture(grey), picture(grey + 5)) == pytest.approx(10 * math.log10(255**2 / 25))
    assert ssim(picture(grey), picture(grey + 5)) > 0.99


def test_flat_pictures_have_the_similarity_of_their_means() -> None:
    one, other = picture(np.full((16, 16, 3), 100)), picture(np.full((16, 16, 3), 150))
    c1 = 2.55**2
    assert ssim(one, other) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), abs=1e-6)


def test_more_noise_is_less_alike() -> None:
    random = np.random.default_rng(2)
    base = random.integers(60, 190, (40, 40, 3))
    grades = [
        (psnr(picture(base), picture(changed)), ssim(picture(base), picture(changed)))
        for changed in (np.clip(base + random.normal(0, size, base.shape), 0, 255) for size in (2, 8, 32))
    ]
    assert grades == sorted(grades, reverse=True)
