"""What binding a long book costs: seconds and memory for each form of a book of many pages.

    python -m scripts.bench.pages [--pages 200] [--panels 5] [--forms pdf book] [--dpi 150] [--seed 0]

The pages differ: soft colours with noise at page resolution (longest side 1024), one to three lines a panel,
drawn from a seed. Each form is written by a fresh process, whose processor time and peak memory are told
beside the clock; then it is written again, and once more with one line changed. The form `book` is what a run
writes: pages, PDF, CBZ and reader.

Last line: JSON. Expected: at most 60 s and 1 GB for the PDF of 200 pages; for a changed line of a book less
than a second a page that was changed, and little for the others.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

from model.geometry import Box
from model.page.export.book import BOOK, FORMATS, export_book
from model.page.values import LINE_KINDS, Book, Line, PageArt, PanelArt
from scripts.bench.command import run, seed_flag

WHOLE = "book"
SHAPES = ((1024, 1024), (1024, 512), (512, 1024), (1024, 768))
SPEECH = (
    "the sun is not up yet and we have been waiting here since last night for a boat that never comes "
    "because somebody told Mika it would so wait with me a little longer under the old lighthouse"
)
PLACES = (Box(0.06, 0.25, 0.36, 0.75), Box(0.56, 0.3, 0.36, 0.7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one export took. `cpu` and `clock` are seconds, `peak` megabytes, `size` megabytes of files."""

    form: str
    what: str
    cpu: float
    clock: float
    peak: float
    size: float
    set_anew: int


def write_pictures(folder: Path, chance: random.Random) -> list[Path]:
    """A dozen pictures as large and as hard to compress as enlarged panels."""
    found: list[Path] = []
    for index in range(12):
        width, height = SHAPES[index % len(SHAPES)]
        noise = np.random.default_rng(chance.randrange(2**32))
        coarse = noise.integers(0, 255, (height // 64, width // 64, 3), dtype=np.uint8)
        large = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        pixels = np.asarray(large).astype(int) + noise.integers(-3, 4, (height, width, 1))
        found.append(folder / f"picture_{index:02d}.png")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(found[-1])
    return found


def make_book(pages: int, panels: int, pictures: list[Path], chance: random.Random) -> Book:
    """Pages of talking panels, no two alike."""
    made: list[PageArt] = []
    for number in range(1, pages + 1):
        arts: list[PanelArt] = []
        for index in range(panels):
            lines = tuple(
                Line(
                    text=" ".join(chance.choices(SPEECH.split(), k=chance.randint(2, 11))).capitalize() + ".",
                    kind=chance.choice(LINE_KINDS[:4]),
                    speaker=PLACES[one % 2],
                )
                for one in range(chance.randint(1, 3))
            )
            arts.append(
                PanelArt(
                    id=f"p{number:03d}_{index + 1:02d}",
                    picture=chance.choice(pictures),
                    alt="Two people at the sea",
                    caption="Later." if index == 0 else "",
                    lines=lines,
                    figures=PLACES,
                    names=("Mika", "Ren"),
                )
            )
        made.append(PageArt(number=number, panels=tuple(arts)))
    return Book(title="A long book", pages=tuple(made))


def export(book: Book, out: Path, form: str, dpi: int, what: str) -> Cost:
    """Export in a process of its own, and measure that."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    worker = multiprocessing.get_context("spawn").Process(
        target=_measured, args=(theirs, book, out, form, dpi)
    )
    worker.start()
    facts = ours.recv()
    worker.join()
    return Cost(form=form, what=what, **facts)


def _measured(answers: Connection, book: Book, out: Path, form: str, dpi: int) -> None:
    started = time.perf_counter()
    done = export_book(book, out, dpi, BOOK if form == WHOLE else [form])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers.send(
        {
            "cpu": round(time.process_time(), 1),
            "clock": round(time.perf_counter() - started, 1),
            "peak": round(peak / (2**20 if sys.platform == "darwin" else 2**10)),
            "size": round(sum(file.stat().st_size for file in done.files) / 1e6, 1),
            "set_anew": len(done.set_anew),
        }
    )


def changed(book: Book) -> Book:
    """The book with another line in its middle."""
    middle = len(book.pages) // 2
    page = book.pages[middle]
    panel = replace(page.panels[0], lines=(Line(text="Something else.", speaker=PLACES[0]),))
    page = replace(page, panels=(panel, *page.panels[1:]))
    return replace(book, pages=(*book.pages[:middle], page, *book.pages[middle + 1 :]))


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the forms of a long book.")
    parser.add_argument("--pages", type=int, default=200, metavar="N")
    parser.add_argument("--panels", type=int, default=5, metavar="N", help="a page (default: 5)")
    parser.add_argument("--forms", nargs="+", default=["pdf"], choices=(*FORMATS, WHOLE))
    parser.add_argument("--dpi", type=int, default=150, metavar="N")
    seed_flag(parser, 0)
    flags = parser.parse_args()
    chance = random.Random(flags.seed)
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        book = make_book(flags.pages, flags.panels, write_pictures(folder, chance), chance)
        sys.stdout.write("form     what         cpu s  clock s  peak MB  files MB  pages set\n")
        for form in flags.forms:
            for what, made in (("new", book), ("again", book), ("a line", changed(book))):
                cost = export(made, folder / form, form, flags.dpi, what)
                costs.append(cost)
                sys.stdout.write(
                    f"{form:8} {what:9} {cost.cpu:8} {cost.clock:8} {cost.peak:8} {cost.size:9} "
                    f"{cost.set_anew:10}\n"
                )
                sys.stdout.flush()
    sys.stdout.write(json.dumps({"pages": flags.pages, "costs": [asdict(cost) for cost in costs]}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
