"""Opinions about pictures: one file of likes and dislikes, and what runs report of their panels.

In: pictures (path, PIL, array, tensor) or embeddings, liked or disliked, in categories, with weights. Out:
the same as memories, and statistics. Everything is on disk when a call returns, and what another process has
added is seen at once. What it means for a new picture is computed by `memory`.

Pictures need an encoder, which is handed in. Knows nothing of scores, runs and panels.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import ConfigError
from model.memory.vibe.encoding import Encoder, Eye, Vector
from model.memory.vibe.entries import (
    GENERAL,
    Contents,
    Copy,
    Memory,
    PanelMean,
    check_category,
    check_weight,
    compact,
    gathered,
)
from model.memory.vibe.opinions import unit
from model.memory.vibe.pictures import Album, Picture
from model.memory.vibe.store import Repair, Store

_log = logging.getLogger(__name__)


class Notebook:
    """One file of likes and dislikes.

    Args:
        memory_path: the JSON file; made with the first memory.
        encoder: makes pictures into vectors: an encoder, or a call that loads one when it is first needed.
        encoder_name: as people call it, written into the file.
        keep_pictures: keep a small JPEG of each picture beside the file, for explanations and guidance.

    Reading the file may raise IntegrityError (it is damaged) or StorageError (the disk refuses) in every
    method.
    """

    def __init__(
        self,
        memory_path: str | Path,
        encoder: Encoder | Callable[[], Encoder] | None = None,
        *,
        encoder_name: str = "",
        keep_pictures: bool = True,
    ) -> None:
        self.path = Path(memory_path)
        self.eye = Eye(encoder)
        self._store = Store(self.path)
        self.album = Album(self.path)
        self._keeps, self._encoder_name = keep_pictures, encoder_name
        self._said: set[str] = set()

    def add_like(
        self,
        image: Picture,
        category: str = GENERAL,
        weight: float = 1.0,
        *,
        source: str = "",
    ) -> Memory:
        """Remember that this picture (or embedding) is liked. Said twice, it counts twice.

        Args:
            image: see `as_picture`; a flat array is taken for an embedding.
            source: where it came from, for people; default: the path.
        Raises:
            ConfigError: the picture, category or weight is none.
            WeightsMissing, PackageMissing: there is no encoder for a picture.
        """
        return self._add(image, category, weight, source, liked=True)

    def add_dislike(
        self,
        image: Picture,
        category: str = GENERAL,
        weight: float = 1.0,
        *,
        source: str = "",
    ) -> Memory:
        """Remember that this picture is disliked; see `add_like`."""
        return self._add(image, category, weight, source, liked=False)

    def memory_of(
        self, image: Picture, *, liked: bool, category: str, weight: float, source: str
    ) -> tuple[Memory, Image.Image | None]:
        """The memory that adding this would make, and the picture to keep of it. Raises as `add_like`."""
        category, weight = check_category(category), check_weight(weight)
        seen = self.eye.see(image)
        try:
            vector = compact(seen.vector)
        except ValueError as error:
            raise ConfigError(
                f"an embedding to remember: {error}; check the picture and the encoder"
            ) from error
        memory = Memory(
            liked=liked,
            vector=vector,
            category=category,
            copies=(Copy(weight=weight, timestamp=round(time.time(), 3), facts={"source": source}),),
            space=self._space(vector.size) if seen.space is None else seen.space,
        )
        return memory, seen.picture

    def remember(self, pairs: Sequence[tuple[Memory, Image.Image | None]]) -> tuple[Memory, ...]:
        """Add memories, with the pictures to keep of them; all or none."""
        kept: list[Memory] = []

        def change(contents: Contents) -> Contents:
            # Under the lock, and before the entry: an entry never names a picture that is not there.
            for memory, picture in pairs:
                first = memory.copies[0]
                facts = {name: value for name, value in first.facts.items() if value}
                if picture is not None and self._keeps:
                    facts["picture"] = self.album.keep(picture)
                kept.append(replace(memory, copies=(replace(first, facts=facts), *memory.copies[1:])))
            memories = contents.memories + tuple(kept)
            return replace(contents, memories=memories, encoder=self._encoder_name or contents.encoder)

        self._store.changed(change)
        return tuple(kept)

    @property
    def memories(self) -> tuple[Memory, ...]:
        """All of them: likes, then dislikes, each in the order of adding."""
        return self.contents.memories

    @property
    def contents(self) -> Contents:
        """What the file holds now; says once what in it could not be used."""
        parsed = self._store.read()
        if parsed.complaints:
            shown = "; ".join(parsed.complaints[:3]) + ("; …" if len(parsed.complaints) > 3 else "")
            self._say_once(f"{self.path}: {len(parsed.complaints)} things in it could not be used: {shown}")
        return parsed.contents

    def change(self, change: Callable[[Contents], Contents]) -> Contents:
        """Replace what the file holds by what `change` makes of it, under the file's lock."""
        return self._store.changed(change)

    def clear(self, category: str | None = None) -> int:
        """Forget the memories of a category, or everything and its statistics; returns how many memories."""
        gone, before = 0, Contents()

        def change(contents: Contents) -> Contents:
            nonlocal gone, before
            before = contents
            kept = tuple(m for m in contents.memories if category is not None and m.category != category)
            gone = len(contents.memories) - len(kept)
            if category is None:
                return Contents()
            return replace(contents, memories=kept) if gone else contents

        after = self._store.changed(change)
        # What the `.bak` shows stays too.
        shown = before.memories + after.memories
        self.album.keep_only({str(copy.facts.get("picture", "")) for one in shown for copy in one.copies})
        return gone

    def optimize(self) -> tuple[int, int]:
        """Make one entry of exact copies; weights, times and facts of all are kept.

        Returns:
            Entries before and after.
        """
        counts = (0, 0)

        def change(contents: Contents) -> Contents:
            nonlocal counts
            together = gathered(contents.memories)
            counts = len(contents.memories), len(together)
            return replace(contents, memories=together) if counts[0] != counts[1] else contents

        self._store.changed(change)
        return counts

    def repair(self) -> Repair:
        """Restore what a damaged file and its `.bak` still hold; see `Store.repair`."""
        return self._store.repair()

    def picture_of(self, memory: Memory) -> Path | None:
        """The kept picture of a memory, if there is one."""
        return self.album.path(memory.fact("picture"))

    def embed(self, image: Picture) -> Vector:
        """(d,) float32 of a picture, as the encoder makes it. Raises as `add_like`."""
        return self.eye.see(image).vector

    def record(
        self,
        embeddings: NDArray[np.floating],
        scores: Sequence[float] | NDArray[np.floating],
        *,
        applied: int = 0,
    ) -> None:
        """Note pictures that a run has drawn and scored: they move the mean panel and the statistics.

        Args:
            embeddings: (m, d) of the drawn pictures, m ≥ 0.
            scores: of the same.
            applied: how many decisions to keep or to draw again were made by them.
        """
        size = embeddings.shape[1]
        space, vectors = self._space(size), unit(embeddings)

        def change(contents: Contents) -> Contents:
            after = replace(contents, statistics=contents.statistics.with_scores(scores, applied))
            if not len(vectors):
                return after
            known = contents.panel_mean(space) or PanelMean.none(space, size)
            return after.with_panel_mean(known.with_panels(vectors))

        if len(embeddings) or applied:
            self._store.changed(change)

    def _add(self, image: Picture, category: str, weight: float, source: str, *, liked: bool) -> Memory:
        named = source or (str(image) if isinstance(image, str | Path) else "")
        return self.remember(
            [self.memory_of(image, liked=liked, category=category, weight=weight, source=named)]
        )[0]

    def _space(self, size: int) -> str:
        """The space of embeddings of this size: the encoder's, or that of the newest memory of the size."""
        if self.eye.space is not None:
            return self.eye.space
        contents = self.contents
        known = [memory for memory in contents.memories if memory.vector.size == size and memory.space]
        if known:
            return max(known, key=lambda memory: memory.timestamp or 0).space
        return next((mean.space for mean in contents.panels if mean.vector.size == size), "")

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            _log.warning("%s", text)
