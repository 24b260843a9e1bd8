"""What the page room is given: a book of pages of drawn panels with the words that go into them.

In: pictures by path, words by kind, places as boxes. Knows nothing of stories, prompts or models; whoever
has those turns them into these values.

Words may carry marks of emphasis (`*so*` italic, `**so**` bold): `plain` of `emphasis.py` takes them off, for
whatever shows a line as text. A page's frames need not be upright, and one may stand on another: what draws a
sheet follows `SheetPanel.corners`, and draws panels in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model.errors import StoryError
from model.geometry import Box

LINE_KINDS = ("speech", "thought", "shout", "whisper", "narration", "sfx")
READING_DIRECTIONS = ("ltr", "rtl")
WRITINGS = ("auto", "horizontal", "vertical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One utterance. `speaker` is the speaker's box in fractions of the panel's picture, None when unseen.

    `at` holds the middle of its balloon, in fractions of the frame. `number` is its place among the panel's
    lines, which its balloons carry on; -1: a caption.
    """

    text: str
    kind: str = "speech"
    speaker: Box | None = None
    at: tuple[float, float] | None = None
    number: int = -1

    def __post_init__(self) -> None:
        if self.kind not in LINE_KINDS:
            raise StoryError(f"a line has the kind {self.kind!r}; expected one of {', '.join(LINE_KINDS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelArt:
    """One panel: its picture (None when it could not be drawn), its words, and where its figures are.

    `figures` are boxes in fractions of the picture, `names` their names (only layout pages show them) and
    `scene` the words a layout page prints in place of a picture. `alt` tells a reader who cannot see it.
    `shot` (wide, medium, close-up) and `emphasis` (low, normal, high) are what the panel asks of its frame.
    """

    id: str
    picture: Path | None = None
    alt: str = ""
    caption: str = ""
    lines: tuple[Line, ...] = ()
    figures: tuple[Box, ...] = ()
    names: tuple[str, ...] = ()
    scene: str = ""
    shot: str = "medium"
    emphasis: str = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageArt:
    """One page: its number, the template that arranges it, its panels in reading order.

    `frames`, when there are any, are the story's own boxes, fractions of the page, instead of a template's.
    """

    number: int
    template: str = "auto"
    panels: tuple[PanelArt, ...] = ()
    frames: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A whole comic. `language` is a BCP 47 tag; `reading_direction` is "ltr" or "rtl".

    `font` is a family's name or the path of a font file, empty for this machine's comic face; `capitals` sets
    everything in capitals; `writing` is "horizontal", "vertical" or "auto" (vertical for Japanese read from
    right to left).
    """

    title: str
    language: str = "en"
    reading_direction: str = "ltr"
    page_size: str = "b5"
    font: str = ""
    capitals: bool = False
    writing: str = "auto"
    pages: tuple[PageArt, ...] = ()

    def __post_init__(self) -> None:
        if self.reading_direction not in READING_DIRECTIONS:
            raise StoryError(
                f"the book's reading direction is {self.reading_direction!r}; expected ltr or rtl"
            )
        if self.writing not in WRITINGS:
            raise StoryError(f"the book's writing is {self.writing!r}; expected {', '.join(WRITINGS)}")

    @property
    def vertical(self) -> bool:
        """Whether its lines run from top to bottom."""
        japanese = self.language.lower().split("-")[0] == "ja"
        return self.writing == "vertical" or (
            self.writing == "auto" and japanese and self.reading_direction == "rtl"
        )
