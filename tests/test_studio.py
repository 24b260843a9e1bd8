"""The door: one way in for the command line, Python and the classic classes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch

import autostudio
from model import AUTOSTUDIOFLUX, cli
from model.errors import AutoStudioError, ConfigError, Stopped, StoryError
from model.events import (
    Cost,
    Event,
    Note,
    PanelJudged,
    PictureDrawn,
    Preview,
    Progress,
    StageBegun,
    StageDone,
)
from model.files import sha256_of
from model.memory.chronicle.chronicle import Chronicle
from model.run.record import read_record
from model.story.schema import load_story
from model.studio import Studio

STORY: dict[str, Any] = {
    "version": 1,
    "title": "Two Panels",
    "characters": {"mika": {"name": "Mika", "description": "girl with red hair"}},
    "pages": [
        {
            "panels": [
                {"scene": "beach", "characters": [{"id": "mika"}]},
                {"scene": "forest", "dialogue": [{"speaker": "mika", "text": "Hello!"}]},
            ]
        }
    ],
}


@pytest.fixture
def opened(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Studio]:
    """A function that opens a studio with the tiny model, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def open_studio(**flags: Any) -> Studio:
        said = {
            "model": tiny,
            "steps": 3,
            "scheduler": "flow_match",
            "upscaler": "none",
            "max_retries": 0,
            "candidates": 1,
            **flags,
        }
        return Studio.open(**said)

    return open_studio


def files_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# --- what is refused, wherever it is asked for


def wordy() -> dict[str, Any]:
    return {
        **STORY,
        "pages": [{"panels": [{"scene": "beach", "caption": "word " * 780} for _ in range(6)]}],
    }


def unreferenced() -> dict[str, Any]:
    mika = {"name": "Mika", "description": "girl", "references": ["gone.png"]}
    return {**STORY, "characters": {"mika": mika}}


