"""Prompts for Stable Diffusion: any length, each distinct one encoded once.

CLIP reads 75 tokens between its marks. A longer prompt is read in windows of 75, each with marks of its own,
and their states stand one behind the other, as the web UIs of the field do it: nothing is cut off. A window
ends at a comma where one is near, so that "red hair" is not parted. In: prompts. Out: states. Knows nothing
of panels, boxes or the UNet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from model.render.text_cache import TextCache

# How far back a window looks for a comma to end at, as AUTOMATIC1111's web UI does by default.
BACK = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One prompt, encoded.

    Attributes:
        states: (77 · windows, D), of both encoders side by side for SDXL.
        pooled: (P,) the second encoder's pooled state of the first window; None for SD 1.5.
    """

    states: Tensor
    pooled: Tensor | None


class Prompts:
    """The text encoders of one checkpoint, and what they said so far.

    Args:
        encoders: (tokenizer, CLIPTextModel) for SD 1.5; that and (tokenizer_2, CLIPTextModelWithProjection)
            for SDXL.
        silent: an empty negative prompt is all zeros (SDXL's `force_zeros_for_empty_prompt`).
        device: of the encoders.
    """

    def __init__(self, encoders: Sequence[tuple[Any, Any]], *, silent: bool, device: str) -> None:
        self._encoders, self._silent, self._device = tuple(encoders), silent, device
        self._known: TextCache[tuple[str, int | None], Spoken] = TextCache(self._encode, _bytes)

    def of(self, prompt: str, limit: int | None = None) -> Spoken:
        """The states of a prompt, on the CPU.

        Args:
            limit: most tokens to read, marks not counted; None = all of them.
        """
        return self._known.of((prompt, limit))

    def prefetch(self, prompts: Sequence[str], limit: int | None = None) -> None:
        """These will be asked for, so far to the same limit."""
        self._known.prefetch((prompt, limit) for prompt in prompts)

    def against(self, negative: str) -> Spoken:
        """The states of a negative prompt; of an empty one, what the checkpoint was trained with."""
        spoken = self.of(negative)
        if negative or not self._silent or spoken.pooled is None:
            return spoken
        return Spoken(states=torch.zeros_like(spoken.states), pooled=torch.zeros_like(spoken.pooled))

    def _encode(self, key: tuple[str, int | None]) -> Spoken:
        prompt, limit = key
        read = [_windows(tokenizer, prompt, limit) for tokenizer, _ in self._encoders]
        count = max(map(len, read))
        states: list[Tensor] = []
        pooled: Tensor | None = None
        for (tokenizer, encoder), windows in zip(self._encoders, read, strict=True):
            ids = torch.tensor([_marked(tokenizer, w) for w in windows + [[]] * (count - len(windows))])
            out = encoder(ids.to(self._device), output_hidden_states=True)
            # SD 1.5 reads the last layer, SDXL the one before it, as they were trained.
            layer = out.hidden_states[-2] if len(self._encoders) == 2 else out.last_hidden_state
            states.append(layer.flatten(0, 1).float().cpu())
            if len(states) == 2:
                pooled = out.text_embeds[0].float().cpu()
        return Spoken(states=torch.cat(states, -1), pooled=pooled)


def _bytes(spoken: Spoken) -> int:
    return sum(one.numel() * one.element_size() for one in (spoken.states, spoken.pooled) if one is not None)


def windows(tokens: Sequence[int], commas: Sequence[bool], size: int) -> list[list[int]]:
    """Cut tokens into windows of at most `size`, in order, losing none; at least one window, perhaps empty.

    Args:
        commas: which tokens are commas; a full window ends behind its last comma, if that is among its last
            BACK tokens and not its last token anyway.
    """
    cut: list[list[int]] = []
    start = 0
    while len(tokens) - start > size:
        end = start + size
        behind = [index + 1 for index in range(max(start, end - BACK), end) if commas[index]]
        end = behind[-1] if behind else end
        cut.append(list(tokens[start:end]))
        start = end
    return [*cut, list(tokens[start:])]


def _windows(tokenizer: Any, prompt: str, limit: int | None) -> list[list[int]]:
    # `verbose=False`: it would warn of the length that windows are there for.
    ids = tokenizer(prompt, add_special_tokens=False, verbose=False).input_ids[:limit]
    comma = tokenizer(",", add_special_tokens=False).input_ids[-1:]
    return windows(ids, [[token] == comma for token in ids], tokenizer.model_max_length - 2)


def _marked(tokenizer: Any, window: list[int]) -> list[int]:
    """The ids of one window between its marks, padded as the tokenizer pads."""
    ids = [tokenizer.bos_token_id, *window, tokenizer.eos_token_id]
    return ids + [tokenizer.pad_token_id] * (tokenizer.model_max_length - len(ids))
