"""What a story says of its pages and letters: frames in percent, emphasis, fonts that lie beside it."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from model.errors import StoryError
from model.geometry import Box
from model.story.plan import Plan, plan_story
from model.story.schema import load_story

PANEL = {"scene": "beach", "emphasis": "high"}


def written(folder: Path, **changes: Any) -> Path:
    story = {"version": 1, "title": "Pages", "pages": [{"panels": [PANEL, {"scene": "sea"}]}]} | changes
    path = folder / "pages.json"
    path.write_text(json.dumps(story), encoding="utf-8")
    return path


def planned(path: Path) -> Plan:
    return plan_story(
        load_story(path), seed=0, aspects=lambda _, page: [1.0] * len(page.panels), shapes=[(256, 256)]
    )


def test_frames_and_emphasis_reach_the_plan(tmp_path: Path) -> None:
    page = {"panels": [PANEL, {"scene": "sea"}], "frames": [[0, 0, 100, 45], [5, 50, 90, 45]]}
    plan = planned(written(tmp_path, pages=[page]))
    assert plan.pages[0].frames == (Box(0.0, 0.0, 1.0, 0.45), Box(0.05, 0.5, 0.9, 0.45))
    assert [panel.emphasis for panel in plan.panels] == ["high", "normal"]


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        ([0, 0, 1, 0.45], "percent of the page"),
        ([0, 0, 120, 45], "between 0 and 100 percent"),
        ([0, 0, 0, 45], "above 0, in percent"),
        ([0, 0, 50], r"pages\[0\]\.frames\[0\]"),
    ],
)
def test_frames_that_are_no_percentages_are_refused(
    tmp_path: Path, frame: list[float], complaint: str
) -> None:
    path = written(tmp_path, pages=[{"panels": [PANEL], "frames": [frame]}])
    with pytest.raises(StoryError, match=complaint):
        load_story(path)


def test_lettering_reaches_the_plan(tmp_path: Path) -> None:
    plan = planned(
        written(tmp_path, lettering={"font": "Comic Neue", "capitals": True, "writing": "vertical"})
    )
    assert (plan.font, plan.capitals, plan.writing) == ("Comic Neue", True, "vertical")
    plain = planned(written(tmp_path))
    assert (plain.font, plain.capitals, plain.writing) == ("", False, "auto")


def test_a_font_beside_the_story_is_found_there(tmp_path: Path) -> None:
    origin = find_spec("matplotlib")
    assert origin is not None
    assert origin.origin is not None
    face = Path(origin.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
    (tmp_path / "mine.ttf").write_bytes(face.read_bytes())
    plan = planned(written(tmp_path, lettering={"font": "mine.ttf"}))
    assert Path(plan.font) == tmp_path / "mine.ttf"


@pytest.mark.parametrize(
    ("font", "complaint"),
    [
        ("absent.ttf", "where there is no file"),
        ("../mine.ttf", "leads out of the story's folder"),
        ("/etc/mine.otf", "leads out of the story's folder"),
        ("text.ttf", "which is no font"),
    ],
)
def test_what_is_no_font_of_the_story_is_refused(tmp_path: Path, font: str, complaint: str) -> None:
    (tmp_path / "text.ttf").write_text("not a font", encoding="utf-8")
    with pytest.raises(StoryError, match=complaint):
        load_story(written(tmp_path, lettering={"font": font}))


def test_an_unknown_key_of_lettering_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(StoryError, match='did you mean "capitals"'):
        load_story(written(tmp_path, lettering={"capitol": True}))
