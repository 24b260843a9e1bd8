"""Draw what the starter makes of the first prompts of the benchmark, unpicked, on one sheet.

    python -m scripts.starter.contact_sheet [--quality balanced] [--count 24]

Out: `examples/gallery/starter_<quality>.png`, rows from left to right in the order of the seeds. The prompts
are those of `scripts/bench/starter.py`; each character has a reference that the starter rehearsed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from model.studio import Studio
from model.terminal import Terminal
from model.variants import QUALITIES
from scripts.bench.drawer import Drawer
from scripts.bench.held_out import held_out_panels

ROOT = Path(__file__).resolve().parents[2]
HEIGHT, WIDTH = 256, 2048  # of a row, in pixels
GAP = 6
PAPER = (255, 255, 255)


def in_rows(pictures: Sequence[Image.Image], *, height: int = HEIGHT, width: int = WIDTH) -> Image.Image:
    """Pictures of equal height in rows, in order, each row as full as `width` allows."""
    scaled = [
        picture.resize(
            (max(1, round(picture.width * height / picture.height)), height), Image.Resampling.LANCZOS
        )
        for picture in pictures
    ]
    rows: list[list[Image.Image]] = [[]]
    for picture in scaled:
        if rows[-1] and sum(one.width + GAP for one in rows[-1]) + picture.width > width:
            rows.append([])
        rows[-1].append(picture)
    widest = max(sum(one.width + GAP for one in row) for row in rows)
    sheet = Image.new("RGB", (widest + GAP, len(rows) * (height + GAP) + GAP), PAPER)
    for number, row in enumerate(rows):
        left = GAP
        for picture in row:
            sheet.paste(picture, (left, GAP + number * (height + GAP)))
            left += picture.width + GAP
    return sheet


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.starter.contact_sheet", description="Draw the first prompts on one sheet."
    )
    parser.add_argument("--quality", choices=QUALITIES, default="balanced")
    parser.add_argument("--count", type=int, default=24, help="pictures (default 24)")
    parser.add_argument(
        "--seed", type=int, default=0, help="which range of prompts, 0 to 1000000 (default 0)"
    )
    parser.add_argument("--model", default="starter", help="starter, or the folder of such a checkpoint")
    parser.add_argument("--candidates", type=int, default=1, help="rehearsal drawings a character")
    parser.add_argument("--max_retries", type=int, default=0, help="new tries for a panel that is refused")
    parser.add_argument("--library", type=Path, default=ROOT / "outputs" / "bench_library")
    parser.add_argument("--out", type=Path, help="default: examples/gallery/starter_<quality>.png")
    flags = parser.parse_args(argv)
    measured = "auto" if flags.max_retries else "none"
    said = {
        "model": flags.model,
        "quality": flags.quality,
        "candidates": flags.candidates,
        "max_retries": flags.max_retries,
        "detector": measured,
        "segmenter": measured,
        "library": flags.library,
    }
    out = flags.out or ROOT / "examples" / "gallery" / f"starter_{flags.quality}.png"
    with (
        Terminal() as terminal,
        Studio.open(events=terminal, **said) as studio,
        studio.running() as context,
    ):
        pictures = Drawer(context).draw(held_out_panels(flags.count, flags.seed))
    out.parent.mkdir(parents=True, exist_ok=True)
    in_rows(pictures).save(out)
    sys.stdout.write(f"{out}: {len(pictures)} pictures\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
