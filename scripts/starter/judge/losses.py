"""What the judge's network is taught by: a batch of labelled panels as tensors, and the loss on it.

In: sheets of the drawn world. Out: a scalar and its parts. Knows nothing of optimisers or files.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scripts.starter.judge.labels import ATTRIBUTES, COLOURS, ON_TORSO
from scripts.starter.judge.network import STRIDE, UNIT, Found, Network
from scripts.starter.judge.scenes import Sheet
from scripts.starter.judge.wear import wear

FACE_READ, TORSO_READ = 0.5, 0.5  # least share in sight for a figure's attributes to be taught or asked
FACE_FOUND, FACE_IGNORED = 0.25, 0.08  # from the first on there is somebody; in between both are right
JITTER = 0.05  # of the crops, relative to the box
OFF_CENTRE = 0.06
SMOOTH = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """N panels and the K figures in them that can be read.

    Attributes:
        pictures: (N, 3, H, W) in −1 … 1.
        place, ink: (N,).
        heat: (N, h, w) target of the heat map, 1 in the cell of a head's centre.
        certain: (N, h, w) bool; false where nobody can say whether there is somebody.
        cells: (P, 3) panel, row, column of every figure that is to be found.
        found_heads, found_bodies: (P, 4) their boxes, pixels.
        rows: (K,) the panel of each figure to be read.
        heads, bodies: (K, 4) their boxes, pixels.
        looks: (K, attributes) class index, -100 where it cannot be told.
    """

    pictures: Tensor
    place: Tensor
    ink: Tensor
    heat: Tensor
    certain: Tensor
    cells: Tensor
    found_heads: Tensor
    found_bodies: Tensor
    rows: Tensor
    heads: Tensor
    bodies: Tensor
    looks: Tensor


def askable(sheet: Sheet) -> np.ndarray:
    """(N, MOST, attributes) bool: the figure is there, and what it is asked for can be seen."""
    able = np.repeat((sheet.face >= FACE_READ)[..., None], len(ATTRIBUTES), -1)
    for index, name in enumerate(ATTRIBUTES):
        if name in ON_TORSO:
            able[..., index] &= sheet.torso >= TORSO_READ
        if name in COLOURS:
            able[..., index] &= ~sheet.ink[:, None]
    return able & (sheet.looks >= 0)


def as_input(pictures: np.ndarray) -> Tensor:
    """(N, H, W, 3) uint8 → (N, 3, H, W) float32 in −1 … 1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def make_batch(sheet: Sheet, members: list[int], rng: random.Random, *, worn: bool) -> Batch:
    """Some panels of a sheet, half the batches mirrored; worn unless they are to be measured."""
    pictures = as_input(sheet.pictures[members])
    height, width = pictures.shape[-2:]
    size = torch.tensor([width, height, width, height], dtype=torch.float32)
    boxes, heads = (torch.from_numpy(b[members]) * size for b in (sheet.boxes, sheet.heads))
    if worn:
        if rng.random() < 0.5:
            pictures = pictures.flip(3)
            boxes, heads = (_mirrored(b, width) for b in (boxes, heads))
        pictures = wear(pictures, rng)
    face = torch.from_numpy(sheet.face[members])
    heat, certain = _heat(heads, face, height // STRIDE, width // STRIDE)
    there = (face >= FACE_FOUND).nonzero()
    centre = (heads[there[:, 0], there[:, 1], :2] + heads[there[:, 0], there[:, 1], 2:]) / 2
    read = torch.from_numpy((sheet.face[members] >= FACE_READ) & (sheet.looks[members, :, 0] >= 0)).nonzero()
    able = torch.from_numpy(askable(sheet)[members])[read[:, 0], read[:, 1]]
    looks = torch.from_numpy(sheet.looks[members])[read[:, 0], read[:, 1]]
    return Batch(
        pictures=pictures.contiguous(memory_format=torch.channels_last),
        place=torch.from_numpy(sheet.place[members]),
        ink=torch.from_numpy(sheet.ink[members]).float(),
        heat=heat,
        certain=certain,
        cells=torch.stack([there[:, 0], (centre[:, 1] // STRIDE).long(), (centre[:, 0] // STRIDE).long()], 1),
        found_heads=heads[there[:, 0], there[:, 1]],
        found_bodies=boxes[there[:, 0], there[:, 1]],
        rows=read[:, 0],
        heads=heads[read[:, 0], read[:, 1]],
        bodies=boxes[read[:, 0], read[:, 1]],
        looks=looks.masked_fill(~able, -100),
    )


def _mirrored(boxes: Tensor, width: int) -> Tensor:
    left, top, right, bottom = boxes.unbind(-1)
    nobody = right <= 0
    return torch.stack([width - right, top, width - left, bottom], -1).masked_fill(nobody[..., None], 0.0)


def _heat(heads: Tensor, face: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Gaussian bumps at the heads' centres (Zhou et al. 2019), and where they may be believed."""
    heat = torch.zeros(len(heads), rows, columns)
    certain = torch.ones(len(heads), rows, columns, dtype=torch.bool)
    down, across = torch.arange(rows)[:, None], torch.arange(columns)[None]
    for panel, figure in (face > FACE_IGNORED).nonzero().tolist():
        left, top, right, bottom = (heads[panel, figure] / STRIDE).tolist()
        x, y = int((left + right) / 2), int((top + bottom) / 2)
        if face[panel, figure] < FACE_FOUND:
            certain[panel, int(top) : int(bottom) + 1, int(left) : int(right) + 1] = False
            continue
        sigma = max(0.7, min(right - left, bottom - top) / 8)
        bump = torch.exp(-((down - y) ** 2 + (across - x) ** 2) / (2 * sigma**2))
        heat[panel] = torch.maximum(heat[panel], bump)
    return heat, certain


def middles(cells: Tensor) -> Tensor:
    """(P, 3) panel, row, column → (P, 2) x, y of the cells' middles in pixels."""
    return (cells[:, [2, 1]].float() + 0.5) * STRIDE


def edges(boxes: Tensor, cells: Tensor) -> Tensor:
    """(P, 4) distances of the boxes' edges from the cells' middles, in UNITs."""
    x, y = middles(cells).unbind(1)
    left, top, right, bottom = boxes.unbind(1)
    return torch.stack([x - left, y - top, right - x, bottom - y], 1) / UNIT


def finding_loss(found: Found, batch: Batch) -> Tensor:
    """Focal loss of the heat map, distances of the boxes, background and ink."""
    chance = found.heat.sigmoid().clamp(1e-5, 1 - 1e-5)
    here = batch.heat > 0.999
    missed = -torch.log(chance) * (1 - chance) ** 2 * here
    invented = -torch.log(1 - chance) * chance**2 * (1 - batch.heat) ** 4 * ~here
    heat = ((missed + invented) * batch.certain).sum() / max(1, int(here.sum()))
    panel, row, column = batch.cells.unbind(1)
    boxes = sum(
        F.smooth_l1_loss(kind[panel, :, row, column], edges(truth, batch.cells), beta=0.1)
        for kind, truth in ((found.head, batch.found_heads), (found.body, batch.found_bodies))
    )
    place = F.cross_entropy(found.place, batch.place, label_smoothing=SMOOTH)
    ink = F.binary_cross_entropy_with_logits(found.ink, batch.ink)
    return heat + (boxes if len(panel) else 0.0) + 0.5 * place + 0.3 * ink


def shaken(boxes: Tensor, rng: random.Random) -> Tensor:
    """The boxes, not quite where they are: the finder's are not either."""
    generator = torch.Generator().manual_seed(rng.getrandbits(62))
    size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + torch.randn(boxes.shape, generator=generator) * JITTER * size


def reading_loss(network: Network, batch: Batch, rng: random.Random) -> Tensor:
    """Cross-entropy of every attribute that can be told, and how far off the truer box is."""
    if not len(batch.rows):
        return torch.zeros(())
    heads, bodies = shaken(batch.heads, rng), shaken(batch.bodies, rng)
    logits, boxes = network.read(batch.pictures, batch.rows, heads, bodies)
    side = (batch.bodies[:, 2:] - batch.bodies[:, :2]).amax(1, keepdim=True)
    loss = 10 * F.smooth_l1_loss(boxes / side, batch.bodies / side, beta=0.02)
    for index, values in enumerate(logits):
        target = batch.looks[:, index]
        if (target >= 0).any():
            loss = loss + F.cross_entropy(values, target, label_smoothing=SMOOTH)
    return loss
