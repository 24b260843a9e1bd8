"""A picture that somebody brings becomes a reference: the figure alone, on a white square, nothing cut off.

In: a picture of any mode. Out: RGB, square, and how it was made in words. Knows nothing of who it is.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from model.geometry import Box
from model.pictures import picture_at
from model.render.png import encode
from model.run.models import Models
from model.vision.crop import crop_box, masked

_WHOLE = Box(0.0, 0.0, 1.0, 1.0)
_OPAQUE = 127


def read_portrait(path: Path, models: Models | None) -> tuple[bytes, str]:
    """A file's figure as PNG, and how it was made. `models`: None = take the whole picture, padded.

    Raises:
        ConfigError: the file is not there, or no picture that is read; see `read_picture`.
        WeightsMissing, IntegrityError: see `portray`.
    """
    picture = picture_at(path)
    made, how = (
        (crop_box(picture, _WHOLE), "the whole picture") if models is None else portray(picture, models)
    )
    return encode(made), how


def portray(picture: Image.Image, models: Models) -> tuple[Image.Image, str]:
    """The figure of a picture by itself: along its transparency, or the mask of whoever is found in it.

    Of several people the one that the detector is surest of; where there is no detector, or it finds nobody,
    the whole picture, padded.

    Args:
        picture: any mode, any size of at least one pixel.
    Raises:
        WeightsMissing, IntegrityError: see `open_detector` and `open_segmenter`.
    """
    import numpy as np

    if picture.has_transparency_data:
        alpha = np.asarray(picture.convert("RGBA"))[..., 3]
        if alpha.min() <= _OPAQUE < alpha.max():
            return masked(picture.convert("RGBA"), alpha > _OPAQUE, _WHOLE), "cut out along its transparency"
    if models.detector is None:
        return crop_box(picture, _WHOLE), "the whole picture: there is no detector"
    found = models.detector.detect([picture], [(models.checkpoint.person,)])[0]
    if not found:
        return crop_box(picture, _WHOLE), "the whole picture: nobody was found in it"
    others = f", the surest of {len(found)}" if len(found) > 1 else ""
    if models.segmenter is None:
        return crop_box(picture, found[0].box), f"cropped to the figure{others}"
    ((mask,),) = models.segmenter.segment([picture], [[found[0].box]])
    return masked(picture, mask, found[0].box), f"cut out along the figure{others}"
