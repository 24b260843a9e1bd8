"""A book is made in the browser, by choosing and correcting: each test is a part of the way, in order."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FEW, ROOT, Served
from tests.browser.doing import LONG, drag, open_book, saved

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("journey")]


@pytest.fixture(scope="module")
def book(studio: Served) -> str:
    """The book that the tests of this file go on with."""
    return studio.book()


def panels(studio: Served, book: str) -> dict[str, Any]:
    return {panel["id"]: panel for panel in studio.ask("GET", f"/api/books/{book}")["panels"]}


def pictures(page: Page) -> list[str]:
    return page.locator(".sheet image:not(.preview)").evaluate_all(
        "all => all.map(one => one.getAttribute('href'))"
    )


def test_a_first_visit_leads_to_a_drawn_panel(studio: Served, page: Page) -> None:
    page.goto(studio.address)
    expect(page.get_by_role("heading", name="No books yet")).to_be_visible()
    page.get_by_role("button", name="Open and draw").first.click()  # the first click, and the only one
    expect(page.locator(".crumb strong")).to_have_text("First Light")
    expect(page.locator(".live")).to_be_visible(timeout=LONG)
    expect(page.locator(".sheet image").first).to_be_attached(timeout=LONG)
    page.get_by_role("button", name="Stop drawing").click()
    expect(page.locator(".live")).to_have_count(0, timeout=LONG)


def test_the_cast_is_rehearsed_and_another_candidate_approved(studio: Served, book: str, page: Page) -> None:
    open_book(page, studio.address, book, "/cast")
    page.get_by_role("button", name="Rehearse the cast").click()
    mika = page.get_by_role("region", name="Mika")
    expect(mika.locator(".portrait img")).to_be_visible(timeout=LONG)
    candidates = mika.get_by_role("button", name="Approve candidate")
    expect(candidates).to_have_count(2, timeout=LONG)
    expect(mika.get_by_text("not approved")).to_be_visible()
    other = candidates.and_(page.locator("[aria-pressed=false]")).first
    label = other.get_attribute("aria-label") or ""
    other.click()
    expect(page.get_by_role("button", name=label)).to_have_attribute("aria-pressed", "true")
    expect(mika.get_by_text("approved", exact=True)).to_be_visible()


def test_panels_arrive_while_they_are_drawn(studio: Served, book: str, page: Page) -> None:
    open_book(page, studio.address, book)
    expect(page.locator(".scene-words")).to_have_count(2)
    page.get_by_role("button", name="Draw 3 panels").click()
    expect(page.locator(".sheet image.preview").first).to_be_attached(timeout=LONG)
    expect(page.get_by_text("All drawn")).to_be_visible(timeout=LONG)
    expect(page.locator(".sheet image:not(.preview)")).to_have_count(2)
    assert all(panel["picture"] for panel in panels(studio, book).values())


def test_likes_and_dislikes_are_kept_and_scores_shown(studio: Served, book: str, page: Page) -> None:
    open_book(page, studio.address, book, "/page/1?panel=p001_01")
    like = page.get_by_role("button", name="Like", exact=True)
    expect(like).to_be_enabled()
    page.keyboard.press("l")
    expect(like).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="Page 1, panel 2")).to_be_visible()
    dislike = page.get_by_role("button", name="Dislike", exact=True)
    expect(dislike).to_be_enabled()
    page.keyboard.press("d")
    expect(dislike).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Vibe").click()
    expect(page.get_by_text("1 like, 1 dislike")).to_be_visible()
    line = page.get_by_role("slider", name="Threshold")
    expect(line).to_be_visible(timeout=LONG)
    for _ in range(12):
        line.press("PageUp")
    expect(page.get_by_text("3 panels of 3 would be sent back")).to_be_visible()
    for _ in range(22):
        line.press("PageDown")
    expect(page.get_by_text("all 3 panels stay")).to_be_visible()
    page.wait_for_timeout(1_000)  # the line is saved a while after its last move
    assert studio.ask("GET", f"/api/books/{book}")["settings"]["vibe_threshold"] == -1
    page.locator(".pictures .thumb").first.click()
    expect(page.get_by_role("dialog", name="Why it scores as it does").locator(".big-number")).to_be_visible(
        timeout=LONG
    )


def test_one_panel_is_redrawn_compared_and_chosen(studio: Served, book: str, page: Page) -> None:
    before = panels(studio, book)
    open_book(page, studio.address, book, "/tries/p001_02")
    expect(page.locator(".try")).to_have_count(before["p001_02"]["tries"])
    page.keyboard.press("r")
    expect(page.get_by_role("button", name="Look at try 2")).to_be_visible(timeout=LONG)
    expect(page.locator(".try").filter(has_text="Try 2").get_by_text("shown")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Look at try 1").click()
    page.keyboard.press("c")
    slider = page.get_by_role("slider", name="Where one picture ends and the other begins")
    slider.fill("20")
    assert "inset(0px 80% 0px 0px)" in page.locator(".compare .upper").evaluate(
        "one => getComputedStyle(one).clipPath"
    )
    page.keyboard.press("Escape")
    open_book(page, studio.address, book, "/tries/p001_02")
    page.get_by_role("button", name="Look at try 1").click()
    page.get_by_role("button", name="Show in the book").click()
    expect(page.locator(".try").filter(has_text="Try 1").get_by_text("shown")).to_be_visible()
    after = panels(studio, book)
    assert after["p001_02"]["picture"] == before["p001_02"]["picture"]
    assert after["p001_02"]["tries"] == before["p001_02"]["tries"] + 1
    assert after["p001_01"] == before["p001_01"]


def test_an_edited_line_and_a_dragged_balloon_draw_nothing(studio: Served, book: str, page: Page) -> None:
    before = panels(studio, book)
    open_book(page, studio.address, book)
    balloon = page.locator('.balloon[data-panel="p001_01"]')
    balloon.click()
    page.get_by_role("textbox", name="Text of the balloon").fill("I waited all night!")
    expect(balloon).to_have_attribute("aria-label", "speech: I waited all night!")  # set again while typing
    page.keyboard.press("Enter")
    saved(page)
    there = balloon.locator(".grab").bounding_box()
    assert there is not None
    drag(page, balloon.locator(".grab"), (60, 70))
    saved(page)
    expect(page.locator(".desk-bar")).to_contain_text("All drawn")
    now = balloon.locator(".grab").bounding_box()
    assert now is not None
    assert now["x"] + now["width"] / 2 == pytest.approx(there["x"] + there["width"] / 2 + 60, abs=8)
    story = studio.ask("GET", f"/api/books/{book}/story")
    (line,) = story["pages"][0]["panels"][0]["dialogue"]
    assert line["text"] == "I waited all night!"
    assert len(line["at"]) == 2
    assert panels(studio, book) == before


def test_a_dragged_box_draws_exactly_one_panel_again(studio: Served, book: str, page: Page) -> None:
    before = panels(studio, book)
    open_book(page, studio.address, book, "/page/1?panel=p001_02")
    drag(page, page.locator(".figure .box"), (-50, 0))
    saved(page)
    drag(page, page.locator(".handle.n rect"), (0, 40))
    saved(page)
    page.get_by_role("button", name="Draw 1 panel").click()
    expect(page.get_by_text("All drawn")).to_be_visible(timeout=LONG)
    after = panels(studio, book)
    assert [key for key in after if after[key]["picture"] != before[key]["picture"]] == ["p001_02"]


def test_a_locked_panel_is_left_alone(studio: Served, book: str, page: Page) -> None:
    open_book(page, studio.address, book, "/page/2?panel=p002_01")
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Locked:")).to_have_attribute("aria-pressed", "true")
    saved(page)
    scene = page.get_by_role("textbox", name="Scene")
    scene.fill("garden at night")
    scene.press("Enter")
    saved(page)
    expect(page.locator(".desk-bar")).to_contain_text("All drawn")
    scene.fill("garden in the morning")
    scene.press("Enter")
    saved(page)


def test_five_steps_are_undone_and_done_again(studio: Served, book: str, page: Page) -> None:
    open_book(page, studio.address, book, "/page/2?panel=p002_01")
    before = studio.ask("GET", f"/api/books/{book}/story")
    caption = page.get_by_role("textbox", name="Caption")
    texts = ["One.", "Two.", "Three.", "Four.", "Five."]
    for text in texts:
        caption.fill(text)
        caption.press("Enter")
        saved(page)
    page.get_by_role("heading", name="Page 2, panel 1").click()
    for text in [*reversed(texts[:-1]), "The next day."]:
        page.keyboard.press("Control+z")
        expect(caption).to_have_value(text)
    assert studio.ask("GET", f"/api/books/{book}/story") == before
    for text in texts:
        page.keyboard.press("Control+Shift+z")
        expect(caption).to_have_value(text)
    page.reload()
    expect(page.get_by_role("textbox", name="Caption")).to_have_value("Five.")
    expect(page.get_by_role("button", name="Undo:")).to_be_enabled()


def test_the_command_line_finds_the_same_book(studio: Served, book: str, page: Page, tmp_path: Path) -> None:
    open_book(page, studio.address, book, "/export")
    forms = page.get_by_role("list", name="Forms")
    for title in ("CBZ", "EPUB"):
        card = forms.get_by_role("listitem").filter(has=page.get_by_role("heading", name=title))
        card.get_by_role("button", name="Write").click()
        expect(card.get_by_text("here")).to_be_visible(timeout=LONG)
    files = studio.ask("GET", f"/api/books/{book}/files")["files"]
    names = {file["form"]: file["name"] for file in files}
    with page.expect_download() as download:
        card = forms.get_by_role("listitem").filter(has=page.get_by_role("heading", name="EPUB"))
        card.get_by_role("link").first.click()
    download.value.save_as(tmp_path / "book.epub")
    assert (tmp_path / "book.epub").read_bytes()[:2] == b"PK"
    home = studio.workspace / "books" / book
    kept = {form: (home / "book" / names[form]).read_bytes() for form in ("cbz", "epub")}
    library = str(studio.workspace / "library")
    words = [
        "run.py",
        str(home / "story.json"),
        "--out",
        str(home / "book"),
        "--library",
        library,
        *FEW,
        "--json",
    ]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["drawn"] == 0
    assert (home / "book" / names["cbz"]).read_bytes() == kept["cbz"]
