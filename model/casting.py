"""The cast of a run and the characters of its library meet here: who keeps the reference they have, and
where everybody was seen.

A reference that was rehearsed belongs to the story that rehearsed it: its seed and settings decide it, run
after run. Other stories of the library take it over, as long as name, variant, description, style and weights
are the same. What a person gave or approved holds for every description and for all weights. A story's own
pictures come before both, unless a person chose something else since.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from model.drawing import Drawn
from model.errors import IntegrityError, StoryError
from model.memory.cast import Candidate, Character, Look
from model.memory.characters import Characters
from model.memory.library import Library
from model.memory.panels import Embedding
from model.memory.sightings import NewSighting, Sightings
from model.memory.words import fold
from model.render.weights import Checkpoint
from model.resident import Resident
from model.story.plan import CastMember, Plan
from model.vision.judge import Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A member of the cast that needs no rehearsal.

    Attributes:
        picture: sha256 of the picture that is drawn with.
        source: "story" (its own picture), or "library".
        note: why it is not as the story says; empty when it is.
    """

    character: int
    picture: str
    source: str
    note: str = ""


def look_of(member: CastMember, plan: Plan, checkpoint: Checkpoint) -> Look:
    """How the library knows a member of the cast.

    Two of one name in one story go by their ids, which tell them apart; the name is an alias then.
    """
    key, _, variant = member.key.partition("/")
    others = [one.name for one in plan.cast if one.key.partition("/")[0] != key]
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
        character = characters.given(own, story=plan.slug, pictures=pictures)
        stays = character.pictures[0] != pictures[0]
        note = f"cast: {member.name} keeps the {_chosen(character)}, not the story's picture" if stays else ""
        source = "library" if stays else "story"
        return Kept(character=character.id, picture=character.pictures[0], source=source, note=note)
    character = characters.find(look)
    if character is None or (not character.approved and character.story == plan.slug):
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
    picture: str,
    candidates: Sequence[str],
    similarities: Sequence[float],
) -> int:
    """Keep what was chosen for a member, and from what; returns the character's number."""
    drawn = [
        Candidate(picture=one, similarity=value) for one, value in zip(candidates, similarities, strict=True)
    ]
    look = look_of(member, plan, checkpoint)
    return Characters(library).rehearsed(look, story=plan.slug, picture=picture, candidates=drawn).id


def keep_sightings(
    plan: Plan,
    cast: Mapping[str, tuple[int, str]],
    drawn: Mapping[str, Drawn],
    *,
    accepted: Collection[str],
    models: Resident,
    library: Library,
) -> str:
    """Offer the crops of accepted panels as pictures of their characters; on disk when this returns.

    Args:
        cast: key of a member → its character's number, and sha256 of its reference.
        drawn: panel id → the picture that is used.
        accepted: ids of the panels whose picture was accepted; nobody was seen in the others.
    Returns:
        One line on what was kept, and what was not and why; empty when nobody was looked for.
    Raises:
        StorageError: the disk refuses.
    """
    limit = models.checkpoint.identity
    sightings = Sightings(library)
    seen: list[tuple[NewSighting, Measured, int, str]] = []
    for panel in plan.panels:
        measured = drawn[panel.id].measured
        if panel.id not in accepted or measured is None:
            continue
        for index, figure in enumerate(panel.figures):
            character, reference = cast[figure.character]
            sighting = measured.sightings[index]
            if not sighting.crop or not reference:
                continue
            one = NewSighting(
                character=character,
                crop=sighting.crop,
                panel=drawn[panel.id].key,
                place=f"{plan.slug} {panel.id}",
                similarity=sighting.identity or 0.0,
                quality=0.0,
            )
            seen.append((one, measured, index, reference))
    unknown = sightings.unknown([one for one, *_ in seen])
    new: list[NewSighting] = []
    doubted: dict[str, int] = {}
    for one, measured, index, reference in seen:
        if one not in unknown:
            continue
        value, doubt = _gate(measured, index, reference, limit, models, library)
        if doubt:
            doubted[doubt] = doubted.get(doubt, 0) + 1
        else:
            new.append(replace(one, quality=round(value, 4)))
    if new:
        vectors = models.encoder.encode_images([_opened(one.crop, library) for one in new])
        placed = [Embedding(space=models.space, vector=vector.astype("<f2")) for vector in vectors]
        sightings.add([replace(one, embedding=place) for one, place in zip(new, placed, strict=True)])
    parts = [f"{len(new)} sightings offered"] if new else []
    parts += [f"{len(seen) - len(unknown)} there already"] if len(seen) > len(unknown) else []
    parts += [f"{count} not offered: {why}" for why, count in sorted(doubted.items())]
    return f"characters: {'; '.join(parts)}" if parts else ""


def _gate(
    measured: Measured, index: int, reference: str, limit: float | None, models: Resident, library: Library
) -> tuple[float, str]:
    """The quality of a sighting, and why it is not offered; "" when it is."""
    from model.vision.quality import LEAST, quality

    sighting = measured.sightings[index]
    if sighting.box is None or sighting.identity is None or limit is None:
        return 0.0, "identity cannot be judged with these weights"
    if sighting.identity < limit:
        return 0.0, f"identity below {limit:.2f}"
    if measured.found != len(measured.sightings):
        return 0.0, "others in the panel"
    found = quality(
        _opened(sighting.crop, library),
        _opened(reference, library),
        box=sighting.box,
        neighbours=[one.box for i, one in enumerate(measured.sightings) if one.box and i != index],
        overlap=sighting.overlap,
        side=models.checkpoint.reference,
    )
    return found.value, "" if found.value >= LEAST else f"{found.weakest} below {LEAST}"


def _opened(picture: str, library: Library) -> Image.Image:
    with Image.open(io.BytesIO(library.load(picture))) as opened:
        return opened.convert("RGB")


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


def _picture(member: CastMember, number: int, library: Library) -> str:
    """One of the story's own pictures, as it is, in the library."""
    path = member.references[number]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoryError(
            f"{path}: the reference of {member.name} cannot be read ({error.strerror})"
        ) from error
    return library.store(data)
