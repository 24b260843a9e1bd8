"""Every page of the studio: accessible, light and dark; small and quick; usable on a telephone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.studio.packages import ensure
from tests.browser.conftest import Served
from tests.browser.doing import open_book

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("pages")]

PLACES = {
    "shelf": "#/",
    "queue": "#/queue",
    "machine": "#/machine",
    "search": "#/search?q=beach",
    "taste": "#/vibe",
    "page": "#/book/{book}",
    "panel": "#/book/{book}/page/1?panel=p001_01",
    "tries": "#/book/{book}/tries/p001_01",
    "repair": "#/book/{book}/repair/p001_01",
    "cast": "#/book/{book}/cast",
    "vibe": "#/book/{book}/vibe",
    "chronicle": "#/book/{book}/chronicle",
    "export": "#/book/{book}/export",
}
KILOBYTES, SECONDS = 300, 1.0


@pytest.fixture(scope="module")
def book(studio: Served) -> str:
    """A book that is drawn, with a like and a dislike."""
    name = studio.book()
    studio.draw(name)
    for panel, liked in (("p001_01", True), ("p001_02", False)):
        (shown,) = (
            one
            for one in studio.ask("GET", f"/api/books/{name}/panels/{panel}/tries")["tries"]
            if one["shown"]
        )
        studio.ask("POST", "/api/vibe/opinion", {"picture": shown["picture"], "liked": liked})
    return name


@pytest.fixture(scope="module")
def axe() -> str:
    return (ensure() / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture(params=["light", "dark"])
def themed(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, color_scheme=request.param)
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def settled(page: Page) -> None:
    """Until the page and all that it fetches are there."""
    expect(page.locator("main > *").first).to_be_visible(timeout=20_000)
    expect(page.locator(".skeleton, main .spin")).to_have_count(0, timeout=60_000)
    page.wait_for_timeout(300)


def serious(page: Page, axe: str) -> list[str]:
    """What axe-core finds of its two worst kinds."""
    page.evaluate(axe)
    found: list[dict[str, Any]] = page.evaluate("axe.run().then(result => result.violations)")
    return [
        f"{one['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("place", PLACES)
def test_no_page_has_a_serious_fault(studio: Served, book: str, themed: Page, axe: str, place: str) -> None:
    themed.goto(f"{studio.address}/{PLACES[place].format(book=book)}")
    settled(themed)
    assert serious(themed, axe) == []


def test_menus_dialogs_and_the_balloon_editor_have_none_either(
    studio: Served, book: str, themed: Page, axe: str
) -> None:
    open_book(themed, studio.address, book, "/page/1?panel=p001_01")
    themed.locator('.balloon[data-panel="p001_01"]').click()
    expect(themed.get_by_role("textbox", name="Text of the balloon")).to_be_focused()
    assert serious(themed, axe) == []
    themed.keyboard.press("Escape")
    themed.locator(".figure-row .name").first.click()
    themed.get_by_role("button", name="Move, split, merge, remove").click()
    assert serious(themed, axe) == []
    themed.keyboard.press("Escape")
    themed.get_by_role("heading", name="Page 1, panel 1").click()
    themed.keyboard.press("?")
    expect(themed.get_by_role("dialog")).to_be_visible()
    assert serious(themed, axe) == []
    themed.keyboard.press("Escape")
    themed.goto(f"{studio.address}/#/")
    themed.get_by_role("button", name="New book").click()
    assert serious(themed, axe) == []


def test_the_first_view_is_small_and_quick(studio: Served, book: str, chromium: Browser) -> None:
    took: list[float] = []
    for _ in range(3):
        context = chromium.new_context()  # nothing is cached
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        sizes: list[float] = []
        session.on(
            "Network.loadingFinished", lambda event, sizes=sizes: sizes.append(event["encodedDataLength"])
        )
        began = time.perf_counter()
        page.goto(studio.address)
        page.locator(".tile-title").first.wait_for()
        took.append(time.perf_counter() - began)
        page.wait_for_timeout(500)
        context.close()
        assert sum(sizes) <= KILOBYTES * 1000
    assert min(took) <= SECONDS  # the machine may be busy with other tests for a moment


@pytest.mark.parametrize("place", PLACES)
def test_nothing_scrolls_sideways_on_a_telephone(
    studio: Served, book: str, chromium: Browser, place: str
) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{studio.address}/{PLACES[place].format(book=book)}")
    settled(page)
    wide = page.evaluate(
        "[...document.querySelectorAll('main')].map(one => one.scrollWidth - one.clientWidth)"
    )
    context.close()
    assert wide == [0]


def test_on_a_telephone_one_reads_likes_approves_and_retries(
    studio: Served, book: str, chromium: Browser
) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    open_book(page, studio.address, book)
    sheet = page.locator(".sheet").bounding_box()
    assert sheet is not None
    assert sheet["width"] > 350
    page.locator(".sheet .panel").nth(1).tap()
    page.get_by_role("button", name="Like", exact=True).tap()
    expect(page.get_by_role("button", name="Like", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Redraw").tap()
    expect(page.get_by_role("group", name="Tries").get_by_role("button")).not_to_have_count(
        0, timeout=240_000
    )
    page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name="Cast").tap()
    page.get_by_role("button", name="Approve", exact=True).first.tap()
    expect(page.get_by_text("approved", exact=True).first).to_be_visible()
    context.close()


def test_the_keys_of_a_page_are_listed(studio: Served, book: str, page: Page) -> None:
    open_book(page, studio.address, book, "/page/1?panel=p001_01")
    page.get_by_role("heading", name="Page 1, panel 1").click()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="What the keys do here")
    for words in ("like the panel's picture", "redraw the panel", "undo", "the next panel"):
        expect(keys.get_by_text(words, exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
