"""What is seen and what is said, pulled towards the same directions while the detector learns.

One linear reader names a character's attributes from the network's features of the character, and from its
features of the words. Because both are read by the same weights, `red hair` in a picture and in a sentence
come to lie in one direction, long before matching phrases with characters alone would teach it. The reader is
thrown away afterwards. In: features and attribute labels. Out: a loss. Knows nothing of the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.starter.world.identity import ACCESSORIES, OUTFITS, STYLES
from scripts.starter.world.palette import CLOTH, EYES, HAIR

NAMES = {
    "hair": tuple(HAIR),
    "style": STYLES,
    "outfit": OUTFITS,
    "color": tuple(CLOTH),
    "acc": ACCESSORIES,
    "eyes": tuple(EYES),
}
UNKNOWN = -1
SHARPNESS = 8.0  # length that features get before they are read
RATE = 3e-3


def labels(attributes: Mapping[str, str], known: Set[str]) -> list[int]:
    """One number an attribute of `NAMES`: which value it has, or UNKNOWN."""
    return [
        values.index(attributes[key]) if key in known and key in attributes else UNKNOWN
        for key, values in NAMES.items()
    ]


class Anchors(nn.Module):
    """The reader, with an optimiser of its own: it is no part of the detector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sizes = [len(values) for values in NAMES.values()]
        self.reader = nn.Linear(width, sum(self.sizes))
        self.optimizer = torch.optim.AdamW(self.reader.parameters(), lr=RATE)

    def loss(self, features: Tensor, right: Tensor) -> Tensor:
        """Mean cross-entropy over all known attributes.

        Args:
            features: (n, width), of any length.
            right: (n, attributes) of `labels`.
        """
        read = self.reader(F.normalize(features.float(), dim=-1) * SHARPNESS)
        total, known = read.sum() * 0, 0
        for part, answer in zip(read.split(self.sizes, -1), right.unbind(-1), strict=True):
            total = total + F.cross_entropy(part, answer, ignore_index=UNKNOWN, reduction="sum")
            known += int((answer != UNKNOWN).sum())
        return total / max(known, 1)

    def step(self) -> None:
        """Learn from the gradients; clears them."""
        self.optimizer.step()
        self.optimizer.zero_grad()
