"""Panels and phrases as training batches: one size a batch, phrases asked anew each time, mirrored at will.

In: panels and a tokenizer. Out: `Questions`, tensors with their truth. Knows nothing of the network but the
strides of its feature maps.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import BertTokenizer

from model.vision.asking import question
from model.vision.grounding import phrase_tokens
from scripts.starter.detector.anchors import NAMES, UNKNOWN, labels
from scripts.starter.detector.losses import MOST, Truth
from scripts.starter.detector.panels import Panel
from scripts.starter.detector.phrases import Phrase, ask, seen
from scripts.starter.detector.words import FIXED
from scripts.starter.vae import pixels

STRIDES = (16, 32)  # of the feature maps on which proposals stand
# Phrases a panel, batch by batch: words are cheaper than pictures, so mostly many; a run asks few.
PHRASES, SHARES = ((1, 3), (5, 9)), (0.3, 0.7)
UNKNOWN_SHARE = 0.03  # words that are hidden, so that an unknown word does little harm


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """One batch.

    Attributes:
        pixels: (n, 3, height, width) in [-1, 1].
        input_ids, attention_mask: (n, length).
        truth: what should be answered.
        looks: (n, MOST, attributes), what can be seen of each character, as `anchors.labels`.
        said: (n, length, attributes), what the phrase of each token says.
        centres: (proposals, 2) in fractions, level by level, row by row.
    """

    pixels: Tensor
    input_ids: Tensor
    attention_mask: Tensor
    truth: Truth
    looks: Tensor
    said: Tensor
    centres: Tensor


def grid_centres(height: int, width: int) -> Tensor:
    """Where the proposals of a picture of `height` × `width` pixels stand: (proposals, 2), x and y."""
    levels: list[Tensor] = []
    for stride in STRIDES:
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = torch.meshgrid(
            (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij"
        )
        levels.append(torch.stack([x, y], -1).view(-1, 2))
    return torch.cat(levels)


def looks_of(panels: Sequence[Panel]) -> Tensor:
    """What can be seen of each character: (n, MOST, attributes)."""
    looks = torch.full((len(panels), MOST, len(NAMES)), UNKNOWN)
    for row, panel in enumerate(panels):
        for who, attributes in enumerate(panel["cast"]):
            known = seen(attributes, ink=panel["ink"], frame=panel["frame"])
            looks[row, who] = torch.tensor(labels(attributes, known))
    return looks


def said_by(asked: Sequence[Sequence[Phrase]], ids: Tensor) -> Tensor:
    """What the phrase of each token says: (n, length, attributes)."""
    said = torch.full((*ids.shape, len(NAMES)), UNKNOWN)
    for row, phrases in enumerate(asked):
        spans = phrase_tokens(ids[row], FIXED["."], len(phrases))
        for span, phrase in zip(spans, phrases, strict=True):
            said[row, span] = torch.tensor(labels(phrase.said, phrase.said.keys()))
    return said


class Batches:
    """Random batches of panels of one size, sizes as often as they are drawn."""

    def __init__(
        self, panels: Sequence[Panel], tokenizer: BertTokenizer, rng: random.Random, device: str
    ) -> None:
        self.tokenizer, self.rng, self.device = tokenizer, rng, device
        self.groups: dict[tuple[int, ...], list[Panel]] = {}
        for panel in panels:
            self.groups.setdefault(panel["picture"].shape, []).append(panel)

    def draw(self, size: int) -> Questions:
        """`size` panels of one size with their phrases."""
        shapes = list(self.groups)
        shape = self.rng.choices(shapes, [len(self.groups[shape]) for shape in shapes])[0]
        chosen = self.rng.choices(self.groups[shape], k=size)
        mirrored = [self.rng.random() < 0.5 for _ in chosen]
        least, most = self.rng.choices(PHRASES, SHARES)[0]
        asked = [
            ask(panel["cast"], self.rng, ink=panel["ink"], frame=panel["frame"], least=least, most=most)
            for panel in chosen
        ]
        pictures = [
            panel["picture"][:, ::-1] if turned else panel["picture"]
            for panel, turned in zip(chosen, mirrored, strict=True)
        ]
        tokens = self._tokens(asked)
        ids, attended = torch.as_tensor(tokens["input_ids"]), torch.as_tensor(tokens["attention_mask"])
        truth = self._truth(chosen, mirrored, asked, ids)
        hidden = truth.spoken & (torch.rand(ids.shape) < UNKNOWN_SHARE)
        return Questions(
            pixels=pixels(np.stack(pictures), self.device),
            input_ids=ids.masked_fill(hidden, FIXED["[UNK]"]).to(self.device),
            attention_mask=attended.to(self.device),
            truth=truth,
            looks=looks_of(chosen).to(self.device),
            said=said_by(asked, ids).to(self.device),
            centres=grid_centres(shape[0], shape[1]).to(self.device),
        )

    def _tokens(self, asked: Sequence[list[Phrase]]) -> Any:
        """Token ids of all phrases; lists that are too long for the network lose their last phrases."""
        while True:
            texts = [question([phrase.words for phrase in phrases]) for phrases in asked]
            tokens: Any = self.tokenizer(texts, padding=True, return_tensors="pt")
            long = (tokens["attention_mask"].sum(1) > self.tokenizer.model_max_length).nonzero()
            if not len(long):
                return tokens
            for row in long.flatten().tolist():
                asked[row].pop()

    def _truth(
        self, panels: Sequence[Panel], mirrored: Sequence[bool], asked: Sequence[list[Phrase]], ids: Tensor
    ) -> Truth:
        count, length = ids.shape
        boxes = torch.full((count, MOST, 4), 0.5)
        tokens = torch.zeros(count, MOST, length, dtype=torch.bool)
        spoken = torch.zeros(count, length, dtype=torch.bool)
        for row, (panel, turned, phrases) in enumerate(zip(panels, mirrored, asked, strict=True)):
            spans = phrase_tokens(ids[row], FIXED["."], len(phrases))
            spoken[row] = spans.any(0)
            for who, (x, y, width, height) in enumerate(panel["boxes"]):
                left = 1 - x - width if turned else x
                boxes[row, who] = torch.tensor([left + width / 2, y + height / 2, width, height])
                mine = torch.tensor([phrase.whom[who] for phrase in phrases])
                tokens[row, who] = spans[mine].any(0)
        moved = (value.to(self.device) for value in (boxes, tokens.any(-1), tokens, spoken))
        return Truth(**dict(zip(("boxes", "meant", "tokens", "spoken"), moved, strict=True)))
