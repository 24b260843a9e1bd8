"""Golden pictures: four panels of the shipped starter, kept to compare with what it draws later.

    python -m scripts.starter.golden      # after new weights, or a change that is meant to change pictures

Each request below goes through the renderer as a run's requests do; references are drawn by the drawn world.
In: the shipped starter. Out: `tests/starter/golden_panels/`: a PNG a panel, and `golden.json` with what the
judge reads in each and how they were made. `tests/starter/test_golden.py` draws the panels and compares.
Look at the pictures before you commit them.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from model.files import BlobId
from model.geometry import Box
from model.render.flux.renderer import FluxRenderer
from model.render.png import encode
from model.render.request import PanelRequest, Region, Sampling
from model.render.weights import Checkpoint, open_checkpoint
from scripts.starter.judge.judge import Judge
from scripts.starter.judge.labels import ATTRIBUTES, COLOURS, Character, Reading
from scripts.starter.world import Identity
from scripts.starter.world.reference import reference

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "starter" / "golden_panels"

SAMPLING = Sampling(steps=8, guidance=3.0, max_sequence_length=16)  # as --quality fast
SURE = 0.9  # from which probability on the judge is taken at its word; the rest may change with rounding
MIKA = Identity(
    hair="red", style="twin tails", eyes="green", skin="light", outfit="hoodie", color="yellow",
    accent="white", accessory="glasses", fringe="straight",
)  # fmt: skip
REN = Identity(
    hair="blue", style="short hair", eyes="brown", skin="light", outfit="t-shirt", color="green",
    accent="white", accessory="none", fringe="parted",
)  # fmt: skip
CAST = {"mika": MIKA, "ren": REN}
WORDS = {
    "mika": "girl with red twin tails, yellow hoodie, glasses",
    "ren": "boy with blue short hair, green t-shirt",
}


def reference_of(name: str) -> bytes:
    """A PNG of one of the cast, as the drawn world draws it."""
    drawn = reference(CAST[name], random.Random(name), ink=False, frame="bust")
    return encode(Image.fromarray(drawn))


def requests_of(checkpoint: Checkpoint, references: Mapping[str, str]) -> dict[str, PanelRequest]:
    """The four panels by name.

    Args:
        references: for each of the cast, what the renderer knows its reference by.
    """

    def panel(size: tuple[int, int], prompt: str, seed: int, **people: tuple[Box, str]) -> PanelRequest:
        regions = tuple(
            Region(box=box, prompt=f"{WORDS[name]}, {doing}", reference=BlobId(references[name]))
            for name, (box, doing) in people.items()
        )
        return PanelRequest(
            weights=checkpoint.fingerprint, width=size[0], height=size[1], prompt=prompt, negative="",
            regions=regions, seed=seed, sampling=SAMPLING,
        )  # fmt: skip

    return {
        "nobody": panel((384, 192), "colour comic, no one, wide shot, beach", 1),
        "one": panel(
            (224, 288),
            "colour comic, one character, medium shot, bedroom",
            2,
            mika=(Box(0.15, 0.15, 0.7, 0.85), "smiling, standing"),
        ),
        "two": panel(
            (320, 192),
            "colour comic, two characters, wide shot, sunset",
            3,
            mika=(Box(0.08, 0.1, 0.36, 0.9), "smiling, waving"),
            ren=(Box(0.56, 0.1, 0.36, 0.9), "surprised, standing"),
        ),
        "ink": panel(
            (256, 256),
            "manga ink style, one character, medium shot, night city",
            4,
            ren=(Box(0.2, 0.1, 0.6, 0.9), "angry, standing"),
        ),
    }


def draw(device: str = "cpu", *, only: str = "", seed: int | None = None) -> dict[str, Image.Image]:
    """The four pictures by name, drawn one by one; or one of them, by another seed."""
    references = {name: reference_of(name) for name in CAST}
    checkpoint = open_checkpoint()
    renderer = FluxRenderer(checkpoint, load_reference=references.__getitem__, device=device)
    asked = requests_of(checkpoint, {name: name for name in CAST})
    if seed is not None:
        asked = {name: replace(request, seed=seed) for name, request in asked.items()}
    return {name: renderer.draw([asked[name]])[0] for name in ([only] if only else asked)}


def psnr(one: Image.Image, other: Image.Image) -> float:
    """In dB, of 8 bit pictures of one size; 100 where they are alike."""
    values = [np.asarray(picture.convert("RGB"), np.float64) for picture in (one, other)]
    error = np.square(values[0] - values[1]).mean()
    return float(10 * np.log10(255**2 / error)) if error else 100.0


def read(pictures: Mapping[str, Image.Image]) -> dict[str, dict[str, Any]]:
    """What the judge sees, in words; from left to right."""
    readings = Judge.open().read(list(pictures.values()))
    return {name: in_words(reading) for name, reading in zip(pictures, readings, strict=True)}


def in_words(reading: Reading) -> dict[str, Any]:
    """Background, ink, and of each character what the judge is sure of; ink shows no colours."""
    people = sorted(reading.characters, key=lambda one: one.box.x)
    looks = [look for look in ATTRIBUTES if not (reading.ink and look in COLOURS)]

    def sure(one: Character, look: str) -> bool:
        return one.probabilities[look][getattr(one, look)] >= SURE

    return {
        "background": reading.background,
        "ink": reading.ink,
        "characters": [{look: getattr(one, look) for look in looks if sure(one, look)} for one in people],
        "boxes": [[round(edge, 3) for edge in one.box.as_tuple()] for one in people],
    }


def stored(folder: Path = FOLDER) -> tuple[dict[str, Image.Image], dict[str, Any]]:
    """The kept pictures by name, and the note with their readings."""
    note = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    pictures = {
        name: Image.open(io.BytesIO((folder / f"{name}.png").read_bytes())).convert("RGB")
        for name in note["readings"]
    }
    return pictures, note


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Draw the golden pictures anew and keep them.")
    parser.add_argument("--out", type=Path, default=FOLDER)
    flags = parser.parse_args(argv)
    pictures = draw()
    flags.out.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        if (flags.out / f"{name}.png").exists():
            print(f"{name}: {psnr(picture, Image.open(flags.out / f'{name}.png')):.1f} dB to the one before")
        (flags.out / f"{name}.png").write_bytes(encode(picture))
    note = {
        "made": "python -m scripts.starter.golden",
        "weights": open_checkpoint().fingerprint,
        "torch": torch.__version__,
        "processor": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "readings": read(pictures),
    }
    (flags.out / "golden.json").write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
