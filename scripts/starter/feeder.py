"""Batches of `Scenes` made by other processes while a card trains; without processes, made on demand.

Saying captions anew and putting masks together takes a processor about 0.3 ms a sample: a card would wait for
it. Every process holds the pool itself and takes up new shards once a minute. In: a way to open `Scenes`.
Out: turns, a batch of each number of characters. Knows nothing of what is learnt.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from scripts.starter.scenes import Scenes

REFRESH = 60.0  # seconds


Turn = list[dict[str, Any]]


class Turns(IterableDataset[Turn]):
    """Turns without end.

    Args:
        opened: makes the `Scenes` of a process from its number.
        sizes: samples of a batch by number of characters; a turn has one batch of each.
    """

    def __init__(self, opened: Callable[[int], Scenes], sizes: Mapping[int, int]) -> None:
        self.opened, self.sizes = opened, dict(sizes)

    def __iter__(self) -> Iterator[Turn]:
        worker = get_worker_info()
        scenes = self.opened(worker.id if worker else 0)
        refreshed = time.monotonic()
        while True:
            yield [scenes.batch(count, size) for count, size in self.sizes.items()]
            if time.monotonic() - refreshed > REFRESH:
                scenes.refresh()
                refreshed = time.monotonic()


def feed(turns: Turns, workers: int, device: str) -> Iterator[Turn]:
    """Turns on `device`; `workers` 0: made in this process."""
    if not workers:
        made: Any = iter(turns)
    else:
        torch.multiprocessing.set_sharing_strategy("file_system")
        made = iter(DataLoader(turns, batch_size=None, num_workers=workers, prefetch_factor=4))
    for turn in made:
        yield [_moved(batch, device) for batch in turn]


def _moved(batch: dict[str, Any], device: str) -> dict[str, Any]:
    return {
        name: value.to(device, non_blocking=True) if isinstance(value, Tensor) else value
        for name, value in batch.items()
    }


def seeded(seed: int, worker: int) -> random.Random:
    """A generator that no other process has."""
    return random.Random(f"{seed}/{worker}")
