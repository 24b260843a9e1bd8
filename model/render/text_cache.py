"""What text encoders said of prompts, kept until it is needed; a miss reads ahead.

Encoders are large and give way to the network that draws, so they should come once: when a prompt is asked
for that nobody has read, everything that is prefetched is read with it. In: prompts, a callable that reads
one.
Out: its states, in main memory, up to a limit; beyond it what was used goes first, and what is prefetched
waits for the next miss. Knows nothing of encoders, panels or devices.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

Prompt = TypeVar("Prompt", bound=Hashable)
States = TypeVar("States")

# Bytes that are kept: prompts of about a thousand panels of Flux with two characters each.
MOST = 1 << 30


class TextCache(Generic[Prompt, States]):
    """Prompts that were read, and those that will be asked for.

    Args:
        read: encodes one prompt.
        size: bytes of its states.
        most: bytes to keep.
    """

    def __init__(
        self, read: Callable[[Prompt], States], size: Callable[[States], int], *, most: int = MOST
    ) -> None:
        self._read, self._size, self._most = read, size, most
        self._kept: dict[Prompt, States] = {}
        # In the order of their last use; what is kept and not among them was not asked for yet.
        self._used: dict[Prompt, None] = {}
        self._coming: dict[Prompt, None] = {}
        self.bytes = 0

    def prefetch(self, prompts: Iterable[Prompt]) -> None:
        """These will be asked for, in this order. Nothing is read yet."""
        self._coming |= dict.fromkeys(prompt for prompt in prompts if prompt not in self._kept)

    def of(self, prompt: Prompt) -> States:
        """The states of a prompt; unless they are kept, it is read, and what is prefetched with it."""
        if prompt not in self._kept:
            self._keep(prompt)
            while self._coming and self.bytes < self._most:
                self._keep(next(iter(self._coming)))
        self._used.pop(prompt, None)
        self._used[prompt] = None
        return self._kept[prompt]

    def _keep(self, prompt: Prompt) -> None:
        self._coming.pop(prompt, None)
        if prompt in self._kept:
            return
        states = self._kept[prompt] = self._read(prompt)
        self.bytes += self._size(states)
        while self.bytes > self._most and self._used:
            oldest = next(iter(self._used))
            del self._used[oldest]
            self.bytes -= self._size(self._kept.pop(oldest))
