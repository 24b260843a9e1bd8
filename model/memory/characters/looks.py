"""What the character database keeps, as values: a look, the character that has it, its versions.

Knows nothing of SQL, pictures or stories.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from model.files import BlobId
from model.memory.store.words import fold

Source = Literal["user", "story", "rehearsal", "sighting", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Who is looked for.

    Attributes:
        name: as people say it; compared folded (NFKC and case), as the aliases are.
        variant: an outfit or age; empty for the ordinary look.
        description: what it looks like, in words; empty: not said.
        style, weights: what a rehearsal draws it with; empty for a picture that was not drawn here.
    """

    name: str
    aliases: tuple[str, ...] = ()
    variant: str = ""
    description: str = ""
    style: str = ""
    weights: str = ""

    @property
    def names(self) -> dict[str, str]:
        """Folded → as written; the name first."""
        found: dict[str, str] = {}
        for name in (self.name, *self.aliases):
            if fold(name):
                found.setdefault(fold(name), name)
        return found

    @property
    def proper(self) -> bool:
        """Whether the name means one person in every story. A number, or a description that stands for a name
        ("a girl with red hair"), means somebody in its own story only."""
        named, described = fold(self.name), fold(self.description)
        stands_for = described.startswith(named) and (
            self.name[:1].islower() or named.startswith(("a ", "an "))
        )
        return any(letter.isalpha() for letter in named) and not stands_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One drawing of a rehearsal: sha256 of the whole picture, cosine with the description."""

    picture: BlobId
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What a character's reference was from some moment on.

    Attributes:
        parent: the version that undoing this one goes back to; None: to no reference.
        pictures: sha256; the first is drawn with, all of them say who it is. Empty: no reference.
        source: where the first picture comes from.
        approved: a person chose it.
        why: in a few words.
        created: seconds since 1970, UTC.
    """

    id: int
    parent: int | None
    pictures: tuple[BlobId, ...]
    source: Source
    approved: bool
    why: str
    created: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """One look of somebody, and its reference.

    Attributes:
        story: slug of the story whose rehearsal decides the reference while no person does; empty: none.
        pinned: the reference stays, whatever a story says.
        candidates: of the last rehearsal, in the order they were drawn.
        version: the current one; None: there never was a reference.
    """

    id: int
    look: Look
    story: str
    pinned: bool
    candidates: tuple[Candidate, ...]
    version: Version | None

    @property
    def pictures(self) -> tuple[BlobId, ...]:
        """Of the reference; the first is drawn with. Empty: there is none."""
        return self.version.pictures if self.version else ()

    @property
    def source(self) -> Source:
        return self.version.source if self.version else "none"

    @property
    def approved(self) -> bool:
        """A person chose the reference: it holds for other descriptions as well."""
        return bool(self.pictures) and (self.pinned or (self.version is not None and self.version.approved))

    @property
    def version_id(self) -> int:
        """Larger for what was decided later; 0: nothing was."""
        return self.version.id if self.version else 0

    @property
    def title(self) -> str:
        """For messages: "Mika (winter)"."""
        return f"{self.look.name} ({self.look.variant})" if self.look.variant else self.look.name


def best(characters: Iterable[Character], look: Look) -> Character | None:
    """Whose reference `look` keeps, of characters that share its name and variant; None: nobody's.

    The same description comes first: there, what a person gave or approved beats what was rehearsed, and a
    rehearsal counts only if it was drawn in the same style with the same weights. With another description
    only an approved reference is kept, and only by a name that means one person in every story.
    """

    def rank(character: Character) -> tuple[bool, bool, bool, int]:
        own = character.look
        same = fold(own.description) in ("", fold(look.description))
        return same, character.approved, character.source in ("user", "story"), character.version_id

    def serves(character: Character) -> bool:
        own = character.look
        if not character.pictures or fold(own.variant) != fold(look.variant):
            return False
        if fold(own.description) in ("", fold(look.description)):
            drawn_alike = own.style in ("", look.style) and own.weights in ("", look.weights)
            return character.approved or drawn_alike
        return character.approved and look.proper

    return max(filter(serves, characters), key=rank, default=None)
