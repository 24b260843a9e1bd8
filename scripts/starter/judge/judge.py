"""The judge itself: pictures in, readings out; and how often it is right on fresh drawn panels.

    judge = Judge.open()
    reading, = judge.read([picture])        # whom it finds, and what they look like
    judge.read_at([picture], [boxes])       # what they look like whom somebody else found

Knows nothing of prompts, of the model, or of who drew the pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.errors import WeightsMissing
from model.geometry import Box
from scripts.starter.judge.labels import ATTRIBUTES, PLACES, Character, Reading
from scripts.starter.judge.losses import as_input, middles
from scripts.starter.judge.network import STRIDE, UNIT, Found, Network

WEIGHTS = Path(__file__).with_name("weights.safetensors")
SURE = 0.35  # score from which on there is somebody
SAME_HEAD = 0.4  # IoU of two heads that are one
MATCHED = 0.3  # least IoU of a box that is asked for with a figure that was found
MOST = 8
BATCH = 16
GRID = 32  # sides of what the network takes are multiples of it
AREA = 256 * 256  # pixels of the panels it was trained on
OFF_SCALE = 1.4  # pictures with so many times more or fewer are scaled


def new_network() -> Network:
    """An untrained network for the drawn world."""
    network = Network(len(PLACES), tuple(map(len, ATTRIBUTES.values())))
    network.to(memory_format=torch.channels_last)
    return network


class Judge:
    """A trained network that reads pictures on the CPU, in float32. Deterministic."""

    def __init__(self, network: Network) -> None:
        self.network = network.eval()

    @classmethod
    def open(cls, path: Path = WEIGHTS) -> Judge:
        """Load the weights that the repository holds, or others.

        Raises:
            WeightsMissing: there are none.
        """
        if not path.is_file():
            raise WeightsMissing(f"{path}: no weights of the judge; train it: scripts/starter/judge/train.py")
        network = new_network()
        state = {name: value.float() for name, value in load_file(path).items()}
        # What is not kept is how many batches each normalisation saw.
        network.load_state_dict({**network.state_dict(), **state})
        return cls(network)

    def save(self, path: Path) -> None:
        """Write the weights in half precision."""
        state = self.network.state_dict()
        kept = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
        save_file({name: value.half().contiguous() for name, value in kept.items()}, path)

    def read(self, pictures: Sequence[Image.Image], *, sure: float = SURE) -> list[Reading]:
        """What is in each picture.

        Args:
            pictures: RGB, any size.
            sure: least score of a character.
        """
        return self._each(pictures, None, sure)

    def read_at(self, pictures: Sequence[Image.Image], boxes: Sequence[Sequence[Box]]) -> list[Reading]:
        """What is in each picture at given places: `characters` are in the order of `boxes`.

        A character's own box and head are those of the figure that fits its place best, were it ever so
        faint; its score says how faint.
        """
        return self._each(pictures, boxes, 0.02)

    def _each(
        self, pictures: Sequence[Image.Image], boxes: Sequence[Sequence[Box]] | None, sure: float
    ) -> list[Reading]:
        readings: dict[int, Reading] = {}
        for members, batch in _batches(pictures):
            asked = None if boxes is None else [boxes[index] for index in members]
            readings |= dict(zip(members, self._batch(batch, asked, sure), strict=True))
        return [readings[index] for index in range(len(pictures))]

    @torch.inference_mode()
    def _batch(self, batch: Tensor, asked: Sequence[Sequence[Box]] | None, sure: float) -> list[Reading]:
        height, width = batch.shape[-2:]
        found = self.network.find(batch)
        heats = found.heat.sigmoid()
        peaks = heats * (heats == F.max_pool2d(heats[:, None], 3, 1, 1)[:, 0])
        rows: list[int] = []
        parts: list[Tensor] = []
        for panel in range(len(batch)):
            seen = _candidates(found, peaks[panel], panel, sure)
            if asked is not None:
                boxes = [box.pixels(width, height) for box in asked[panel]]
                seen = [_nearest(seen, heats[panel], found, panel, box) for box in boxes]
            rows += [panel] * len(seen)
            parts += seen
        characters: list[list[Character]] = [[] for _ in batch]
        if rows:
            figures = torch.stack(parts)  # score, head (4), body (4), in pixels
            chances, bodies = self._looks(batch, torch.tensor(rows), figures[:, 1:5], figures[:, 5:9])
            for k, panel in enumerate(rows):
                boxes = [_box(edges, width, height) for edges in (figures[k, 1:5], bodies[k])]
                characters[panel].append(_character(boxes, float(figures[k, 0]), [c[k] for c in chances]))
        places = found.place.softmax(1).numpy()
        return [
            Reading(
                background=PLACES[int(places[panel].argmax())],
                ink=bool(found.ink[panel] > 0),
                characters=tuple(characters[panel]),
                places=_named(PLACES, places[panel]),
            )
            for panel in range(len(batch))
        ]

    def _looks(
        self, batch: Tensor, rows: Tensor, heads: Tensor, bodies: Tensor
    ) -> tuple[list[NDArray[np.float32]], Tensor]:
        """Chances of every value of every attribute, and truer boxes: the mean of the picture as it is and
        mirrored, which errs less than either."""
        width = batch.shape[-1]
        as_is, boxes = self.network.read(batch, rows, heads, bodies)
        other, mirrored = self.network.read(
            batch.flip(3), rows, _mirrored(heads, width), _mirrored(bodies, width)
        )
        chances = [((a.softmax(1) + b.softmax(1)) / 2).numpy() for a, b in zip(as_is, other, strict=True)]
        return chances, (boxes + _mirrored(mirrored, width)) / 2


def _batches(pictures: Sequence[Image.Image]) -> Iterator[tuple[list[int], Tensor]]:
    """Pictures of one size together, as the network takes them, with their places in `pictures`."""
    sizes: dict[tuple[int, int], list[int]] = {}
    for index, picture in enumerate(pictures):
        sizes.setdefault(picture.size, []).append(index)
    for (width, height), members in sizes.items():
        scale = (AREA / (width * height)) ** 0.5
        if 1 / OFF_SCALE**0.5 < scale < OFF_SCALE**0.5:
            scale = 1.0
        across, down = (max(GRID, round(side * scale / GRID) * GRID) for side in (width, height))
        fit = (across, down)
        for start in range(0, len(members), BATCH):
            chosen = members[start : start + BATCH]
            arrays = [
                np.asarray((p if p.size == fit else p.resize(fit, Image.Resampling.LANCZOS)).convert("RGB"))
                for p in (pictures[index] for index in chosen)
            ]
            yield chosen, as_input(np.stack(arrays)).contiguous(memory_format=torch.channels_last)


def _mirrored(boxes: Tensor, width: int) -> Tensor:
    """(K, 4) left, top, right, bottom in the mirrored picture."""
    left, top, right, bottom = boxes.unbind(1)
    return torch.stack([width - right, top, width - left, bottom], 1)


def _figure(found: Found, heat: Tensor, panel: int, row: int, column: int) -> Tensor:
    """(9,): score, head, body as left, top, right, bottom in pixels."""
    x, y = middles(torch.tensor([[panel, row, column]]))[0]
    middle = torch.stack([x, y, x, y])
    signs = torch.tensor([-1.0, -1.0, 1.0, 1.0]) * UNIT
    head, body = (middle + signs * kind[panel, :, row, column] for kind in (found.head, found.body))
    return torch.cat([heat[row, column][None], head, body])


def _candidates(found: Found, peaks: Tensor, panel: int, sure: float) -> list[Tensor]:
    """The figures of one panel by falling score, each head once."""
    at = (peaks >= sure).nonzero()
    order = peaks[at[:, 0], at[:, 1]].argsort(descending=True)[: 4 * MOST]
    kept: list[Tensor] = []
    for row, column in at[order].tolist():
        one = _figure(found, peaks, panel, row, column)
        if all(_overlap(one[1:5], other[1:5]) < SAME_HEAD for other in kept):
            kept.append(one)
    return kept[:MOST]


def _nearest(
    seen: list[Tensor], heat: Tensor, found: Found, panel: int, box: tuple[int, int, int, int]
) -> Tensor:
    """The figure that fits `box` best; where none does, the likeliest one whose head is in it."""
    left, top, right, bottom = box
    place = torch.tensor(box, dtype=torch.float32)
    best = max(seen, key=lambda one: _overlap(one[5:9], place), default=None)
    if best is not None and _overlap(best[5:9], place) >= MATCHED:
        return best
    down, across = (
        min(start // STRIDE, size - 1) for start, size in zip((top, left), heat.shape, strict=True)
    )
    inside = heat[down : max(down + 1, bottom // STRIDE), across : max(across + 1, right // STRIDE)]
    row, column = divmod(int(inside.argmax()), inside.shape[1])
    return _figure(found, heat, panel, row + down, column + across)


def _overlap(first: Tensor, second: Tensor) -> float:
    """IoU of two boxes given as left, top, right, bottom."""
    low, high = torch.maximum(first[:2], second[:2]), torch.minimum(first[2:], second[2:])
    shared = float((high - low).clamp(min=0).prod())
    areas = sum(float((box[2:] - box[:2]).clamp(min=0).prod()) for box in (first, second))
    return shared / (areas - shared) if areas > shared else 0.0


def _box(edges: Tensor, width: int, height: int) -> Box:
    left, top, right, bottom = edges.tolist()
    return Box(left / width, top / height, (right - left) / width, (bottom - top) / height).clipped()


def _named(values: Sequence[str], chances: NDArray[np.float32]) -> dict[str, float]:
    return dict(zip(values, map(float, chances), strict=True))


def _character(boxes: list[Box], score: float, chances: list[NDArray[np.float32]]) -> Character:
    named = {
        name: _named(values, chance)
        for (name, values), chance in zip(ATTRIBUTES.items(), chances, strict=True)
    }
    likeliest = {name: max(values, key=values.__getitem__) for name, values in named.items()}
    return Character(head=boxes[0], box=boxes[1], score=score, probabilities=named, **likeliest)
