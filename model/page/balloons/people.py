"""People: where a panel's figures stand on paper, and their heads.

In: a panel, its rectangle on paper, the part of its picture that shows. Out: figures as far as they show,
each with its head. Knows nothing of what they say.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.geometry import Box
from model.page.anatomy import head_of, pose_of
from model.page.plane import Rect, seen_through
from model.page.values import PanelArt

_GLIMPSE = 4.0  # points of a figure that must show for it to count


@dataclass(frozen=True, slots=True)
class Person:
    """One figure on paper, as far as it shows, and its head."""

    figure: Rect
    head: Rect


def people_in(art: PanelArt, frame: Rect, window: Box) -> tuple[Person, ...]:
    """Every figure of a panel of which something shows."""
    found = (person(art, box, frame, window) for box in art.figures)
    return tuple(one for one in found if one is not None)


def person(art: PanelArt, box: Box | None, frame: Rect, window: Box) -> Person | None:
    """The figure in a box of the panel's picture; None when nothing of it shows."""
    if box is None:
        return None
    figure = frame.placed(seen_through(window, box))
    if min(figure.width, figure.height) <= _GLIMPSE:
        return None
    # The whole picture on paper, with what the frame hides: heads are judged from whole figures.
    whole = Rect(
        frame.x - window.x / window.width * frame.width,
        frame.y - window.y / window.height * frame.height,
        frame.width / window.width,
        frame.height / window.height,
    )
    head = head_of(whole.placed(box.clipped()), pose_of(box, art.shot, len(art.figures)))
    shown = head.shared(frame)
    if shown.width * shown.height < 0.3 * head.width * head.height:
        # Whose head is outside speaks from the part that shows.
        head = head_of(figure)
    return Person(figure, head)
