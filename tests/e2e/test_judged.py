"""A run whose panels are looked at: untrained weights draw nobody, and the starter's eyes say so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.render.weights import STARTER

RETRIES = 2
EYES = ("--detector", str(STARTER / "detector"), "--segmenter", str(STARTER / "segmenter"))


@pytest.fixture(scope="module")
def book(desk_in: Any, story: Callable[[], dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A desk with one run; the second panel's seed is the story's own."""
    desk = desk_in(tmp_path_factory.mktemp("judged"))
    told = story()
    told["pages"][0]["panels"][1]["seed"] = 5
    done = desk.run(desk.write(told), *EYES, "--max_retries", str(RETRIES))
    assert done.code == 0, done.err
    assert done.report["refused"] >= 2
    return desk


def panels(record: dict[str, Any]) -> dict[str, Any]:
    return {panel["id"]: panel for panel in record["panels"]}


def test_a_panel_without_its_people_is_drawn_again_and_the_best_try_is_used(book: Any) -> None:
    record = book.record("two-friends")
    panel = panels(record)["p001_01"]
    assert panel["attempts"] == RETRIES + 1
    tries = panel["candidates"]
    assert len({one["seed"] for one in tries}) == len({one["key"] for one in tries}) == RETRIES + 1
    for one in tries:
        assert not one["accepted"]
        assert one["reasons"]
        assert one["found"] != 1 or any("box" in reason for reason in one["reasons"])
    assert panel["scores"]["total"] == max(one["scores"]["total"] for one in tries)
    assert panel["key"] in {one["key"] for one in tries}
    assert any(
        note.startswith(f"p001_01: kept the best of {RETRIES + 1} tries: ") for note in record["notes"]
    )


def test_a_seed_of_the_story_is_drawn_once(book: Any) -> None:
    panel = panels(book.record("two-friends"))["p001_02"]
    assert (panel["attempts"], panel["seed"], panel["accepted"]) == (1, 5, False)


def test_a_second_run_tries_nothing_again(book: Any) -> None:
    before = book.files("two-friends")
    done = book.run("story.json", *EYES, "--max_retries", str(RETRIES))
    assert (done.code, done.report["drawn"]) == (0, 0), done.err
    assert book.files("two-friends") == before


def test_other_eyes_look_at_what_is_kept_and_draw_nothing(book: Any) -> None:
    done = book.run("story.json", "--detector", "none", "--out", "outputs/unseen")
    assert (done.code, done.report["drawn"], done.report["refused"]) == (0, 0, 0), done.err
    for panel in book.record("unseen")["panels"]:
        assert panel["found"] is None
        assert panel["attempts"] == 1


def test_what_the_reader_dislikes_is_drawn_again(book: Any) -> None:
    blind = ("--detector", "none", "--seed", "3")
    panels_of = panels(book.record("two-friends"))
    book.run("story.json", *blind, "--out", "outputs/before")
    for name in panels_of:
        picture = f"outputs/before/panels/{name}.png"
        done = book.forks.run("vibe", "dislike", picture, "--json", cwd=book.folder)
        assert done.code == 0, done.err
    done = book.run("story.json", *blind, "--max_retries", "1", "--out", "outputs/disliked")
    assert done.code == 0, done.err
    assert done.report["drawn"] >= 1
    for panel in panels(book.record("disliked")).values():
        first = panel["candidates"][0]
        assert -1 < first["scores"]["vibe"] < -0.1
        assert any("vibe memory" in reason for reason in first["reasons"])
        assert panel["attempts"] == (1 if panel["id"] == "p001_02" else 2)
    statistics = json.loads(book.forks.run("vibe", "stats", "--json", cwd=book.folder).out)
    assert statistics["disliked"] == len(panels_of)
    assert statistics["filter_applications"] >= done.report["drawn"]
    # With a lower bar the same pictures pass.
    done = book.run("story.json", *blind, "--vibe_threshold", "-1", "--out", "outputs/passed")
    assert (done.code, done.report["drawn"], done.report["refused"]) == (0, 0, 0), done.err


@pytest.mark.parametrize(
    ("flags", "code", "named"),
    [
        (("--detector", "nowhere"), 2, "--detector"),
        (("--segmenter", "nowhere"), 2, "--segmenter"),
        (("--max_retries", "11"), 2, "--max_retries"),
        (("--vibe_threshold", "2"), 2, "--vibe_threshold"),
        (("--detector", "."), 3, "fetch it again"),
    ],
)
def test_eyes_that_are_not_there_are_refused(
    book: Any, flags: tuple[str, ...], code: int, named: str
) -> None:
    done = book.run("story.json", "--seed", "9", *flags)
    assert done.code == code, done.err
    assert named in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_run_json_is_json_throughout(book: Any) -> None:
    text = (book.folder / "outputs" / "two-friends" / "run.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert Path(book.folder).name not in text
