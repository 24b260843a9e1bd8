"""The starter's own detector, as a run uses it: fresh drawn panels that no training has seen."""

from __future__ import annotations

import pytest
from PIL import Image

from model.geometry import Box
from model.render.weights import STARTER
from model.vision.detect import Detector, open_detector
from scripts.starter.detector.measure import EVERYBODY, evaluate, hits, look
from scripts.starter.detector.panels import Panel, draw

FIRST = 7_800_000_000
# The bars of a release are measured on more panels; 48 wander by a few per cent.
RECALL, FALSE, OVERLAP, PHRASE, STRANGER = 0.95, 0.1, 0.8, 0.65, 0.6


@pytest.fixture(scope="module")
def detector() -> Detector:
    return open_detector(STARTER / "detector")


@pytest.fixture(scope="module")
def panels() -> list[Panel]:
    return [draw(seed) for seed in range(FIRST, FIRST + 48)]


def test_it_finds_who_is_there_and_nobody_else(detector: Detector, panels: list[Panel]) -> None:
    figures = evaluate(detector, panels)
    assert figures["recall"] >= RECALL, figures
    assert figures["false"] <= FALSE, figures
    assert figures["iou"] >= OVERLAP, figures
    assert figures["phrase"] >= PHRASE, figures
    assert figures["stranger"] <= STRANGER, figures


def test_a_larger_picture_shows_the_same(detector: Detector, panels: list[Panel]) -> None:
    panel = next(panel for panel in panels if len(panel["boxes"]) == 1 and not panel["ink"])
    small = Image.fromarray(panel["picture"])
    large = small.resize((small.width * 4, small.height * 4), Image.Resampling.LANCZOS)
    box = [Box(*panel["boxes"][0])]
    for picture in (small, large):
        assert hits(detector.detect([picture], [[EVERYBODY]])[0], box)


def test_unknown_words_do_little_harm(detector: Detector, panels: list[Panel]) -> None:
    company = [panel for panel in panels if len(panel["boxes"]) > 1 and not panel["ink"]][:8]
    right = asked = 0
    for panel in company:
        phrases = [look(who, ink=False) + " zyxomorphic" for who in panel["cast"]]
        found = detector.detect([Image.fromarray(panel["picture"])], [phrases])[0]
        for phrase, box in zip(phrases, panel["boxes"], strict=True):
            best = next((one.box for one in found if one.phrase == phrase), None)
            asked += 1
            right += best is not None and best.iou(Box(*box)) >= 0.5
    assert right >= 0.6 * asked, (right, asked)


def test_it_is_small() -> None:
    files = [path for path in (STARTER / "detector").iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 8_000_000
