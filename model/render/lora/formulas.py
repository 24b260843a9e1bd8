"""How strongly, and by which matrix, each kind of LoRA changes a layer.

In: the tensors of one layer. Out: what is added to its weight, as (rows, columns). The formulas are those of
LoRA (arXiv 2106.09685), of LoHa and LoKr as LyCORIS defines them (arXiv 2309.14859), and of DoRA (arXiv
2402.09353). All arithmetic is in float32. Knows nothing of names and files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """What a file says of all its layers. `alpha`: None = each layer's rank. `rooted`: divide by its root."""

    alpha: float | None = None
    rooted: bool = False

    def scale(self, tensors: Mapping[str, Tensor], rank: int) -> float:
        """Alpha over rank; 1 where nobody says what alpha is."""
        told = tensors.get("alpha")
        if told is not None:
            return float(told) / rank
        if self.alpha is None:
            return 1.0
        return self.alpha / (rank**0.5 if self.rooted else rank)


def addition(formula: str, tensors: Mapping[str, Tensor], strength: Strength) -> Tensor | None:
    """(rows, columns) float32 that are added to a weight before DoRA sets its magnitude; None: nothing.

    Raises:
        ValueError, RuntimeError: the tensors do not fit together.
    """
    one = {name: value.float() for name, value in tensors.items()}
    if formula == "lora":
        return _lora(one, strength)
    if formula == "loha":
        return _loha(one, strength)
    if formula == "lokr":
        return _lokr(one, strength)
    return one["diff"].flatten(1) if "diff" in one and one["diff"].ndim > 1 else one.get("diff")


def _lora(one: Mapping[str, Tensor], strength: Strength) -> Tensor:
    down, up = one["down"], one["up"]
    scale = strength.scale(one, len(down))
    if "mid" in one:  # a convolution in Tucker form
        whole = torch.einsum("o r, r s h w, s i -> o i h w", up.flatten(1), one["mid"], down.flatten(1))
        return whole.flatten(1) * scale
    return (up.flatten(1) @ down.flatten(1)) * scale


def _loha(one: Mapping[str, Tensor], strength: Strength) -> Tensor:
    scale = strength.scale(one, len(one["hada_w1_b"]))
    return (_hada(one, "1") * _hada(one, "2")).flatten(1) * scale


def _hada(one: Mapping[str, Tensor], number: str) -> Tensor:
    a, b, core = one[f"hada_w{number}_a"], one[f"hada_w{number}_b"], one.get(f"hada_t{number}")
    return a @ b if core is None else torch.einsum("r s h w, s i, r o -> o i h w", core, b, a)


def _lokr(one: Mapping[str, Tensor], strength: Strength) -> Tensor:
    ranks = [len(one[name]) for name in ("lokr_w1_b", "lokr_w2_b") if name in one]
    # Two whole matrices have no rank, and their alpha says nothing.
    scale = strength.scale(one, ranks[-1]) if ranks else 1.0
    first = one["lokr_w1"] if "lokr_w1" in one else one["lokr_w1_a"] @ one["lokr_w1_b"]
    if "lokr_w2" in one:
        second = one["lokr_w2"]
    elif "lokr_t2" in one:
        second = torch.einsum(
            "r s h w, s i, r o -> o i h w", one["lokr_t2"], one["lokr_w2_b"], one["lokr_w2_a"]
        )
    else:
        second = one["lokr_w2_a"] @ one["lokr_w2_b"]
    while first.ndim < second.ndim:
        first = first.unsqueeze(-1)
    return torch.kron(first.contiguous(), second.contiguous()).flatten(1) * scale


def with_magnitude(weight: Tensor, added: Tensor, magnitude: Tensor, share: float) -> Tensor:
    """DoRA: the direction of `weight + added`, of the length that was trained; `share` of the way there.

    Args:
        weight, added: (rows, columns).
        magnitude: one a row, or (1, columns): one a column.
    Raises:
        ValueError: it is neither.
    """
    changed = weight + added
    if magnitude.numel() == len(changed) and (magnitude.ndim < 2 or len(magnitude) == len(changed)):
        length, wanted = changed.norm(dim=1, keepdim=True), magnitude.reshape(-1, 1)
    elif magnitude.ndim >= 2 and len(magnitude) == 1 and changed.shape[1] % magnitude.numel() == 0:
        # Of a convolution: one an input channel, over all rows and taps.
        taps = changed.shape[1] // magnitude.numel()
        length = changed.reshape(len(changed), -1, taps).norm(dim=(0, 2)).repeat_interleave(taps)[None]
        wanted = magnitude.reshape(-1).repeat_interleave(taps)[None]
    else:
        raise ValueError(f"a magnitude of {tuple(magnitude.shape)} for a matrix of {tuple(changed.shape)}")
    tiny = torch.finfo(torch.float32).tiny
    return weight + share * (changed * (wanted.float() / length.clamp_min(tiny)) - weight)
