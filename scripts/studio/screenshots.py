"""Pictures of every page for `docs/studio/`: `python -m scripts.studio.screenshots ADDRESS BOOK`.

In: the address of a studio that runs, and the name of a book in it that is drawn, liked and disliked in part.
Out: each page in light and dark, wide and narrow, as small WebP files.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

TARGET = Path(__file__).parents[2] / "docs" / "studio"
PAGES = {
    "shelf": "#/",
    "book": "#/book/{book}",
    "panel": "#/book/{book}/page/1?panel=p001_03",
    "tries": "#/book/{book}/tries/p001_03",
    "repair": "#/book/{book}/repair/p001_02",
    "cast": "#/book/{book}/cast",
    "vibe": "#/book/{book}/vibe",
    "chronicle": "#/book/{book}/chronicle",
    "export": "#/book/{book}/export",
    "taste": "#/vibe",
    "queue": "#/queue",
    "machine": "#/machine",
    "search": "#/search?q=mika",
}
SIZES = {"wide": (1360, 850), "narrow": (390, 844)}


def take(browser: Browser, address: str, book: str, theme: str, size: str) -> None:
    """Every page in one theme and one size."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)  # type: ignore[arg-type]
    page = context.new_page()
    for name, place in PAGES.items():
        page.goto("about:blank")
        page.goto(f"{address.rstrip('/')}/{place.format(book=book)}")
        page.wait_for_timeout(1_200)
        page.locator("main .skeleton, main .spin").first.wait_for(state="detached", timeout=60_000)
        if name == "tries" and size == "wide":
            page.keyboard.press("c")
        if name == "repair":
            page.locator(".paint").focus()
            page.keyboard.press("ArrowUp")
        page.wait_for_timeout(300)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        picture.save(TARGET / f"{name}_{theme}_{size}.webp", quality=62, method=6)
    context.close()


def main(address: str, book: str) -> int:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    TARGET.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            for size in SIZES:
                take(browser, address, book, theme, size)
        browser.close()
    total = sum(path.stat().st_size for path in TARGET.glob("*.webp"))
    print(f"{len(list(TARGET.glob('*.webp')))} pictures, {total / 1e6:.2f} MB in {TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
