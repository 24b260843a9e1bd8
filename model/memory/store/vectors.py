"""Exact search among many vectors of one space, in memory.

In: numbered vectors, as they come. Out: the nearest numbers, best first, each compared.
Knows nothing of what the vectors show or where they are kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LEAST = 1024


class VectorIndex:
    """Unit vectors of one width under numbers. 100,000 × 512 take 205 MB, for float16 has no fast product."""

    def __init__(self) -> None:
        self._rows: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._numbers: NDArray[np.int64] = np.zeros(0, np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, numbers: Sequence[int], vectors: NDArray[np.float16]) -> None:
        """Append (N, D) vectors; they are brought to length 1, and zeros stay zeros."""
        if not len(numbers):
            return
        needed = self._count + len(vectors)
        if needed > len(self._rows):
            # Twice the room, so that adding one by one does not copy everything each time.
            room = max(needed, 2 * len(self._rows), _LEAST)
            grown = np.zeros((room, vectors.shape[1]), np.float32)
            grown[: self._count] = self._rows[: self._count] if self._count else 0
            counted = np.zeros(room, np.int64)
            counted[: self._count] = self._numbers[: self._count]
            self._rows, self._numbers = grown, counted
        rows = self._rows[self._count : needed]
        rows[:] = vectors
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        rows /= np.maximum(lengths, np.finfo(np.float32).tiny)[:, None]
        self._numbers[self._count : needed] = numbers
        self._count = needed

    def nearest(self, vector: NDArray[np.float32], k: int) -> tuple[tuple[int, float], ...]:
        """At most k (number, cosine), best first; of equal ones the smaller number first.

        Raises:
            ValueError: the vector has another width.
        """
        if not self._count or k < 1:
            return ()
        if vector.shape != self._rows.shape[1:]:
            raise ValueError(f"a vector of {vector.shape} among vectors of {self._rows.shape[1:]}")
        asked = vector.astype(np.float32) / max(
            float(np.linalg.norm(vector)), float(np.finfo(np.float32).tiny)
        )
        cosines = self._rows[: self._count] @ asked
        k = min(k, self._count)
        # Everything as near as the k-th, so that equal cosines are settled by number and not by chance.
        least = np.partition(cosines, self._count - k)[self._count - k]
        found = np.flatnonzero(cosines >= least)
        order = np.lexsort((self._numbers[found], -cosines[found]))[:k]
        return tuple((int(self._numbers[i]), float(cosines[i])) for i in found[order])
