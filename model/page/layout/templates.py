"""Templates: how many panels become frames on a page of a given size, in an order that is never in doubt.

In: a template's name, what each panel shows, a page size, a reading direction, or boxes of the story's own.
Out: one frame per panel, in reading order. A page is read tier by tier, and the gutters between tiers are
wider than those inside a tier; a panel beside a stack comes before it. Draws nothing.
"""

from __future__ import annotations

from functools import lru_cache

from model.errors import StoryError
from model.geometry import Box
from model.page.layout.forms import (
    Form,
    bleed,
    grid,
    in_tiers,
    inset,
    slants,
    splash,
    strip,
    tall,
    webtoon,
    wide,
)
from model.page.layout.frames import Arrangement
from model.page.layout.ownboxes import own_frames
from model.page.layout.tiers import View

MAX_PANELS = 12

MM_TO_POINTS = 72 / 25.4
PAGE_SIZES_MM = {
    "b5": (182.0, 257.0),  # JIS B5, the size of manga magazines
    "us": (168.3, 260.4),  # 6.625 × 10.25 in, the trimmed American comic book
    "a4": (210.0, 297.0),
    "square": (210.0, 210.0),
}
WEBTOON = "webtoon"  # one column that scrolls; as wide as letters need that are read on a telephone
WEBTOON_WIDTH_MM = 100.0
PAGE_SIZES = (*PAGE_SIZES_MM, WEBTOON)

# name: fewest panels, most panels, how it arranges them
_TEMPLATES: dict[str, tuple[int, int, Form]] = {
    "auto": (1, MAX_PANELS, in_tiers(1, 2, 3, 4, 5)),
    "2-tier": (2, 6, in_tiers(2)),
    "3-tier": (3, 9, in_tiers(3)),
    "4-tier": (4, MAX_PANELS, in_tiers(4)),
    "grid": (1, MAX_PANELS, grid),
    "splash": (1, 4, splash),
    "inset": (2, 4, inset),
    "tall": (4, 5, tall),
    "wide": (3, 5, wide),
    "slanted": (2, 9, slants),
    "bleed": (1, MAX_PANELS, bleed),
    "strip": (1, 5, strip),
}
_IN_A_COLUMN = ("auto", "strip")  # what a webtoon's single column can be


def template_names() -> tuple[str, ...]:
    """Every template's name, `auto` first."""
    return tuple(_TEMPLATES)


def templates_for(count: int) -> tuple[str, ...]:
    """The templates that can hold `count` panels."""
    return tuple(name for name, (low, high, _) in _TEMPLATES.items() if low <= count <= high)


@lru_cache(maxsize=2048)
def arrange_page(
    template: str,
    views: tuple[View, ...],
    page_size: str,
    reading_direction: str = "ltr",
    own: tuple[Box, ...] = (),
) -> Arrangement:
    """The frames of one page, in reading order. "rtl" is the mirror image of "ltr". Deterministic.

    Args:
        template: one of `template_names()`; left aside where there are boxes of the story's own.
        views: what each panel shows.
        page_size: one of `PAGE_SIZES`.
        reading_direction: "ltr" or "rtl".
        own: the story's boxes as fractions of the page, as they stand there in both directions; or none.

    Raises:
        StoryError: no such template, page size or direction, a template that cannot hold so many panels, or
            boxes that no page can have.
    """
    if reading_direction not in ("ltr", "rtl"):
        raise StoryError(f"the reading direction is {reading_direction!r}; expected ltr or rtl")
    if page_size not in PAGE_SIZES:
        raise StoryError(f"page size {page_size!r} is not known; expected one of {', '.join(PAGE_SIZES)}")
    form = _form(template, len(views))
    if page_size == WEBTOON:
        if own or template not in _IN_A_COLUMN:
            asked = "own boxes" if own else f"template {template!r}"
            raise StoryError(
                f"a webtoon is one column and takes no {asked}; expected {' or '.join(_IN_A_COLUMN)}, "
                "or another page size"
            )
        return webtoon(views, WEBTOON_WIDTH_MM * MM_TO_POINTS)
    width, height = PAGE_SIZES_MM[page_size]
    if own:
        frames = own_frames(own, len(views), width, height)
    else:
        frames = form(views, width * MM_TO_POINTS, height * MM_TO_POINTS)
        if reading_direction == "rtl":
            frames = tuple(frame.mirrored() for frame in frames)
    return Arrangement(width=width * MM_TO_POINTS, height=height * MM_TO_POINTS, frames=frames)


def _form(template: str, count: int) -> Form:
    if template not in _TEMPLATES:
        raise StoryError(f"template {template!r} is not known; expected one of {', '.join(_TEMPLATES)}")
    low, high, form = _TEMPLATES[template]
    if not low <= count <= high:
        fitting = ", ".join(templates_for(count))
        advice = f"for {count} use {fitting}" if fitting else f"a page holds 1 to {MAX_PANELS} panels"
        raise StoryError(f"template {template!r} holds {low} to {high} panels and got {count}; {advice}")
    return form
