"""Does an injected panel reach the picture, and at what cost? The same panels with and without a style.

    python -m scripts.bench.injection [--n 24] [--seed 7] [--quality balanced] [--weight 0.5]

Panels of the drawn world (`held_out.py`) are drawn once without a style. Then each is drawn again, with the
same seed, leaning towards another of them: the most similar one, or the most different one, by the
checkpoint's CLIP. Printed, before and after: how far its mean colour (CIE Lab) is from the other's, over the
whole panel and outside its characters' boxes; the cosine of the two; and what the judge, which knows nothing
of styles, reads of what was asked.

With `--collapse` instead: how alike are eight panels of different stories, eight of one story with two
characters, and eight drawings of one and the same panel? The level of the collapse detector (`judging.alike`
of the manifest) lies between the last two. Last line: JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.files import BlobId
from model.memory.panels.diversity import WINDOW
from model.memory.panels.matcher import mean_similarity
from model.render.flux.renderer import FluxRenderer
from model.render.png import encode
from model.render.request import PanelRequest, Style
from model.render.weights import open_checkpoint
from model.run.batches import batches
from model.run.requests import sampling_of
from model.run.settle import settle
from model.story.plan import panel_seed
from model.variants import QUALITIES
from model.vision.clip import ImageEncoder
from scripts.bench import held_out, scores
from scripts.bench.command import prompts_flag, run
from scripts.bench.drawer import NO_REFERENCES, request_for
from scripts.bench.held_out import Wanted
from scripts.starter.judge.judge import Judge

KINDS = ("similar", "diverse")
FIGURES = ("hair_colour", "outfit_colour", "accessory", "background", "count_1", "count_2", "box_iou")


def lab(picture: Image.Image) -> NDArray[np.float64]:
    """(H, W, 3) CIE Lab of an sRGB picture, D65."""
    values = np.asarray(picture.convert("RGB"), np.float64) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
              [0.0193339, 0.1191920, 0.9503041]]  # fmt: skip
    xyz = linear @ np.array(to_xyz).T / [0.95047, 1.0, 1.08883]
    cube = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(cube, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def outside(panel: Wanted) -> NDArray[np.bool_]:
    """(H, W): where nobody is asked to stand."""
    free = np.ones((panel.height, panel.width), bool)
    for person in panel.people:
        left, top = int(person.box.x * panel.width), int(person.box.y * panel.height)
        right = round((person.box.x + person.box.width) * panel.width)
        bottom = round((person.box.y + person.box.height) * panel.height)
        free[top:bottom, left:right] = False
    return free


def distance(picture: Image.Image, other: Image.Image, free: NDArray[np.bool_]) -> tuple[float, float]:
    """How far the mean colour, of all and of what is free, is from the other picture's."""
    mine, theirs = lab(picture), lab(other).mean((0, 1))
    here = mine[free] if free.any() else mine
    return float(np.linalg.norm(mine.mean((0, 1)) - theirs)), float(np.linalg.norm(here.mean(0) - theirs))


def draw(renderer: FluxRenderer, requests: Sequence[PanelRequest]) -> list[Image.Image]:
    """In batches of one shape."""
    pictures: dict[int, Image.Image] = {}
    numbered = list(enumerate(requests))
    for batch in batches(numbered, alike=lambda one: (one[1].width, one[1].height), most=8):
        drawn = renderer.draw([request for _, request in batch])
        pictures |= {index: picture for (index, _), picture in zip(batch, drawn, strict=True)}
    return [pictures[index] for index in range(len(requests))]


