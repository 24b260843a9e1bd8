"""The judge's network: finds heads and figures in a panel, then reads each figure's looks from its pixels.

    panel ─► trunk (stride 8) ─► heat map of head centres, head box, figure box
         └─► trunk (stride 32) ─► background, ink
    box, head ─► two crops straight from the pixels ─► two small trunks ─► attributes, a truer box

In: pictures scaled to −1 … 1, boxes in pixels. Out: logits. Knows nothing of the drawn world's words.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

STRIDE = 8
UNIT = 32.0  # pixels; distances are predicted in this unit
CROP = 96  # side of a crop in pixels
HEAD_ZOOM, BODY_ZOOM = 1.5, 1.15  # side of a crop over the longer side of its box
PANEL_WIDTHS = (40, 80, 96, 80)  # channels at strides 4, 8, 16, 32
CROP_WIDTHS = (48, 64, 72)  # channels at strides 4, 8, 16
READ = 20  # channels of what is flattened of a crop
LOOK = 128  # numbers that each crop's trunk sums it up in


def convolution(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    """3 × 3, normalised, rectified."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outside, momentum=0.03),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two convolutions round which the input is led."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = convolution(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width, momentum=0.03)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


@dataclass(frozen=True, slots=True)
class Found:
    """What the panel's trunk says; N panels of h × w cells of STRIDE pixels.

    Attributes:
        heat: (N, h, w) logits: a head's centre lies in this cell.
        head, body: (N, 4, h, w) how far left, top, right, bottom of the cell's middle the box ends, in UNITs.
        place: (N, places) logits.
        ink: (N,) logits.
    """

    heat: Tensor
    head: Tensor
    body: Tensor
    place: Tensor
    ink: Tensor


class Finder(nn.Module):
    """The panel's trunk."""

    def __init__(self, places: int) -> None:
        super().__init__()
        w4, w8, w16, w32 = PANEL_WIDTHS
        self.fine = nn.Sequential(nn.PixelUnshuffle(4), convolution(48, w4))
        self.middle = nn.Sequential(convolution(w4, w8, 2), Residual(w8))
        self.coarse = nn.Sequential(convolution(w8, w16, 2), Residual(w16), Residual(w16))
        self.whole = nn.Sequential(convolution(w16, w32, 2), Residual(w32))
        self.down16 = nn.Conv2d(w32, w16, 1)
        self.down8 = nn.Conv2d(w16, w8, 1)
        self.merge = nn.Sequential(Residual(w8))
        self.out = nn.Conv2d(w8, 9, 1)
        self.panel = nn.Linear(2 * (w32 + w16), places + 1)
        # Heads are rare (Lin et al. 2017).
        self.out.bias = nn.Parameter(torch.tensor([-4.6, *[0.0] * 8]))

    def forward(self, x: Tensor) -> Found:
        """x: (N, 3, H, W), sides multiples of 32."""
        middle = self.middle(self.fine(x))
        coarse = self.coarse(middle)
        whole = self.whole(coarse)
        coarse_ = coarse + _twice(self.down16(whole))
        out = self.out(self.merge(middle + _twice(self.down8(coarse_)))).float()
        pooled = torch.cat([part for y in (whole, coarse) for part in (y.mean((2, 3)), y.amax((2, 3)))], 1)
        panel = self.panel(pooled).float()
        return Found(out[:, 0], out[:, 1:5], out[:, 5:9], panel[:, :-1], panel[:, -1])


