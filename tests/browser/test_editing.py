"""Editing in the browser: by keyboard alone, in two tabs at once, over a reload, and without a stutter."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import STORY, Served
from tests.browser.doing import LONG, focused, middle, open_book, saved, tab_to

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("editing")]


@pytest.fixture(scope="module")
def book(studio: Served) -> str:
    name = studio.book()
    studio.draw(name)
    return name


def test_a_book_is_made_by_keyboard_alone(studio: Served, page: Page) -> None:
    page.goto(studio.address)
    expect(page.get_by_role("heading", name="Shelf")).to_be_visible()
    page.keyboard.press("n")
    tab_to(page, focused(page, "dialog input"))
    page.keyboard.type("By keys")
    page.keyboard.press("Enter")
    expect(page.locator(".crumb strong")).to_have_text("By keys")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="Page 1, panel 1")).to_be_visible()
    tab_to(page, focused(page, ".inspector textarea"))
    page.keyboard.type("beach at noon")
    page.keyboard.press("Enter")
    saved(page)
    tab_to(page, focused(page, "a[href$='/cast']"), key="Shift+Tab", most=200)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nobody yet")).to_be_visible()
    tab_to(page, focused(page, ".page-head button"))
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    tab_to(page, focused(page, "dialog input"))
    page.keyboard.type("Mika")
    page.keyboard.press("Tab")
    page.keyboard.type("girl with long silver hair, yellow hoodie, glasses")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Mika")).to_be_visible()
    page.go_back()
    page.keyboard.press("ArrowRight")
    tab_to(page, focused(page, "[aria-label='Add a figure']"), most=200)
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".figure")).to_have_count(1)
    tab_to(page, focused(page, "[aria-label='Add a line']"), most=200)
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Text of the balloon")).to_be_focused()
    page.keyboard.type("Nobody here?")
    page.keyboard.press("Enter")
    saved(page)
    expect(page.locator(".balloon")).to_be_focused()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    page.wait_for_timeout(600)
    saved(page)
    tab_to(page, focused(page, ".figure"), key="Shift+Tab", most=200)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    page.wait_for_timeout(600)
    saved(page)
    story = studio.ask("GET", "/api/books/by-keys/story")
    (panel,) = story["pages"][0]["panels"]
    assert panel["scene"] == "beach at noon"
    assert panel["dialogue"][0]["text"] == "Nobody here?"
    assert len(panel["dialogue"][0]["at"]) == 2
    assert len(panel["characters"][0]["box"]) == 4
    page.keyboard.press("Shift+D")
    expect(page.locator(".sheet image:not(.preview)")).to_have_count(1, timeout=LONG)
    expect(page.get_by_text("All drawn")).to_be_visible(timeout=LONG)
    page.keyboard.press("l")
    expect(page.get_by_role("button", name="Like", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    expect(page.get_by_role("group", name="Tries").get_by_role("button")).not_to_have_count(0, timeout=LONG)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Look at try 2")).to_be_visible(timeout=LONG)
    expect(page.locator(".live")).to_have_count(0)
    page.keyboard.press("Home")
    while page.locator(".try.is-on").filter(has_text="Try 1").count() == 0:
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator(".try").filter(has_text="Try 1").get_by_text("shown")).to_be_visible()
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Locked", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Control+z")
    expect(page.get_by_role("button", name="Lock", exact=True)).to_have_attribute("aria-pressed", "false")


def test_a_reload_in_the_middle_of_drawing_changes_nothing(studio: Served, page: Page) -> None:
    name = studio.book({**STORY, "title": "Reloaded"})
    open_book(page, studio.address, name)
    page.get_by_role("button", name="Draw 3 panels").click()
    expect(page.locator(".live .bar")).to_be_visible(timeout=LONG)
    page.reload()
    expect(page.locator(".live")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Stop drawing")).to_be_visible()
    expect(page.get_by_text("All drawn")).to_be_visible(timeout=LONG)
    expect(page.locator(".sheet image:not(.preview)")).to_have_count(2)
    jobs = [job for job in studio.ask("GET", "/api/jobs")["jobs"] if job["book"] == name]
    assert [job["state"] for job in jobs] == ["done"]


def test_two_tabs_see_each_other_and_a_conflict_shows_both(
    studio: Served, book: str, context: BrowserContext
) -> None:
    here, there = context.new_page(), context.new_page()
    for tab in (here, there):
        open_book(tab, studio.address, book, "/page/2?panel=p002_01")
        expect(tab.get_by_role("textbox", name="Caption")).to_have_value("The next day.")
    here.get_by_role("textbox", name="Caption").fill("A week later.")
    here.get_by_role("textbox", name="Caption").press("Enter")
    expect(there.get_by_role("textbox", name="Caption")).to_have_value("A week later.")
    # Without the stream of events, a tab does not know better than it did.
    there.route(
        "**/api/books/*", lambda route: route.abort() if route.request.method == "GET" else route.continue_()
    )
    here.get_by_role("textbox", name="Caption").fill("A month later.")
    here.get_by_role("textbox", name="Caption").press("Enter")
    saved(here)
    there.get_by_role("textbox", name="Caption").fill("A year later.")
    there.get_by_role("textbox", name="Caption").press("Enter")
    dialog = there.get_by_role("dialog", name="The book was changed elsewhere")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("cell", name="A year later.")).to_be_visible()
    expect(dialog.get_by_role("cell", name="A month later.")).to_be_visible()
    there.unroute("**/api/books/*")
    dialog.get_by_role("button", name="Keep mine").click()
    expect(here.get_by_role("textbox", name="Caption")).to_have_value("A year later.")


LOOK = """() => {
  window.seen = { frames: [], long: [] };
  const tick = now => { window.seen.frames.push(now); window.seen.id = requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
  new PerformanceObserver(list => window.seen.long.push(...list.getEntries().map(one => one.duration)))
    .observe({ entryTypes: ["longtask"] });
}"""


@pytest.mark.parametrize("what", [".figure .box", '.balloon[data-panel="p001_01"] .grab'])
def test_dragging_is_smooth(studio: Served, book: str, page: Page, what: str) -> None:
    open_book(page, studio.address, book, "/page/1?panel=p001_01")
    found = page.locator(what).first
    x, y = middle(found)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 5, y + 5)
    page.wait_for_timeout(200)
    page.evaluate(LOOK)
    for step in range(90):
        page.mouse.move(x + 5 + step % 30, y + 5 + step % 17)
    seen = page.evaluate("window.seen")
    page.mouse.move(x, y)
    page.mouse.up()
    frames = seen["frames"]
    spent = (frames[-1] - frames[0]) / (len(frames) - 1)
    assert seen["long"] == []
    assert 1000 / spent >= 55


def test_what_the_server_refuses_is_said_where_it_happened(studio: Served, book: str, page: Page) -> None:
    open_book(page, studio.address, book, "/page/1?panel=p001_01")
    line = page.get_by_role("textbox", name="Line 1")
    line.fill("word " * 250)
    expect(page.get_by_role("alert").first).to_contain_text("at most 1000 characters")
    line.press("Escape")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(line).not_to_have_value("word " * 250)
