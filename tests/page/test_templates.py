"""Templates: whatever the page, panels tile it within margins and gutters and are read in one order."""

import math
import random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from model.errors import StoryError
from model.geometry import Box
from model.page.layout.frames import BLEED_MM, Arrangement, Frame
from model.page.layout.templates import (
    MAX_PANELS,
    MM_TO_POINTS,
    PAGE_SIZES,
    PAGE_SIZES_MM,
    arrange_page,
    template_names,
    templates_for,
)
from model.page.layout.tiers import EMPHASES, MARGIN, PANEL_GUTTER, SHOTS, View
from tests.chance import examples
from tests.page.frames import panel_frames

SIZES = tuple(PAGE_SIZES_MM)
SMALLEST_GUTTER_MM = 1.6  # between panels on a webtoon's narrow paper nothing is nearer either
MANY = settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])

Asked = tuple[str, tuple[View, ...], str]


@st.composite
def arrangements(draw: st.DrawFn) -> Asked:
    views = tuple(
        draw(
            st.lists(
                st.builds(View, st.sampled_from(SHOTS), st.sampled_from(EMPHASES)),
                min_size=1,
                max_size=MAX_PANELS,
            )
        )
    )
    size = draw(st.sampled_from(PAGE_SIZES))
    names = ("auto", "strip") if size == "webtoon" and len(views) <= 5 else templates_for(len(views))
    return draw(st.sampled_from(("auto",) if size == "webtoon" and len(views) > 5 else names)), views, size


def polygon(frame: Frame, arranged: Arrangement) -> list[tuple[float, float]]:
    return [(x * arranged.width, y * arranged.height) for x, y in frame.corners]


