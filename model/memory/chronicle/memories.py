"""The values of the chronicle: what is handed in to be kept, what is kept, what is recalled.

A memory belongs to one panel, or was added by hand; it is made of passages, and each passage has the names of
those who know it. Knows nothing of SQL, ranking or prompts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

# "happened" comes from a caption; "seen" from the picture itself: where, who, doing what.
Kind = Literal["happened", "seen", "said", "thought", "fact"]

# Chapter, page, panel. Chapters are stories in the order of their first run; 0 is before all of them.
Place: TypeAlias = tuple[int, int, int]
END_OF_STORY = 1_000_000  # a page after every page, for what is added by hand after a story


class TextEncoder(Protocol):
    """Texts → vectors of one space: hashed pieces of words, or a sentence model.

    Attributes:
        name: for messages.
        space: id of the space; vectors of different spaces are never compared.
    """

    @property
    def name(self) -> str: ...

    @property
    def space(self) -> str: ...

    def encode_texts(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        """(N, d) float32, rows of length 1, in the order of `texts`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One thing to remember.

    Attributes:
        kind: what happened, was seen, said or thought; or a fact that the story asks to remember.
        text: as it was written.
        speaker: who said or thought it; "" for the others.
        known_by: names of those who may recall it: who was there, and who heard of it.
        context: where and with whom, in words; helps to find it, is never shown.
    """

    kind: Kind
    text: str
    speaker: str = ""
    known_by: tuple[str, ...] = ()
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMemory:
    """A memory to keep.

    Attributes:
        key: names it; a second memory of the same key replaces the first.
        passages: at least one.
        present, told: names of those who were there, and of those who heard of it.
        story: slug of the story; "" when it belongs to none.
        page, panel: from 1, or 0.
        importance: 0 to 1.
        next_session: recalled only by runs that start after it was kept.
    """

    key: str
    passages: tuple[Passage, ...]
    present: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    story: str = ""
    page: int = 0
    panel: int = 0
    importance: float = 0.5
    next_session: bool = False

    @property
    def digest(self) -> str:
        """sha256 of everything it says."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A memory that is kept: as `NewMemory`, with its number, its place and when it was kept.

    Attributes:
        created: seconds since 1970, UTC.
    """

    id: int
    key: str
    passages: tuple[Passage, ...]
    present: tuple[str, ...]
    told: tuple[str, ...]
    story: str
    place: Place
    importance: float
    created: float
    next_session: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """One memory that came to mind.

    Attributes:
        memory: its number.
        kind, speaker: of the passage that answered best.
        text: whole sentences of that passage, as many as the budget allowed.
        score: what it was ranked by; comparable within one recall only.
        cosine: of query and passage in the encoder's space.
        shared: the telling words that query and passage have in common.
    """

    memory: int
    key: str
    kind: Kind
    speaker: str
    text: str
    story: str
    place: Place
    created: float
    score: float
    cosine: float
    shared: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What keeping did: keys by what became of them."""

    stored: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def by_hand(
    text: str,
    *,
    who: Sequence[str] = (),
    told: Sequence[str] = (),
    said_by: str = "",
    after: str = "",
    importance: float = 0.5,
    next_session: bool = False,
) -> NewMemory:
    """A memory that somebody adds in words: a fact, or something said. The same words twice are one memory.

    Args:
        who: those who were there; told: those who heard of it. Nobody else recalls it.
        said_by: who said it, and so was there.
        after: slug of the story after which it happened; "" = before every story, known to all of them.
    """
    present = tuple(dict.fromkeys([*who, *filter(None, [said_by])]))
    passage = Passage(
        kind="said" if said_by else "fact",
        text=text,
        speaker=said_by,
        known_by=tuple(dict.fromkeys([*present, *told])),
    )
    name = hashlib.sha256(json.dumps([text, present, tuple(told), said_by, after]).encode()).hexdigest()
    return NewMemory(
        key=f"added/{name[:16]}",
        passages=(passage,),
        present=present,
        told=tuple(told),
        story=after,
        page=END_OF_STORY if after else 0,
        importance=importance,
        next_session=next_session,
    )
