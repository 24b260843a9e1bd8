"""The optimiser of every part of the starter: Muon on matrices, AdamW on the rest, fp32 masters, an EMA.

Weights of the model may be bfloat16; masters, momenta and the average are float32. Matrices of one shape
are orthogonalised together (Newton–Schulz, Jordan 2024; the 0.2·√max(shape) scale of Liu et al. 2025,
arXiv:2502.16982, which lets Muon and AdamW share a learning rate). Knows nothing of what it trains.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

# The moving average is a pass over all weights; every fourth step is as good.
AVERAGE_EVERY = 4


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """(n, r, c) of any dtype, r ≤ c → nearly orthogonal rows, by five quintic Newton–Schulz steps."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices / (matrices.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


class MuonAdam:
    """Muon for hidden matrices and convolution kernels, AdamW for everything else.

    Args:
        named: (name, parameter) pairs, all on one device.
        adam: substrings of names that AdamW takes although they are matrices (embeddings, input and output
            projections, modulation).
        frozen: substrings of names that stay as they are; their state is kept all the same.
        ema: decay of the moving average; it starts faster and reaches this value.
        arithmetic: of the orthogonalisation; bfloat16 is enough, float32 is faster on some processors.
    """

    def __init__(
        self,
        named: Iterable[tuple[str, nn.Parameter]],
        *,
        adam: Sequence[str] = (),
        frozen: Sequence[str] = (),
        weight_decay: float = 0.01,
        momentum: float = 0.95,
        ema: float = 0.999,
        clip: float = 1.0,
        arithmetic: torch.dtype = torch.bfloat16,
    ) -> None:
        self.arithmetic = arithmetic
        pairs = [(name, parameter) for name, parameter in named if parameter.requires_grad]
        self.names = [name for name, _ in pairs]
        self.parameters: list[Tensor] = [parameter for _, parameter in pairs]
        self.weight_decay, self.momentum, self.decay, self.clip = weight_decay, momentum, ema, clip
        self.steps = 0
        self.masters = [parameter.detach().float().clone() for parameter in self.parameters]
        self.average = [master.clone() for master in self.masters]
        self.groups: dict[tuple[int, int], list[int]] = {}
        for index, (name, parameter) in enumerate(pairs):
            rows, columns = parameter.shape[0], parameter[0].numel() if parameter.ndim else 1
            if parameter.ndim >= 2 and min(rows, columns) >= 8 and not any(part in name for part in adam):
                self.groups.setdefault((rows, columns), []).append(index)
        self.momenta = {
            shape: torch.zeros(len(members), *shape, device=self.masters[members[0]].device)
            for shape, members in self.groups.items()
        }
        self.frozen = {index for index, name in enumerate(self.names) if any(part in name for part in frozen)}
        taken = {index for members in self.groups.values() for index in members}
        self.others = [index for index in range(len(pairs)) if index not in taken]
        self.adamw = torch.optim.AdamW(
            [self.masters[index] for index in self.others],
            lr=1e-3,
            weight_decay=0.0,
            betas=(0.9, 0.98),
            fused=True,
        )

    @torch.no_grad()
    def step(self, rate: float) -> float:
        """One step at learning rate `rate`; clears the gradients and returns their norm."""
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for parameter in self.parameters
        ]
        norm = torch.stack([size.float() for size in torch._foreach_norm(gradients)]).norm().item()
        scale = min(1.0, self.clip / (norm + 1e-6))
        for index in self.others:
            self.masters[index].grad = None if index in self.frozen else gradients[index].float() * scale
        for group in self.adamw.param_groups:
            group["lr"] = rate
        self.adamw.step()
        for shape, members in self.groups.items():
            if self.frozen.issuperset(members):
                continue
            gradient = torch.stack([gradients[index].reshape(shape) for index in members]).float().mul_(scale)
            momentum = self.momenta[shape].mul_(self.momentum).add_(gradient)
            update = gradient.add_(momentum, alpha=self.momentum).to(self.arithmetic)
            if shape[0] > shape[1]:
                update = orthogonalise(update.transpose(1, 2)).transpose(1, 2)
            else:
                update = orthogonalise(update)
            size = rate * 0.2 * max(shape) ** 0.5
            for index, matrix in zip(members, update.float(), strict=True):
                if index in self.frozen:
                    continue
                master = self.masters[index]
                master.mul_(1 - rate * self.weight_decay).add_(matrix.reshape(master.shape), alpha=-size)
        self.steps += 1
        torch._foreach_copy_(self.parameters, self.masters)
        if self.steps % AVERAGE_EVERY == 0:
            decay = min(self.decay, (1 + self.steps) / (10 + self.steps)) ** AVERAGE_EVERY
            torch._foreach_lerp_(self.average, self.masters, 1 - decay)
        for parameter in self.parameters:
            parameter.grad = None
        return norm

    def averaged(self) -> dict[str, Tensor]:
        """The moving average by parameter name (float32, not copied)."""
        return dict(zip(self.names, self.average, strict=True))

    @torch.no_grad()
    def replace(self, values: Mapping[str, Tensor]) -> None:
        """Set parameters, by name, to other values; master and average alike."""
        for name, value in values.items():
            index = self.names.index(name)
            for held in (self.masters[index], self.average[index], self.parameters[index]):
                held.copy_(value)

    def state(self) -> dict[str, Any]:
        """Everything `restore` needs to go on."""
        return {
            "names": self.names,
            "masters": self.masters,
            "average": self.average,
            "momenta": {f"{rows}x{columns}": value for (rows, columns), value in self.momenta.items()},
            "adamw": self.adamw.state_dict(),
            "steps": self.steps,
        }

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`.

        Raises:
            ValueError: the state belongs to other parameters.
        """
        if state["names"] != self.names:
            raise ValueError("the checkpoint holds other parameters than this model; start a new run")
        torch._foreach_copy_(self.masters, state["masters"])
        torch._foreach_copy_(self.average, state["average"])
        torch._foreach_copy_(self.parameters, self.masters)
        for (rows, columns), value in self.momenta.items():
            value.copy_(state["momenta"][f"{rows}x{columns}"])
        self.adamw.load_state_dict(state["adamw"])
        self.steps = state["steps"]