def gap(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> float:
    """The widest band between two convex polygons across one of their sides; negative where they meet."""
    widest = -math.inf
    for corners in (one, other):
        for index, (x, y) in enumerate(corners):
            u, v = corners[index - 1][1] - y, x - corners[index - 1][0]
            size = math.hypot(u, v)
            first = [(u * a + v * b) / size for a, b in one]
            second = [(u * a + v * b) / size for a, b in other]
            widest = max(widest, min(first) - max(second), min(second) - max(first))
    return widest


def read(indices: list[int], polygons: list[list[tuple[float, float]]], direction: str) -> list[int]:
    """The order that the white between panels gives: cut across first, then from side to side."""
    if len(indices) == 1:
        return indices
    for axis, backwards in ((1, False), (0, direction == "rtl")):
        ordered = sorted(
            indices, key=lambda i: sum(corner[axis] for corner in polygons[i]), reverse=backwards
        )
        for cut in range(1, len(ordered)):
            before = [polygons[i] for i in ordered[:cut]]
            after = [polygons[i] for i in ordered[cut:]]
            if parted(before, after, axis, backwards):
                return read(ordered[:cut], polygons, direction) + read(ordered[cut:], polygons, direction)
    raise AssertionError("no line of white parts these panels")


def parted(
    before: list[list[tuple[float, float]]],
    after: list[list[tuple[float, float]]],
    axis: int,
    backwards: bool,
) -> bool:
    """Whether a line that leans no more than one to five runs between two groups of panels."""
    sign = -1.0 if backwards else 1.0
    for lean in range(-20, 21):
        slope = lean / 100
        place = [
            [sign * (c[axis] + slope * c[1 - axis]) for p in group for c in p] for group in (before, after)
        ]
        if max(place[0]) < min(place[1]):
            return True
    return False


@MANY
@given(arrangements(), st.sampled_from(["ltr", "rtl"]))
def test_panels_tile_the_page_within_gutters(asked: Asked, direction: str) -> None:
    tiles(asked, direction)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("size", PAGE_SIZES)
def test_every_template_tiles_every_paper(size: str, direction: str) -> None:
    for count in range(1, MAX_PANELS + 1):
        for template in ("auto",) if size == "webtoon" else templates_for(count):
            tiles((template, (View(),) * count, size), direction)


@pytest.mark.slow
def test_thousands_of_pages_tile_and_read_in_order() -> None:
    chance = random.Random(7)
    for _ in range(4000):
        count = chance.randint(1, MAX_PANELS)
        size = chance.choice(PAGE_SIZES)
        template = "auto" if size == "webtoon" else chance.choice(templates_for(count))
        views = tuple(View(chance.choice(SHOTS), chance.choice(EMPHASES)) for _ in range(count))
        direction = chance.choice(("ltr", "rtl"))
        tiles((template, views, size), direction)
        in_order((template, views, size), direction)
        mirrors((template, views, size))


def tiles(asked: Asked, direction: str) -> None:
    """Panels stand on the paper and apart, insets on an earlier panel, and little paper is left over."""
    template, views, size = asked
    arranged = arrange_page(template, views, size, direction)
    polygons = [polygon(frame, arranged) for frame in arranged.frames]
    assert len(polygons) == len(views)
    bleeds = BLEED_MM * MM_TO_POINTS if template == "bleed" else -2.9 * MM_TO_POINTS
    for corners in polygons:
        for x, y in corners:
            assert -bleeds - 1e-6 <= x <= arranged.width + bleeds + 1e-6
            assert -bleeds - 1e-6 <= y <= arranged.height + bleeds + 1e-6
    for index, frame in enumerate(arranged.frames):
        assert min(frame.inner.width * arranged.width, frame.inner.height * arranged.height) > 30
        if frame.over is not None:
            assert frame.over < index
            assert holds(arranged.frames[frame.over].box, frame.box)
        for other in range(index):
            if frame.over != other:
                assert gap(polygons[index], polygons[other]) >= SMALLEST_GUTTER_MM * MM_TO_POINTS * 0.98
    if size != "webtoon" and template not in ("strip", "wide"):
        covered = sum(
            area(p) for p, frame in zip(polygons, arranged.frames, strict=True) if frame.over is None
        )
        assert covered > 0.78 * (1 - 2 * MARGIN) ** 2 * arranged.width * arranged.height


def area(corners: list[tuple[float, float]]) -> float:
    turns = (corners[i - 1][0] * y - x * corners[i - 1][1] for i, (x, y) in enumerate(corners))
    return abs(sum(turns)) / 2


def holds(outer: Box, inner: Box) -> bool:
    return (
        outer.x < inner.x and outer.y < inner.y and outer.right > inner.right and outer.bottom > inner.bottom
    )


@MANY
@given(arrangements(), st.sampled_from(["ltr", "rtl"]))
def test_reading_order_is_strict(asked: Asked, direction: str) -> None:
    """Cutting along the white, across first and then in the reading direction, gives the panels' order."""
    in_order(asked, direction)


def in_order(asked: Asked, direction: str) -> None:
    arranged = arrange_page(*asked, direction)
    polygons = [polygon(frame, arranged) for frame in arranged.frames]
    ground = [index for index, frame in enumerate(arranged.frames) if frame.over is None]
    assert read(ground, polygons, direction) == ground
    insets = [index for index, frame in enumerate(arranged.frames) if frame.over is not None]
    assert not insets or read(insets, polygons, direction) == insets


@MANY
@given(arrangements())
def test_rtl_mirrors_ltr(asked: Asked) -> None:
    mirrors(asked)


def mirrors(asked: Asked) -> None:
    left, right = (arrange_page(*asked, direction) for direction in ("ltr", "rtl"))
    assert (left.width, left.height) == (right.width, right.height)
    for one, other in zip(left.frames, right.frames, strict=True):
        assert other.over == one.over
        mirrored = sorted((round(1 - x, 9), round(y, 9)) for x, y in one.corners)
        assert sorted((round(x, 9), round(y, 9)) for x, y in other.corners) == mirrored
    assert left.aspects() == pytest.approx(right.aspects())


HEAVY, LIGHT = View("wide", "high"), View("medium", "low")


@MANY
@given(arrangements())
# A light panel among heavy ones was a sliver, and four heavy tiers on tall paper were letter slots.
@example(
    ("auto", (HEAVY, HEAVY, View("close-up", "high"), View("medium", "high"), HEAVY, LIGHT, HEAVY), "b5")
)
@example(("bleed", (HEAVY,) * 5 + (LIGHT, HEAVY), "b5"))
@example(("bleed", (HEAVY,) * 4, "us"))
@example(("wide", (HEAVY, LIGHT, HEAVY, HEAVY, HEAVY), "us"))
def test_most_frames_have_shapes_that_models_draw(asked: Asked) -> None:
    template, _, size = asked
    if template in ("grid", "strip", "2-tier", "3-tier", "4-tier") or size == "square":
        return  # what was asked for by number
    for aspect in arrange_page(*asked).aspects():
        assert 0.4 <= aspect <= 2.75


@pytest.mark.parametrize("template", ["auto", "bleed", "slanted"])
def test_what_weighs_more_gets_more_of_the_page(template: str) -> None:
    for place in range(5):
        views = tuple(View(emphasis="high" if index == place else "normal") for index in range(5))
        plain = arrange_page(template, (View(),) * 5, "b5").frames
        areas = [frame.box.area for frame in arrange_page(template, views, "b5").frames]
        assert areas[place] > plain[place].box.area * 1.02 or areas[place] == max(areas)
        assert areas[place] >= 1.15 * sum(areas) / 5


def test_wide_shots_get_wide_frames() -> None:
    for place in range(4):
        views = tuple(View(shot="wide" if index == place else "medium") for index in range(4))
        assert arrange_page("auto", views, "b5").aspects()[place] >= 1.1


def test_a_story_may_have_frames_of_its_own() -> None:
    own = (Box(0.0, 0.0, 1.0, 0.55), Box(0.05, 0.58, 0.9, 0.38), Box(0.6, 0.6, 0.3, 0.2))
    frames = arrange_page("auto", (View(),) * 3, "b5", "rtl", own).frames
    assert frames[0].box.x < 0 < 1 < frames[0].box.right
    assert frames[0].box.bottom == 0.55
    assert (frames[1].box, frames[1].over) == (own[1], None)
    assert (frames[2].box, frames[2].over) == (own[2], 1)


@pytest.mark.parametrize(
    ("own", "complaint"),
    [
        ((Box(0, 0, 1, 0.5),), "1 frames and 2 panels"),
        ((Box(0, 0, 0.6, 0.5), Box(0.5, 0.4, 0.5, 0.5)), r"frame 2 \[50, 40, 50, 50\] overlaps frame 1"),
        ((Box(0, 0, 1, 0.5), Box(0.5, 0.6, 0.02, 0.3)), "frame 2 .* too small"),
    ],
)
def test_frames_that_no_page_can_have_are_refused(own: tuple[Box, ...], complaint: str) -> None:
    with pytest.raises(StoryError, match=complaint):
        arrange_page("auto", (View(),) * 2, "b5", "ltr", own)


def test_a_webtoon_is_one_column_and_grows() -> None:
    short, long = (arrange_page("auto", (View(),) * count, "webtoon") for count in (2, 6))
    assert short.width == long.width
    assert long.height > 2 * short.height
    with pytest.raises(StoryError, match="one column and takes no template 'grid'"):
        arrange_page("grid", (View(),) * 2, "webtoon")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", range(1, MAX_PANELS + 1))
def test_auto_asks_for_shapes_the_model_draws(size: str, count: int) -> None:
    assert all(0.5 <= aspect <= 2.15 for aspect in arrange_page("auto", (View(),) * count, size).aspects())


def test_auto_is_no_chessboard() -> None:
    widths = {round(frame.width, 3) for frame in panel_frames("auto", 6, "b5", "ltr")}
    assert len(widths) >= 4


def test_grid_is_regular() -> None:
    frames = panel_frames("grid", 6, "b5", "ltr")
    assert len({round(frame.width, 6) for frame in frames}) == 1
    assert len({round(frame.height, 6) for frame in frames}) == 1


def test_gutters_between_tiers_are_the_wider_ones() -> None:
    frames = panel_frames("3-tier", 6, "b5", "ltr")
    width, height = PAGE_SIZES_MM["b5"]
    assert (frames[2].y - frames[0].bottom) * height > PANEL_GUTTER * width * 1.2


def test_a_template_that_is_too_small_names_what_fits() -> None:
    with pytest.raises(StoryError, match=r"'splash' holds 1 to 4 panels and got 9; for 9 use auto, 3-tier"):
        panel_frames("splash", 9, "b5", "ltr")


@pytest.mark.parametrize("count", [0, -1, 13])
def test_impossible_counts_are_refused(count: int) -> None:
    with pytest.raises(StoryError, match="a page holds 1 to 12 panels"):
        panel_frames("auto", count, "b5", "ltr")


@pytest.mark.parametrize(
    ("template", "size", "direction"),
    [("spiral", "b5", "ltr"), ("auto", "b99", "ltr"), ("auto", "b5", "down")],
)
def test_unknown_names_are_refused(template: str, size: str, direction: str) -> None:
    with pytest.raises(StoryError, match="expected"):
        panel_frames(template, 3, size, direction)


def test_names_start_with_auto() -> None:
    assert template_names()[0] == "auto"
    assert set(template_names()) >= {"2-tier", "3-tier", "4-tier", "grid", "splash", "strip"}
