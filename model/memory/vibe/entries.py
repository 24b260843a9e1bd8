"""What a vibe memory holds: opinions of pictures, statistics of use, the mean of the panels that were drawn.

In: vectors and what was said of them. Out: frozen values. Knows nothing of files, models or scores.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from model.errors import ConfigError

GENERAL = "general"
DAY = 86400.0
# An opinion loses 5 % of its weight in 30 days, half of it in 13 months: tastes change.
_KEPT_A_MONTH = 0.95
_MOST_WEIGHT = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One time that somebody said it.

    Attributes:
        timestamp: seconds since 1970, UTC; None = not known, which counts as now.
        facts: whatever else is kept of it, a JSON object: `source` (where the picture came from), `picture`
            (name of the kept picture) and what other programs wrote.
    """

    weight: float = 1.0
    timestamp: float | None = None
    facts: Mapping[str, object] = field(default_factory=dict[str, object])

    def weight_at(self, now: float) -> float:
        """The weight that its age leaves it; opinions of today keep all of it."""
        if self.timestamp is None:
            return self.weight
        # Counted from the start of the day, so that scores stay the same until midnight.
        age = max(0.0, now // DAY * DAY - self.timestamp)
        return self.weight * _KEPT_A_MONTH ** (age / (30 * DAY))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Memory:
    """A picture that was liked or disliked.

    Attributes:
        vector: (d,) little-endian float16, finite, not zero; its length has no meaning.
        copies: at least one; several after `optimize`, which loses none of them.
        space: id of the encoder and weights that made the vector; empty = not known.
    """

    liked: bool
    vector: NDArray[np.float16]
    category: str = GENERAL
    copies: tuple[Copy, ...] = (Copy(),)
    space: str = ""

    @property
    def weight(self) -> float:
        return sum(copy.weight for copy in self.copies)

    @property
    def timestamp(self) -> float | None:
        """When it was last said."""
        return max((copy.timestamp for copy in self.copies if copy.timestamp is not None), default=None)

    @property
    def about(self) -> tuple[bool, str, str, bytes]:
        """Equal for exact copies: what was said of which picture, in which category and space."""
        return self.liked, self.category, self.space, self.vector.tobytes()

    def fact(self, name: str) -> str:
        """The newest copy's fact of that name that is a text, or nothing."""
        for copy in reversed(self.copies):
            value = copy.facts.get(name)
            if isinstance(value, str) and value:
                return value
        return ""

    def signed_weight(self, now: float) -> float:
        """Positive for likes; less with age."""
        return sum(copy.weight_at(now) for copy in self.copies) * (1 if self.liked else -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How the memory was used.

    Attributes:
        generation_count: pictures that were scored in runs.
        average_score: of those.
        filter_applications: decisions to keep a picture or to draw another.
    """

    generation_count: int = 0
    average_score: float = 0.0
    filter_applications: int = 0

    def with_scores(self, scores: Sequence[float] | NDArray[np.floating], decisions: int = 0) -> Statistics:
        """The statistics after further pictures were scored and so many decisions were made."""
        count = self.generation_count + len(scores)
        total = self.average_score * self.generation_count + float(np.sum(scores))
        return Statistics(
            generation_count=count,
            average_score=total / count if count else 0.0,
            filter_applications=self.filter_applications + decisions,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PanelMean:
    """Mean unit embedding of the panels that runs have drawn: (d,) float32, in one space."""

    space: str
    count: int
    vector: NDArray[np.float32]

    @classmethod
    def none(cls, space: str, size: int) -> PanelMean:
        """Of no panels yet."""
        return cls(space=space, count=0, vector=np.zeros((size,), dtype=np.float32))

    def with_panels(self, vectors: NDArray[np.floating]) -> PanelMean:
        """The mean with (m, d) further unit embeddings."""
        count = self.count + len(vectors)
        total = self.vector.astype(np.float64) * self.count + vectors.sum(axis=0, dtype=np.float64)
        return replace(self, count=count, vector=(total / count).astype(np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All of one file.

    Attributes:
        created: seconds since 1970, UTC.
        encoder: name of the model that made the vectors, as people call it.
        panels: one mean a space.
    """

    memories: tuple[Memory, ...] = ()
    statistics: Statistics = Statistics()
    panels: tuple[PanelMean, ...] = ()
    created: float = field(default_factory=time.time)
    encoder: str = ""

    def panel_mean(self, space: str) -> PanelMean | None:
        return next((mean for mean in self.panels if mean.space == space), None)

    def with_panel_mean(self, mean: PanelMean) -> Contents:
        others = tuple(other for other in self.panels if other.space != mean.space)
        return replace(self, panels=(*others, mean))


def compact(vector: NDArray[np.floating]) -> NDArray[np.float16]:
    """A vector as it is kept: little-endian float16, scaled to length 1 where float16 could not hold it.

    Raises:
        ValueError: it is empty, has no direction, or is not finite; the text says which.
    """
    if vector.ndim != 1 or not vector.size:
        raise ValueError(f"one row of numbers expected, found shape {vector.shape}")
    if not np.isfinite(vector).all():
        raise ValueError("not every number is finite")
    largest = float(np.abs(vector).max())
    if not largest:
        raise ValueError("all its numbers are zero")
    wide = vector.astype(np.float64)
    if not 2**-6 <= largest <= 2**14:
        wide = wide / largest
        wide = wide / np.linalg.norm(wide)
    kept = wide.astype("<f2")
    kept.flags.writeable = False
    return kept


def checksum(vector: NDArray[np.float16]) -> str:
    """12 hex digits of the vector's sha256: shows whether a file's bytes have changed."""
    return hashlib.sha256(vector.tobytes()).hexdigest()[:12]


def check_weight(weight: float) -> float:
    """The weight, if it can be one.

    Raises:
        ConfigError: it is not above zero and finite.
    """
    if not 0 < weight <= _MOST_WEIGHT:  # also refuses NaN
        raise ConfigError(f"weight: {weight} is out of range; use a number above 0, up to {_MOST_WEIGHT:g}")
    return float(weight)


def check_category(category: str) -> str:
    """The category without blanks around it.

    Raises:
        ConfigError: nothing is left, or it is longer than 64 characters.
    """
    name = category.strip()
    if not 0 < len(name) <= 64 or not name.isprintable():
        raise ConfigError(f"category: {category!r} is no name; use 1 to 64 printable characters")
    return name


def merged(mine: Iterable[Memory], others: Iterable[Memory]) -> tuple[tuple[Memory, ...], int]:
    """Both, what is in both once; and how many copies were new.

    A copy that `mine` holds as often as `others` does is not new, so merging the same again changes nothing.
    What came without a time, as all of format 1 does, is compared by its embedding alone.
    """
    kept = list(mine)
    held: Counter[tuple[object, ...]] = Counter()
    for memory in kept:
        for copy in memory.copies:
            held[_dated(memory, copy)] += 1
            held[_undated(memory)] += 1
    added = 0
    for memory in others:
        new: list[Copy] = []
        for copy in memory.copies:
            key = _undated(memory) if copy.timestamp is None else _dated(memory, copy)
            if held[key] > 0:
                held[key] -= 1
            else:
                new.append(copy)
        if new:
            kept.append(replace(memory, copies=tuple(new)))
            added += len(new)
    return tuple(kept), added


def _dated(memory: Memory, copy: Copy) -> tuple[object, ...]:
    return memory.liked, memory.vector.tobytes(), memory.category, copy.weight, copy.timestamp


def _undated(memory: Memory) -> tuple[object, ...]:
    return memory.liked, memory.vector.tobytes()


def gathered(memories: Iterable[Memory]) -> tuple[Memory, ...]:
    """Exact copies as one memory each, in the order of their first; no copy is lost."""
    found: dict[tuple[bool, str, str, bytes], Memory] = {}
    for memory in memories:
        first = found.get(memory.about)
        found[memory.about] = memory if first is None else replace(first, copies=first.copies + memory.copies)
    return tuple(found.values())
