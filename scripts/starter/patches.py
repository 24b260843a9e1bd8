"""A critic of small patches: is this stroke one of the drawn world's, or one that a decoder drew?

A few convolutions whose view is 22 pixels wide (Isola et al. 2017, "PatchGAN"), with the hinge loss. It makes
a decoder commit to a line or a dot instead of the grey between two. In: pixels in [-1, 1]. Out: losses. Knows
nothing of VAEs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

WIDTHS = (16, 32, 64)


class PatchCritic(nn.Module):
    """(n, 3, h, w) → (n, 1, h / 8, w / 8) scores: above 0 for drawn."""

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in widths:
            layers += [
                nn.utils.parametrizations.spectral_norm(nn.Conv2d(before, width, 4, 2, 1)),
                nn.LeakyReLU(0.2),
            ]
            before = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.layers(pictures)


class Critic:
    """A `PatchCritic` with its optimiser: what it says against a drawing, and one step of learning."""

    def __init__(self, device: str = "cpu", rate: float = 3e-4) -> None:
        self.network = PatchCritic().to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=rate, betas=(0.5, 0.9))

    def against(self, drawn: Tensor) -> Tensor:
        """The loss of whoever drew: the lower, the better the critic was fooled."""
        return -self.network(drawn).mean()

    def learn(self, drawn: Tensor, real: Tensor) -> float:
        """One step with the hinge loss; returns it."""
        self.optimizer.zero_grad(set_to_none=True)
        scores = self.network(torch.cat([drawn.detach(), real]))
        first, second = scores.chunk(2)
        loss = (1 + first).relu().mean() + (1 - second).relu().mean()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
