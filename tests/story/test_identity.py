"""Titles are not identities: names of folders in any script, safe everywhere, and one story a folder."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.memory.chronicle.chronicle import Chronicle
from model.memory.store.library import Library
from model.run.folder import folder_of, with_key
from model.run.plan import read_plan
from model.story.identity import MOST_BYTES, distinct, slug_of
from model.story.plan import Plan

FORBIDDEN = set('<>:"/\\|?*') | {chr(code) for code in range(32)}
DEVICES = {"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in "0123456789¹²³")}


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("First Light", "first-light"),
        ("It's late", "its-late"),
        ("第1話 桜", "第1話-桜"),
        ("第1話 海", "第1話-海"),
        ("Über uns", "über-uns"),
        ("Uber uns", "uber-uns"),
        ("Глава 3. Дом", "глава-3-дом"),
        ("Глава 3. Дым", "глава-3-дым"),
        ("CON", "con-book"),
        ("nul.", "nul-book"),
        ("Lpt1", "lpt1-book"),
        ("..", None),
        ("...a...", "a"),
        ("ไทย เรื่อง", "ไทย-เรื่อง"),
        ("שלום 2", "שלום-2"),
        ("हिन्दी", "हिन्दी"),
        ("!!!", None),
        ("😀", None),
        ("Straße", "strasse"),
        ("ＡＢ", "ａｂ"),
    ],
)
def test_names_can_be_read(title: str, slug: str | None) -> None:
    assert slug_of(title) == (slug or slug_of(title))
    assert (slug is not None) or slug_of(title).startswith("story-")


@given(st.text(min_size=1, max_size=300))
def test_a_name_is_safe_on_every_system(title: str) -> None:
    slug = slug_of(title)
    assert slug
    assert not FORBIDDEN & set(slug)
    assert len(slug.encode()) <= MOST_BYTES
    assert slug.strip("-. ") == slug
    assert slug.split(".")[0] not in DEVICES
    assert slug == unicodedata.normalize("NFC", slug) == slug_of(title)
    assert len(distinct(slug, title).encode()) <= MOST_BYTES


@given(st.text("abcä第話桜", min_size=70, max_size=400), st.text("abcä第話桜", min_size=1, max_size=9))
def test_long_titles_that_begin_alike_are_told_apart(title: str, more: str) -> None:
    assert slug_of(title) != slug_of(title + more)
    assert slug_of("!" * len(title)) != slug_of("!" * (len(title) + len(more)))


def planned(folder: Path, title: str, name: str, **more: object) -> Plan:
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"title": title, "pages": [{"panels": [{"scene": "sea"}]}], **more}))
    return read_plan(path, seed=0, shapes=[(256, 256)])


def named(folder: Path, title: str, name: str, **more: object) -> str:
    """The name of the folder that a story goes to."""
    return folder_of(planned(folder, title, name, **more), folder / "outputs").name


def bound(folder: Path, title: str, name: str, **more: object) -> str:
    """What a run leaves, as far as names go; returns the folder's."""
    from model.run.record import planned_of, relative_story

    plan = planned(folder, title, name, **more)
    book = folder_of(plan, folder / "outputs")
    book.mkdir(parents=True, exist_ok=True)
    assert plan.source is not None
    facts = {
        "version": 2,
        "title": plan.title,
        "config": {"seed": 0},
        "panels": [],
        "shapes": [[256, 256]],
        "story": relative_story(plan.source, book),
        "planned": {panel.id: planned_of(panel).model_dump(mode="json") for panel in plan.panels},
    }
    (book / "run.json").write_text(json.dumps(facts))
    return book.name


def test_a_taken_name_is_made_distinct_and_stays_so(tmp_path: Path) -> None:
    first = bound(tmp_path, "Tea!", "a")
    second = bound(tmp_path, "Tea?", "b")
    third = bound(tmp_path, "Tea?", "c")
    assert first == "tea"
    assert len({first, second, third}) == 3
    assert all(one.startswith("tea-") for one in (second, third))
    # Each keeps its own: again, and when the first is gone.
    for title, name, before in (("Tea!", "a", first), ("Tea?", "b", second), ("Tea?", "c", third)):
        assert named(tmp_path, title, name) == before
    (tmp_path / "outputs" / "tea" / "run.json").unlink()
    assert named(tmp_path, "Tea?", "b") == second


def test_a_story_may_change_its_title_punctuation_and_its_place(tmp_path: Path) -> None:
    bound(tmp_path, "Tea", "a")
    assert named(tmp_path, "Tea!", "a") == "tea"
    (tmp_path / "a.json").unlink()
    assert named(tmp_path, "Tea", "moved") == "tea"


def test_an_id_in_the_file_is_the_storys_name_whatever_its_title(tmp_path: Path) -> None:
    assert bound(tmp_path, "Tea", "a", id="tea_house") == "tea-house"
    assert named(tmp_path, "Coffee", "b", id="tea_house") == "tea-house"
    assert named(tmp_path, "Coffee", "b", id="CON") == "con-book"
    assert named(tmp_path, "Coffee", "b", id=None) == "coffee"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as opened:
        yield opened


def test_two_stories_never_share_a_key_and_each_keeps_its_own(tmp_path: Path, library: Library) -> None:
    def key(title: str, name: str, **more: object) -> str:
        return with_key(planned(tmp_path, title, name, **more), library).key

    stories = (("Tea!", "a", {}), ("Tea?", "b", {}), ("Tea?", "c", {}), ("Milk", "d", {"id": "tea"}))
    keys = [key(title, name, **more) for title, name, more in stories]
    assert keys[0] == "tea"
    assert len(set(keys)) == 4
    assert [key(title, name, **more) for title, name, more in reversed(stories)] == keys[::-1]
    # A title of other punctuation, an id that names the key it has, an id wherever the file lies.
    assert key("Tea...", "a") == key("Other", "a", id="tea") == "tea"
    assert key("Juice", "d", id="tea") == key("Milk", "d", id="tea") == keys[3]
    assert key("Milk", "e", id="tea") in keys
    # A story that was moved keeps its key; one beside it of the same title has another.
    (tmp_path / "c.json").unlink()
    assert key("Tea?", "moved") == keys[2]
    assert key("Tea?", "beside") not in keys
    # A file that holds another story today is another story.
    assert key("Rain", "b") == "rain"


def test_a_chapter_of_0_1_0_goes_on_where_its_title_is_the_same(tmp_path: Path, library: Library) -> None:
    chronicle = Chronicle(library)
    for slug, title in (("1", "第1話 桜"), ("tea", "Tea!")):
        chronicle.keep_story(slug, title, (), panels=(), cast={})
    cherries = with_key(planned(tmp_path, "第1話 桜", "cherries"), library)
    assert (cherries.slug, cherries.key) == ("第1話-桜", "1")
    assert with_key(planned(tmp_path, "第1話 海", "sea"), library).key == "第1話-海"
    assert with_key(planned(tmp_path, "第1話 桜", "another"), library).key == "第1話-桜"
    assert with_key(planned(tmp_path, "Tea?", "b"), library).key != "tea"
    assert with_key(planned(tmp_path, "Tea!", "a"), library).key == "tea"
    # Its book goes on in the folder that it has.
    assert folder_of(cherries, tmp_path / "outputs").name == "第1話-桜"
    old = tmp_path / "outputs" / bound(tmp_path, "第1話 桜", "cherries")
    old.rename(old.with_name("1"))
    assert folder_of(cherries, tmp_path / "outputs").name == "1"
