"""A sheet: one page described once, in points, for any canvas to draw.

In: a book and one of its pages. Out: panels with their frames, the part of each picture that shows, and
their balloons. Pixels and PDF draw the same sheet. Of the pictures only the headers are read.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from model import pictures
from model.errors import IntegrityError, StoryError
from model.geometry import Box
from model.page.balloons.hand import hand_of
from model.page.balloons.lettering import letter_panel
from model.page.balloons.placed import Balloon
from model.page.layout.cropping import crop
from model.page.layout.frames import Arrangement, Frame
from model.page.layout.templates import WEBTOON, arrange_page
from model.page.layout.tiers import View
from model.page.plane import Point, Rect
from model.page.type.faces import Faces
from model.page.values import Book, PageArt, PanelArt

WHOLE = Box(0.0, 0.0, 1.0, 1.0)
_SAFE = 14.0  # points from the trimmed edge that words keep


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPanel:
    """One panel on the sheet: its frame in points, the shown part of its picture, its balloons.

    `frame` bounds what shows, and `window` of the picture fills it; `corners`, from the top left one round,
    are what the picture is cut along and what the line follows: they are not the frame's own when gutters
    slant. An `inset` stands on an earlier panel, with a little white around it. Frames that bleed reach
    beyond the sheet, which cuts them.
    """

    art: PanelArt
    frame: Rect
    window: Box
    balloons: tuple[Balloon, ...]
    corners: tuple[Point, Point, Point, Point]
    inset: bool = False

    @property
    def upright(self) -> bool:
        """Whether the corners are those of the frame."""
        return self.corners == self.frame.corners


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One page, `width` × `height` points. `notes` say what could not be had, such as a missing glyph.

    `numbered`: its number is printed; a page that scrolls has none.
    """

    number: int
    width: float
    height: float
    panels: tuple[SheetPanel, ...]
    notes: tuple[str, ...] = ()
    numbered: bool = True


def lay_out(book: Book, page: PageArt, faces: Faces | None = None, *, pictures: bool = True) -> Sheet:
    """Describe one page of a book.

    Args:
        book: gives page size and reading direction.
        page: what stands on it.
        faces: what to letter with; this machine's when None.
        pictures: False leaves pictures aside, for a plan of the page.

    Raises:
        StoryError: the template cannot hold the panels, or a text cannot be set legibly in its panel.
        IntegrityError: a picture is missing or unreadable.
    """
    hand = hand_of(book, faces)
    views = tuple(View(shot=panel.shot, emphasis=panel.emphasis) for panel in page.panels)
    try:
        arranged = arrange_page(page.template, views, book.page_size, book.reading_direction, page.frames)
    except StoryError as error:
        raise StoryError(f"page {page.number}: {error}") from error
    paper = Rect(0.0, 0.0, arranged.width, arranged.height)
    panels: list[SheetPanel] = []
    notes: list[str] = []
    for index, (art, place) in enumerate(zip(page.panels, arranged.frames, strict=True)):
        slot = paper.placed(place.box)
        shown = art if pictures else replace(art, picture=None)
        frame, window = slot, WHOLE
        if shown.picture is not None:
            frame, window = crop(picture_size(shown.picture), slot, shown.figures, shown.shot)
        room = _room(index, arranged, paper, frame)
        lettering = letter_panel(shown, frame, window, book.reading_direction, hand, room)
        panels.append(
            SheetPanel(
                art=shown,
                frame=frame,
                window=window,
                balloons=lettering.balloons,
                corners=_within(frame, place),
                inset=place.over is not None,
            )
        )
        notes += lettering.notes
    return Sheet(
        number=page.number,
        width=arranged.width,
        height=arranged.height,
        panels=tuple(panels),
        notes=tuple(notes),
        numbered=book.page_size != WEBTOON,
    )


def _within(frame: Rect, place: Frame) -> tuple[Point, Point, Point, Point]:
    """A place's corners, in the frame that was made of its box."""
    if place.upright:
        return frame.corners
    box = place.box
    one, two, three, four = (
        Point(
            frame.x + (x - box.x) / box.width * frame.width,
            frame.y + (y - box.y) / box.height * frame.height,
        )
        for x, y in place.corners
    )
    return one, two, three, four


def _room(index: int, arranged: Arrangement, paper: Rect, frame: Rect) -> Rect:
    """Where a panel's balloons may stand: off the trim, between its corners, beside its insets."""
    place = arranged.frames[index]
    corners = _within(frame, place)
    left, top = max(corners[0].x, corners[3].x), max(corners[0].y, corners[1].y)
    right, bottom = min(corners[1].x, corners[2].x), min(corners[2].y, corners[3].y)
    room = Rect(left, top, right - left, bottom - top).shared(paper.inset(_SAFE))
    covered = [paper.placed(other.box) for other in arranged.frames if other.over == index]
    for rect in covered:
        room = max(_beside(room, rect), key=lambda part: part.width * part.height)
    return room


def _beside(room: Rect, rect: Rect) -> tuple[Rect, ...]:
    """What is left of a room above, left of, right of and below a rectangle."""
    return (
        room.shared(Rect(room.x, room.y, room.width, rect.y - room.y)),
        room.shared(Rect(room.x, room.y, rect.x - room.x, room.height)),
        room.shared(Rect(rect.right, room.y, room.right - rect.right, room.height)),
        room.shared(Rect(room.x, rect.bottom, room.width, room.bottom - rect.bottom)),
    )


def picture_size(picture: Path) -> tuple[int, int]:
    """Width and height of a picture file in pixels, from its header."""
    with _readable(picture):
        return pictures.picture_size(picture, pictures.OWN)


def open_picture(picture: Path) -> Image.Image:
    """A panel's picture, or a page's, decoded.

    Raises:
        IntegrityError: the file is missing, no picture, or cut off.
    """
    with _readable(picture):
        return pictures.read_picture(picture, pictures.OWN)


@contextmanager
def _readable(picture: Path) -> Generator[None]:
    """Say which picture it was when reading one fails inside."""
    try:
        yield
    except pictures.BadPicture as bad:
        raise IntegrityError(
            f"picture {picture} of the book: found {bad.found}; draw the story again to replace it"
        ) from bad
