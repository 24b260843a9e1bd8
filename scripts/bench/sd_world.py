"""Does a Stable Diffusion that knows the drawn world draw what was asked, and what are its masks good for?

    python -m scripts.bench.sd_world --weights lab/sd/model [--n 60] [--seed 0] [--steps 20] [--members 4]

The starter's held-out panels (`held_out.py`), drawn by the studio with this model and read by the judge, in
seven ways: everything on; masks off; no references, masked and not; references in place of words, masked and
not, where the masks are the IP-Adapter's alone; and one prompt that says it all. Then what moves when one
character's words or reference change, with masks and without (`sd_control.py`), and whether a reference is
recognised among ten (`control.py`). `--sheet` writes the first panels, a row a way. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from model.render.sd.renderer import SDRenderer
from model.render.weights import STARTER
from model.studio import Studio
from model.terminal import Terminal
from model.vision.clip import ImageEncoder
from scripts.bench import control, held_out, scores, sd_control
from scripts.bench.command import prompts_flag, run
from scripts.bench.drawer import FIRST_DRAW, Drawer, Way
from scripts.bench.scores import Figures
from scripts.starter.judge.judge import Judge

ROOT = Path(__file__).resolve().parents[2]

WAYS = (
    FIRST_DRAW,
    Way(name="masks off", masked=False),
    Way(name="no references", references=False),
    Way(name="no references, masks off", references=False, masked=False),
    Way(name="references for words", words=False),
    Way(name="references for words, masks off", words=False, masked=False),
    Way(name="text only", references=False, masked=False, regions=False),
)
SHOWN = (
    "hair_colour", "hair_style", "outfit_colour", "accessory", "expression", "background", "count_1",
    "count_2", "count_3", "box_iou", "leak", "same_character",
)  # fmt: skip
ROW, COLUMNS = 160, 10  # of the sheet


def figures_of(drawer: Drawer, judge: Judge, way: Way, flags: argparse.Namespace) -> Figures:
    """Everything the judge says of one way to draw."""
    panels = held_out.held_out_panels(flags.n, flags.seed)
    found = scores.panel_figures(panels, judge.read(drawer.draw(panels, way)))
    if flags.members:
        cast, appearances = held_out.cast_panels(flags.members, flags.seed)
        names = [f"s{flags.seed}/m{k}" for k in range(len(cast))]
        readings = judge.read(drawer.draw(appearances, way))
        known = dict(zip(names, cast, strict=True))
        found["same_character"] = scores.mean(
            scores.recognised(known, names[: flags.members], appearances, readings)
        )
    return found


def controlled(drawer: Drawer, flags: argparse.Namespace) -> dict[str, Any]:
    """What moves when words or references change, and how often a reference is nearest of ten."""
    people = sd_control.cast()
    renderer = SDRenderer(drawer.models.checkpoint, load_reference=people.__getitem__)
    moved = sd_control.measure(renderer, list(people), _side(drawer), drawer.sampling, flags.pairs)
    seconds = sd_control.cost(renderer, list(people), _side(drawer), drawer.sampling)
    kept: dict[str, bytes] = {}
    renderer = SDRenderer(drawer.models.checkpoint, load_reference=kept.__getitem__)
    encoder = ImageEncoder(STARTER / "clip", tokenizer=STARTER / "tokenizer")
    first = control.identity(renderer, kept, encoder, drawer.sampling, flags.top1)
    return {"moved": moved, "seconds": seconds, "top1": first}


def _side(drawer: Drawer) -> int:
    """Pixels of the square panel."""
    return next(width for width, height in drawer.models.checkpoint.shapes if width == height)


def sheet(drawer: Drawer, ways: Sequence[Way], flags: argparse.Namespace) -> Image.Image:
    """The first panels, as asked and as drawn, a row a way; nothing picked."""
    panels = held_out.held_out_panels(flags.n, flags.seed)[:COLUMNS]
    rows = [(way.name, drawer.draw(panels, way)) for way in ways]
    drawn = Image.new("RGB", (COLUMNS * ROW, len(rows) * (ROW + 14)), "white")
    for line, (name, pictures) in enumerate(rows):
        top = line * (ROW + 14)
        ImageDraw.Draw(drawn).text((4, top + 1), name, fill="black")
        for place, picture in enumerate(pictures):
            small = picture.copy()
            small.thumbnail((ROW - 4, ROW - 2), Image.Resampling.LANCZOS)
            drawn.paste(small, (place * ROW, top + 14))
    return drawn


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure a Stable Diffusion of the drawn world.")
    parser.add_argument("--weights", required=True, help="the folder that train_sd wrote")
    parser.add_argument("--n", type=int, default=60, help="prompts (default 60)")
    prompts_flag(parser, 0)
    parser.add_argument(
        "--members", type=int, default=4, help="of the cast that are to be recognised; 0: none"
    )
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--refine_steps", type=int)
    parser.add_argument("--guidance_scale", type=float)
    parser.add_argument("--scheduler")
    parser.add_argument("--ways", type=int, nargs="*", help="which of the ways, by number (default: all)")
    parser.add_argument(
        "--pairs", type=int, default=4, help="of panels whose words or references change; 0: none"
    )
    parser.add_argument("--top1", type=int, default=20, help="panels whose reference is looked for among ten")
    parser.add_argument("--batch", type=int, default=12, help="most panels drawn at one time")
    parser.add_argument("--sheet", type=Path, help="a picture to write")
    parser.add_argument("--library", type=Path, default=ROOT / "outputs" / "bench_library")
    flags = parser.parse_args(argv)
    started = time.perf_counter()
    said = dict(
        model=flags.weights, num_inference_steps=flags.steps, guidance_scale=flags.guidance_scale,
        scheduler=flags.scheduler, refine_steps=flags.refine_steps, candidates=1, max_retries=0,
        detector="none", segmenter="none", library=flags.library,
    )  # fmt: skip
    ways = [way for index, way in enumerate(WAYS) if flags.ways is None or index in flags.ways]
    judge = Judge.open()
    with (
        Terminal() as terminal,
        Studio.open(events=terminal, **said) as studio,
        studio.running() as context,
    ):
        settings = replace(context.settings, batch=flags.batch)
        drawer = Drawer(replace(context, settings=settings))
        found = {way.name: figures_of(drawer, judge, way, flags) for way in ways}
        control_figures = controlled(drawer, flags) if flags.pairs else {}
        if flags.sheet:
            flags.sheet.parent.mkdir(parents=True, exist_ok=True)
            sheet(drawer, ways, flags).save(flags.sheet)
    how = f"{settings.steps} steps, {settings.refine_steps} refine, guidance {settings.guidance:g}"
    print(f"{flags.n} prompts of range {flags.seed} ({how}), {time.perf_counter() - started:.0f} s")
    print(f"| | {' | '.join(SHOWN)} |\n| --- |" + " --- |" * len(SHOWN))
    for name, figures in found.items():
        cells = (figures.get(one) for one in SHOWN)
        print(f"| {name} | {' | '.join('–' if one is None else f'{one:.2f}' for one in cells)} |")
    for row in control_figures.get("moved", ()):
        masks = "on" if row["masked"] else "off"
        print(f"{row['changed']} of character 2, masks {masks}: box 2 {row['own']}, box 1 {row['other']}")
    rounded = {
        name: {one: None if value is None else round(value, 4) for one, value in figures.items()}
        for name, figures in found.items()
    }
    print(json.dumps({"ways": rounded, **control_figures}))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
