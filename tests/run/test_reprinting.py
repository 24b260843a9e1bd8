"""Setting a finished book again: words follow the story, pictures stay, and nothing heavy is loaded."""

import json
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model import cli
from model.commands import export as command
from model.errors import ConfigError, IntegrityError
from model.geometry import Box
from model.page.export.book import FORMATS
from model.run.plan import read_plan
from model.run.record import planned_of, read_record, relative_story, story_of
from model.run.reprint import reprint

ROOT = Path(__file__).parents[2]
SHAPES = ((256, 256), (384, 192), (192, 384))
HEAVY = {"torch", "diffusers", "transformers", "open_clip"}
SECONDS_A_PAGE = 1.0


@pytest.fixture
def story() -> dict[str, Any]:
    return {
        "version": 1,
        "title": "Two Friends",
        "characters": {"mika": {"name": "Mika", "description": "girl with red hair"}},
        "pages": [
            {
                "panels": [
                    {"scene": "beach", "characters": [{"id": "mika"}], "dialogue": [said("Hello!")]},
                    {"scene": "forest", "caption": "Later."},
                ]
            },
            {
                "panels": [
                    {"scene": "sunset", "characters": [{"id": "mika"}], "dialogue": [said("Good night.")]}
                ]
            },
        ],
    }


def said(text: str) -> dict[str, str]:
    return {"speaker": "mika", "text": text}


@pytest.fixture
def run(tmp_path: Path, story: dict[str, Any]) -> Path:
    """A finished run's folder, its pictures drawn here; Mika was found in the right half of her panels."""
    path, out = tmp_path / "story.json", tmp_path / "book"
    path.write_text(json.dumps(story))
    plan = read_plan(path, seed=7, shapes=SHAPES)
    (out / "panels").mkdir(parents=True)
    panels: list[dict[str, Any]] = []
    for number, panel in enumerate(plan.panels):
        pixels = np.full((panel.height, panel.width, 3), 60 + 40 * number, np.uint8)
        Image.fromarray(pixels).save(out / "panels" / f"{panel.id}.png")
        found = {figure.character: {"box": [0.6, 0.3, 0.3, 0.7]} for figure in panel.figures}
        panels.append({"id": panel.id, "failure": "", "sightings": found})
    facts = {
        "config": {"seed": 7, "dpi": 50},
        "panels": panels,
        "story": relative_story(path, out),
        "shapes": SHAPES,
        "planned": {panel.id: planned_of(panel).model_dump() for panel in plan.panels},
    }
    (out / "run.json").write_text(json.dumps(facts))
    return out


@pytest.fixture
def rewrite(tmp_path: Path, story: dict[str, Any]) -> Callable[..., None]:
    """A function that changes one value of the story, given the way to it."""

    def write(value: object, *way: str | int) -> None:
        place: Any = story
        for step in way[:-1]:
            place = place[step]
        place[way[-1]] = value
        (tmp_path / "story.json").write_text(json.dumps(story))

    return write


def files(run: Path) -> dict[str, bytes]:
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_a_changed_line_sets_its_page_alone(run: Path, rewrite: Callable[..., None]) -> None:
    assert reprint(run).set_anew == (1, 2)
    before = files(run)
    assert reprint(run).set_anew == ()
    assert files(run) == before
    rewrite([said("Sleep well.")], "pages", 1, "panels", 0, "dialogue")
    started = time.process_time()
    done = reprint(run)
    assert time.process_time() - started < SECONDS_A_PAGE + 1  # planning, and the PDF of both pages
    assert (done.set_anew, done.stale, done.exit_code) == ((2,), (), 0)
    after = files(run)
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == {"pages/page_002.png", "book.pdf", "book.cbz", "index.html", "run.json"}


def test_a_form_that_was_left_behind_is_named_until_it_is_set_anew(
    run: Path, rewrite: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["export", str(run), "--format", "all"]) == 0
    assert json.loads((run / "run.json").read_text())["forms"]["stale"] == []
    rewrite([said("Sleep well.")], "pages", 1, "panels", 0, "dialogue")
    capsys.readouterr()
    assert cli.main(["export", str(run), "--format", "png", "--json"]) == 0
    told = capsys.readouterr()
    behind = ["pdf", "cbz", "html", "epub", "webtoon", "layers"]
    assert json.loads(told.out.splitlines()[-1])["stale_forms"] == behind
    assert json.loads((run / "run.json").read_text())["forms"]["stale"] == behind
    assert "html" in told.err
    assert "--format all" in told.err
    done = reprint(run, formats=["html", "pdf"])
    assert done.stale_forms == ("cbz", "epub", "webtoon", "layers")
    assert cli.main(["export", str(run), "--format", "all"]) == 0
    assert json.loads((run / "run.json").read_text())["forms"]["stale"] == []
    assert "earlier version" not in capsys.readouterr().err


