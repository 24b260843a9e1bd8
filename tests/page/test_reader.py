"""The HTML reader in a browser: keys, clicks, touch, both directions, two pages at once, zoom, no network."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.page.export.book import export_book
from model.page.values import Book, PageArt, PanelArt
from tests.page.chromium import PATH, Chromium

PAGES = 5
TALL, WIDE = (600, 900), (1400, 900)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(PATH is None, reason="no Chromium is installed"),
]

Reader = Callable[..., Chromium]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A reader of five plain pages for each direction."""
    found: dict[str, Path] = {}
    for direction in ("ltr", "rtl"):
        folder = tmp_path_factory.mktemp(direction)
        pages = tuple(
            PageArt(number=number, panels=(PanelArt(id=f"p{number:03d}_01", alt="Mika & Taro on a beach"),))
            for number in range(1, PAGES + 1)
        )
        book = Book(title="Five pages", reading_direction=direction, pages=pages)
        export_book(book, folder, 40, ["html"])
        found[direction] = folder / "index.html"
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile"), *TALL) as opened:
        yield opened


@pytest.fixture
def reader(shelf: dict[str, Path], browser: Chromium) -> Reader:
    """A function that opens a book of five pages at its beginning, in a window of some size."""

    def open_book(direction: str, size: tuple[int, int] = TALL, *, touch: bool = False) -> Chromium:
        browser.resize(*size, touch=touch)
        browser.open("about:blank")
        browser.open(shelf[direction].as_uri())
        return browser

    return open_book


def shown(browser: Chromium) -> list[int]:
    """The numbers of the pages that are to be seen, from left to right."""
    return browser.run(
        "[...document.querySelectorAll('main img')].map((page, i) => [page.getBoundingClientRect(), i + 1])"
        ".filter(([box]) => box.width > 0).sort((a, b) => a[0].x - b[0].x).map(([, number]) => number)"
    )


def widest(browser: Chromium) -> float:
    return browser.run("Math.max(...[...document.images].map(page => page.getBoundingClientRect().width))")


@pytest.mark.parametrize(("direction", "ahead", "back"), [("ltr", "Right", "Left"), ("rtl", "Left", "Right")])
def test_keys_turn_pages_in_the_books_direction(
    reader: Reader, direction: str, ahead: str, back: str
) -> None:
    browser = reader(direction)
    assert shown(browser) == [1]
    browser.key(f"Arrow{back}")
    assert shown(browser) == [1], "nothing is before the first page"
    for key, page in (
        (f"Arrow{ahead}", 2), ("PageDown", 3), (" ", 4), ("ArrowDown", 5), (f"Arrow{ahead}", 5),
        (f"Arrow{back}", 4), ("PageUp", 3), ("ArrowUp", 2), ("End", 5), ("Home", 1),
    ):  # fmt: skip
        browser.key(key)
        assert shown(browser) == [page], key
    assert browser.run("document.getElementById('count').textContent") == f"1 / {PAGES}"
    assert browser.run(f"document.getElementById('{back.lower()}').disabled") is True
    browser.key("End")
    assert browser.run("location.hash") == f"#{PAGES}"
    address = browser.run("location.href")
    browser.open("about:blank")
    browser.open(address)
    assert shown(browser) == [PAGES], "the address remembers the page"


@pytest.mark.parametrize(("direction", "ahead"), [("ltr", 1), ("rtl", -1)])
def test_clicks_and_buttons_follow_the_direction(reader: Reader, direction: str, ahead: int) -> None:
    browser = reader(direction)
    width, height = TALL
    side, other = (width * 0.9, width * 0.1) if ahead > 0 else (width * 0.1, width * 0.9)
    browser.click(side, height / 2)
    assert shown(browser) == [2]
    browser.click(side, height / 2)
    browser.click(other, height / 2)
    assert shown(browser) == [2]
    browser.run(f"document.getElementById('{'right' if ahead > 0 else 'left'}').click()")
    assert shown(browser) == [3]


