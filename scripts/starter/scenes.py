"""Shards of the drawn world as training batches: captions said anew each time, boxes jittered, shapes mixed.

In: a folder of `pool.py`'s shards. Out: batches of one number of characters, every shape padded to CELLS
image tokens, with rotary positions a sample. Knows nothing of losses.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.render.sequence import Layout, grid_ids, region_cells
from scripts.starter.blocks import FastFlux
from scripts.starter.captions import global_caption, region_caption
from scripts.starter.pool import CELLS, SHAPES
from scripts.starter.text import GLOBAL_TOKENS, REGION_TOKENS

REFERENCE_CELLS = 16
HEADS = 6.0  # how much more than one the cells of a head weigh: faces are what goes wrong


def scene_layout(count: int) -> Layout:
    """The training sequence of `count` characters: every shape padded to CELLS image tokens."""
    return Layout(
        global_text=GLOBAL_TOKENS, region_text=REGION_TOKENS, regions=count, rows=CELLS, columns=1,
        reference_rows=4, reference_columns=4,
    )  # fmt: skip


class Scenes:
    """Shards on disk as batches of one number of characters; an empty scene counts as one."""

    def __init__(self, folder: Path, rng: random.Random, fast: FastFlux, device: str) -> None:
        self.folder, self.rng, self.device = folder, rng, device
        self.loaded: dict[Path, dict[str, Any]] = {}
        self.rows: dict[int, list[tuple[Path, int]]] = {}
        self.rotary: dict[tuple[int, int, int], tuple[Tensor, Tensor]] = {}
        for rows, columns in SHAPES:
            for count in (1, 2, 3):
                ids = torch.zeros(scene_layout(count).total, 3)
                start = scene_layout(count).text
                ids[start : start + rows * columns] = grid_ids(0, rows, columns)
                for region in range(count):
                    ids[scene_layout(count).reference_slice(region)] = grid_ids(region + 1, 4, 4)
                self.rotary[rows, columns, count] = fast.rotary(ids)
        self.refresh()

    def refresh(self) -> None:
        """Take up new shards, forget deleted ones."""
        present = sorted(self.folder.glob("shard_*.pt"))
        for gone in set(self.loaded) - set(present):
            del self.loaded[gone]
        for path in present:
            if path not in self.loaded:
                self.loaded[path] = torch.load(path, weights_only=True)
        self.rows = {1: [], 2: [], 3: []}
        for path, shard in self.loaded.items():
            for index, about in enumerate(shard["about"]):
                self.rows[max(about["count"], 1)].append((path, index))

    def batch(self, count: int, size: int, *, held_out: bool = False) -> dict[str, Any]:
        """One batch. `held_out`: full captions, no jitter, references everywhere, nothing dropped."""
        rng = self.rng
        rows = rng.choices(self.rows[count], k=size)
        everywhere, regions, boxes, heads, present, references, latents = [], [], [], [], [], [], []
        shapes: list[tuple[int, int]] = []
        for path, index in rows:
            shard = self.loaded[path]
            about = shard["about"][index]
            blank = not held_out and rng.random() < 0.08
            everywhere.append("" if blank else global_caption(about, rng, full=held_out))
            figures = list(enumerate(about["characters"]))
            prompts: list[str] = []
            shown: list[bool] = []
            # References are seen in half of the single panels and in three of four with several characters.
            referenced = held_out or rng.random() < (0.5 if count == 1 else 0.75)
            for position, figure in figures:
                refer = referenced and not blank and (held_out or rng.random() < 0.9)
                drop = rng.choices((0.0, 0.5, 1.0), (0.4, 0.25, 0.35))[0] if refer and not held_out else 0.0
                spoken = not blank and (held_out or rng.random() > 0.03)
                prompts.append(region_caption(figure, rng, drop=drop, full=held_out) if spoken else "")
                shown.append(refer)
                references.append(shard["references"][about["reference"] + position])
                jitter = 0.0 if held_out else 0.025
                boxes.append([value + rng.uniform(-jitter, jitter) for value in figure["box"]])
                heads.append(figure["head"])
            for _ in range(count - len(figures)):
                prompts.append("")
                shown.append(False)
                references.append(torch.zeros(REFERENCE_CELLS, 64, dtype=torch.float16))
                boxes.append([0.0, 0.0, 0.0, 0.0])
                heads.append((0.0, 0.0, 0.0, 0.0))
            regions.append(prompts)
            present.append(shown)
            latents.append(shard["latents"][index])
            shapes.append((about["rows"], about["columns"]))
        valid = torch.tensor([rows * columns for rows, columns in shapes])
        box, head = torch.tensor(boxes).view(size, count, 4), torch.tensor(heads).view(size, count, 4)
        cells, weight = torch.zeros(size, count, CELLS, dtype=torch.bool), torch.zeros(size, CELLS)
        for i, (tall, wide) in enumerate(shapes):
            cells[i, :, : tall * wide] = region_cells(box[i : i + 1], tall, wide)[0]
            faces = region_cells(head[i : i + 1], tall, wide)[0].any(0) & (head[i, :, 2].max() > 0)
            weight[i, : tall * wide] = 1.0 + HEADS * faces
        rotary = [self.rotary[tall, wide, count] for tall, wide in shapes]
        packed = {
            "latents": torch.stack(latents).float(),
            "references": torch.stack(references).view(size, -1, 64).float(),
            "cells": cells, "weight": weight / weight.sum(1, keepdim=True), "valid": valid,
            "present": torch.tensor(present), "cos": torch.stack([c for c, _ in rotary])[:, :, None],
            "sin": torch.stack([s for _, s in rotary])[:, :, None],
        }  # fmt: skip
        moved: dict[str, Any] = {
            name: value.to(self.device, non_blocking=True) for name, value in packed.items()
        }
        about = [self.loaded[path]["about"][index] for path, index in rows]
        return {**moved, "everywhere": everywhere, "regions": regions, "count": count, "about": about}
