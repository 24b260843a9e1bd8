"""How well a detector reads drawn panels: whom it finds, whom it invents, whom it confuses.

In: any detector and panels with their truth. Out: figures. Knows nothing of training.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from model.geometry import Box
from model.vision.asking import Found
from model.vision.detect import Detector
from scripts.starter.detector.panels import Panel
from scripts.starter.detector.phrases import COLOURS, speak

EVERYBODY = "a character"
FOUND = 0.5  # IoU from which a box is somebody's


class PlainSpeech(random.Random):
    """The usual wording and order, every time."""

    def random(self) -> float:
        return 0.32

    def choice(self, seq: Any) -> Any:
        return seq[0]


def look(who: Mapping[str, Any], *, ink: bool) -> str:
    """A character's whole look in words, as a story describes it; without colours in an ink panel."""
    said = {key: who[key] for key in ("hair", "style", "color", "outfit", "acc") if who[key] != "none"}
    if ink:
        said = {key: value for key, value in said.items() if key not in COLOURS}
    return "a character with " + speak(said, PlainSpeech())


def hits(found: Sequence[Found], boxes: Sequence[Box]) -> list[float]:
    """IoUs of the boxes that are somebody's, best score first, each somebody once."""
    free, overlaps = list(boxes), []
    for one in found:
        best = max(free, key=one.box.iou, default=None)
        if best is not None and one.box.iou(best) >= FOUND:
            overlaps.append(one.box.iou(best))
            free.remove(best)
    return overlaps


def evaluate(detector: Detector, panels: Sequence[Panel]) -> dict[str, float]:
    """How well held-out panels are read.

    `recall`: characters whom `a character` finds with IoU ≥ 0.5; `false`: boxes a panel that are nobody's;
    `iou`: of what is found; `empty_false`: boxes in a panel without anybody; `phrase`: of characters in
    company, how often the best box for their own look is theirs; `stranger`: boxes a panel for the look of
    somebody who is not there.
    """
    pictures = [Image.fromarray(panel["picture"]) for panel in panels]
    truth = [[Box(*box) for box in panel["boxes"]] for panel in panels]
    looks = [[look(who, ink=panel["ink"]) for who in panel["cast"]] for panel in panels]
    everybody = detector.detect(pictures, [[EVERYBODY]] * len(panels))
    overlaps = [hits(found, boxes) for found, boxes in zip(everybody, truth, strict=True)]
    wrong = [len(found) - len(good) for found, good in zip(everybody, overlaps, strict=True)]
    empty = [count for count, boxes in zip(wrong, truth, strict=True) if not boxes]
    right = [good for good in overlaps for good in good]
    figures = {
        "recall": len(right) / max(sum(map(len, truth)), 1),
        "false": sum(wrong) / len(panels),
        "iou": sum(right) / max(len(right), 1),
        "empty_false": sum(empty) / max(len(empty), 1),
    }
    return figures | _phrases(detector, pictures, truth, looks)


def _phrases(
    detector: Detector,
    pictures: Sequence[Image.Image],
    truth: Sequence[Sequence[Box]],
    looks: Sequence[Sequence[str]],
) -> dict[str, float]:
    own: list[bool] = []
    company = [index for index, asked in enumerate(looks) if len(set(asked)) > 1]
    answers = detector.detect(
        [pictures[index] for index in company], [list(dict.fromkeys(looks[index])) for index in company]
    )
    for index, found in zip(company, answers, strict=True):
        for words, box in zip(looks[index], truth[index], strict=True):
            best = next((one.box for one in found if one.phrase == words), None)
            own.append(best is not None and best.iou(box) >= FOUND)
    absent = [
        (picture, other[0])
        for picture, asked, other in zip(pictures, looks, [*looks[1:], looks[0]], strict=True)
        if other and other[0] not in asked
    ]
    strangers = detector.detect([picture for picture, _ in absent], [[words] for _, words in absent])
    return {
        "phrase": sum(own) / max(len(own), 1),
        "stranger": sum(map(len, strangers)) / max(len(strangers), 1),
    }
