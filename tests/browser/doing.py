"""What the tests of the page do again and again."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

LONG = 240_000  # milliseconds that drawing a small book may take on a busy machine


def open_book(page: Page, address: str, name: str, where: str = "") -> None:
    """Open a book at a place of it, such as `/cast` or `/page/2?panel=p002_01`, and wait for it."""
    page.goto(f"{address}/#/book/{name}{where}")
    expect(page.locator(".crumb strong")).to_be_visible()


def saved(page: Page) -> None:
    """Until what was changed is saved."""
    expect(page.locator(".saved")).to_have_text("Saved")


def middle(found: Locator) -> tuple[float, float]:
    """Where it is on the screen."""
    box = found.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, found: Locator, by: tuple[float, float], *, steps: int = 8) -> None:
    """With the mouse, from the middle of something."""
    x, y = middle(found)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by[0], y + by[1], steps=steps)
    page.mouse.up()


def tab_to(page: Page, there: Callable[[], bool], *, most: int = 120, key: str = "Tab") -> None:
    """Press a key until the focus is where it should be."""
    for _ in range(most):
        if there():
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not lead there in {most} steps")


def focused(page: Page, selector: str) -> Callable[[], bool]:
    """Whether what has the focus fits a selector."""
    return lambda: page.evaluate("words => document.activeElement?.matches(words) ?? false", selector)
