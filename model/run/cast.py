"""The cast of a run and the characters of its library meet here: who keeps the reference they have, and
which one it is.

A reference that was rehearsed belongs to the story that rehearsed it: its seed and settings decide it, run
after run. Other stories of the library take it over, as long as name, variant, description, style and weights
are the same. What a person gave or approved holds for every description and for all weights. A story's own
pictures come before both, unless a person chose something else since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from model.errors import IntegrityError, StoryError
from model.files import BlobId
from model.memory.characters.database import Characters
from model.memory.characters.looks import Candidate, Character, Look
from model.memory.store.library import Library
from model.memory.store.words import fold
from model.render.weights import Checkpoint
from model.story.plan import CastMember, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A member of the cast that needs no rehearsal.

    Attributes:
        picture: sha256 of the picture that is drawn with.
        source: "story" (its own picture), or "library".
        note: why it is not as the story says; empty when it is.
    """

    character: int
    picture: BlobId
    source: str
    note: str = ""


def look_of(member: CastMember, plan: Plan, checkpoint: Checkpoint) -> Look:
    """How the library knows a member of the cast.

    Two of one name in one story go by their ids, which tell them apart; the name is an alias then.
    """
    key, _, variant = member.written.partition("/")
    others = [one.name for one in plan.cast if one.written.partition("/")[0] != key]
    shared = fold(member.name) in map(fold, others)
    return Look(
        name=key if shared else member.name,
        aliases=(member.name, *member.aliases) if shared else member.aliases,
        variant=variant,
        description=member.prompt,
        style=plan.style,
        weights=checkpoint.fingerprint,
    )


def recast(member: CastMember, plan: Plan, checkpoint: Checkpoint, library: Library) -> Kept | None:
    """The reference that this member keeps or brings along; None: it is to be rehearsed.

    Raises:
        StoryError: a picture of the story cannot be read.
        IntegrityError: the picture that a person approved is gone.
        StorageError: the disk refuses.
    """
    characters, look = Characters(library), look_of(member, plan, checkpoint)
    if member.references:
        pictures = [_picture(member, number, library) for number in range(len(member.references))]
        own = replace(look, style="", weights="")
        character = characters.given(own, story=plan.key, pictures=pictures)
        stays = character.pictures[0] != pictures[0]
        note = f"cast: {member.name} keeps the {_chosen(character)}, not the story's picture" if stays else ""
        source = "library" if stays else "story"
        return Kept(character=character.id, picture=character.pictures[0], source=source, note=note)
    character = characters.find(look)
    if character is None or (not character.approved and character.story == plan.key):
        return None
    try:
        library.load(character.pictures[0])
    except IntegrityError as error:
        if not character.approved:
            return None
        raise IntegrityError(
            f"the reference of {character.title}: {error}; or go back to the one before: "
            f"run.py characters undo {character.id}"
        ) from error
    # Before it learns this story's description.
    note = _difference(character, look)
    characters.learn(character, look)
    return Kept(character=character.id, picture=character.pictures[0], source="library", note=note)


def keep_rehearsal(
    member: CastMember,
    plan: Plan,
    checkpoint: Checkpoint,
    library: Library,
    *,
    picture: BlobId,
    candidates: Sequence[BlobId],
    similarities: Sequence[float],
) -> int:
    """Keep what was chosen for a member, and from what; returns the character's number."""
    drawn = [
        Candidate(picture=one, similarity=value) for one, value in zip(candidates, similarities, strict=True)
    ]
    look = look_of(member, plan, checkpoint)
    return Characters(library).rehearsed(look, story=plan.key, picture=picture, candidates=drawn).id


def _chosen(character: Character) -> str:
    return f"{'pinned' if character.pinned else 'approved'} reference {character.pictures[0][:12]}"


def _difference(character: Character, look: Look) -> str:
    """A note when somebody keeps a reference that this story would not have come to."""
    own, name = character.look, look.name
    if character.approved:
        reasons: list[str] = []
        if own.description and fold(own.description) != fold(look.description):
            reasons.append(f"it was made for “{own.description}”")
        if own.style not in ("", look.style):
            reasons.append(f"in the style “{own.style}”")
        advice = f"run.py characters remove {character.id} lets {name} be rehearsed"
        return (
            f"cast: {name} keeps the {_chosen(character)}; {', '.join(reasons)}; {advice}" if reasons else ""
        )
    return f"cast: {name} keeps the look of {character.story}"


def _picture(member: CastMember, number: int, library: Library) -> BlobId:
    """One of the story's own pictures, as it is, in the library."""
    path = member.references[number]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoryError(
            f"{path}: the reference of {member.name} cannot be read ({error.strerror})"
        ) from error
    return library.store(data)
