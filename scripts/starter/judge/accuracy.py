"""How often the judge is right on freshly drawn panels, attribute by attribute.

    python -m scripts.starter.judge.accuracy --panels 1000 --seed 0

What is asked: every figure at least half of whose face can be seen; outfit and its colour where also the
torso is in sight; colours in colour panels only. Everything is read the way the bench reads generated panels,
from the figures that the judge itself finds: one that is not found counts as wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import numpy as np
from PIL import Image

from model.geometry import Box
from scripts.starter.judge.judge import Judge
from scripts.starter.judge.labels import ATTRIBUTES, PLACES, Character
from scripts.starter.judge.losses import FACE_FOUND, FACE_IGNORED, askable
from scripts.starter.judge.scenes import HELD_OUT_SEEDS, Sheet, draw_sheet

SHEET = 16


def match(asked: Sequence[Box], found: Sequence[Character], *, least: float = 0.3) -> list[Character | None]:
    """Which found character stands in which asked box: greedily by IoU, each at most once."""
    pairs = [
        (box.iou(character.box), i, j) for i, box in enumerate(asked) for j, character in enumerate(found)
    ]
    taken: dict[int, int] = {}
    for overlap, i, j in sorted(pairs, reverse=True):
        if overlap >= least and i not in taken and j not in taken.values():
            taken[i] = j
    return [found[taken[i]] if i in taken else None for i in range(len(asked))]


def measure(judge: Judge, panels: int, seed: int) -> dict[str, float]:
    """Accuracy of every attribute, of background, ink and count; mean IoU of boxes; over `panels` panels
    (rounded up to a multiple of 16) whose seeds start at `seed`."""
    right: dict[str, list[float]] = {
        name: [] for name in (*ATTRIBUTES, "background", "ink", "count", "box_iou")
    }
    for number in range(-(-panels // SHEET)):
        _measure_sheet(judge, draw_sheet(seed, number, SHEET), right)
    return {name: float(np.mean(values)) for name, values in right.items()}


def _measure_sheet(judge: Judge, sheet: Sheet, right: dict[str, list[float]]) -> None:
    able = askable(sheet)
    readings = judge.read([Image.fromarray(picture) for picture in sheet.pictures])
    for row, reading in enumerate(readings):
        right["background"].append(reading.background == PLACES[sheet.place[row]])
        right["ink"].append(reading.ink == bool(sheet.ink[row]))
        least, most = ((sheet.face[row] >= share).sum() for share in (FACE_FOUND, FACE_IGNORED))
        right["count"].append(least <= len(reading.characters) <= most)
        there = np.flatnonzero(sheet.face[row] >= FACE_FOUND)
        edges = sheet.boxes[row, there].tolist()
        boxes = [Box(left, top, x - left, y - top) for left, top, x, y in edges]
        for figure, box, character in zip(there, boxes, match(boxes, reading.characters), strict=True):
            right["box_iou"].append(box.iou(character.box) if character else 0.0)
            for index, (name, values) in enumerate(ATTRIBUTES.items()):
                if able[row, figure, index]:
                    truth = values[sheet.looks[row, figure, index]]
                    right[name].append(character is not None and getattr(character, name) == truth)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the judge on freshly drawn panels.")
    parser.add_argument("--panels", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0, help="of another range")
    flags = parser.parse_args()
    measured = measure(Judge.open(), flags.panels, HELD_OUT_SEEDS + 1_000_000 * (1 + flags.seed))
    for name, share in measured.items():
        print(f"{name:12} {share:7.2%}")
    print(json.dumps({name: round(share, 4) for name, share in measured.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
