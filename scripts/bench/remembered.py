"""Does a remembered fact change the picture? Mika loses her glasses; a judge looks at the panels that follow.

    python -m scripts.bench.remembered [--seeds 20] [--quality balanced] [--library DIR] [--first_look]

A story of two panels is planned, remembered and rehearsed as a run does: Mika with her glasses and "Mika
lost her glasses" under `remember`, then Mika as she is described. Both panels are drawn with every seed. The
judge (`scripts/starter/judge`), which has never seen a prompt, says whether who is there wears glasses, and
which hair and clothes; the light of the face is the mean lightness (CIE Lab L) of the head that it finds.

`--first_look` also draws the second panel with the reference of the first look: what a run did before
remembered looks were rehearsed. Panels stay in the library. Last line: JSON.
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
from PIL import Image

from model.memory.chronicle.chronicle import Chronicle
from model.memory.store.library import Library
from model.render.request import PanelRequest
from model.run.draw import draw_all
from model.run.recall import remember
from model.run.rehearse import rehearse
from model.run.requests import request_for, sampling_of
from model.story.plan import panel_seed
from model.studio import Studio
from model.terminal import Terminal
from model.variants import QUALITIES
from scripts.bench.command import run
from scripts.bench.injection import lab
from scripts.starter.judge.judge import Judge
from scripts.starter.judge.labels import Reading

EXPECTED = 0.8
DARK = 65  # lightness below which a face of this story is too dark; drawn without glasses it has 74
STORY = {
    "version": 1,
    "title": "Glasses",
    "characters": {
        "mika": {"name": "Mika", "description": "girl with long silver hair, yellow hoodie, glasses"}
    },
    "pages": [
        {
            "panels": [
                {
                    "scene": "park",
                    "shot": "medium",
                    "characters": [{"id": "mika", "expression": "neutral"}],
                    "remember": ["Mika lost her glasses"],
                },
                {"scene": "park", "shot": "medium", "characters": [{"id": "mika", "expression": "neutral"}]},
            ]
        }
    ],
}


def figures(pictures: Sequence[Image.Image], readings: Sequence[Reading]) -> dict[str, float]:
    """Shares of panels in which somebody is found and wears glasses, has silver hair and a yellow hoodie; the
    mean light of the faces, 0 to 100, and the share of dark ones."""
    glasses: list[bool] = []
    kept: list[bool] = []
    light: list[float] = []
    for picture, reading in zip(pictures, readings, strict=True):
        who = max(reading.characters, key=lambda one: one.score, default=None)
        if who is None:
            continue
        glasses.append(who.accessory == "glasses")
        kept.append(
            (who.hair, who.style, who.color, who.outfit) == ("silver", "long hair", "yellow", "hoodie")
        )
        face = picture.crop(who.head.pixels(picture.width, picture.height))
        inner = face.crop((face.width // 4, face.height // 3, face.width * 3 // 4, face.height * 5 // 6))
        light.append(float(lab(inner)[..., 0].mean()))
    found = len(glasses) / len(pictures)
    shares = {
        "glasses": glasses,
        "the rest as described": kept,
        "dark faces": [value < DARK for value in light],
    }
    return {
        "found": round(found, 3),
        **{name: round(float(np.mean(values)), 3) if values else 0.0 for name, values in shares.items()},
        "light": round(float(np.mean(light)), 1) if light else 0.0,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what a remembered fact does to the picture.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--quality", choices=QUALITIES, default="balanced")
    parser.add_argument(
        "--library", type=Path, metavar="DIR", help="keep the panels there (default: nowhere)"
    )
    parser.add_argument("--first_look", action="store_true", help="also with the reference of the first look")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="the panels, a row a way, to look at")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Library.open(flags.library or Path(folder)) as library:
        pictures = draw(flags, library, Path(folder))
    judge = Judge.open()
    result = {name: figures(some, judge.read(some)) for name, some in pictures.items()}
    for name, row in result.items():
        print(f"{name:12} " + "  ".join(f"{key} {value}" for key, value in row.items()))
    gone = 1 - result["after"]["glasses"]
    print(f"glasses gone: {gone:.0%} of {flags.seeds} seeds (expected at least {EXPECTED:.0%})")
    if flags.sheet:
        _sheet(pictures, flags.sheet)
    print(json.dumps({"seeds": flags.seeds, "gone": round(gone, 3), "expected": EXPECTED, **result}))
    return 0


def draw(flags: argparse.Namespace, library: Library, folder: Path) -> Mapping[str, list[Image.Image]]:
    """The pictures of each way, one a seed."""
    path = folder / "story.json"
    path.write_text(json.dumps(STORY), encoding="utf-8")
    said = {"quality": flags.quality, "detector": "none", "segmenter": "none", "library": library.folder}
    with (
        Terminal() as terminal,
        Studio.open(events=terminal, **said) as studio,
        studio.running() as context,
    ):
        checkpoint = context.models.checkpoint
        plan = remember(studio.plan(path), Chronicle(context.library), checkpoint).plan
        sampling = sampling_of(context.settings)
        pictures = {key: one.picture for key, one in rehearse(plan, sampling, context).items()}
        before, after = (
            request_for(panel, plan.style, pictures, sampling, checkpoint) for panel in plan.panels
        )
        ways = {"before": before, "after": after}
        if flags.first_look:
            (region,) = after.regions
            reference = before.regions[0].reference
            ways["first look"] = replace(after, regions=(replace(region, reference=reference),))
        asked = {
            name: [_seeded(request, name, seed) for seed in range(flags.seeds)]
            for name, request in ways.items()
        }
        drawn = draw_all(
            [request for requests in asked.values() for request in requests],
            context,
            stage="panels",
            names={},
        )
    return {
        name: [
            Image.open(io.BytesIO(library.load(drawn[request.key].blob))).convert("RGB")
            for request in requests
        ]
        for name, requests in asked.items()
    }


def _seeded(request: PanelRequest, name: str, seed: int) -> PanelRequest:
    """The panel with another seed; both ways to draw the second panel begin from the same noise."""
    return replace(request, seed=panel_seed(seed, "before" if name == "before" else "after", 0))


def _sheet(pictures: Mapping[str, list[Image.Image]], path: Path) -> None:
    columns = min(10, *map(len, pictures.values()))
    paper = Image.new("RGB", (128 * columns, 128 * len(pictures)), "white")
    for y, row in enumerate(pictures.values()):
        for x, picture in enumerate(row[:columns]):
            small = picture.copy()
            small.thumbnail((128, 128))
            paper.paste(small, (128 * x, 128 * y))
    paper.save(path)


if __name__ == "__main__":
    sys.exit(run(main))
