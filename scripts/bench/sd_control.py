"""What words and references move on a Stable Diffusion checkpoint, in their box and beside it.

    python -m scripts.bench.sd_control --model sd15 [--size 512] [--steps 30] [--seeds 4] [--refine_steps 10]

Panels with two characters are drawn twice with one seed. The change (mean absolute pixel difference, of 255)
inside box 2 over that inside box 1, with masks and without, when of character 2

1. the words change (red hair, then blue), nobody having a reference;
2. the reference changes, the words staying.

Then what obeying regions costs: seconds a panel beside the global prompt alone. Characters come from the
drawn world. `--model`: a row of the variants' table, or a folder or file of a checkpoint. Last line: JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from model.files import BlobId
from model.geometry import Box
from model.render.devices import compute_dtype, pick_device
from model.render.png import encode
from model.render.published import open_published, place_of, recognise
from model.render.request import PanelRequest, Region, Sampling
from model.render.sd.renderer import SDRenderer
from model.variants import VARIANTS
from scripts.bench.command import run
from scripts.starter.world import Identity, reference

SEED = 4_000_000_000
LEFT, RIGHT = Box(0.0, 0.0, 0.5, 1.0), Box(0.5, 0.0, 0.5, 1.0)
WORDS = ("girl with red hair, standing", "girl with blue hair, standing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Mean change of both boxes, of 255."""

    own: float
    other: float

    @property
    def ratio(self) -> float:
        """How many times as much moved in the box that was spoken of."""
        return self.own / self.other if self.other else float("inf")


def moved(renderer: SDRenderer, pairs: list[tuple[PanelRequest, PanelRequest]]) -> Moved:
    """The change between the two panels of each pair; box 2 is the right half."""
    halves: list[tuple[float, float]] = []
    for pair in pairs:
        one, other = (np.asarray(renderer.draw([panel])[0], np.float32) for panel in pair)
        change, middle = np.abs(one - other), one.shape[1] // 2
        halves.append((float(change[:, middle:].mean()), float(change[:, :middle].mean())))
    own, beside = np.mean(halves, axis=0)
    return Moved(own=float(own), other=float(beside))


def panel(size: int, sampling: Sampling, second: Region, *, face: str = "", seed: int = 0) -> PanelRequest:
    """Two characters before a beach; `face`: the first one's reference."""
    first = Region(box=LEFT, prompt="boy with brown hair, waving", reference=BlobId(face))
    return PanelRequest(
        weights="",
        width=size,
        height=size,
        prompt="colour comic, two characters, medium shot, beach",
        negative="",
        background="colour comic, beach",
        regions=(first, second),
        seed=SEED + seed,
        sampling=sampling,
    )


def cast() -> dict[str, bytes]:
    """Three people's pictures by sha256."""
    rng = random.Random(SEED)
    drawn = [encode(Image.fromarray(reference(Identity.random(rng), rng, ink=False))) for _ in range(3)]
    return {hashlib.sha256(data).hexdigest(): data for data in drawn}


def measure(renderer: SDRenderer, people: list[str], size: int, sampling: Sampling, seeds: int) -> list[dict]:
    """One row for words and one for references, masked and not."""
    rows: list[dict] = []
    for masked in (True, False):
        how = replace(sampling, masked=masked)
        words = [
            tuple(panel(size, how, Region(box=RIGHT, prompt=said), seed=n) for said in WORDS)
            for n in range(seeds)
        ]
        faces = [
            tuple(
                panel(
                    size,
                    how,
                    Region(box=RIGHT, prompt=WORDS[0], reference=BlobId(who)),
                    face=people[0],
                    seed=n,
                )
                for who in people[1:]
            )
            for n in range(seeds)
        ]
        for what, pairs in (("words", words), ("reference", faces)):
            found = moved(renderer, [(one, other) for one, other in pairs])
            rows.append(
                {
                    "changed": what,
                    "masked": masked,
                    "own": round(found.own, 3),
                    "other": round(found.other, 3),
                    "ratio": round(found.ratio, 2),
                }
            )
    return rows


def cost(renderer: SDRenderer, people: list[str], size: int, sampling: Sampling) -> dict[str, float]:
    """Seconds of a panel, everything encoded before: two characters with references, and none."""
    told = panel(
        size, sampling, Region(box=RIGHT, prompt=WORDS[0], reference=BlobId(people[1])), face=people[0]
    )
    seconds: dict[str, float] = {}
    for name, request in (("regions", told), ("plain", replace(told, regions=()))):
        renderer.draw([request])
        begun = time.perf_counter()
        renderer.draw([replace(request, seed=1)])
        seconds[name] = round(time.perf_counter() - begun, 3)
    return seconds


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What words and references move on Stable Diffusion.")
    parser.add_argument("--model", required=True, help="a row of the variants' table, a folder or a file")
    parser.add_argument("--size", type=int, default=512, help="of the panels' sides (default: 512)")
    parser.add_argument("--steps", type=int, default=30, help="default: 30")
    parser.add_argument("--refine_steps", type=int, default=10, help="default: 10")
    parser.add_argument("--guidance_scale", type=float, default=7.5, help="default: 7.5")
    parser.add_argument("--seeds", type=int, default=4, help="pairs of panels a row (default: 4)")
    parser.add_argument("--device", default="auto", help="default: auto")
    flags = parser.parse_args(arguments)
    place: Path | None = None if flags.model in VARIANTS else place_of(flags.model)
    row = VARIANTS[flags.model if place is None else recognise(place)]
    device, people = pick_device(flags.device), cast()
    renderer = SDRenderer(
        open_published(row, place, hashed=False),
        load_reference=people.__getitem__,
        device=device,
        dtype=compute_dtype(device, row),
    )
    sampling = Sampling(
        steps=flags.steps,
        guidance=flags.guidance_scale,
        scheduler="euler",
        refine_steps=flags.refine_steps,
    )
    rows = measure(renderer, list(people), flags.size, sampling, flags.seeds)
    print("| changed of character 2 | masks | box 2 | box 1 | ratio |")
    print("| --- | --- | --- | --- | --- |")
    for one in rows:
        masks = "on" if one["masked"] else "off"
        print(f"| {one['changed']} | {masks} | {one['own']} | {one['other']} | {one['ratio']} |")
    seconds = cost(renderer, list(people), flags.size, sampling)
    print(json.dumps({"row": row.name, "moved": rows, "seconds": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
