"""Is this head drawn as its world draws heads? Pictures and figures in, heads and certainties out.

A detector finds whole figures; `heads` finds the head in each of them, and `score` looks at it: 1 for one
that might have been drawn by hand, 0 for a smeared one. Trained on heads of the starter's world against heads
that the starter drew at several stages (scripts/starter/faces), so it speaks of that world only. Knows
nothing of who was asked for, of limits and of what happens to a panel. Import it where it is used: it loads
torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file

from model.errors import IntegrityError, WeightsMissing
from model.geometry import Box
from model.vision.face_network import SIDE, FaceNetwork

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FIGURE_ZOOM, HEAD_ZOOM = 1.1, 1.3  # side of what is looked at over the longer side of its box
BATCH = 64

Pixels = NDArray[np.uint8]
T = TypeVar("T")


def window(picture: Image.Image, box: Box, zoom: float) -> tuple[Image.Image, tuple[float, float, float]]:
    """A square of SIDE × SIDE pixels round the middle of `box`, white beyond the picture.

    Returns:
        the square, and its left edge, top edge and side in pixels of `picture`.
    """
    width, height = picture.size
    side = max(box.width * width, box.height * height, 1.0) * zoom
    x, y = box.centre
    left, top = x * width - side / 2, y * height - side / 2
    # Shrinking first by a whole box of pixels, as `reduce` does, keeps small heads and large ones alike
    # sharp.
    square = picture.convert("RGB").transform(
        (2 * SIDE, 2 * SIDE),
        Image.Transform.AFFINE,
        (side / (2 * SIDE), 0, left, 0, side / (2 * SIDE), top),
        Image.Resampling.BICUBIC,
        fillcolor=(255, 255, 255),
    )
    return square.reduce(2), (left, top, side)


def figure_window(picture: Image.Image, box: Box) -> tuple[Image.Image, tuple[float, float, float]]:
    """What the finder looks at: the top of a figure, no taller than it needs to be."""
    width, height = picture.size
    # A head is at the top, and no larger than half of a full body: of a tall box the lower part says nothing.
    tall = min(box.height, max(0.62 * box.height, 1.1 * box.width * width / height))
    return window(picture, Box(box.x, box.y, box.width, tall), FIGURE_ZOOM)


def as_input(squares: Sequence[Image.Image]) -> torch.Tensor:
    """(N, 3, SIDE, SIDE) float32 in [-1, 1]."""
    pixels: Pixels = np.stack([np.asarray(square, np.uint8) for square in squares])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


class FaceJudge:
    """Finds heads in figures and says how well each is drawn.

    Args:
        folder: holds `config.json` and `model.safetensors`.
        device: where it runs.

    Attributes:
        limit: the score from which on a head passes for drawn; 97 in 100 of the drawn world's own do.

    Raises:
        WeightsMissing: config or weights are not in the folder.
        IntegrityError: they are not what they should be.
    """

    scores = True  # see `Heads`

    def __init__(self, folder: Path, *, device: str = "cpu") -> None:
        for name in (CONFIG, WEIGHTS):
            if not (folder / name).is_file():
                raise WeightsMissing(
                    f"{folder / name}: not found; the face judge needs it; fetch the starter again"
                )
        try:
            config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            network = FaceNetwork(config["finder"], config["judge"])
            state = {name: value.float() for name, value in load_file(folder / WEIGHTS).items()}
            network.load_state_dict({**network.state_dict(), **state})
            self.limit, self._scale, self._shift = (
                float(config[name]) for name in ("limit", "scale", "shift")
            )
        except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise IntegrityError(f"{folder}: not a face judge ({error}); fetch the starter again") from error
        self.device = device
        self.network = network.eval().requires_grad_(False).to(device)

    def heads(self, pictures: Sequence[Image.Image], figures: Sequence[Sequence[Box]]) -> list[list[Box]]:
        """Where the head of each figure is.

        Args:
            pictures: N pictures of any mode and size.
            figures: for each picture the boxes of the figures in it, fractions of the picture.
        Returns:
            For each picture one box a figure, in their order, fractions of the picture, clipped to it.
        """
        windows = [
            (figure_window(picture, box), picture.size)
            for picture, row in zip(pictures, figures, strict=True)
            for box in row
        ]
        found = self._run([square for (square, _), _ in windows], self.network.find)
        boxes: list[Box] = []
        for ((_, (left, top, side)), (width, height)), (x, y, w, h) in zip(windows, found, strict=True):
            corner = (left + (x - w / 2) * side, top + (y - h / 2) * side)
            box = Box(corner[0] / width, corner[1] / height, w * side / width, h * side / height)
            boxes.append(box.clipped())
        return _rows(boxes, figures)

    def score(self, pictures: Sequence[Image.Image], heads: Sequence[Sequence[Box]]) -> list[list[float]]:
        """How sure it is that each head was drawn by the world and not smeared by a model.

        Args:
            pictures: N pictures of any mode and size, best as they came from the VAE: not enlarged.
            heads: for each picture the boxes of the heads in it, fractions of the picture.
        Returns:
            For each picture one number a head, 0 to 1. Deterministic on one device.
        """
        squares = [
            window(picture, box, HEAD_ZOOM)[0]
            for picture, row in zip(pictures, heads, strict=True)
            for box in row
        ]
        found = self._run(squares, self.network.score)
        certain = torch.sigmoid(torch.tensor(found) * self._scale + self._shift).tolist()
        return _rows(certain, heads)

    @torch.inference_mode()
    def _run(self, squares: Sequence[Image.Image], part: Callable[[torch.Tensor], torch.Tensor]) -> list[Any]:
        out: list[Any] = []
        for start in range(0, len(squares), BATCH):
            out += part(as_input(squares[start : start + BATCH]).to(self.device)).float().cpu().tolist()
        return out


def _rows(values: Sequence[T], like: Sequence[Sequence[object]]) -> list[list[T]]:
    rows: list[list[T]] = []
    start = 0
    for row in like:
        rows.append(list(values[start : start + len(row)]))
        start += len(row)
    return rows
