"""Does the starter draw what was asked, where it was asked, and find it again? Figures over held-out prompts.

    python scripts/bench/starter.py [--n 300] [--seed 0] [--quality balanced] [--ablation]

Panels are asked for in a story's words (`held_out.py`), drawn by the studio as a run draws them, details and
new tries included (`drawer.py`), and read by the judge (`scripts/starter/judge`), which never saw a generated
picture. `--seed` picks another range of prompts. What was drawn stays in `--library`, so a second call is
quick. Last line: JSON. With `--ablation` also a Markdown table of what each part is good for.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the file may be run by its path

from PIL import Image

from model.studio import Studio
from model.terminal import Terminal
from model.variants import QUALITIES
from scripts.bench import eyes, heads, held_out, scores
from scripts.bench.command import prompts_flag, run
from scripts.bench.drawer import EVERYTHING, FIRST_DRAW, NO_MASK, NO_REFERENCES, TEXT_ONLY, Drawer, Way
from scripts.bench.held_out import Wanted
from scripts.bench.scores import Figures
from scripts.starter.judge import accuracy
from scripts.starter.judge.judge import Judge

ROOT = Path(__file__).resolve().parents[2]

# What is printed, and the bar that it should reach at `balanced`.
BARS = {
    "hair_colour": ">= 0.95", "hair_style": ">= 0.85", "outfit_colour": ">= 0.90", "accessory": ">= 0.85",
    "expression": ">= 0.75", "background": ">= 0.95", "count_1": ">= 0.95", "count_2": ">= 0.92",
    "count_3": ">= 0.85", "box_iou": ">= 0.80", "leak": "<= 0.05", "same_character": ">= 0.90",
    "same_character_no_references": "", "same_character_no_mask": "", "vae_psnr": ">= 26",
    "dino_recall_drawn": ">= 0.95", "dino_recall_generated": ">= 0.90", "dino_false": "<= 0.1",
    "sam_iou": ">= 0.90", "clip_caption_top1": ">= 0.80", "clip_character_auc": ">= 0.98",
    "seconds_fast": "<= 1.5", "megabytes": "<= 60", "judge_accuracy": ">= 0.98",
    "face": ">= 0.87", "face_full_body": ">= 0.85", "face_bust": ">= 0.90", "face_close_up": ">= 0.95",
    "face_auc": "", "seconds_per_panel": "", "tries_per_panel": "",
}  # fmt: skip
PANELS_A_MEMBER = 15  # prompts for each member of the cast that is to be recognised; 300 for all twenty
LEAST_JUDGED = 48  # panels that the judge itself is measured on
ABLATED = (EVERYTHING, FIRST_DRAW, NO_REFERENCES, NO_MASK, TEXT_ONLY)
ABLATION_COLUMNS = {
    "hair_colour": "hair colour", "outfit_colour": "outfit colour", "accessory": "accessory",
    "count_2": "two are two", "count_3": "three are three", "box_iou": "box IoU", "leak": "leak",
    "same_character": "same character",
}  # fmt: skip


def same_character(drawer: Drawer, judge: Judge, flags: argparse.Namespace, ways: Sequence[Way]) -> Figures:
    """Share of appearances in which the right member of twenty is recognised, for each way to draw."""
    members = min(held_out.MEMBERS, max(1, flags.n // PANELS_A_MEMBER))
    cast, panels = held_out.cast_panels(members, flags.seed)
    names = [f"s{flags.seed}/m{k}" for k in range(len(cast))]
    known = dict(zip(names, cast, strict=True))
    return {
        way.name: scores.mean(
            scores.recognised(known, names[:members], panels, judge.read(drawer.draw(panels, way)))
        )
        for way in ways
    }


def measure(
    drawer: Drawer, judge: Judge, panels: Sequence[Wanted], flags: argparse.Namespace
) -> tuple[Figures, Figures]:
    """All figures of the table, and the judge's own accuracy."""
    outcomes = drawer.outcomes(panels)
    pictures = [drawer.picture(outcomes[one.id].best.drawn.blob, one.id) for one in panels]
    readings = judge.read(pictures)
    figures = scores.panel_figures(panels, readings)
    figures |= heads.drawn_share(drawer, panels, pictures, readings)
    spent = [one.drawn.seconds for panel in panels for one in outcomes[panel.id].candidates]
    figures |= {"seconds_per_panel": sum(spent) / len(panels), "tries_per_panel": len(spent) / len(panels)}
    ways = (EVERYTHING, NO_REFERENCES, NO_MASK)
    same = same_character(drawer, judge, flags, ways)
    names = ("same_character", "same_character_no_references", "same_character_no_mask")
    figures |= {name: same[way.name] for name, way in zip(names, ways, strict=True)}
    drawn = eyes.pictures_of(panels)
    images = [Image.fromarray(picture) for picture in drawn]
    truths = eyes.truths_of(panels)
    checkpoint = drawer.models.checkpoint
    figures |= eyes.detector_figures(
        checkpoint.folder / "detector",
        checkpoint.person,
        (images, [[truth.box for truth in row] for row in truths]),
        (pictures, eyes.boxes_read(readings)),
    )
    figures |= eyes.segmenter_figures(checkpoint.folder / "segmenter", images, truths)
    first = held_out.first_seed(flags.seed)
    figures |= eyes.clip_figures(drawer, first + held_out.DRAWN, flags.n)
    figures["seconds_fast"] = eyes.seconds_fast(drawer)
    # Last of what uses the renderer: they leave the VAE in another layout of memory.
    figures |= heads.face_auc(drawer, panels)
    figures |= eyes.vae_figures(drawer, panels, drawn)
    figures["megabytes"] = eyes.megabytes(checkpoint.folder)
    own: Figures = dict(accuracy.measure(judge, max(LEAST_JUDGED, flags.n), first + held_out.JUDGED))
    figures["judge_accuracy"] = min(
        value for name, value in own.items() if name != "box_iou" and value is not None
    )
    return figures, own


