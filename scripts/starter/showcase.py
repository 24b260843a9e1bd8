"""Draw the showcase: the page of each story in `examples/showcase/`, first seeds, unpicked.

    python -m scripts.starter.showcase [--seed 0] [--quality balanced]

Out: `examples/gallery/<story>.png`, one a story, as a reader gets them with the default settings: the judge
may try a panel again, nobody else chooses. What was drawn is kept in a library of its own; with other
weights all is drawn anew.
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

ROOT = Path(__file__).resolve().parents[2]
STORIES = ROOT / "examples" / "showcase"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.starter.showcase", description="Draw the showcase's pages, unpicked."
    )
    parser.add_argument("--seed", type=int, default=0, help="of the run (default 0)")
    parser.add_argument("--quality", choices=QUALITIES, default="balanced")
    parser.add_argument("--model", default="starter", help="starter, or the folder of such a checkpoint")
    parser.add_argument("--stories", type=Path, nargs="+", default=sorted(STORIES.glob("*.json")))
    parser.add_argument("--books", type=Path, default=ROOT / "outputs" / "showcase")
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "gallery")
    flags = parser.parse_args(argv)
    said = {
        "model": flags.model,
        "quality": flags.quality,
        "seed": flags.seed,
        "library": flags.books / "library",
    }
    flags.out.mkdir(parents=True, exist_ok=True)
    with Terminal() as terminal, Studio.open(events=terminal, **said) as studio:
        for story in flags.stories:
            book = flags.books / story.stem
            report = studio.draw(studio.plan(story), out=book).report
            picture = flags.out / f"{story.stem}.png"
            with Image.open(book / "pages" / "page_001.png") as page:
                page.convert("RGB").save(picture, optimize=True, dpi=page.info.get("dpi"))
            sys.stdout.write(f"{picture}: {report.title}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