class Reader(nn.Module):
    """The trunk of one kind of crop: (K, 4, CROP, CROP) → (K, LOOK)."""

    def __init__(self) -> None:
        super().__init__()
        w4, w8, w16 = CROP_WIDTHS
        self.trunk = nn.Sequential(
            nn.PixelUnshuffle(4), convolution(64, w4), Residual(w4),
            convolution(w4, w8, 2), Residual(w8), Residual(w8),
            convolution(w8, w16, 2), Residual(w16),
        )  # fmt: skip
        self.flat = nn.Sequential(nn.Conv2d(w16, READ, 1), nn.ReLU(inplace=True), nn.Flatten())
        self.look = nn.Linear(READ * (CROP // 16) ** 2 + 2 * w16, LOOK)

    def forward(self, crops: Tensor) -> Tensor:
        y = self.trunk(crops)
        return torch.relu(self.look(torch.cat([self.flat(y), y.mean((2, 3)), y.amax((2, 3))], 1)))


class Network(nn.Module):
    """Finder and readers.

    Args:
        places: how many backgrounds there are.
        sizes: how many values each attribute has.
    """

    def __init__(self, places: int, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes = sizes
        self.find = Finder(places)
        self.head, self.body = Reader(), Reader()
        self.looks = nn.Linear(2 * LOOK, sum(sizes))
        self.edges = nn.Linear(2 * LOOK, 4)

    def read(self, x: Tensor, rows: Tensor, heads: Tensor, bodies: Tensor) -> tuple[list[Tensor], Tensor]:
        """The looks of K figures.

        Args:
            x: (N, 3, H, W) pictures.
            rows: (K,) which picture each figure is in.
            heads, bodies: (K, 4) left, top, right, bottom in pixels.
        Returns:
            For each attribute (K, values) logits; (K, 4) the figure's box in pixels, as seen from the crop.
        """
        own = x[rows]
        crops = [
            cut(own, boxes, bodies, zoom).contiguous(memory_format=torch.channels_last)
            for boxes, zoom in ((heads, HEAD_ZOOM), (bodies, BODY_ZOOM))
        ]
        look = torch.cat([self.head(crops[0]), self.body(crops[1])], 1)
        logits = self.looks(look).float().split(self.sizes, 1)
        side = (bodies[:, 2:] - bodies[:, :2]).amax(1, keepdim=True)
        return list(logits), bodies + self.edges(look).float() * side / 4


def squares(boxes: Tensor, zoom: float) -> Tensor:
    """(K, 4) boxes → the squares about their middles, `zoom` times as long as their longer sides."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) * zoom / 2
    return torch.cat([middle - half, middle + half], 1)


def cut(x: Tensor, boxes: Tensor, bodies: Tensor, zoom: float) -> Tensor:
    """(K, 3, H, W) → (K, 4, CROP, CROP): the square round each panel's box in three colours (grey outside of
    the panel), and where in it the figure's own box lies.

    A crop is two matrix products with triangular filters: smooth when it shrinks, and quick where matrix
    products are.
    """
    left, top, right, bottom = squares(boxes, zoom).unbind(1)
    down, across = (
        _filter(start, end, x.shape[side]) for start, end, side in ((top, bottom, 2), (left, right, 3))
    )
    pixels = down[:, None] @ x @ across.mT[:, None]
    inside_y, inside_x = (
        (_centres(start, end) >= low[:, None]) & (_centres(start, end) <= high[:, None])
        for start, end, low, high in (
            (top, bottom, bodies[:, 1], bodies[:, 3]),
            (left, right, bodies[:, 0], bodies[:, 2]),
        )
    )
    own = (inside_y[:, :, None] & inside_x[:, None, :])[:, None]
    return torch.cat([pixels, own.to(pixels.dtype)], 1)


def _centres(start: Tensor, end: Tensor) -> Tensor:
    """(K, CROP) the middles of a crop's pixels in pixels of the panel."""
    at = (torch.arange(CROP, device=start.device) + 0.5) / CROP
    return start[:, None] + (end - start)[:, None] * at


def _filter(start: Tensor, end: Tensor, size: int) -> Tensor:
    """(K, CROP, size) how much each pixel of the panel gives to each pixel of the crop."""
    reach = ((end - start) / CROP).clamp(min=1.0)[:, None, None]
    middles = torch.arange(size, device=start.device) + 0.5
    return (1 - (middles - _centres(start, end)[..., None]).abs() / reach).clamp(min=0) / reach


def _twice(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
