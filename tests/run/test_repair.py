"""Details and repairs of the shipped starter, in few steps: small heads are drawn once more, and a person has
part of a panel drawn again; what nobody asked for stays to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.cli import main
from model.errors import ConfigError
from model.memory.panels.cache import PanelCache
from model.pictures import stored_picture
from model.run.book import Book
from model.run.click import clicked as clicked_mask
from model.run.record import read_record
from model.run.repair import box_mask, painted_mask
from model.studio import Studio

STORY: dict[str, Any] = {
    "title": "One Small Head",
    "style": "colour comic",
    "characters": {"mika": {"name": "Mika", "description": "girl with short red hair, blue hoodie"}},
    "pages": [{"panels": [{"scene": "beach", "shot": "wide", "characters": [{"id": "mika"}]}]}],
}
PANEL = "p001_01"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("repair")


@pytest.fixture
def opened(folder: Path) -> Callable[..., Studio]:
    """A function that opens a studio with the starter in one library."""

    def open_studio(**flags: Any) -> Studio:
        said = {"model": "starter", "steps": 4, "candidates": 1, "max_retries": 0, "upscaler": "none"}
        return Studio.open(**{**said, "library": folder / "library", **flags})

    return open_studio


def pixels(studio: Studio, book: Book) -> NDArray[np.int_]:
    blob = book.panels[PANEL].best.drawn.blob
    return np.asarray(stored_picture(studio.library.load(blob)).convert("RGB"), int)


def drawn(studio: Studio, folder: Path) -> Book:
    return studio.draw(studio.plan(STORY), out=folder)


def test_a_small_head_is_drawn_once_more_and_nothing_else(
    opened: Callable[..., Studio], folder: Path
) -> None:
    with opened(detail="0.6") as studio:
        book = drawn(studio, folder / "detailed")
        after, best = pixels(studio, book), book.panels[PANEL].best
        record = PanelCache(studio.library).get(replace(best.request, detail=None).key)
        assert record is not None, "the first picture is kept"
        before = np.asarray(stored_picture(studio.library.load(record.blob)).convert("RGB"), int)
        detailed = PanelCache(studio.library).get(best.request.key)
        assert detailed is not None
        assert detailed.params["heads"] == 1
        assert drawn(studio, folder / "detailed").report.drawn == 0
    changed = np.abs(before - after).max(-1) > 0
    assert 0.005 < changed.mean() < 0.5
    found = best.drawn.measured
    assert found is not None
    figure = found.sightings[0].box
    assert figure is not None
    _, top, _, bottom = figure.pixels(after.shape[1], after.shape[0])
    assert not changed[bottom - (bottom - top) // 5 :].any(), "a head is at the top of its figure"


def test_a_repair_is_a_try_of_its_own_and_the_rest_stays(opened: Callable[..., Studio], folder: Path) -> None:
    with opened(detail="off") as studio:
        book = drawn(studio, folder / "book")
        before = pixels(studio, book)
        height, width = before.shape[:2]
        box = (0.3, 0.1, 0.3, 0.3)
        repaired = studio.repair(book, PANEL, box=box, words="smiling", seed=5)
        after = pixels(studio, repaired)
        assert len(repaired.panels[PANEL].candidates) == 2
        ys, xs = np.nonzero(np.abs(before - after).max(-1))
        assert len(ys)
        edge = 0.05 * max(width, height)
        assert xs.min() >= box[0] * width - edge
        assert xs.max() <= (box[0] + box[2]) * width + edge
        assert ys.max() <= (box[1] + box[3]) * height + edge
        # The same again is the same try; another seed is another one; the first can be chosen again.
        assert (
            len(
                studio.repair(repaired, PANEL, box=box, words="smiling", seed=5, attempt=0)
                .panels[PANEL]
                .candidates
            )
            == 2
        )
        third = studio.repair(repaired, PANEL, box=box, words="smiling", seed=6)
        assert len(third.panels[PANEL].candidates) == 3
        assert (pixels(studio, studio.choose(third, PANEL, attempt=0)) == before).all()
        studio.choose(third, PANEL, attempt=1)
    # A new run shows what was chosen, and draws nothing.
    with opened(detail="off") as studio:
        resumed = drawn(studio, folder / "book")
        assert resumed.report.drawn == 0
        assert (pixels(studio, resumed) == after).all()
        record = read_record(folder / "book").panel(PANEL)
        assert record is not None
        assert len(record.candidates) == 3
        assert record.request["repair"]["strength"] == 0.6


def test_the_command_repairs_with_the_settings_of_the_book(
    opened: Callable[..., Studio], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = folder / "story.json"
    story.write_text(json.dumps(STORY), encoding="utf-8")
    with opened(detail="off") as studio:
        studio.draw(studio.plan(story), out=folder / "typed")
    typed = ["repair", str(folder / "typed"), PANEL, "laughing", "--box", "80,30,60,60", "--seed", "2"]
    assert main(typed) == 0
    assert "shows try" in capsys.readouterr().err
    assert main(["repair", str(folder / "typed"), "p009_01", "--box", "0,0,1,1"]) == 2
    assert "no such panel" in capsys.readouterr().err
    assert main(["repair", str(folder / "typed"), PANEL, "--box", "a,b"]) == 2
    assert "four numbers" in capsys.readouterr().err


def test_what_cannot_be_repaired_is_said(opened: Callable[..., Studio], folder: Path) -> None:
    with opened(detail="off") as studio:
        book = drawn(studio, folder / "book")
        for wrong in ({}, {"box": (0, 0, 1, 1), "mask": b""}):
            with pytest.raises(ConfigError, match="by box, by mask or by at"):
                studio.repair(book, PANEL, **wrong)
        with pytest.raises(ConfigError, match="strength"):
            studio.repair(book, PANEL, box=(0, 0, 1, 1), strength=2)
        with pytest.raises(ConfigError, match="no try 9"):
            studio.repair(book, PANEL, box=(0, 0, 1, 1), attempt=9)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((0.5, 0.5), "four numbers"),
        ((300, 300, 20, 20), "holds nothing"),
        ((0.1, 0.1, 0, 0.5), "holds nothing"),
    ],
)
def test_a_box_that_holds_nothing_is_refused(box: tuple[float, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        box_mask(box, (100, 100))


def test_pixels_and_fractions_name_the_same_part() -> None:
    assert (
        box_mask((0.1, 0.2, 0.5, 0.5), (100, 50)).tobytes() == box_mask((10, 10, 50, 25), (100, 50)).tobytes()
    )


def test_a_mask_is_white_or_opaque_where_it_counts() -> None:
    painted = Image.new("RGBA", (50, 50))
    ImageDraw.Draw(painted).rectangle((10, 10, 20, 20), fill=(0, 0, 0, 255))
    assert painted_mask(painted, (100, 100)).getbbox() == pytest.approx((20, 20, 42, 42), abs=2)
    with pytest.raises(ConfigError, match="nothing in it is white"):
        painted_mask(Image.new("L", (10, 10)), (10, 10))
    with pytest.raises(ConfigError, match="mask"):
        painted_mask(b"no picture", (10, 10))


def test_a_click_means_the_head_under_it(opened: Callable[..., Studio], folder: Path) -> None:
    with opened(detail="off") as studio:
        book = drawn(studio, folder / "book")
        best = book.panels[PANEL].best
        before = np.asarray(stored_picture(studio.library.load(best.drawn.blob)).convert("RGB"), int)
        assert best.drawn.measured is not None
        figure = best.drawn.measured.sightings[0].box
        assert figure is not None
        assert studio.models.heads is not None
        picture = Image.fromarray(before.astype(np.uint8))
        head = studio.models.heads.heads([picture], [[figure]])[0][0]
        assert head is not None
        clicked = studio.repair(book, PANEL, at=head.centre, words="smiling", seed=5)
        changed = np.abs(before - pixels(studio, clicked)).max(-1) > 0
        rows, _ = np.nonzero(changed)
        assert len(rows)
        assert rows.max() < (head.bottom + 0.15) * picture.height, "the figure below the head stays"
        with studio.running() as context:
            x, y = figure.centre[0], figure.bottom - 0.05
            body = np.asarray(clicked_mask((x * picture.width, y * picture.height), best.drawn, context))
            assert (body > 0).mean() > (head.area if head else 0)
            beside = np.asarray(clicked_mask((0.01, 0.01), best.drawn, context))
            assert 0 < (beside > 0).mean() < 0.2
            for wrong in ((0.5,), (-0.1, 0.5), (5000, 3)):
                with pytest.raises(ConfigError, match="at:"):
                    clicked_mask(wrong, best.drawn, context)
