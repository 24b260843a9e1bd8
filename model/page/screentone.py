"""Screentone: the even greys of an ink panel become dots, laid over the finished picture as over a drawing
board.

A panel has flat greys where a page will have screens: a VAE cannot keep dots finer than its cells, and
enlarging would blur them. So they come last, at the page's own size, in line with the page. Lines, black and
white stay as they are. In: pictures. Out: pictures. Knows nothing of stories and styles: whoever calls it
knows that a panel is ink.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

PITCH = 6.0  # dots are so many pixels apart, where nothing else is asked for
DARKEST, LIGHTEST = 52, 243  # greys in between are screened, of 0 to 255
EVEN = 20  # most that neighbours of an even area differ
SHARP = 3.0  # how hard the edge of a dot is, per pixel

Grey = NDArray[np.float32]


def screened(picture: Image.Image, *, pitch: float = PITCH, offset: tuple[int, int] = (0, 0)) -> Image.Image:
    """An ink panel with dots where it has even grey.

    Args:
        picture: any mode; its luminance counts.
        pitch: pixels between neighbouring dots, at 45 degrees.
        offset: where the picture's corner lies on the page, in pixels, so that neighbouring panels share a
        screen.
    Returns:
        RGB of the same size, without colour. As much ink as before on any area larger than a few dots.
    """
    smooth = picture.convert("L")
    # A decoder's greys are a little uneven; what is smaller than a dot cannot be screened anyway.
    tone = np.asarray(smooth.filter(ImageFilter.MedianFilter(5)), np.float32)
    grey = np.asarray(smooth, np.float32)
    most = np.asarray(smooth.filter(ImageFilter.MaxFilter(3)), np.float32)
    least = np.asarray(smooth.filter(ImageFilter.MinFilter(3)), np.float32)
    even = (most - least < EVEN) & (grey > DARKEST) & (grey < LIGHTEST)
    grown = Image.fromarray(even.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(3))
    where = (np.asarray(grown) > 0) & (np.abs(grey - tone) < EVEN)
    dots = _dots(tone, pitch, *offset)
    return Image.fromarray(np.where(where, dots, grey).round().astype(np.uint8)).convert("RGB")


def _dots(tone: Grey, pitch: float, left: int, top: int) -> Grey:
    """Black dots (white ones where it is dark) that cover as much as the tone is dark; edges a pixel soft."""
    rows, columns = np.ogrid[: tone.shape[0], : tone.shape[1]]
    x, y = (columns + left + 0.5) / pitch, (rows + top + 0.5) / pitch
    wave = _wave(x, y)
    rank = np.interp(wave, *_ranks())
    dark = 1 - tone / 255
    return (255 * ((rank - dark) * SHARP * pitch / 4 + 0.5).clip(0, 1)).astype(np.float32)


def _wave(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 in the middle of black dots, 1 between them; the dots are 1 apart, in rows at 45 degrees."""
    return 0.5 - 0.5 * np.cos(np.sqrt(2) * np.pi * x) * np.cos(np.sqrt(2) * np.pi * y)


def _ranks() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wave → share of the page on which it is lower: so a tone covers as much paper as it is dark."""
    at = (np.arange(64) + 0.5) / 64
    wave = np.sort(_wave(at[:, None] * np.sqrt(2), at * np.sqrt(2)).ravel())
    return wave, (np.arange(len(wave)) + 0.5) / len(wave)
