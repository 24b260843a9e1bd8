"""What a template makes of panels that say nothing of themselves."""

from model.geometry import Box
from model.page.layout.templates import arrange_page
from model.page.layout.tiers import View


def panel_frames(template: str, count: int, page_size: str, reading_direction: str) -> tuple[Box, ...]:
    """What bounds the frames of `count` panels that say nothing of themselves, as fractions of the page."""
    arranged = arrange_page(template, (View(),) * count, page_size, reading_direction)
    return tuple(frame.box for frame in arranged.frames)
