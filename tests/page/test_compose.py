"""Compose: pages of the right size, with every picture in its frame and failures marked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.errors import IntegrityError, StoryError
from model.page.export.compose import compose_page, draw_layout
from model.page.layout.templates import PAGE_SIZES_MM
from model.page.plane import crop_window
from model.page.values import Book, Line, PanelArt
from tests.page.frames import panel_frames


@pytest.mark.parametrize("size", PAGE_SIZES_MM)
def test_a_page_measures_what_its_paper_does(book: Callable[..., Book], size: str) -> None:
    made = book(panels=2, page_size=size)
    width, height = PAGE_SIZES_MM[size]
    page = compose_page(made, made.pages[0], dpi=60)
    assert page.mode == "RGB"
    assert page.size == (pytest.approx(width / 25.4 * 60, abs=1), pytest.approx(height / 25.4 * 60, abs=1))


def test_pictures_stand_in_their_frames_and_paper_around(book: Callable[..., Book]) -> None:
    made = book(panels=4)
    page = replace(
        made.pages[0], panels=tuple(replace(p, lines=(), caption="") for p in made.pages[0].panels)
    )
    pixels = np.asarray(compose_page(made, page, dpi=60)).astype(int)
    height, width = pixels.shape[:2]
    for frame in panel_frames("auto", 4, "b5", "ltr"):
        left, top, right, bottom = frame.pixels(width, height)
        inside = pixels[top + 4 : bottom - 4, left + 4 : right - 4]
        # The gradient grows to the right and down, and fills the frame to its edges.
        assert inside[:, -1, 0].mean() > inside[:, 0, 0].mean() + 30
        assert inside[-1, :, 1].mean() > inside[0, :, 1].mean() + 30
        assert (pixels[top + 4 : bottom - 4, left - 4] == 255).all()


def test_pages_do_not_change_from_call_to_call(book: Callable[..., Book]) -> None:
    made = book()
    one, other = (compose_page(made, made.pages[0], dpi=72).tobytes() for _ in range(2))
    assert one == other


def test_right_to_left_is_another_page(book: Callable[..., Book]) -> None:
    left, right = book(direction="ltr"), book(direction="rtl")
    assert (
        compose_page(left, left.pages[0], 50).tobytes() != compose_page(right, right.pages[0], 50).tobytes()
    )


def test_a_failed_panel_is_marked_and_the_page_still_set(book: Callable[..., Book]) -> None:
    made = book(panels=2)
    first, second = made.pages[0].panels
    page = replace(made.pages[0], panels=(first, replace(second, picture=None, lines=())))
    pixels = np.asarray(compose_page(made, page, dpi=72)).astype(int)
    left, top, right, bottom = panel_frames("auto", 2, "b5", "ltr")[1].pixels(
        pixels.shape[1], pixels.shape[0]
    )
    inside = pixels[top + 3 : bottom - 3, left + 3 : right - 3]
    grey = inside.max(axis=-1) - inside.min(axis=-1) < 12
    assert grey.all()
    assert 0.02 < (inside.mean(axis=-1) < 235).mean() < 0.5


def test_a_broken_picture_is_named(book: Callable[..., Book], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture at all")
    made = book(panels=1)
    for path in (broken, tmp_path / "absent.png"):
        page = replace(made.pages[0], panels=(PanelArt(id="p001_01", picture=path),))
        with pytest.raises(IntegrityError, match=path.name):
            compose_page(made, page)


def test_a_truncated_picture_is_named(book: Callable[..., Book], picture: Callable[..., Path]) -> None:
    whole = picture(name="truncated")
    whole.write_bytes(whole.read_bytes()[:400])
    made = book(panels=1)
    with pytest.raises(IntegrityError, match=r"truncated\.png"):
        compose_page(made, replace(made.pages[0], panels=(PanelArt(id="p001_01", picture=whole),)))


def test_layout_needs_no_pictures(book: Callable[..., Book]) -> None:
    made = book(panels=3)
    bare = replace(
        made.pages[0], panels=tuple(replace(p, picture=Path("absent.png")) for p in made.pages[0].panels)
    )
    plan = np.asarray(draw_layout(made, bare, dpi=72)).astype(int)
    red, blue = (plan[..., 0] - plan[..., 2]) > 60, (plan[..., 2] - plan[..., 0]) > 60
    assert red.sum() > 100
    assert blue.sum() > 100


def test_a_template_that_is_too_small_names_the_page(book: Callable[..., Book]) -> None:
    made = book(panels=6)
    with pytest.raises(StoryError, match="page 1: template 'splash'"):
        compose_page(made, replace(made.pages[0], template="splash"))


def test_an_unknown_kind_or_direction_is_refused() -> None:
    with pytest.raises(StoryError, match="'song'"):
        Line(text="la", kind="song")
    with pytest.raises(StoryError, match="'up'"):
        Book(title="x", reading_direction="up")


def test_a_crop_is_centred_and_no_larger_than_needed() -> None:
    wide = crop_window(2.0, 1.0)
    assert wide.as_tuple() == (0.25, 0.0, 0.5, 1.0)
    tall = crop_window(0.5, 1.0)
    assert tall.as_tuple() == (0.0, 0.25, 1.0, 0.5)
    assert crop_window(1.5, 1.5).as_tuple() == (0.0, 0.0, 1.0, 1.0)
