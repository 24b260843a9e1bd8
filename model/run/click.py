"""A click on a panel's picture: what is meant by it, as a mask.

In: a picture, a point, and who was found in the picture. Out: a mask over the head that was clicked, else
over the figure, else over what the segmenter outlines round the point. Knows nothing of what is done with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from model.errors import ConfigError
from model.geometry import Box
from model.pictures import stored_picture
from model.run.context import Context
from model.run.draw import Drawn
from model.run.models import Models

HEAD = 1.15  # a head with its hair over the box that was found
AROUND = 0.3  # of the panel's shorter side: what is looked at where nobody was found
LEAST = 0.02  # share of its box that an outline must have to count


def clicked(at: Sequence[float], drawn: Drawn, context: Context) -> Image.Image:
    """A mask of what lies under a point.

    Args:
        at: x, y in pixels of the picture where any is above 1, else in fractions of it.
        drawn: the picture, and who was found in it.
    Returns:
        L, of the picture's size: 255 on what is meant.
    Raises:
        ConfigError: not two numbers, or not in the picture.
    """
    picture = stored_picture(context.library.load(drawn.blob)).convert("RGB")
    sightings = drawn.measured.sightings if drawn.measured else ()
    figures, models = [one.box for one in sightings if one.box is not None], context.models
    x, y = _point(at, picture.size)
    heads = _heads(picture, figures, models)
    # The smallest thing under the point is meant: a head rather than its figure.
    for box in sorted([*heads, *figures], key=lambda box: box.area):
        if _holds(box, x, y):
            return _outlined(picture, box, figures, (x, y), models)
    side = AROUND * min(picture.size)
    width, height = side / picture.width, side / picture.height
    return _outlined(picture, Box(x - width / 2, y - height / 2, width, height).clipped(), (), (x, y), models)


def _point(at: Sequence[float], size: tuple[int, int]) -> tuple[float, float]:
    if len(at) != 2:
        raise ConfigError(f"at: found {', '.join(map(str, at))}; expected two numbers: x, y")
    x, y = (value / side for value, side in zip(at, size, strict=True)) if max(at) > 1 else at
    if not (0 <= x < 1 and 0 <= y < 1):
        raise ConfigError(f"at: {', '.join(map(str, at))} is not in a panel of {size[0]} × {size[1]} pixels")
    return x, y


def _heads(picture: Image.Image, figures: Sequence[Box], models: Models) -> list[Box]:
    if models.heads is None or not figures:
        return []
    found = [box for box in models.heads.heads([picture], [figures])[0] if box is not None]
    return [_grown(box, HEAD) for box in found]


def _grown(box: Box, by: float) -> Box:
    x, y = box.centre
    width, height = box.width * by, box.height * by
    return Box(x - width / 2, y - height / 2, width, height).clipped()


def _holds(box: Box, x: float, y: float) -> bool:
    return box.x <= x < box.right and box.y <= y < box.bottom


def _outlined(
    picture: Image.Image, box: Box, figures: Sequence[Box], point: tuple[float, float], models: Models
) -> Image.Image:
    """What the segmenter outlines within a box; the whole box where that misses the point."""
    area = Image.new("L", picture.size)
    left, top, right, bottom = box.pixels(*picture.size)
    ImageDraw.Draw(area).rectangle((left, top, right - 1, bottom - 1), fill=255)
    if models.segmenter is None:
        return area
    # Segmenters know whole figures better than heads.
    whole = next((one for one in figures if _holds(one, *point)), box)
    outline = models.segmenter.segment([picture], [[whole]])[0][0]
    inside = outline & (np.asarray(area) > 0)
    column, row = int(point[0] * picture.width), int(point[1] * picture.height)
    if not inside[row, column] or inside.sum() < LEAST * (np.asarray(area) > 0).sum():
        return area
    return Image.fromarray(inside.astype(np.uint8) * 255)
