"""The starter's parts, each by itself: VAE, detector, segmenter, CLIP; what a panel costs, what all weighs.

In: the drawn world (with the benchmark's own seeds) and generated panels with the judge's boxes. Out:
figures; None for a part that this checkpoint does not have, which is said.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.files import BlobId
from model.geometry import Box
from model.render.request import PanelRequest, Region
from model.run.requests import sampling_of
from model.run.settle import settle
from model.vision.detect import open_detector
from model.vision.segment import open_segmenter
from scripts.bench.drawer import Drawer
from scripts.bench.held_out import Wanted
from scripts.bench.scores import Figures, mean
from scripts.starter.gallery import Panel
from scripts.starter.judge.labels import Reading
from scripts.starter.pairs import draw_cast, look_caption
from scripts.starter.train_clip import chance_first
from scripts.starter.train_vae import evaluate
from scripts.starter.vae import place
from scripts.starter.world import Truth, ground_truth, render

FOUND = 0.5  # IoU from which on a box is found
ASKED_JITTER = 0.05
OF = 100  # captions among which the right one is to be told
REPEAT = 3
TIMED_BATCH = 4


def pictures_of(panels: Sequence[Wanted]) -> list[NDArray[np.uint8]]:
    """The drawn world's own pictures of the panels."""
    return [render(panel.scene) for panel in panels]


def vae_figures(drawer: Drawer, panels: Sequence[Wanted], drawn: Sequence[NDArray[np.uint8]]) -> Figures:
    """Mean PSNR in dB of drawn panels, encoded and decoded: all, colour, ink."""
    vae = place(drawer.models.renderer.parts.vae, "cpu")
    held = [
        Panel(picture=picture, heads=(), ink=panel.ink) for panel, picture in zip(panels, drawn, strict=True)
    ]
    found = evaluate(vae, held)
    ink = sum(panel.ink for panel in panels) / len(panels)
    colour, toned = found.get("psnr_colour", 0.0), found.get("psnr_ink", 0.0)
    return {
        "vae_psnr": colour * (1 - ink) + toned * ink,
        "vae_psnr_colour": found.get("psnr_colour"),
        "vae_psnr_ink": found.get("psnr_ink"),
    }


def detector_figures(
    folder: Path,
    person: str,
    drawn: tuple[Sequence[Image.Image], Sequence[Sequence[Box]]],
    generated: tuple[Sequence[Image.Image], Sequence[Sequence[Box]]],
) -> Figures:
    """Share of characters found at IoU 0.5, and found boxes a panel that are nobody's (mean of both kinds).

    Args:
        folder: the detector's.
        person: the phrase that a run asks for.
        drawn: panels of the drawn world, and where everybody is.
        generated: panels of the starter, and where the judge finds somebody.
    """
    names = ("dino_recall_drawn", "dino_recall_generated", "dino_false")
    if not folder.is_dir():
        return missing(folder, names)
    detector = open_detector(folder)
    recalls: list[float | None] = []
    false: list[float] = []
    for pictures, truth in (drawn, generated):
        found = detector.detect(pictures, [(person,)] * len(pictures))
        hits: list[float] = []
        for boxes, there in zip(found, truth, strict=True):
            matched = _matched([one.box for one in boxes], there)
            hits += [float(hit) for hit in matched]
            false.append(len(boxes) - sum(matched))
        recalls.append(mean(hits))
    return dict(zip(names, (*recalls, mean(false)), strict=True))


def _matched(found: Sequence[Box], there: Sequence[Box]) -> list[bool]:
    """Which of `there` has a box of its own among `found`."""
    pairs = sorted(((b.iou(t), i, j) for i, b in enumerate(found) for j, t in enumerate(there)), reverse=True)
    used: dict[int, int] = {}
    for overlap, i, j in pairs:
        if overlap >= FOUND and i not in used and j not in used.values():
            used[i] = j
    return [j in used.values() for j in range(len(there))]


