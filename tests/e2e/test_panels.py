"""The panel cache in the life of a run: an injected book, panels as commands show them, eviction, sharing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.commands.panels import ACTIONS
from model.memory.panels.diversity import WINDOW

PANELS = 8
EVERY = 7  # the first panel that has one more before it than are recent
RETRIES = ("--max_retries", "0", "--detector", "none", "--segmenter", "none")


def long_story() -> dict[str, Any]:
    panels = [
        {"scene": scene, "characters": [{"id": "mika"}] if index % 2 == 0 else []}
        for index, scene in enumerate(("beach", "sunset", "city", "night", "beach", "room", "city", "night"))
    ]
    return {
        "version": 1,
        "title": "Long",
        "characters": {"mika": {"name": "Mika", "description": "girl with red hair"}},
        "pages": [{"panels": panels[:4]}, {"panels": panels[4:]}],
    }


@pytest.fixture(scope="module")
def drawn(desk_in: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    desk = desk_in(tmp_path_factory.mktemp("panels"))
    done = desk.run(desk.write(long_story()), *RETRIES, "--inject_every", str(EVERY), "--inject", "diverse")
    assert done.code == 0, done.err
    assert "p002_03: takes on colours of" in done.err
    return desk


def panels(desk: Any, *words: str | Path) -> dict[str, Any]:
    done = desk.forks.run("panels", *words, "--json", cwd=desk.folder)
    assert done.code in (0, 1), done.err
    return done.report


def test_every_nth_panel_leans_and_says_so(drawn: Any) -> None:
    record = drawn.record("long")
    (decision,) = record["injections"]
    first, leaning = record["panels"][0], record["panels"][EVERY - 1]
    assert (decision["panel"], decision["kind"], decision["pool"]) == (leaning["id"], "diverse", 1)
    assert decision["picture"] == first["candidates"][0]["picture"]
    assert -1 <= decision["similarity"] <= 1
    assert leaning["request"]["style"] == {"picture": decision["picture"], "weight": 0.5}
    assert [panel["request"]["style"] for panel in record["panels"]].count(None) == PANELS - 1


def test_diversity_is_told(drawn: Any) -> None:
    found = panels(drawn, "diversity", drawn.folder / "outputs" / "long")
    assert found["window"] == WINDOW
    assert list(found["similarity"]) == ["p002_04"]
    assert found["level"] is None  # nobody calibrated the tiny checkpoint


def test_the_same_run_again_draws_nothing_even_after_eviction(drawn: Any) -> None:
    before = drawn.files("long")
    gone = panels(drawn, "gc", "--cache_entries", "0", "--idle", "0")
    assert (gone["keys"], gone["over"]) == ([], True)
    again = drawn.run(
        "story.json", *RETRIES, "--inject_every", str(EVERY), "--inject", "diverse", "--cache_entries", "1"
    )
    assert again.report["drawn"] == 0
    assert "over its limits" in again.err
    assert drawn.files("long") == before
    # Another rule for that one panel draws that one panel.
    other = drawn.run("story.json", *RETRIES, "--out", "outputs/other")
    assert other.report["drawn"] == 1
    assert drawn.record("other")["injections"] == []


def test_panels_are_listed_found_and_pinned(drawn: Any) -> None:
    rows = panels(drawn, "list", "--limit", "3")
    assert len(rows["panels"]) == 3 < rows["entries"]
    used = [row["last_used"] for row in rows["panels"]]
    assert used == sorted(used, reverse=True)
    key = drawn.record("long")["panels"][0]["key"]
    picture = drawn.folder / "outputs" / "long" / "panels" / "p001_01.png"
    found = [panels(drawn, "similar", name, "--threshold", "-1")["similar"] for name in (key[:16], picture)]
    assert found[0] == found[1]
    assert len(found[0]) == 5
    assert key not in [row["key"] for row in found[0]]
    assert panels(drawn, "pin", key[:16]) == {"pinned": [key]}
    assert key in [row["key"] for row in panels(drawn, "list", "--limit", "99")["panels"] if row["pinned"]]
    assert panels(drawn, "unpin", key) == {"unpinned": [key]}


def test_panels_go_from_library_to_library(drawn: Any) -> None:
    count = panels(drawn, "list")["entries"]
    assert panels(drawn, "export", "shared")["exported"] == count
    report = panels(drawn, "import", "shared", "--library", "second")
    assert (report["added"], report["skipped"], report["complaints"]) == (count, 0, [])
    again = panels(drawn, "import", "shared/cache_index.json", "--library", "second")
    assert (again["added"], again["known"]) == (0, count)
    run = drawn.run(
        "story.json", *RETRIES, "--inject_every", str(EVERY), "--inject", "diverse", "--library", "second",
        "--out", "outputs/second",
    )  # fmt: skip
    assert run.report["drawn"] == 0, "keys and pictures came along"


def test_a_forgotten_book_is_evicted_unless_it_is_liked(drawn: Any) -> None:
    flags = ("--library", "third")
    run = drawn.run("story.json", *RETRIES, "--out", "outputs/third", *flags)
    assert run.code == 0, run.err
    assert list(panels(drawn, "books", *flags)["books"]) == [str(drawn.folder / "outputs" / "third")]
    assert panels(drawn, "forget", "outputs/third", *flags)["forgotten"]
    liked = drawn.record("third")["panels"][2]
    memory = drawn.folder / "outputs" / "vibe_memory.json"
    memory.write_text(
        json.dumps(
            {
                "version": 1,
                "liked": [
                    {"embedding": [1.0, 0.0], "metadata": {"source": "outputs/third/panels/p001_03.png"}}
                ],
                "disliked": [],
            }
        )
    )
    gone = panels(drawn, "gc", "--cache_entries", "0", "--idle", "0", *flags)
    memory.unlink()
    assert gone["entries"] == 1
    assert gone["over"]
    assert [row["key"] for row in panels(drawn, "list", *flags)["panels"]] == [liked["key"]]
    files = {path.name for path in (drawn.folder / "third" / "blobs").glob("*/*")}
    shown = {panel["key"]: panel["candidates"][0]["picture"] for panel in drawn.record("third")["panels"]}
    assert files.intersection(shown.values()) == {shown[liked["key"]]}, "and whom characters need stays"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("pin", "zzz"), 2, "no panel has this key"),
        (("similar", "nowhere.png"), 2, "no panel has this key"),
        (("similar", "story.json"), 2, "found a file that is not an image"),
        (("import", "nowhere"), 2, "no such file"),
        (("gc", "--cache_entries", "-1"), 2, "--cache_entries: -1 is out of range"),
        (("gc", "--idle", "nan"), 2, "--idle"),
        (("forget", "nowhere"), 2, "no book of this library"),
        (("diversity", "nowhere"), 2, "says nothing of diversity"),
    ],
)
def test_mistakes_are_told_on_one_line(drawn: Any, words: tuple[str, ...], code: int, said: str) -> None:
    done = drawn.forks.run("panels", *words, cwd=drawn.folder)
    assert done.code == code
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_every_action_is_run_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in ACTIONS if f'"{name}"' not in text] == []
