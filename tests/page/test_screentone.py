"""Screentone has as much ink as the grey that it stands for, and leaves lines, black and white alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from model.page.screentone import screened


@pytest.mark.parametrize("grey", [70, 110, 158, 212, 235])
@pytest.mark.parametrize("pitch", [4.0, 6.0, 11.0])
def test_a_screen_is_as_dark_as_its_grey(grey: int, pitch: float) -> None:
    dots = np.asarray(screened(Image.new("L", (240, 240), grey), pitch=pitch))[..., 0]
    assert abs(dots.mean() - grey) < 7
    assert ((dots < 30) | (dots > 225)).mean() > 0.4, "dots are black and white but for their edges"


@pytest.mark.parametrize("grey", [0, 38, 255])
def test_black_and_white_stay(grey: int) -> None:
    assert (np.asarray(screened(Image.new("RGB", (64, 48), (grey,) * 3))) == grey).all()


def test_lines_stay_and_no_dot_lies_on_white() -> None:
    picture = Image.new("RGB", (200, 200), "white")
    pen = ImageDraw.Draw(picture)
    pen.rectangle((40, 40, 160, 160), fill=(158, 158, 158), outline=(20, 20, 22), width=4)
    found, before = np.asarray(screened(picture))[..., 0], np.asarray(picture)[..., 0]
    outside = np.ones((200, 200), bool)
    outside[44:157, 44:157] = False
    assert (found[outside] == before[outside]).all()
    assert found[60:140, 60:140].std() > 80


def test_panels_of_one_page_share_a_screen() -> None:
    whole = np.asarray(screened(Image.new("L", (120, 80), 158)))
    part = np.asarray(screened(Image.new("L", (60, 40), 158), offset=(50, 30)))
    assert (whole[30:70, 50:110] == part).all()