def segmenter_figures(
    folder: Path, pictures: Sequence[Image.Image], truths: Sequence[Sequence[Truth]]
) -> Figures:
    """Mean IoU of masks on drawn panels, from true boxes whose edges are off by up to 5 % of their sides."""
    if not folder.is_dir():
        return missing(folder, ("sam_iou",))
    rng = random.Random(0)
    asked = [[_jittered(truth.box, rng) for truth in row] for row in truths]
    overlaps: list[float] = []
    for masks, row in zip(open_segmenter(folder).segment(pictures, asked), truths, strict=True):
        for mask, truth in zip(masks, row, strict=True):
            either = (mask | truth.mask).sum()
            overlaps.append(float((mask & truth.mask).sum() / either) if either else 1.0)
    return {"sam_iou": mean(overlaps)}


def _jittered(box: Box, rng: random.Random) -> Box:
    def off(side: float) -> float:
        return rng.uniform(-ASKED_JITTER, ASKED_JITTER) * side

    left, right = box.x + off(box.width), box.right + off(box.width)
    top, bottom = box.y + off(box.height), box.bottom + off(box.height)
    return Box(left, top, right - left, bottom - top).clipped()


def clip_figures(drawer: Drawer, seed: int, characters: int) -> Figures:
    """How often a clean picture finds its own caption among 100; how often (AUC) two panels' crops of one
    character are nearer to each other than crops of two."""
    cast = []
    while len(cast) < max(characters, OF):
        cast += draw_cast(seed, views=2)
        seed += 1
    rng = random.Random(seed)
    encoder = drawer.models.encoder
    clean, first, second = (
        encoder.encode_images([Image.fromarray(view) for view in views])
        for views in (
            [c.references[0] for c in cast],
            [c.crops[0] for c in cast],
            [c.crops[1] for c in cast],
        )
    )
    said = encoder.encode_texts([look_caption(c.attributes, rng) for c in cast])
    across = (first @ second.T).astype(np.float64)
    other = np.sort(across[~np.eye(len(cast), dtype=bool)])
    return {
        "clip_caption_top1": chance_first((clean @ said.T).astype(np.float64), OF),
        "clip_character_auc": float(np.searchsorted(other, across.diagonal()).mean() / len(other)),
    }


def seconds_fast(drawer: Drawer) -> float:
    """Seconds for one panel of 256 × 256 with one character and its reference, `fast`, in a batch of four;
    median of three batches after one to warm up."""
    reference = next((picture for picture in drawer.references.values() if picture), "")
    region = Region(
        box=Box(0.2, 0.06, 0.6, 0.92),
        prompt="girl with long red hair, blue hoodie",
        reference=BlobId(reference),
    )
    request = PanelRequest(
        weights=drawer.models.checkpoint.fingerprint,
        width=256,
        height=256,
        prompt="colour comic, one character, wide shot, park",
        negative="",
        regions=(region,),
        seed=0,
        sampling=sampling_of(settle(quality="fast")),
    )
    batch = [replace(request, seed=seed) for seed in range(TIMED_BATCH)]
    spent: list[float] = []
    for _ in range(REPEAT + 1):
        started = time.perf_counter()
        drawer.models.renderer.draw(batch)
        spent.append((time.perf_counter() - started) / TIMED_BATCH)
    return statistics.median(spent[1:])


def megabytes(folder: Path) -> float:
    """Size of everything in the checkpoint's folder, in millions of bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def boxes_read(readings: Sequence[Reading]) -> list[list[Box]]:
    """Where the judge finds somebody."""
    return [[character.box for character in reading.characters] for reading in readings]


def truths_of(panels: Sequence[Wanted]) -> list[tuple[Truth, ...]]:
    """Where everybody is in the drawn world's pictures."""
    return [ground_truth(panel.scene) for panel in panels]


def missing(folder: Path, names: Sequence[str]) -> Figures:
    """Say that a part is not there."""
    sys.stderr.write(f"{folder} is not there: {', '.join(names)} not measured\n")
    return dict.fromkeys(names)
