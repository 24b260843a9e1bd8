"""What `--vibe_guidance` moves: the same new panels drawn plainly, and leaning towards what a reader likes.

    python -m scripts.bench.vibe_guidance [--new 24] [--weight 0.5 1] [--library DIR]

The panels and the reader are those of `scripts/bench/vibe_panels.py` (with the same library they are drawn
once): ten labelled likes, ten dislikes. Then new panels of the same kind are drawn, with the same seeds with
and without guidance. Printed, each with the standard error of the change: the vibe memory's score and the
share it accepts; how far the mean colour outside the character's box (CIE Lab) is from that of the liked
picture that the panel leans towards; and the share of panels in which the judge reads the hair that was asked
for, which guidance should leave alone. Last line: JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.files import BlobId
from model.memory.store.library import Library
from model.memory.vibe.memory import VibeMemory
from model.render.request import PanelRequest
from model.run.accept import PanelJob
from model.run.guide import guide
from model.run.models import Models
from model.studio import Studio
from model.terminal import Terminal
from model.variants import QUALITIES
from scripts.bench.command import run, seed_flag
from scripts.bench.injection import distance
from scripts.bench.vibe_panels import asked_for, draw, labelled, seen
from scripts.starter.judge.judge import Judge
from scripts.starter.judge.labels import Reading

FIRST_NEW = 10_000  # numbers of panels that no reader has seen


def reader(
    folder: Path, pictures: Sequence[Image.Image], vectors: NDArray[np.float32], liked: NDArray[np.bool_],
    labels: int, models: Models, seed: int,
) -> VibeMemory:  # fmt: skip
    """The memory of somebody who has labelled some of the panels and seen all of them drawn."""
    vibe = VibeMemory(folder / "vibe.json", models.encoder)
    for index in labelled(liked, labels, np.random.default_rng(seed), even=True):
        (vibe.add_like if liked[index] else vibe.add_dislike)(pictures[index])
    vibe.record(vectors, [])
    return vibe


def free_of(request: PanelRequest) -> NDArray[np.bool_]:
    """(H, W): outside the character's box."""
    free = np.ones((request.height, request.width), bool)
    left, top, right, bottom = request.regions[0].box.pixels(request.width, request.height)
    free[top:bottom, left:right] = False
    return free


def hair_as_asked(requests: Sequence[PanelRequest], readings: Sequence[Reading]) -> float:
    """Share of colour panels in which the judge reads colour and style of hair as the prompt has them."""
    right: list[bool] = []
    for request, reading in zip(requests, readings, strict=True):
        if "ink" in request.prompt:
            continue
        who = max(reading.characters, key=lambda one: one.score, default=None)
        prompt = request.regions[0].prompt
        right.append(who is not None and who.hair in prompt and who.style.split()[0] in prompt)
    return round(float(np.mean(right)), 3) if right else 0.0


def change(before: NDArray[np.floating], after: NDArray[np.floating]) -> dict[str, float]:
    moved = after - before
    values = before.mean(), after.mean(), moved.std(ddof=1) / np.sqrt(len(moved))
    return dict(zip(("plain", "guided", "se"), (round(float(value), 4) for value in values), strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what guidance by the vibe memory moves.")
    parser.add_argument("--panels", type=int, default=200, help="that the reader may label")
    parser.add_argument("--labels", type=int, default=20)
    parser.add_argument("--new", type=int, default=24, help="panels drawn with and without guidance")
    parser.add_argument("--weight", type=float, nargs="+", default=[0.5])
    seed_flag(parser, 4)
    parser.add_argument("--quality", choices=QUALITIES, default="fast")
    parser.add_argument(
        "--library", type=Path, metavar="DIR", help="keep the panels there (default: nowhere)"
    )
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="liked, plain and guided, a column a panel")
    flags = parser.parse_args()
    judge = Judge.open()
    with (
        tempfile.TemporaryDirectory() as folder,
        Terminal() as terminal,
        Studio.open(
            events=terminal,
            quality=flags.quality,
            detector="none",
            segmenter="none",
            library=flags.library or Path(folder) / "library",
        ) as studio,
        studio.running() as context,
    ):
        settings, models, library = context.settings, context.models, context.library
        requests = asked_for(range(flags.panels), flags.seed, models.checkpoint, settings)
        pictures, vectors = draw(requests, context)
        liked = np.array([all(seen(reading)) for reading in judge.read(pictures)])
        vibe = reader(Path(folder), pictures, vectors, liked, flags.labels, models, flags.seed)
        new = asked_for(range(FIRST_NEW, FIRST_NEW + flags.new), flags.seed, models.checkpoint, settings)
        plain, places = draw(new, context)
        jobs = {
            str(number): PanelJob(names=("c",), request_for=lambda _, one=request: one)
            for number, request in enumerate(new)
        }
        result: dict[str, object] = {"new": flags.new, "hair_plain": hair_as_asked(new, judge.read(plain))}
        for weight in flags.weight:
            steered = replace(settings, vibe_guidance=True, vibe_weight=weight)
            changed, guidance = guide(jobs, replace(context, settings=steered), vibe)
            goals = [_picture(library, guidance.panels[name]) for name in jobs]
            leaning = [job.request_for(0) for job in changed.values()]
            guided, moved = draw(leaning, context)
            row = measure(vibe, new, (plain, places), (guided, moved), goals)
            result[f"weight {weight:g}"] = row = {
                **row,
                "hair_guided": hair_as_asked(new, judge.read(guided)),
            }
            print(f"weight {weight:g}: {row}", flush=True)
            if flags.sheet:
                _sheet(flags.sheet.with_stem(f"{flags.sheet.stem}_{weight:g}"), goals, plain, guided)
    print(json.dumps(result))
    return 0


def measure(
    vibe: VibeMemory,
    requests: Sequence[PanelRequest],
    plain: tuple[Sequence[Image.Image], NDArray[np.float32]],
    guided: tuple[Sequence[Image.Image], NDArray[np.float32]],
    goals: Sequence[Image.Image],
) -> Mapping[str, dict[str, float]]:
    """Scores, accepted shares and colours of the same panels, drawn both ways."""
    scores = [vibe.score_many(vectors) for _, vectors in (plain, guided)]
    accepted = [(score >= vibe.settings.threshold).astype(float) for score in scores]
    colours = [
        np.array(
            [
                distance(picture, goal, free_of(request))[1]
                for picture, goal, request in zip(pictures, goals, requests, strict=True)
            ]
        )
        for pictures, _ in (plain, guided)
    ]
    return {"score": change(*scores), "accepted": change(*accepted), "colour": change(*colours)}


def _picture(library: Library, blob: str) -> Image.Image:
    return Image.open(io.BytesIO(library.load(BlobId(blob)))).convert("RGB")


def _sheet(path: Path, *rows: Sequence[Image.Image]) -> None:
    columns = min(10, *map(len, rows))
    paper = Image.new("RGB", (128 * columns, 128 * len(rows)), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row[:columns]):
            paper.paste(picture.resize((128, 128), Image.Resampling.LANCZOS), (128 * x, 128 * y))
    paper.save(path)


if __name__ == "__main__":
    sys.exit(run(main))
