"""Sentence vectors without a model: hashed word pieces.

In: texts. Out: unit vectors in which texts that share words, word stems or misspellings are near. Paraphrases
are not: that needs a sentence model (`model.memory.chronicle.sentences`). Pure, the same on every machine.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from model.memory.store.words import telling

WIDTH = 1024
_WORD, _PIECE = 1.0, 0.35  # a shared word says more than a shared piece of one


class NgramEncoder:
    """Texts → vectors by hashing their words and the pieces of three to five letters in them.

    Attributes:
        name: for messages.
        space: id of the space; vectors of different spaces are never compared.
    """

    name = "hashed n-grams"
    space = f"ngrams-1-{WIDTH}"

    def encode_texts(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        """(N, WIDTH) float32, rows of length 1 (or 0: a text without words), in the order of `texts`."""
        rows = np.zeros((len(texts), WIDTH), np.float32)
        for row, text in zip(rows, texts, strict=True):
            counts: Counter[str] = Counter()
            weights: dict[str, float] = {}
            for word in telling(text):
                for piece, weight in _pieces(word):
                    counts[piece] += 1
                    weights[piece] = weight
            for piece, count in counts.items():
                digest = hashlib.blake2b(piece.encode(), digest_size=8).digest()
                place = int.from_bytes(digest, "little")
                row[(place >> 1) % WIDTH] += (1 if place & 1 else -1) * weights[piece] * (1 + math.log(count))
            length = float(np.linalg.norm(row))
            if length:
                row /= length
        return rows


def _pieces(word: str) -> Iterator[tuple[str, float]]:
    yield f"={word}", _WORD
    edged = f"<{word}>"
    for size in (3, 4, 5):
        # Short words are all there is of them: their pieces would only repeat the whole.
        if len(edged) > size:
            yield from ((edged[i : i + size], _PIECE) for i in range(len(edged) - size + 1))