def compare(
    panels: Sequence[Wanted], plain: Sequence[Image.Image], styled: Sequence[Image.Image],
    others: Sequence[int], vectors: NDArray[np.float32], encoder: ImageEncoder,
) -> Mapping[str, float]:  # fmt: skip
    """How much nearer the styled panels came to the ones they lean towards."""
    free = [outside(panel) for panel in panels]
    goals = [plain[other] for other in others]
    before = np.array([distance(*row) for row in zip(plain, goals, free, strict=True)])
    after = np.array([distance(*row) for row in zip(styled, goals, free, strict=True)])
    near = (vectors * vectors[list(others)]).sum(1)
    now = (encoder.encode_images(styled) * vectors[list(others)]).sum(1)
    moved = np.column_stack([before - after, now - near])
    error = moved.std(0, ddof=1) / np.sqrt(len(panels))
    values = {
        "colour_before": before[:, 0].mean(), "colour": after[:, 0].mean(), "colour_se": error[0],
        "free_before": before[:, 1].mean(), "free": after[:, 1].mean(), "free_se": error[1],
        "cosine_before": near.mean(), "cosine": now.mean(), "cosine_se": error[2],
    }  # fmt: skip
    return {name: round(float(value), 4) for name, value in values.items()}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure what a style reference does.")
    parser.add_argument("--n", type=int, default=24, help="panels (default 24)")
    prompts_flag(parser, 7)
    parser.add_argument("--quality", choices=QUALITIES, default="balanced")
    parser.add_argument("--weight", type=float, nargs="+", default=[Style(picture=BlobId("")).weight])
    parser.add_argument("--collapse", action="store_true", help="how alike are panels, and when too much?")
    parser.add_argument("--sheet", type=Path, help="also draw panel, other and styled panel side by side")
    flags = parser.parse_args(argv)
    started = time.perf_counter()
    checkpoint, judge = open_checkpoint(), Judge.open()
    panels = [panel for panel in held_out.held_out_panels(2 * flags.n, flags.seed) if not panel.ink][
        : flags.n
    ]
    sampling = replace(
        sampling_of(settle(quality=flags.quality)), max_sequence_length=checkpoint.global_tokens
    )

    def request_of(panel: Wanted) -> PanelRequest:
        way, seed = replace(NO_REFERENCES, masked=True), panel_seed(0, panel.id, 0)
        return request_for(panel, {}, way, weights=checkpoint.fingerprint, sampling=sampling, seed=seed)

    kept: dict[str, bytes] = {}
    renderer = FluxRenderer(checkpoint, load_reference=kept.__getitem__)
    encoder = ImageEncoder(checkpoint.folder / "clip", tokenizer=checkpoint.folder / "tokenizer")
    if flags.collapse:
        print(json.dumps(likeness(renderer, encoder, request_of, panels, flags.seed)))
        return 0
    requests = [request_of(panel) for panel in panels]
    plain = draw(renderer, requests)
    kept |= {str(index): encode(picture) for index, picture in enumerate(plain)}
    vectors = encoder.encode_images(plain)

    def figures(pictures: Sequence[Image.Image]) -> dict[str, float | None]:
        found = scores.panel_figures(panels, judge.read(pictures))
        return {name: None if found[name] is None else round(found[name] or 0.0, 3) for name in FIGURES}

    result: dict[str, object] = {"n": len(panels), "plain": figures(plain)}
    print(f"plain {result['plain']}", flush=True)
    cosines = vectors @ vectors.T
    for kind in KINDS:
        np.fill_diagonal(cosines, -2 if kind == "similar" else 2)
        others = (cosines.argmax(1) if kind == "similar" else cosines.argmin(1)).tolist()
        for weight in flags.weight:
            styled = draw(
                renderer,
                [
                    replace(request, style=Style(picture=BlobId(str(other)), weight=weight))
                    for request, other in zip(requests, others, strict=True)
                ],
            )
            row = {**compare(panels, plain, styled, others, vectors, encoder), **figures(styled)}
            result[f"{kind} {weight:g}"] = row
            print(f"{kind} {weight:g} {row}", flush=True)
            if flags.sheet:
                path = flags.sheet.with_stem(f"{flags.sheet.stem}_{kind}_{weight:g}")
                path.write_bytes(sheet(list(zip(plain, (plain[i] for i in others), styled, strict=True))))
    print(f"{time.perf_counter() - started:.0f} s")
    print(json.dumps(result))
    return 0


def likeness(renderer: FluxRenderer, encoder: ImageEncoder, request_of: Callable[[Wanted], PanelRequest],
             panels: Sequence[Wanted], seed: int) -> dict[str, list[float]]:  # fmt: skip
    """Mean cosines of eight panels: of strangers, of one story, of one panel."""
    _, story = held_out.cast_panels(2, seed)
    one_story = [request_of(panel) for panel in story]
    one_story += [replace(request, seed=request.seed + 1) for request in one_story]
    rows = {
        "strangers": [list(map(request_of, panels[i : i + WINDOW])) for i in (0, WINDOW)],
        "one story": [one_story[:WINDOW]],
        "one panel": [
            [replace(request_of(panel), seed=number) for number in range(WINDOW)] for panel in panels[:3]
        ],
    }
    return {
        name: [
            round(mean_similarity(list(encoder.encode_images(draw(renderer, row)))) or 0.0, 4)
            for row in requests
        ]
        for name, requests in rows.items()
    }


def sheet(rows: Sequence[tuple[Image.Image, Image.Image, Image.Image]], side: int = 192) -> bytes:
    """PNG: a row a panel: itself, the other, itself leaning."""
    paper = Image.new("RGB", (3 * side, min(len(rows), 8) * side), "white")
    for y, row in enumerate(rows[:8]):
        for x, picture in enumerate(row):
            small = picture.copy()
            small.thumbnail((side, side))
            paper.paste(small, (x * side, y * side))
    data = io.BytesIO()
    paper.save(data, "PNG")
    return data.getvalue()


if __name__ == "__main__":
    sys.exit(run(main))
