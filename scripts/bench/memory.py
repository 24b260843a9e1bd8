"""What remembering costs on this machine, each figure with what was expected.

    python -m scripts.bench.memory [--part vibe|sightings] [--repeat 5] [--memories N] [--sightings N]

vibe: 1,000 likes and dislikes of 512 numbers, by a taste that the embeddings show with 10 % of the labels
wrong, and by chance, which is the hardest case: no setting of the kernel can be ruled out. Scoring one panel
(the fit excluded), fitting anew (from nothing: no part of an earlier fit is kept), and adding one like so
that it survives power loss, beside this machine's own write + fsync of as many bytes.

sightings: 100,000 sightings of characters with vectors of 512 numbers in one library. The ten nearest to a
picture, by comparing with every one; keeping one more so that it survives power loss, beside this machine's
own write + fsync of one page of the database. A process's first search reads them all.

Another part is a function in PARTS that prints its lines and returns its figures. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from model.files import BlobId
from model.memory.characters.database import Characters
from model.memory.characters.looks import Look
from model.memory.characters.sightings import NewSighting, Sightings
from model.memory.panels.cache import Embedding
from model.memory.store.library import Library
from model.memory.vibe.entries import Copy, Memory, PanelMean, compact
from model.memory.vibe.memory import VibeMemory
from model.memory.vibe.taste import Taste
from scripts.bench.command import run, seed_flag
from scripts.bench.vibe import WIDTH, make_world

PANELS = 400
ROUNDS = 4
_PAGE = 16384
_AT_ONCE = 10_000


def median_ms(
    work: Callable[[], object], repeat: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Milliseconds of a call: the least of ROUNDS medians of `repeat` calls, after one that is not counted.

    A median leaves out single calls that were interrupted, the least of several the rounds in which other
    programs had the core.
    """
    work()
    medians: list[float] = []
    for _ in range(ROUNDS):
        taken: list[float] = []
        for _ in range(repeat):
            started = clock()
            work()
            taken.append((clock() - started) * 1000)
        medians.append(statistics.median(taken))
    return min(medians)


def fsync_ms(folder: Path, size: int, repeat: int) -> float:
    """This disk's time for writing `size` bytes to a file and syncing it, measured likewise."""
    data = os.urandom(size)

    def write() -> None:
        with (folder / "probe").open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    return median_ms(write, repeat)


def vibe(flags: argparse.Namespace) -> dict[str, float]:
    """A score, a fit, a durable like."""
    rng = np.random.default_rng(flags.seed)
    world = make_world("direction", rng)
    rows, utility = world.draw(flags.memories, rng)
    panels = world.draw(PANELS, rng)[0].astype(np.float32)
    mean = PanelMean(space="", count=PANELS, vector=panels.mean(axis=0))
    meant = (utility > world.median) ^ (rng.random(flags.memories) < 0.1)
    figures: dict[str, float] = {}
    for name, liked in (("taste", meant), ("chance", rng.random(flags.memories) < 0.5)):
        now = time.time()
        memories = [
            Memory(liked=bool(side), vector=compact(row), copies=(Copy(timestamp=now),))
            for row, side in zip(rows, liked, strict=True)
        ]
        taste = Taste(memories, mean, WIDTH, now)
        ranks = iter(range(10**9))

        def score(taste: Taste = taste, ranks: Iterator[int] = ranks) -> object:
            return taste.scores(panels[[next(ranks) % PANELS]])

        figures[f"score_ms_{name}"] = median_ms(score, 20 * flags.repeat)
        figures[f"score_cpu_ms_{name}"] = median_ms(score, 20 * flags.repeat, time.process_time)

        def fit(memories: list[Memory] = memories, now: float = now) -> Taste:
            return Taste(memories, mean, WIDTH, now)

        figures[f"fit_ms_{name}"] = median_ms(fit, flags.repeat)
        # On a busy machine the clock on the wall measures the others as well.
        figures[f"fit_cpu_ms_{name}"] = median_ms(fit, flags.repeat, time.process_time)
        wall, core = (
            [figures[f"{what}_{clock}_{name}"] for what in ("score", "fit")] for clock in ("ms", "cpu_ms")
        )
        print(
            f"vibe, {flags.memories} memories, labels by {name}: score {wall[0]:.2f} ms (at most 1; of one "
            f"core's time {core[0]:.2f}), fit {wall[1]:.0f} ms (at most 100; of one core's "
            f"time {core[1]:.0f}); {len(taste.settings)} settings count"
        )
    with tempfile.TemporaryDirectory() as name:
        memory = VibeMemory(Path(name) / "vibe.json")
        memory.remember([(one, None) for one in memories])
        figures["add_ms"] = median_ms(lambda: memory.add_like(rows[0]), flags.repeat)
        size = memory.path.stat().st_size
        figures["fsync_ms"] = fsync_ms(Path(name), size, flags.repeat)
        figures["bytes_a_memory"] = size / len(memory.memories)
    print(
        f"vibe, a durable like: {figures['add_ms']:.1f} ms, of a file of {size / 1e6:.1f} MB "
        f"({figures['bytes_a_memory']:.0f} bytes a memory); this disk's write + fsync of that: "
        f"{figures['fsync_ms']:.1f} ms"
    )
    return figures