def ablation(drawer: Drawer, judge: Judge, panels: Sequence[Wanted], flags: argparse.Namespace) -> str:
    """A Markdown table: the same prompts and seeds with parts of the machinery switched off."""
    ways = ABLATED if drawer.context.settings.max_retries else ABLATED[1:]
    same = same_character(drawer, judge, flags, ways)
    rows = [f"| | {' | '.join(ABLATION_COLUMNS.values())} |", "| --- |" + " --- |" * len(ABLATION_COLUMNS)]
    for way in ways:
        found = scores.panel_figures(panels, judge.read(drawer.draw(panels, way)))
        found["same_character"] = same[way.name]
        rows.append(f"| {way.name} | {' | '.join(_share(found[name]) for name in ABLATION_COLUMNS)} |")
    return "\n".join(rows)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure the starter on held-out prompts.")
    parser.add_argument("--n", type=int, default=300, help="prompts (default 300)")
    prompts_flag(parser, 0)
    parser.add_argument("--quality", choices=QUALITIES, default="balanced")
    parser.add_argument("--scheduler", help="sampler (default: the quality's own)")
    parser.add_argument("--ablation", action="store_true", help="also a table of what each part does")
    parser.add_argument("--model", default="starter", help="starter, or the folder of such a checkpoint")
    parser.add_argument("--candidates", type=int, default=1, help="rehearsal drawings a character")
    parser.add_argument(
        "--max_retries", type=int, help="new tries for a panel that is refused (default: as a run)"
    )
    parser.add_argument("--detail", help="of small heads: auto, off, or 0.1 to 0.7 (default: as a run)")
    parser.add_argument("--batch", type=int, default=12, help="most panels drawn at one time")
    parser.add_argument("--library", type=Path, default=ROOT / "outputs" / "bench_library")
    flags = parser.parse_args(argv)
    started = time.perf_counter()
    panels = held_out.held_out_panels(flags.n, flags.seed)
    judge = Judge.open()
    with (
        Terminal() as terminal,
        Studio.open(events=terminal, **_said(flags)) as studio,
        studio.running() as context,
    ):
        settings = replace(context.settings, batch=flags.batch)
        drawer = Drawer(replace(context, settings=settings))
        table = ablation(drawer, judge, panels, flags) if flags.ablation else ""
        figures, own = measure(drawer, judge, panels, flags)
    how = f"{settings.steps} steps, guidance {settings.guidance:g}, {settings.max_retries} retries"
    spent = time.perf_counter() - started
    print(f"{flags.n} prompts of range {flags.seed}, {flags.quality} ({how}), {spent:.0f} s")
    for name, value in figures.items():
        found = "not measured" if value is None else f"{value:.3f}"
        print(f"  {name:30} {found:>12}   {BARS.get(name, '')}")
    print("the judge on freshly drawn panels: " + ", ".join(f"{k} {v:.3f}" for k, v in own.items()))
    if table:
        print(f"\n{table}\n")
    print(json.dumps({name: _rounded(figures[name]) for name in BARS}))
    return 0


def _said(flags: argparse.Namespace) -> dict[str, Any]:
    names = ("model", "quality", "scheduler", "candidates", "max_retries", "detail", "library")
    said = {name: getattr(flags, name) for name in names}
    if flags.max_retries == 0 and flags.detail == "off":
        # Nothing depends on what is found, and looking costs as much as drawing.
        said |= {"detector": "none", "segmenter": "none"}
    return said


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


if __name__ == "__main__":
    sys.exit(run(main))