def test_balloons_point_where_people_were_found(run: Path, rewrite: Callable[..., None]) -> None:
    reprint(run, formats=["png"])
    before = (run / "pages/page_002.png").read_bytes()
    facts = json.loads((run / "run.json").read_text())
    for panel in facts["panels"]:
        for sighting in panel["sightings"].values():
            sighting["box"] = Box(0.05, 0.3, 0.3, 0.7).as_tuple()
    (run / "run.json").write_text(json.dumps(facts))
    assert reprint(run, formats=["png"]).set_anew == (1, 2)
    assert (run / "pages/page_002.png").read_bytes() != before


def test_a_story_that_asks_for_other_pictures_is_told_so(run: Path, rewrite: Callable[..., None]) -> None:
    rewrite("night city", "pages", 0, "panels", 1, "scene")
    done = reprint(run, formats=["png"])
    assert done.stale == ("p001_02",)
    assert done.exit_code == 1
    (note,) = done.notes
    assert "p001_02" in note
    assert "(prompt)" in note
    assert len(done.files) == 2


def test_a_panel_that_is_new_is_marked_and_told(run: Path, story: dict[str, Any], rewrite: Any) -> None:
    rewrite([*story["pages"][1]["panels"], {"scene": "park"}], "pages", 1, "panels")
    done = reprint(run, formats=["pdf"])
    # A second panel on the page also asks the first one for another shape.
    assert "p002_02" in done.stale
    assert any("p002_02: was never drawn" in note for note in done.notes)


def test_lettering_is_no_difference_and_everything_drawn_is(
    run: Path, tmp_path: Path, story: dict[str, Any], rewrite: Callable[..., None]
) -> None:
    record = read_record(run)
    path = tmp_path / "story.json"
    rewrite([said("Anything else at all?")], "pages", 0, "panels", 0, "dialogue")
    rewrite("Another caption.", "pages", 0, "panels", 1, "caption")
    assert record.differences(read_plan(path, seed=7, shapes=SHAPES)) == {}
    assert set(record.differences(read_plan(path, seed=8, shapes=SHAPES)).values()) == {("seed",)}
    rewrite("girl with blue hair", "characters", "mika", "description")
    changed = record.differences(read_plan(path, seed=7, shapes=SHAPES))
    assert set(changed) == {"p001_01", "p002_01"}
    assert all("figures" in names for names in changed.values())


def test_book_and_story_may_move_together_or_the_story_is_named(run: Path, tmp_path: Path) -> None:
    assert story_of(read_record(run), run) == tmp_path / "story.json"
    there = tmp_path / "elsewhere"
    there.mkdir()
    shutil.copytree(run, there / "book")
    with pytest.raises(ConfigError, match="--story"):
        reprint(there / "book")
    assert reprint(there / "book", story=tmp_path / "story.json", formats=["png"]).set_anew == (1, 2)
    shutil.copy(tmp_path / "story.json", there)
    assert reprint(there / "book", formats=["png"]).set_anew == ()


def test_what_is_no_run_is_refused(run: Path, tmp_path: Path, rewrite: Callable[..., None]) -> None:
    with pytest.raises(ConfigError, match=r"run\.json"):
        reprint(tmp_path)
    (run / "panels/p001_02.png").unlink()
    with pytest.raises(IntegrityError, match="p001_02"):
        reprint(run)
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, "panels": []}))
    with pytest.raises(ConfigError, match="no panel of this story"):
        reprint(run)
    del facts["story"]
    (run / "run.json").write_text(json.dumps(facts))
    with pytest.raises(ConfigError, match="draws nothing"):
        reprint(run)


# --- the command


def test_the_command_offers_every_form() -> None:
    assert tuple(FORMATS) == command.FORMATS


def test_export_draws_nothing_and_loads_no_torch(run: Path) -> None:
    words = ["export", str(run), "--format", "epub", "--format", "png", "--json"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "run.py"), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["set_anew"] == [1, 2]
    assert report["files"] == [f"{run}/pages/page_001.png", f"{run}/pages/page_002.png", f"{run}/book.epub"]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "skia" in imported, "the list of imports was read"
    assert not imported & HEAVY


def test_empty_balloons_stay_apart(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reprint(run)
    before = files(run)
    assert cli.main(["export", str(run), "--empty-balloons", "--format", "cbz", "--dpi", "40"]) == 0
    assert "no panel drawn" in capsys.readouterr().err
    after = files(run)
    assert set(after) - set(before) == {"empty_balloons/book.cbz"}
    assert {name: after[name] for name in before} == before
    with zipfile.ZipFile(run / "empty_balloons/book.cbz") as archive:
        assert archive.namelist() == ["ComicInfo.xml", "page_001.png", "page_002.png"]


@pytest.mark.parametrize("words", [("--format", "gif"), ("--dpi", "x"), ()])
def test_unknown_words_exit_2(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["export", *words])
    assert left.value.code == 2


@pytest.mark.parametrize("dpi", ["0", "5", "100000"])
def test_a_dpi_out_of_range_exits_2(run: Path, dpi: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", str(run), "--dpi", dpi]) == 2
    assert "--dpi" in capsys.readouterr().err
