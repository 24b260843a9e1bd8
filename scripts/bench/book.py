"""What a whole book costs, and against a plain loop over diffusers' FluxPipeline.

    python -m scripts.bench.book [STORY …] [--quality balanced] [--repeat 3]

1. The stories (default: all examples) are drawn by `run.py` in a fresh process with an empty library: seconds
   a stage, seconds a panel, peak memory, and the share of the whole process spent outside denoising and VAE
   (starting Python, imports, loading, planning, CLIP, committing, pages).
2. Their panels again, in this process: a plain loop, one `FluxPipeline` call a panel with the same weights,
   steps, guidance, sizes and seeds, against the studio's batches for the same work (no regions and
   references) and with both on. Alternating, median of `--repeat`.

Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import FluxPipeline

from model.errors import ConfigError
from model.render.flux.renderer import FluxRenderer
from model.render.request import PanelRequest
from model.run.batches import batches
from model.run.context import Context
from model.run.record import read_record
from model.run.rehearse import rehearse
from model.run.requests import request_for, sampling_of
from model.studio import Studio
from model.terminal import Terminal
from model.variants import QUALITIES
from scripts.bench.command import run
from tests.render.plain import plain_pipeline

ROOT = Path(__file__).resolve().parents[2]


def whole_run(stories: Sequence[Path], quality: str, folder: Path) -> dict[str, float]:
    """`run.py` on all stories, one process, nothing cached."""
    command = [sys.executable, str(ROOT / "run.py"), *map(str, stories), "--quality", quality, "--json"]
    started = time.perf_counter()
    run = subprocess.run(
        [*command, "--library", str(folder / "library")],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise ConfigError(f"run.py ended with {run.returncode}: {run.stderr.splitlines()[-1:]}")
    total = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    reports = [json.loads(line) for line in run.stdout.splitlines()]
    stages: dict[str, float] = {}
    for report in reports:
        for stage, seconds in read_record(folder / report["out"]).seconds.items():
            stages[stage] = stages.get(stage, 0.0) + seconds
    stages["start"] = total - sum(stages.values())
    panels, drawn = sum(report["panels"] for report in reports), sum(report["drawn"] for report in reports)
    print(f"whole run: {len(stories)} stories, {panels} panels, {drawn} pictures drawn")
    for stage, seconds in sorted(stages.items(), key=lambda item: -item[1]):
        print(f"  {stage:10} {seconds:7.2f} s  {seconds / total:6.1%}")
    print(f"  {'total':10} {total:7.2f} s")
    return {
        "outside_share": 1 - stages["draw"] / total,
        "seconds_per_panel": total / panels,
        "peak_mb": peak,
    }


def planned(stories: Sequence[Path], studio: Studio, context: Context) -> list[PanelRequest]:
    """Every panel of the stories as the studio would request it, with rehearsed references."""
    requests: list[PanelRequest] = []
    for story in stories:
        plan = studio.plan(story)
        sampling = sampling_of(context.settings)
        pictures = {key: one.picture for key, one in rehearse(plan, sampling, context).items()}
        requests += [
            request_for(panel, plan.style, pictures, sampling, context.models.checkpoint)
            for panel in plan.panels
        ]
    return requests


def plain_loop(pipeline: FluxPipeline, renderer: FluxRenderer, requests: Sequence[PanelRequest]) -> None:
    checkpoint = renderer.checkpoint
    for request in requests:
        pipeline(
            prompt=checkpoint.normalised(request.prompt),
            negative_prompt=checkpoint.normalised(request.negative),
            true_cfg_scale=request.sampling.guidance,
            width=request.width,
            height=request.height,
            num_inference_steps=request.sampling.steps,
            max_sequence_length=checkpoint.global_tokens,
            generator=torch.Generator().manual_seed(request.seed),
        )


def studio_batches(renderer: FluxRenderer, requests: Sequence[PanelRequest], most: int) -> None:
    for batch in batches(requests, alike=lambda r: (r.width, r.height, r.sampling), most=most):
        renderer.draw(batch)


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description="Time a book, and the renderer against FluxPipeline.")
    parser.add_argument("stories", nargs="*", type=Path, default=sorted((ROOT / "examples").glob("*.json")))
    parser.add_argument("--quality", choices=QUALITIES, default="balanced")
    parser.add_argument("--repeat", type=int, default=3)
    flags = parser.parse_args()
    stories = [story.resolve() for story in flags.stories]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = whole_run(stories, flags.quality, folder)
        with (
            Terminal() as terminal,
            Studio.open(events=terminal, quality=flags.quality, library=folder / "library") as studio,
            studio.running() as context,
        ):
            settings, models = context.settings, context.models
            requests = planned(stories, studio, context)
            bare = [replace(request, regions=()) for request in requests]
            renderer: FluxRenderer = models.renderer.load()
            pipeline = plain_pipeline(renderer.parts)
            rows: dict[str, list[float]] = {"plain loop": [], "same work": [], "regions and references": []}
            plain_loop(pipeline, renderer, bare[:1])
            studio_batches(renderer, requests[:2], settings.batch)
            for _ in range(flags.repeat):
                rows["plain loop"].append(seconds(lambda: plain_loop(pipeline, renderer, bare)))
                rows["same work"].append(seconds(lambda: studio_batches(renderer, bare, settings.batch)))
                rows["regions and references"].append(
                    seconds(lambda: studio_batches(renderer, requests, settings.batch))
                )
    print(f"{len(requests)} panels at {settings.steps} steps, {torch.get_num_threads()} threads")
    plain = statistics.median(rows["plain loop"])
    for label, values in rows.items():
        ratios = [value / base for value, base in zip(values, rows["plain loop"], strict=True)]
        print(
            f"  {label:24} {statistics.median(values):7.2f} s, {statistics.median(ratios):5.2f} × plain"
            f"  ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    figures["ratio_same_work"] = statistics.median(rows["same work"]) / plain
    figures["ratio_full"] = statistics.median(rows["regions and references"]) / plain
    order = ("outside_share", "ratio_same_work", "ratio_full", "seconds_per_panel", "peak_mb")
    print(json.dumps({key: round(figures[key], 3) for key in order}))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