@pytest.mark.parametrize(
    ("story", "flags", "kind", "words"),
    [
        (wordy(), {}, StoryError, "cannot be set legibly"),
        (unreferenced(), {}, StoryError, "gone.png"),
        (STORY, {"quality": "superb"}, ConfigError, "--quality: 'superb' is unknown"),
        (STORY, {"seed": -1}, ConfigError, "--seed: -1 is out of range"),
        (STORY, {"gguf": "gone.gguf"}, ConfigError, "--gguf: gone.gguf: no such file"),
        (STORY, {"detector": "gone"}, ConfigError, "--detector: gone does not exist"),
    ],
)
def test_every_caller_refuses_alike_and_before_any_weights_are_read(
    story: dict[str, Any],
    flags: dict[str, Any],
    kind: type[AutoStudioError],
    words: str,
    flux_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HF_HOME", str(flux_cache))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "story.json").write_text(json.dumps(story))
    reads: list[object] = []
    for module, name in ((safetensors, "safe_open"), (safetensors.torch, "load_file"), (torch, "load")):
        monkeypatch.setattr(module, name, lambda *args, **kwargs: reads.append(args))

    def by_studio() -> None:
        with Studio.open(model="starter", **flags) as studio:
            studio.draw(studio.plan("story.json"))

    def by_class() -> None:
        AUTOSTUDIOFLUX(model_variant="schnell", device="cpu", **flags).make_book("story.json")

    messages: list[str] = []
    for call in (by_studio, by_class):
        with pytest.raises(kind, match=words) as raised:
            call()
        messages.append(str(raised.value))
    typed = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    assert cli.main(["story.json", "--model", "starter", *typed]) == kind.exit_code
    assert capsys.readouterr().err == f"error: {messages[0]}\n"
    assert reads == []
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"qualty": "fast"}, r"--qualty: there is no such flag; did you mean --quality\?"),
        ({"steps": "many"}, "--num_inference_steps: found 'many', expected a whole number"),
        ({"seed": True}, "--seed: found True, expected a whole number"),
        ({"lora": "one.safetensors"}, "--lora: found 'one.safetensors', expected a list"),
        ({"quality": 3}, "--quality: found 3, expected a text"),
    ],
)
def test_a_wrong_keyword_is_named(flags: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Studio.open(model="starter", **flags)


# --- stories, however they come


def test_a_story_may_be_a_path_a_dict_or_a_story(opened: Callable[..., Studio], tmp_path: Path) -> None:
    path = tmp_path / "story.json"
    path.write_text(json.dumps(STORY))
    with opened() as studio:
        plans = [studio.plan(source) for source in (path, str(path), STORY, load_story(path))]
        assert plans[0].source == plans[1].source == plans[3].source == path
        assert plans[2].source is None
        assert {replace(plan, source=None, written="") for plan in plans} == {replace(plans[0], source=None)}
        book = studio.draw(plans[2], out="book")
        assert (tmp_path / "book" / "story.json").is_file()
        assert studio.export(book, "epub").stale == ()
        assert studio.draw(studio.plan(tmp_path / "book" / "story.json"), out="book").report.drawn == 0


def test_two_stories_in_named_folders_are_two_chapters(opened: Callable[..., Studio], tmp_path: Path) -> None:
    for name, title in (("a", "Tea!"), ("b", "Tea?")):
        (tmp_path / f"{name}.json").write_text(json.dumps({**STORY, "title": title}))
    with opened() as studio:

        def chapters() -> dict[str, list[str]]:
            known = studio.library.rows("SELECT slug, title FROM stories ORDER BY chapter")
            return {
                row["title"]: [memory.key for memory in Chronicle(studio.library).memories(story=row["slug"])]
                for row in known
            }

        studio.draw(studio.plan(tmp_path / "a.json"), out="one")
        first = chapters()
        studio.draw(studio.plan(tmp_path / "b.json"), out="two")
        both = chapters()
        assert list(both) == ["Tea!", "Tea?"]
        assert both["Tea!"] == first["Tea!"] != []
        assert len(both["Tea?"]) == len(both["Tea!"])
        # The same story is the same chapter, in whatever folder.
        studio.draw(studio.plan(tmp_path / "b.json"), out="three")
        assert chapters() == both


# --- what happens, as events


def test_a_run_is_a_typed_stream(opened: Callable[..., Studio]) -> None:
    events: list[Event] = []
    with opened() as studio:
        plan = studio.plan(STORY)
        book = studio.draw(plan, out="book", events=events.append, preview_every=1)
        kinds = {type(event) for event in events}
        assert {StageBegun, StageDone, Progress, Preview, PictureDrawn, PanelJudged, Note, Cost} <= kinds
        begun = [event.stage for event in events if isinstance(event, StageBegun)]
        done = [event.stage for event in events if isinstance(event, StageDone)]
        assert sorted(begun) == sorted(done)
        assert begun.index("cast") < begun.index("panels") < begun.index("pages")
        drawn = {event.name: event for event in events if isinstance(event, PictureDrawn)}
        assert set(drawn) == {"cast/mika", "p001_01", "p001_02"}
        judged = {event.panel: event for event in events if isinstance(event, PanelJudged)}
        for panel, outcome in book.panels.items():
            assert judged[panel].key == outcome.best.request.key == drawn[panel].key
            assert judged[panel].blob == outcome.best.drawn.blob == drawn[panel].blob
        steps = [event.step for event in events if isinstance(event, Progress) and event.steps]
        assert max(steps) == 3
        previews = [event for event in events if isinstance(event, Preview)]
        assert {event.step for event in previews} == {1, 2}
        assert all(event.picture.startswith(b"\x89PNG") for event in previews)
        again: list[Event] = []
        studio.draw(plan, out="book", events=again.append)
        assert all(event.cached for event in again if isinstance(event, PictureDrawn))
        assert not any(isinstance(event, Preview | Progress) for event in again)


def test_previews_change_no_picture(opened: Callable[..., Studio]) -> None:
    with opened(library="one") as studio:
        plain = studio.draw(studio.plan(STORY), out="plain")
    with opened(library="two") as studio:
        seen = studio.draw(studio.plan(STORY), out="seen", preview_every=1)
    blobs = [[one.best.drawn.blob for one in book.panels.values()] for book in (plain, seen)]
    assert blobs[0] == blobs[1]


def test_a_run_stops_between_two_steps_and_goes_on_later(opened: Callable[..., Studio]) -> None:
    with opened(library="whole") as studio:
        whole = studio.draw(studio.plan(STORY), out="whole")
    with opened(library="parts") as studio:
        plan = studio.plan(STORY)
        steps: list[int] = []

        def stop_in_the_panels(event: Event) -> None:
            if isinstance(event, Progress) and event.stage == "panels" and event.step:
                steps.append(event.step)
                other = threading.Thread(target=studio.stop)
                other.start()
                other.join()

        with pytest.raises(Stopped):
            studio.draw(plan, out="parts", events=stop_in_the_panels)
        assert steps == [1], "it stopped before the next step"
        book = studio.draw(plan, out="parts")
        assert book.report.drawn == 2, "the cast was kept"
    assert {panel: one.best.drawn.blob for panel, one in book.panels.items()} == {
        panel: one.best.drawn.blob for panel, one in whole.panels.items()
    }


# --- a person's decisions


def test_a_panel_is_redrawn_and_every_try_is_kept(opened: Callable[..., Studio], tmp_path: Path) -> None:
    with opened() as studio:
        plan = studio.plan(STORY)
        first = studio.draw(plan, out="book")
        before = files_of(tmp_path / "book")
        changed = studio.redraw(first, "p001_02", seed=7)
        assert [one.request.seed for one in changed.panels["p001_02"].candidates][1:] == [7]
        assert changed.panels["p001_02"].best.request.seed == 7
        assert (changed.report.drawn, changed.report.cached) == (1, 1)
        assert changed.panels["p001_01"] == first.panels["p001_01"]
        after = files_of(tmp_path / "book")
        pictures = {name for name in after if name.endswith(".png") and before[name] != after[name]}
        assert pictures == {"panels/p001_02.png", "pages/page_001.png"}
        record = read_record(tmp_path / "book").panel("p001_02")
        assert record is not None
        assert (record.chosen, record.seed, record.attempts) == (True, 7, 2)
        # Drawn again, nothing is drawn and the choice holds.
        again = studio.draw(plan, out="book")
        assert again.report.drawn == 0
        assert again.panels["p001_02"].best.request.seed == 7
        assert files_of(tmp_path / "book") == after
        back = studio.choose(again, "p001_02", attempt=0)
        assert len(back.panels["p001_02"].candidates) == 2
        assert (back.report.drawn, back.report.cached) == (0, 2)
        shown = read_record(tmp_path / "book").panel("p001_02")
        assert shown is not None
        assert (shown.chosen, shown.seed) == (True, back.panels["p001_02"].best.request.seed)
        restored = files_of(tmp_path / "book")
        assert {name: digest for name, digest in restored.items() if name.endswith(".png")} == {
            name: digest for name, digest in before.items() if name.endswith(".png")
        }
        seeds = {one.request.seed for one in studio.redraw(back, "p001_02").panels["p001_02"].candidates}
        assert len(seeds) == 3, "without a seed it takes one that was not tried"


def test_decisions_are_forgotten_when_the_story_asks_for_another_picture(
    opened: Callable[..., Studio],
) -> None:
    with opened() as studio:
        book = studio.redraw(studio.draw(studio.plan(STORY), out="book"), "p001_02", seed=7)
        assert book.panels["p001_02"].chosen
        other = json.loads(json.dumps(STORY))
        other["pages"][0]["panels"][1]["scene"] = "night city"
        changed = studio.draw(studio.plan(other), out="book")
        assert not changed.panels["p001_02"].chosen
        assert len(changed.panels["p001_02"].candidates) == 1


def test_what_is_not_there_cannot_be_redrawn_or_chosen(opened: Callable[..., Studio]) -> None:
    with opened() as studio:
        book = studio.draw(studio.plan(STORY), out="book")
        with pytest.raises(ConfigError, match="p009_01: the book has no such panel; it has p001_01"):
            studio.redraw(book, "p009_01")
        with pytest.raises(ConfigError, match="p001_01: has no try 3 with a picture"):
            studio.choose(book, "p001_01", attempt=3)
        with pytest.raises(ConfigError, match="--seed: -1 is out of range"):
            studio.redraw(book, "p001_01", seed=-1)


def test_a_judges_choice_that_a_person_makes_is_written_down(
    opened: Callable[..., Studio], tmp_path: Path
) -> None:
    with opened() as studio:
        plan = studio.plan(STORY)
        studio.draw(plan, out="book")
        resumed = studio.draw(plan, out="book")
        studio.choose(resumed, "p001_01", attempt=0)
        record = read_record(tmp_path / "book").panel("p001_01")
        assert record is not None
        assert record.chosen


def test_a_try_that_failed_is_not_shown(
    opened: Callable[..., Studio], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened() as studio:
        book = studio.draw(studio.plan(STORY), out="book")
        inner = studio.models.renderer.load()

        def fail(*_: object, **__: object) -> None:
            raise ValueError("no picture")

        with monkeypatch.context() as broken:
            broken.setattr(inner, "draw", fail)
            after = studio.redraw(book, "p001_01", seed=9)
        assert after.panels["p001_01"].best.drawn.blob == book.panels["p001_01"].best.drawn.blob
        assert not after.panels["p001_01"].chosen
        assert studio.redraw(book, "p001_01", seed=9).panels["p001_01"].best.request.seed == 9


# --- the package


def test_the_package_offers_the_door_and_the_errors() -> None:
    for name in autostudio.__all__:
        assert getattr(autostudio, name) is not None
    assert autostudio.Studio is Studio
    assert autostudio.StoryError is StoryError
    with pytest.raises(AttributeError, match="Studioo"):
        autostudio.Studioo  # noqa: B018
