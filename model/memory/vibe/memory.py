"""The vibe memory: which pictures are liked and disliked, and how a new one scores by them.

In: pictures (path, PIL, array, tensor) or embeddings. Out: scores in (−1, 1), 0 where nothing is known, and
reasons for them. `notebook` keeps the opinions and their file.

Without an encoder pictures are neutral, which is reported once. Knows nothing of runs and panels.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import ConfigError
from model.memory.vibe.encoding import Encoder
from model.memory.vibe.entries import DAY, Contents, Memory
from model.memory.vibe.notebook import Notebook
from model.memory.vibe.pictures import Picture
from model.memory.vibe.settings import VibeSettings
from model.memory.vibe.taste import Explanation, Influence, Taste


class VibeMemory(Notebook):
    """One file of likes and dislikes, and the taste that it tells of.

    Args:
        memory_path, encoder, encoder_name, keep_pictures: see `Notebook`.
        settings: threshold and retries, for `accepts`.

    Reading the file may raise IntegrityError (it is damaged) or StorageError (the disk refuses) in every
    method.
    """

    def __init__(
        self,
        memory_path: str | Path,
        encoder: Encoder | Callable[[], Encoder] | None = None,
        *,
        settings: VibeSettings | None = None,
        encoder_name: str = "",
        keep_pictures: bool = True,
    ) -> None:
        super().__init__(memory_path, encoder, encoder_name=encoder_name, keep_pictures=keep_pictures)
        self.settings = settings or VibeSettings()
        self._held: tuple[tuple[int, str, int], Contents, Taste] | None = None

    def score(self, embedding: Picture, category: str | None = None) -> float:
        """How much a picture would be liked: 2·P(like) − 1; 0 where nothing is known. Records nothing.

        Args:
            embedding: (d,) numbers of any length, or a picture in any form.
            category: of the picture; None = of all of them, by their share of the memories' weight.
        """
        seen = self.eye.see_or_not(embedding)
        return 0.0 if seen is None else float(self.score_many(seen.vector[None], category)[0])

    def score_many(
        self, embeddings: NDArray[np.floating], category: str | None = None, *, plain: bool = False
    ) -> NDArray[np.float64]:
        """(m,) scores of (m, d) embeddings; `plain`: by mean cosine instead, in [−2, 2].

        Raises:
            ConfigError: an embedding is not finite.
        """
        if not np.isfinite(embeddings).all():
            raise ConfigError("embeddings to score: found NaN or infinity; their encoder is at fault")
        return self.taste(embeddings.shape[1]).scores(embeddings, category, plain=plain)

    def accepts(self, score: float) -> bool:
        """Whether the settings keep a picture of this score without another try."""
        return self.settings.accepts(score)

    def explain(self, embedding: Picture, category: str | None = None, top: int = 5) -> Explanation:
        """The score, and which memories moved it by how much."""
        seen = self.eye.see_or_not(embedding)
        if seen is None:
            return Explanation(score=0.0)
        return self.taste(seen.vector.size).explain(seen.vector, category, top)

    def nearest(self, embedding: Picture, *, liked: bool = True, count: int = 3) -> tuple[Influence, ...]:
        """The liked (or disliked) memories most like a picture, most similar first."""
        seen = self.eye.see_or_not(embedding)
        return (
            ()
            if seen is None
            else self.taste(seen.vector.size).nearest(seen.vector, liked=liked, count=count)
        )

    def favourites(self, *, category: str | None = None, count: int = 3) -> tuple[tuple[Path, float], ...]:
        """Pictures that represent the taste, for guidance: the kept ones of the likes that score highest.

        They depend on the opinions alone, neither on the day nor on the panels that were drawn since, so that
        the same run again is guided by the same pictures. Memories of the newest one's encoder count.

        Returns:
            Path and score, best first; fewer than `count` where no more pictures were kept.
        """
        newest = max(self.memories, key=lambda memory: memory.timestamp or 0, default=None)
        if newest is None:
            return ()
        size, spaces = newest.vector.size, ("", newest.space)
        comparable = [m for m in self.memories if m.vector.size == size and m.space in spaces]
        taste = Taste(comparable, None, size, newest.timestamp or 0.0)
        ranked = (
            (self.picture_of(memory), score) for memory, score in taste.favourites(category, len(comparable))
        )
        return tuple((path, score) for path, score in ranked if path is not None)[:count]

    def taste(self, size: int) -> Taste:
        """The fit to the memories of the current space; kept until the file or the day changes."""
        contents = self.contents
        key = size, self._space(size), int(time.time() // DAY)
        if self._held is not None and self._held[0] == key and self._held[1] is contents:
            return self._held[2]
        memories = self.comparable(size)
        if aside := len(contents.memories) - len(memories):
            self._say_once(
                f"{self.path}: {aside} of {len(contents.memories)} memories are of another encoder, set aside"
            )
        mean = contents.panel_mean(key[1])
        taste = Taste(memories, mean if mean and mean.vector.size == size else None, size, time.time())
        self._held = key, contents, taste
        return taste

    def comparable(self, size: int) -> tuple[Memory, ...]:
        """The memories whose vectors are of this size and of the current space, as far as that is known."""
        space = self._space(size)
        return tuple(m for m in self.memories if m.vector.size == size and m.space in ("", space))

    def get_statistics(self) -> dict[str, Any]:
        """Counts, categories and use: plain values that JSON takes."""
        contents = self.contents
        categories: dict[str, dict[str, int]] = {}
        for memory in contents.memories:
            counts = categories.setdefault(memory.category, {"liked": 0, "disliked": 0})
            counts["liked" if memory.liked else "disliked"] += 1
        liked = [memory for memory in contents.memories if memory.liked]
        disliked = [memory for memory in contents.memories if not memory.liked]
        used = contents.statistics
        return {
            "path": str(self.path),
            "liked": len(liked),
            "disliked": len(disliked),
            "total": len(contents.memories),
            "weight_liked": round(sum(memory.weight for memory in liked), 6),
            "weight_disliked": round(sum(memory.weight for memory in disliked), 6),
            "categories": dict(sorted(categories.items())),
            "generation_count": used.generation_count,
            "average_score": round(used.average_score, 6),
            "filter_applications": used.filter_applications,
            "encoder": contents.encoder,
            "panels_seen": sum(mean.count for mean in contents.panels),
            "threshold": self.settings.threshold,
            "max_retries": self.settings.max_retries,
        }
