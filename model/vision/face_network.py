"""Two small convolutional networks: where in a figure its head is, and whether a head is drawn as it should
be.

In: pictures (N, 3, SIDE, SIDE) in [-1, 1]. Out: boxes or logits. Knows nothing of files, panels and
thresholds. Import it where it is used: it loads torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

SIDE = 64  # pixels of both networks' pictures


def _stage(inside: int, outside: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.SiLU(inplace=True)
    )


class Trunk(nn.Module):
    """Convolutions that halve the side with every width, two a width, and what they find, flattened.

    Args:
        widths: channels at 32, 16, 8 … pixels a side.
        out: numbers that come out.
    """

    def __init__(self, widths: Sequence[int], out: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in widths:
            layers += [_stage(before, width, 2), _stage(width, width, 1)]
            before = width
        self.layers = nn.Sequential(*layers)
        cells = (SIDE >> len(widths)) ** 2
        self.narrow = nn.Conv2d(before, 16, 1)
        self.out = nn.Sequential(
            nn.Linear(16 * cells + 2 * before, 64), nn.SiLU(inplace=True), nn.Linear(64, out)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        found = self.layers(pictures)
        flat = self.narrow(found).flatten(1)
        return self.out(torch.cat([flat, found.mean((2, 3)), found.amax((2, 3))], 1))


class FaceNetwork(nn.Module):
    """The finder of heads and the judge of faces, kept in one file.

    Args:
        finder: widths of the trunk that finds the head in a figure.
        judge: widths of the trunk that looks at the head.
    """

    def __init__(
        self, finder: Sequence[int] = (24, 32, 48, 64), judge: Sequence[int] = (32, 48, 80, 112)
    ) -> None:
        super().__init__()
        self.finder = Trunk(finder, 4)
        self.judge = Trunk(judge, 1)

    def find(self, figures: Tensor) -> Tensor:
        """(N, 4): the head's middle (x, y) and size (width, height), as fractions of the picture."""
        return self.finder(figures).sigmoid()

    def score(self, heads: Tensor) -> Tensor:
        """(N,) logits, above 0 for a head that is rather drawn than smeared."""
        return self.judge(heads)[:, 0]
