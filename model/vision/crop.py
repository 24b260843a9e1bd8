"""Crops that never cut a head off: along a plain background, a box or a mask, padded to a square."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from model.geometry import Box

# A pixel belongs to the figure when a channel differs from the paper by more than this (of 255).
_CONTRAST = 28
_MARGIN = 0.06


def cut_out(picture: Image.Image) -> Image.Image:
    """Crop a figure drawn on a plain background to its bounding box, with a small margin, on a square.

    The paper's colour is the median of the picture's rim. Specks of one or two pixels have no say in the
    box, outlines do; a picture without a figure comes back whole.

    Args:
        picture: any mode, any size.
    Returns:
        RGB, square, the figure complete and centred, the paper's colour around it.
    """
    pixels = np.asarray(picture.convert("RGB"))
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    paper = np.median(rim, axis=0)
    differs = (np.abs(pixels.astype(np.int16) - paper).max(axis=2) > _CONTRAST).astype(np.uint8) * 255
    mask = Image.fromarray(differs)
    solid = np.asarray(mask.filter(ImageFilter.MinFilter(3)).filter(ImageFilter.MaxFilter(3)))
    rows, columns = np.flatnonzero(solid.max(axis=1)), np.flatnonzero(solid.max(axis=0))
    colour = (int(paper[0]), int(paper[1]), int(paper[2]))
    if not len(rows):
        return _squared(Image.fromarray(pixels), colour, 0.0)
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return _squared(Image.fromarray(pixels).crop(box), colour, _MARGIN)


def crop_box(picture: Image.Image, box: Box) -> Image.Image:
    """The part of `picture` inside `box`, on a white square. An empty box gives the whole picture."""
    left, top, right, bottom = box.pixels(*picture.size)
    part = picture.convert("RGB")
    if right > left and bottom > top:
        part = part.crop((left, top, right, bottom))
    return _squared(part, (255, 255, 255), 0.0)


def masked(
    picture: Image.Image, mask: NDArray[np.bool_], box: Box, *, transparent: bool = False
) -> Image.Image:
    """A figure alone: what a mask covers, and nothing else, on a white square.

    Args:
        picture: any mode, any size.
        mask: bool, shape (height, width) of `picture`.
        box: where the figure was looked for; when the mask is all false, the box is shown as it is.
        transparent: what is not the figure is transparent (and white below), not white.
    Returns:
        RGB, or RGBA if `transparent`. The side is the longer one of the mask's tight box, which lies in the
        middle.
    Raises:
        ValueError: mask and picture are not of one size.
    """
    if mask.shape != (picture.height, picture.width):
        raise ValueError(f"a mask of {mask.shape} for a picture of {(picture.height, picture.width)}")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        whole = crop_box(picture, box)
        return whole.convert("RGBA") if transparent else whole
    tight = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    cover = Image.fromarray(mask.astype(np.uint8) * 255).crop(tight)
    alone = Image.new("RGB", cover.size, "white")
    alone.paste(picture.convert("RGB").crop(tight), mask=cover)
    square = _squared(alone, (255, 255, 255), 0.0)
    if transparent:
        around = Image.new("L", square.size)
        around.paste(cover, _middle(square, cover))
        square.putalpha(around)
    return square


def _squared(part: Image.Image, paper: tuple[int, int, int], margin: float) -> Image.Image:
    side = round(max(part.size) * (1 + 2 * margin))
    square = Image.new("RGB", (side, side), paper)
    square.paste(part, _middle(square, part))
    return square


def _middle(square: Image.Image, part: Image.Image) -> tuple[int, int]:
    return (square.width - part.width) // 2, (square.height - part.height) // 2
