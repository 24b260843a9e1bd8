"""Does the mask keep prompts in their boxes, and does a reference carry a character? Figures on the starter.

    python -m scripts.bench.control [--seeds 20] [--panels 50] [--quality balanced]

1. Leak. Panels with two characters are drawn twice with one seed: character 2's hair is red, then blue.
   The change (mean absolute pixel difference) inside box 2 over that inside box 1, with the block mask and
   without.
2. Identity. A panel is drawn of a character with its reference; the crop of its box is compared, in the
   starter's CLIP, with that reference and those of nine others. Top-1 with and without the reference, with
   the full description and with none.

Characters come from the drawn world with seeds that no training uses. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from model.files import BlobId
from model.geometry import Box
from model.render.flux.renderer import FluxRenderer
from model.render.png import encode
from model.render.request import PanelRequest, Region, Sampling
from model.render.sd.renderer import SDRenderer
from model.render.weights import STARTER, open_checkpoint
from model.story.layout import default_boxes
from model.variants import QUALITIES, VARIANTS
from model.vision.clip import ImageEncoder
from model.vision.crop import crop_box
from scripts.bench.command import run
from scripts.starter.captions import attributes, region_caption
from scripts.starter.world import Identity, State, reference

SEEDS = 3_000_000_000
PLACES = ("park", "beach", "classroom", "sunset", "forest", "snow", "bedroom", "city street")
BATCH = 8


def described(who: Identity, state: State, *, drop: float = 0.0) -> str:
    """A region prompt as a story would write it; `drop=1` leaves out everything that lasts."""
    if drop:
        return f"a character {state.expression} {state.pose}"
    return region_caption(attributes(who, state), random.Random(0), full=True)


def draw(renderer: FluxRenderer | SDRenderer, requests: Sequence[PanelRequest]) -> list[np.ndarray]:
    pictures: list[Image.Image] = []
    for start in range(0, len(requests), BATCH):
        pictures += renderer.draw(requests[start : start + BATCH])
    return [np.asarray(picture).astype(np.float32) for picture in pictures]


def leak(renderer: FluxRenderer, sampling: Sampling, seeds: int) -> dict[str, float]:
    """Change in box 2 over change in box 1 when character 2's hair turns from red to blue."""
    boxes = default_boxes(2, "medium", 320 / 192)
    requests: dict[str, list[PanelRequest]] = {"red": [], "blue": []}
    for seed in range(seeds):
        rng = random.Random(SEEDS + seed)
        first, second = Identity.random(rng), Identity.random(rng)
        states = [State.random(rng), State.random(rng)]
        place = rng.choice(PLACES)
        for hair in requests:
            prompts = [described(first, states[0]), described(replace(second, hair=hair), states[1])]
            requests[hair].append(
                PanelRequest(
                    weights=renderer.checkpoint.fingerprint,
                    width=320,
                    height=192,
                    prompt=f"colour comic, two characters, medium shot, {place}",
                    negative="",
                    regions=tuple(
                        Region(box=box, prompt=prompt) for box, prompt in zip(boxes, prompts, strict=True)
                    ),
                    seed=SEEDS + seed,
                    sampling=sampling,
                )
            )
    red, blue = draw(renderer, requests["red"]), draw(renderer, requests["blue"])
    change = [np.abs(a - b).mean(axis=2) for a, b in zip(red, blue, strict=True)]

    def inside(box: Box) -> float:
        left, top, right, bottom = box.pixels(320, 192)
        return float(np.mean([one[top:bottom, left:right].mean() for one in change]))

    own, other = inside(boxes[1]), inside(boxes[0])
    return {"own": own, "other": other, "ratio": own / other}


def identity(
    renderer: FluxRenderer | SDRenderer,
    kept: dict[str, bytes],
    encoder: ImageEncoder,
    sampling: Sampling,
    panels: int,
) -> dict[str, float]:
    """Share of panels whose crop is nearest to its own character's reference, of ten."""
    rng = random.Random(SEEDS + 10_000)
    people = [Identity.random(rng) for _ in range(panels)]
    pictures = [Image.fromarray(reference(who, rng, ink=False)) for who in people]
    kept |= {str(index): encode(picture) for index, picture in enumerate(pictures)}
    vectors = encoder.encode_images(pictures)
    rivals = [[index, *rng.sample([i for i in range(panels) if i != index], 9)] for index in range(panels)]
    states = [State.random(rng) for _ in people]
    places = [rng.choice(PLACES) for _ in people]
    box = default_boxes(1, "medium", 1.0)[0]
    result: dict[str, float] = {}
    for words in (0.0, 1.0):
        for shown in (True, False):
            requests = [
                PanelRequest(
                    weights=renderer.checkpoint.fingerprint,
                    width=256,
                    height=256,
                    prompt=f"colour comic, one character, medium shot, {places[index]}",
                    negative="",
                    regions=(
                        Region(
                            box=box,
                            prompt=described(who, states[index], drop=words),
                            reference=BlobId(str(index) if shown else ""),
                        ),
                    ),
                    seed=SEEDS + index,
                    sampling=sampling,
                )
                for index, who in enumerate(people)
            ]
            crops = [
                crop_box(Image.fromarray(picture.astype(np.uint8)), box)
                for picture in draw(renderer, requests)
            ]
            seen = encoder.encode_images(crops)
            right = [int(np.argmax(seen[index] @ vectors[rivals[index]].T)) == 0 for index in range(panels)]
            name = ("reference" if shown else "no_reference") + ("_alone" if words else "")
            result[name] = float(np.mean(right))
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure mask and references.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--panels", type=int, default=50)
    parser.add_argument("--quality", choices=QUALITIES, default="balanced")
    parser.add_argument("--weights", type=Path, default=STARTER)
    flags = parser.parse_args()
    preset = VARIANTS["starter"].presets[flags.quality]
    sampling = Sampling(steps=preset.steps, guidance=preset.guidance, refine_steps=preset.refine_steps)
    checkpoint = open_checkpoint(flags.weights)
    kept: dict[str, bytes] = {}
    renderer = FluxRenderer(checkpoint, load_reference=kept.__getitem__)
    encoder = ImageEncoder(checkpoint.folder / "clip", tokenizer=checkpoint.folder / "tokenizer")
    started = time.perf_counter()
    on = leak(renderer, sampling, flags.seeds)
    off = leak(renderer, replace(sampling, masked=False), flags.seeds)
    who = identity(renderer, kept, encoder, sampling, flags.panels)
    print(f"{preset.steps} steps, guidance {preset.guidance:g}, {time.perf_counter() - started:.0f} s")
    print(f"hair of character 2 red → blue, {flags.seeds} seeds     box 2   box 1   ratio")
    for name, row in (("block mask on", on), ("block mask off", off)):
        print(f"  {name:36} {row['own']:9.2f} {row['other']:7.2f} {row['ratio']:7.1f}")
    print(f"own reference nearest of ten, {flags.panels} panels     with reference   without")
    print(f"  with the description                {who['reference']:14.0%} {who['no_reference']:12.0%}")
    alone = who["reference_alone"], who["no_reference_alone"]
    print(f"  without the description             {alone[0]:14.0%} {alone[1]:12.0%}")
    figures = {
        "mask_ratio_on": round(on["ratio"], 2),
        "mask_ratio_off": round(off["ratio"], 2),
        "reference_top1": who["reference"],
        "no_reference_top1": who["no_reference"],
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
