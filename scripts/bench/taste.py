"""What the encoder lets the vibe memory learn of drawn panels: AUC of tastes of one attribute after twenty
labels.

    python -m scripts.bench.taste [--clip model/starter/clip] [--panels 400] [--labels 20]

Panels of the drawn world with one character each, ink or colour, long hair or other, smiling or not by the
toss of a coin. A panel's vector is that of the whole, and, second column, of the whole and its head together
(`scripts/starter/looks.py`). The same for heads that are a little off and soft, as a run finds them. Last
line: JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from model.geometry import Box
from model.memory.vibe.opinions import unit
from model.memory.vibe.settings import VibeSettings
from model.render.weights import STARTER
from model.vision.clip import ImageEncoder
from scripts.bench.command import run
from scripts.bench.vibe_panels import measure
from scripts.starter.faces.heads import shaken
from scripts.starter.gallery import panel_size
from scripts.starter.looks import LEAST_HEAD, head_picture
from scripts.starter.world import Identity, Scene, ground_truth, render
from scripts.starter.world.identity import EXPRESSIONS, STYLES

SEEDS = 960_000_000
WISHES = ("ink", "long hair", "smiling")
TRIALS = 40


def tossed(seed: int) -> tuple[Image.Image, Box, tuple[bool, bool, bool]] | None:
    """A panel, its head, and which wishes it meets; None if its head cannot be seen."""
    rng = random.Random(seed)
    ink, long, smiling = (rng.random() < 0.5 for _ in WISHES)
    style = "long hair" if long else rng.choice([one for one in STYLES if one != "long hair"])
    face = "smiling" if smiling else rng.choice([one for one in EXPRESSIONS if one != "smiling"])
    who = replace(Identity.random(rng), style=style)
    scene = Scene.random(rng, *panel_size(rng), identities=[who], ink=ink)
    (figure,) = scene.figures
    scene = replace(scene, figures=(replace(figure, state=replace(figure.state, expression=face)),))
    (truth,) = ground_truth(scene)
    if truth.head.area < LEAST_HEAD:
        return None
    return Image.fromarray(render(scene)), truth.head, (ink, long, smiling)


def vectors(
    encoder: ImageEncoder, panels: list[tuple[Image.Image, Box, tuple[bool, bool, bool]]], *, worn: bool
) -> dict[str, NDArray[np.float32]]:
    """Of the whole panels, and of whole and head together."""
    rng = random.Random(0)
    pictures = [
        picture.filter(ImageFilter.GaussianBlur(0.7)) if worn else picture for picture, _, _ in panels
    ]
    boxes = [shaken(head, rng, 0.06) if worn else head for _, head, _ in panels]
    whole = encoder.encode_images(pictures)
    head = encoder.encode_images([head_picture(p, box) for p, box in zip(pictures, boxes, strict=True)])
    return {"whole": unit(whole), "with head": unit(unit(whole) + unit(head))}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure tastes of one attribute on drawn panels.")
    parser.add_argument("--clip", type=Path, default=STARTER / "clip", help="an open_clip folder")
    parser.add_argument("--panels", type=int, default=400)
    parser.add_argument("--labels", type=int, default=20)
    flags = parser.parse_args()
    found = (tossed(SEEDS + index) for index in range(flags.panels))
    panels = [panel for panel in found if panel]
    encoder = ImageEncoder(flags.clip, tokenizer=STARTER / "tokenizer")
    figures: dict[str, float] = {}
    for name, worn in (("clean", False), ("worn", True)):
        for kind, embedded in vectors(encoder, panels, worn=worn).items():
            for index, wish in enumerate(WISHES):
                liked = np.array([met[index] for _, _, met in panels])
                taste = measure(
                    embedded, liked, VibeSettings(), flags.labels, even=True, trials=TRIALS, seed=0
                )
                figures[f"{wish}, {kind}, {name}"] = taste.auc
    for name, value in figures.items():
        print(f"  {name:32} {value:.3f}")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
