"""Shards of the drawn world as batches for the small Stable Diffusion: one shape and number of people each.

Three ways of telling a scene are mixed. Most batches are told by regions, as the renderer tells it: words
and references in their boxes, a global prompt behind them by a share that varies. Some are told as people's
weights are: one prompt that says everything, one reference that acts everywhere. And some samples of each are
told less: the place alone, or nothing. In: shards of `pool.py`, what `eyes.py` saw of their references. Out:
latents, what is told of them, weights of the loss. Knows nothing of noise.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.render.sd.attention import reference_places, region_shares
from model.render.sequence import region_cells, unpack
from scripts.starter.pool import SHAPES
from scripts.starter.sd import words
from scripts.starter.sd.forward import Told
from scripts.starter.sd.words import Caption, Words

COUNTS = {1: 0.45, 2: 0.38, 3: 0.17}  # an empty scene counts as one
PLAIN = 0.2  # share of the batches that are told in one prompt
NOTHING, PLACE_ALONE = 0.1, 0.1  # shares of the samples that are told nothing, or the place alone
BEHIND = 0.6  # share of the regional samples with a prompt of their own for the background
GLOBAL_SHARES = (0.0, 0.6)  # of the global prompt inside boxes: the renderer may choose in between
MOST_TOKENS = 77  # of a prompt that says everything
JITTER = 0.025  # of boxes
HEADS = 3.0  # how much more heads weigh
EMPTY = Caption(phrases=(("", ()),), about=({},), comma=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """B scenes of one shape.

    Attributes:
        latents: (B, C, h, w), scaled; told: what is told of them; weight: (B, 1, h, w), 1 on average.
    """

    latents: Tensor
    told: Told
    weight: Tensor


@dataclass(frozen=True, slots=True)
class _Sample:
    """One scene as it is told: prompts are global, background, then regions; an empty one is not there."""

    prompts: list[Caption]
    references: list[Tensor | None]
    boxes: list[list[float]]
    blank: bool


class Scenes:
    """Shards in memory.

    Args:
        pool: folder of shards; those without a file in `seen` are told without references.
        seen: folder of what `eyes.look_at` wrote.
        words: what encodes captions.
        blank: (tokens, D) what the image encoder sees of no picture.
        shift: what is added to the pool's latents, which are centred, while Stable Diffusion's are not.
    """

    def __init__(
        self, pool: Path, seen: Path, words: Words, blank: Tensor, rng: random.Random, *, shift: float
    ) -> None:
        self.words, self.blank, self.rng, self.shift = words, blank, rng, shift
        self.shards: list[tuple[dict[str, Any], Tensor | None]] = []
        self.rows: dict[tuple[tuple[int, int], int], list[tuple[int, int]]] = {}
        for path in sorted(pool.glob("shard_*.pt")):
            shard = torch.load(path, weights_only=True)
            looked = seen / f"seen_{path.name}"
            pictures = torch.load(looked, weights_only=True) if looked.exists() else None
            for index, about in enumerate(shard["about"]):
                key = (about["rows"], about["columns"]), max(about["count"], 1)
                self.rows.setdefault(key, []).append((len(self.shards), index))
            self.shards.append((shard, pictures))

    def __len__(self) -> int:
        return sum(map(len, self.rows.values()))

    def batch(self, size: int, *, held_out: bool = False) -> Batch:
        """One batch. `held_out`: regions, full captions, references everywhere, nothing dropped or moved."""
        rng = self.rng
        count = rng.choices(list(COUNTS), list(COUNTS.values()))[0]
        shape = rng.choices(list(SHAPES), list(SHAPES.values()))[0]
        while (shape, count) not in self.rows:  # small pools lack rare ones
            shape, count = rng.choice(list(self.rows))
        rows = rng.choices(self.rows[shape, count], k=size)
        plain = not held_out and rng.random() < PLAIN
        tell = self._plain if plain else self._regional
        samples = [tell(*row, count, held_out) for row in rows]
        height, width = (2 * side for side in shape)
        latents = torch.stack([self.shards[shard][0]["latents"][index] for shard, index in rows]).float()
        heads = [self.shards[shard][0]["about"][index]["characters"] for shard, index in rows]
        return Batch(
            latents=unpack(latents[:, : shape[0] * shape[1]], *shape) + self.shift,
            told=self._told(samples, height, width, plain=plain, held_out=held_out),
            weight=_weight(heads, count, height, width),
        )

    def _regional(self, shard: int, index: int, count: int, held_out: bool) -> _Sample:
        rng, about = self.rng, self.shards[shard][0]["about"][index]
        chance = 1.0 if held_out else rng.random()
        blank, bare = chance < NOTHING, chance < NOTHING + PLACE_ALONE
        first = EMPTY if blank else words.everywhere(about, rng, full=held_out)
        behind = EMPTY
        if not bare and not held_out and rng.random() < BEHIND:
            style, *_, place = first.phrases
            behind = Caption(phrases=(style, place), about=(about, about), comma=first.comma)
        referenced = held_out or rng.random() < (0.6 if count == 1 else 0.75)
        prompts, references, boxes = [first, behind], [], []
        for position, figure in enumerate(about["characters"]):
            shown = referenced and (blank or not bare) and (held_out or rng.random() < 0.9)
            seen = self._seen(shard, about, position) if shown else None
            drop = 0.0
            if seen is not None and not held_out:
                drop = rng.choices((0.0, 0.5, 1.0), (0.5, 0.25, 0.25))[0]
            spoken = not bare and (held_out or rng.random() > 0.03)
            prompts.append(words.region(figure, rng, drop=drop, full=held_out) if spoken else EMPTY)
            references.append(self.blank if blank and seen is not None else seen)
            moved = 0.0 if held_out else JITTER
            boxes.append([value + rng.uniform(-moved, moved) for value in figure["box"]])
        missing = count - len(boxes)
        return _Sample(
            prompts + [EMPTY] * missing, references + [None] * missing, boxes + [[0.0] * 4] * missing, blank
        )

    def _plain(self, shard: int, index: int, count: int, held_out: bool) -> _Sample:
        rng, about = self.rng, self.shards[shard][0]["about"][index]
        people = [words.region(figure, rng) for figure in about["characters"]]
        blank = rng.random() < NOTHING
        prompt = EMPTY if blank else words.together([words.everywhere(about, rng), *people])
        one = len(people) == 1 and rng.random() < 0.5
        seen = self._seen(shard, about, 0) if one else None
        seen = self.blank if blank and seen is not None else seen
        return _Sample([prompt], [seen], [[0.0, 0.0, 1.0, 1.0]], blank)

    def _seen(self, shard: int, about: dict[str, Any], position: int) -> Tensor | None:
        pictures = self.shards[shard][1]
        return None if pictures is None else pictures[about["reference"] + position]

    def _told(self, samples: list[_Sample], height: int, width: int, *, plain: bool, held_out: bool) -> Told:
        size, kinds = len(samples), len(samples[0].prompts)
        limit = MOST_TOKENS if plain else self.words.tokenizer.model_max_length - 2
        ids = [self.words.ids(prompt, limit) for one in samples for prompt in one.prompts]
        states, valid = self.words.states(ids)
        boxes = torch.tensor([one.boxes for one in samples])
        present = torch.tensor([[seen is not None for seen in one.references] for one in samples])
        said = torch.tensor([[prompt is not EMPTY for prompt in one.prompts] for one in samples])
        grids = [(height, width), (-(-height // 2), -(-width // 2))]
        share = torch.empty(size).uniform_(*GLOBAL_SHARES)
        shares, places = {}, {}
        for rows, columns in grids:
            places[rows * columns] = reference_places(boxes, present, rows, columns)[:, :, 0].transpose(1, 2)
            if plain:
                shares[rows * columns] = torch.ones(size, rows * columns, 1)
                continue
            own = region_shares(boxes, said[:, 2:], said[:, 1], rows, columns)[..., 0].transpose(1, 2) > 0
            own = own * (0.7 if held_out else (1 - share)[:, None, None])
            shares[rows * columns] = torch.cat([1 - own.sum(-1, keepdim=True), own], -1)
        pictures = torch.stack(
            [self.blank if seen is None else seen for one in samples for seen in one.references]
        )
        return Told(
            prompts=states.unflatten(0, (size, kinds)),
            valid=None if valid is None else valid.unflatten(0, (size, kinds)),
            shares=shares,
            pictures=pictures.unflatten(0, (size, -1)) if present.any() else pictures[:0].view(size, 0, 1, 1),
            places=places,
        )


def _weight(people: list[Any], count: int, height: int, width: int) -> Tensor:
    """(B, 1, height, width): heads weigh more, 1 on average in each sample."""
    boxes = torch.zeros(len(people), count, 4)
    for row, figures in enumerate(people):
        for position, figure in enumerate(figures):
            boxes[row, position] = torch.tensor(figure["head"])
    faces = region_cells(boxes, height, width).any(1).float().view(-1, 1, height, width)
    weight = 1 + HEADS * faces
    return weight / weight.mean((2, 3), keepdim=True)
