"""The showcase: six stories that the starter understands, unlike in paper, form and lettering."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from model.page.export.compose import draw_layout
from model.page.export.sheet import lay_out
from model.page.values import Book
from model.render.weights import Checkpoint, open_checkpoint
from model.run.bind import lettered
from model.run.plan import read_plan
from model.run.report import unknown_words_note
from model.story.plan import Plan
from scripts.starter.showcase import ROOT, STORIES

PATHS = sorted(STORIES.glob("*.json"))
DPI = 150  # of the pictures in the gallery


@pytest.fixture(scope="module")
def starter() -> Checkpoint:
    return open_checkpoint()


@pytest.fixture(scope="module")
def plans(starter: Checkpoint) -> dict[str, Plan]:
    return {path.stem: read_plan(path, seed=0, shapes=starter.shapes) for path in PATHS}


def test_there_are_six_of_different_paper_and_form(plans: dict[str, Plan]) -> None:
    assert len(plans) == 6
    assert {plan.page_size for plan in plans.values()} == {"b5", "us", "a4", "square", "webtoon"}
    pages = [plan.pages[0] for plan in plans.values()]
    assert len({("own" if page.frames else page.template, len(page.panels)) for page in pages}) >= 5
    assert {plan.language for plan in plans.values()} == {"en", "de", "fr", "ja"}
    assert {plan.reading_direction for plan in plans.values()} == {"ltr", "rtl"}


def test_the_starter_knows_every_word(plans: dict[str, Plan], starter: Checkpoint) -> None:
    assert {name: unknown_words_note(plan, starter) for name, plan in plans.items()} == dict.fromkeys(
        plans, ()
    )


@pytest.mark.parametrize(
    ("story", "shows"),
    [
        ("after_the_last_train", lambda book, kinds: book.vertical and {"shout", "thought"} <= kinds),
        ("captain_noon", lambda book, kinds: book.capitals and {"sfx", "whisper"} <= kinds),
        ("en_face", lambda book, kinds: "« en face »" in book.pages[0].panels[-1].lines[0].text),
        ("courage", lambda book, kinds: {"sfx", "shout", "speech"} <= kinds),
    ],
)
def test_each_shows_what_it_is_for(
    plans: dict[str, Plan], story: str, shows: Callable[[Book, set[str]], bool]
) -> None:
    book = lettered(plans[story], {}, {})
    assert shows(book, {line.kind for panel in book.pages[0].panels for line in panel.lines})


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_its_page_is_in_the_gallery(plans: dict[str, Plan], path: Path) -> None:
    book = lettered(plans[path.stem], {}, {})
    (page,) = book.pages
    assert lay_out(book, page).notes == ()
    with Image.open(ROOT / "examples" / "gallery" / f"{path.stem}.png") as picture:
        assert picture.size == draw_layout(book, page, DPI).size
