"""Scorers of heads that somebody plugs in see each head alone, and must return one number for each."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from PIL import Image, ImageDraw

from model.errors import ConfigError
from model.geometry import Box
from model.vision.heads import ScoredHeads, open_scorer

HEADS = [[Box(0.1, 0.1, 0.2, 0.2)], [], [Box(0.5, 0.5, 0.2, 0.2), Box(0.9, 0.9, 0.1, 0.1)]]


class Finder:
    """Finds a head in the middle of each figure, and must not be asked for scores."""

    scores = False

    def heads(
        self, pictures: Sequence[Image.Image], figures: Sequence[Sequence[Box]]
    ) -> Sequence[Sequence[Box | None]]:
        return [list(row) for row in figures]

    def score(
        self, pictures: Sequence[Image.Image], heads: Sequence[Sequence[Box]]
    ) -> Sequence[Sequence[float | None]]:
        raise AssertionError("the plugged-in scorer scores")


def redness(pictures: Sequence[Image.Image]) -> list[float]:
    """How red the middle of each picture is."""
    return [one.getpixel((one.width // 2, one.height // 2))[0] / 255 for one in pictures]  # type: ignore[index]


def too_few(pictures: Sequence[Image.Image]) -> list[float]:
    return [0.5]


def too_large(pictures: Sequence[Image.Image]) -> list[float]:
    return [7.0 for _ in pictures]


def panels() -> list[Image.Image]:
    picture = Image.new("RGB", (100, 100), "black")
    ImageDraw.Draw(picture).rectangle((52, 52, 68, 68), fill="red")
    return [Image.new("RGB", (100, 100), "black"), picture.copy(), picture]


def test_a_scorer_of_somebody_else_sees_each_head_alone() -> None:
    scorer = open_scorer("tests.vision.test_heads:redness")
    found = ScoredHeads(Finder(), scorer, "redness").score(panels(), HEADS)
    assert found == [[0.0], [], [1.0, 0.0]]


@pytest.mark.parametrize("scorer", [too_few, too_large])
def test_what_it_returns_must_be_a_number_for_each(scorer: object) -> None:
    with pytest.raises(ConfigError, match="one number of 0 to 1"):
        ScoredHeads(Finder(), scorer, "it").score(panels(), HEADS)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["no_such_module:score", "tests.vision.test_heads:nothing", "json", ""])
def test_a_scorer_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match="MODULE:FUNCTION"):
        open_scorer(name)


def test_a_scorer_must_be_a_function() -> None:
    with pytest.raises(ConfigError, match="no function"):
        open_scorer("tests.vision.test_heads:HEADS")