def sightings(flags: argparse.Namespace) -> dict[str, float]:
    """The ten nearest of many, a durable sighting."""
    rng = np.random.default_rng(flags.seed)
    vectors = rng.normal(size=(flags.sightings, WIDTH)).astype(np.float16)
    with tempfile.TemporaryDirectory() as name, Library.open(Path(name)) as library:
        mika, kept = Characters(library).introduce(Look(name="Mika")).id, Sightings(library)

        def new(number: int, vector: np.ndarray) -> NewSighting:
            return NewSighting(
                character=mika, crop=BlobId(f"{number:064x}"), panel=f"{number:064x}",
                place="first-light p001_01",
                similarity=0.8, quality=0.8, embedding=Embedding(space="clip", vector=vector),
            )  # fmt: skip

        for start in range(0, flags.sightings, _AT_ONCE):
            part = vectors[start : start + _AT_ONCE]
            kept.add([new(start + number, row) for number, row in enumerate(part)])
        asked = [
            Embedding(space="clip", vector=row) for row in vectors[rng.permutation(flags.sightings)[:50]]
        ]
        started = time.perf_counter()
        kept.nearest(asked[0])
        figures = {"first_search_ms": (time.perf_counter() - started) * 1000}
        turns = iter(range(10**9))

        def search() -> object:
            return kept.nearest(asked[next(turns) % len(asked)], 10)

        figures["search_ms"] = median_ms(search, flags.repeat)
        figures["search_cpu_ms"] = median_ms(search, flags.repeat, time.process_time)
        numbers = iter(range(flags.sightings, 10**9))
        figures["add_ms"] = median_ms(lambda: kept.add([new(next(numbers), vectors[0])]), 4 * flags.repeat)
        figures["fsync_ms"] = fsync_ms(Path(name), _PAGE, 4 * flags.repeat)
        figures["add_over_fsync"] = figures["add_ms"] / figures["fsync_ms"]
        library.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        figures["bytes_a_sighting"] = library.file.stat().st_size / len(kept)
    print(
        f"sightings, {flags.sightings} of {WIDTH} numbers: the ten nearest {figures['search_ms']:.1f} ms "
        f"(at most 15; of one core's time {figures['search_cpu_ms']:.1f}), the first search of a process "
        f"{figures['first_search_ms']:.0f} ms"
    )
    print(
        f"sightings, a durable one: {figures['add_ms']:.2f} ms (at most 3), {figures['add_over_fsync']:.2f} "
        f"of this disk's write + fsync of a page ({figures['fsync_ms']:.2f} ms); "
        f"{figures['bytes_a_sighting']:.0f} bytes a sighting"
    )
    return figures


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {"vibe": vibe, "sightings": sightings}


def main() -> int:
    parser = argparse.ArgumentParser(description="Time what is remembered.")
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--repeat", type=int, default=5, help="calls a round, of which there are four")
    parser.add_argument("--memories", type=int, default=1000)
    parser.add_argument("--sightings", type=int, default=100_000)
    seed_flag(parser, 0)
    flags = parser.parse_args()
    chosen = PARTS if flags.part == "all" else {flags.part: PARTS[flags.part]}
    figures = {
        part: {key: round(value, 3) for key, value in work(flags).items()} for part, work in chosen.items()
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