@pytest.mark.parametrize(("direction", "ahead"), [("ltr", -1), ("rtl", 1)])
def test_a_swipe_turns_one_page(reader: Reader, direction: str, ahead: int) -> None:
    browser = reader(direction, touch=True)
    middle, y = TALL[0] / 2, TALL[1] / 2
    browser.swipe((middle, y), (middle + ahead * 180, y + 10))
    assert shown(browser) == [2], "the page follows the finger"
    browser.swipe((middle, y), (middle + ahead * 180, y + 10))
    browser.swipe((middle, y), (middle - ahead * 180, y))
    assert shown(browser) == [2]
    browser.swipe((middle, y), (middle + 20, y))
    browser.swipe((middle, y), (middle + 60, y - 300))
    assert shown(browser) == [2], "short and steep ones turn nothing"


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_two_pages_lie_side_by_side_in_reading_order(reader: Reader, direction: str) -> None:
    browser = reader(direction, WIDE)
    ordered = (lambda pages: pages) if direction == "ltr" else (lambda pages: pages[::-1])
    assert shown(browser) == [1], "the first page is alone"
    for pages in ([2, 3], [4, 5]):
        browser.key("PageDown")
        assert shown(browser) == ordered(pages)
    browser.key("PageDown")
    assert shown(browser) == ordered([4, 5])
    browser.key("PageUp")
    assert shown(browser) == ordered([2, 3])
    gap = browser.run(
        "(() => { const [one, other] = [...document.querySelectorAll('img.shown')]"
        ".map(page => page.getBoundingClientRect()).sort((a, b) => a.x - b.x);"
        "return [other.x - one.right, one.x, innerWidth - other.right]; })()"
    )
    assert gap[0] == pytest.approx(0, abs=1), "they touch"
    assert gap[1] == pytest.approx(gap[2], abs=2), "and stand in the middle"
    browser.key("d")
    assert shown(browser) == [2]
    browser.key("d")
    browser.resize(*TALL)
    assert len(shown(browser)) == 2, "what was chosen stays"


def test_zoom_enlarges_and_can_be_scrolled(reader: Reader) -> None:
    browser = reader("ltr")
    before = widest(browser)
    browser.key("z")
    assert widest(browser) == pytest.approx(2 * before, rel=0.01)
    room = browser.run("document.querySelector('main').scrollWidth") - TALL[0]
    assert room > 100
    browser.run("document.querySelector('main').scrollTo(0, 0)")
    assert browser.run("document.querySelector('img.shown').getBoundingClientRect().x") == pytest.approx(
        0, abs=1
    )
    browser.key("Escape")
    assert widest(browser) == pytest.approx(before)
    browser.key("+")
    assert widest(browser) == pytest.approx(1.25 * before, rel=0.01)
    browser.key("0")
    browser.click(TALL[0] / 2, TALL[1] / 2)
    assert widest(browser) == pytest.approx(2 * before, rel=0.01), "a click in the middle"
    browser.click(TALL[0] * 0.9, TALL[1] / 2)
    assert widest(browser) == pytest.approx(before)
    assert shown(browser) == [1]


def test_the_page_fits_the_window_and_needs_no_network(reader: Reader) -> None:
    browser = reader("ltr", WIDE)
    for width, height in (WIDE, TALL, (360, 640), (900, 400)):
        browser.resize(width, height)
        box = browser.run(
            "(() => { const b = document.querySelector('img.shown').getBoundingClientRect();"
            "return [b.x, b.y, b.right, b.bottom, b.width / b.height] })()"
        )
        assert min(box[:2]) >= 0
        assert box[2] <= width + 1
        assert box[3] <= height + 1
        assert box[4] == pytest.approx(182 / 257, abs=0.01)
    asked = browser.run("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(name.startswith("file:") for name in asked)
    assert browser.run("document.querySelector('img.shown').alt.includes('Mika & Taro on a beach')")


@pytest.mark.parametrize("size", [WIDE, (390, 844)])
def test_a_webtoon_is_a_strip_that_scrolls(browser: Chromium, tmp_path: Path, size: tuple[int, int]) -> None:
    pages = tuple(
        PageArt(
            number=number,
            panels=tuple(PanelArt(id=f"p{number:03d}_{index:02d}") for index in range(1, 2 + number)),
        )
        for number in (1, 2)
    )
    export_book(Book(title="Strip", page_size="webtoon", pages=pages), tmp_path, 60, ["html"])
    browser.resize(*size)
    browser.open((tmp_path / "index.html").as_uri())
    boxes = browser.run(
        "[...document.images].map(page => page.getBoundingClientRect()).map(b => [b.y, b.bottom, b.width])"
    )
    (_, end, width), (start, last, other) = boxes
    assert width == other == min(size[0], 672)
    assert start == pytest.approx(end, abs=1), "the pages are one strip"
    assert last - start > 1.2 * (end - boxes[0][0]), "a longer page is longer"
    browser.run("window.scrollTo(0, 1e6)")
    assert browser.run("window.scrollY + innerHeight") == pytest.approx(last + 32, abs=2), "all is reached"
    assert browser.run("document.querySelector('nav').getBoundingClientRect().width") == 0
