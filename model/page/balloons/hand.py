"""Hand: how a book is lettered, as all of its lines are.

In: a book. Out: its faces, language, capitals, writing. Knows nothing of single lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from model.page.type.faces import Faces, house_faces
from model.page.type.unicode import leans
from model.page.values import Book

# French sets spaces before signs and inside guillemets; they are narrow, or at least never broken.
_FRENCH = (
    (re.compile(r"(?<=\S) (?=\*{0,3}[?!;]+)"), "\u202f"),
    (re.compile(r"(?<=\S) (?=\*{0,3}[:»])|(?<=«) (?=\S)"), "\u00a0"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """The faces that letter a book, the language that hyphenates it, and two ways of its script."""

    faces: Faces
    language: str = "en"
    capitals: bool = False
    vertical: bool = False

    @property
    def leans(self) -> bool:
        """Whether whole balloons lean: its script has italics. Single words may lean in any script."""
        return leans(self.language)

    def written(self, text: str) -> str:
        """The text as it is lettered: in capitals if the hand is one of capitals, French signs close."""
        language = self.language.lower().split("-")[0]
        if language == "fr":
            for spaced, held in _FRENCH:
                text = spaced.sub(held, text)
        if not self.capitals:
            return text
        if language in ("tr", "az"):
            text = text.replace("i", "İ")  # a Turkish i keeps its dot
        return text.upper()


def hand_of(book: Book, faces: Faces | None = None) -> Hand:
    """The hand that letters a book; its faces are this machine's when None are given.

    Raises:
        StoryError: the book names a font that is not on this machine.
    """
    return Hand(
        faces=faces or house_faces(book.font),
        language=book.language,
        capitals=book.capitals,
        vertical=book.vertical,
    )
