"""Titles are not identities: names of folders in any script, safe everywhere, and one story a folder."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.run.folder import named
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
    return named(read_plan(path, seed=0, shapes=[(256, 256)]), folder / "outputs")


def bound(folder: Path, plan: Plan) -> Plan:
    """What a run leaves, as far as names go."""
    from model.run.record import planned_of, relative_story

    book = folder / "outputs" / plan.slug
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
    return plan


def test_a_taken_name_is_made_distinct_and_stays_so(tmp_path: Path) -> None:
    first = bound(tmp_path, planned(tmp_path, "Tea!", "a"))
    second = bound(tmp_path, planned(tmp_path, "Tea?", "b"))
    third = bound(tmp_path, planned(tmp_path, "Tea?", "c"))
    assert first.slug == "tea"
    assert len({first.slug, second.slug, third.slug}) == 3
    assert all(one.slug.startswith("tea-") for one in (second, third))
    # Each keeps its own: again, and when the first is gone.
    for title, name, before in (("Tea!", "a", first), ("Tea?", "b", second), ("Tea?", "c", third)):
        assert planned(tmp_path, title, name).slug == before.slug
    (tmp_path / "outputs" / "tea" / "run.json").unlink()
    assert planned(tmp_path, "Tea?", "b").slug == second.slug


def test_a_story_may_change_its_title_punctuation_and_its_place(tmp_path: Path) -> None:
    bound(tmp_path, planned(tmp_path, "Tea", "a"))
    assert planned(tmp_path, "Tea!", "a").slug == "tea"
    (tmp_path / "a.json").unlink()
    assert planned(tmp_path, "Tea", "moved").slug == "tea"


def test_an_id_in_the_file_is_the_storys_name_whatever_its_title(tmp_path: Path) -> None:
    one = bound(tmp_path, planned(tmp_path, "Tea", "a", id="tea_house"))
    assert one.slug == "tea-house"
    assert planned(tmp_path, "Coffee", "b", id="tea_house").slug == "tea-house"
    assert planned(tmp_path, "Coffee", "b", id="CON").slug == "con-book"
    assert planned(tmp_path, "Coffee", "b", id=None).slug == "coffee"
