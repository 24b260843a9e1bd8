"""The cast of a book: each look's reference, the candidates of its rehearsal, its versions, where it was
seen.

In: a book, a look, a person's choice. Out: the same as views. Choices are kept in the character database, as
`run.py characters` keeps them. No network is loaded: a picture that is given is taken whole.
"""

from __future__ import annotations

from model.errors import ConfigError
from model.files import BlobId
from model.memory.characters.database import Characters
from model.memory.characters.looks import Character
from model.memory.characters.sightings import Sightings
from model.pictures import read_picture, stored_picture
from model.run.cast import look_of
from model.story.plan import CastMember
from model.web import schemas as s
from model.web.state import House, Sight


def cast_view(house: House, book: str) -> s.CastView:
    """Every look that the book needs."""
    sight = house.sight(book)
    return s.CastView(looks=[look_view(house, sight, member) for member in sight.drawn.plan.cast])


def look_view(house: House, sight: Sight, member: CastMember) -> s.LookView:
    """One look."""
    characters = Characters(house.library)
    one = _character(house, sight, member)
    key, _, variant = member.written.partition("/")
    story = sight.state.story.characters.get(key)
    words = (story.variants.get(variant, "") if variant else story.description) if story else ""
    record = sight.drawn.record
    run = record.cast.get(member.key) if record else None
    picture = sight.drawn.pictures.get(member.key, "")
    versions = characters.versions(one.id) if one else ()
    candidates = [(one.picture, one.similarity) for one in one.candidates] if one else []
    chosen = run.candidates[run.chosen] if run and run.candidates and run.chosen < len(run.candidates) else ""
    return s.LookView(
        key=member.key,
        id=key,
        variant=variant,
        name=member.name,
        words=words,
        prompt=member.prompt,
        character=one.id if one else 0,
        picture=picture if picture and house.library.blob_path(BlobId(picture)).is_file() else "",
        source=one.source if one else "",
        approved=one.approved if one else False,
        pinned=one.pinned if one else False,
        candidates=[
            s.CandidateView(picture=blob, similarity=round(similarity, 4), chosen=blob == chosen)
            for blob, similarity in candidates
        ],
        versions=[
            s.VersionView(
                version=version.id,
                picture=version.pictures[0] if version.pictures else "",
                source=version.source,
                why=version.why,
                time=version.created,
                current=one is not None and version.id == one.version_id,
            )
            for version in versions
        ],
        seen=_seen(sight, member),
        note=run.note if run else "",
    )


def approve(house: House, book: str, key: str, variant: str, picture: BlobId) -> s.LookView:
    """Let a look have a picture from now on: a candidate, one of a version, or a crop of this book.

    Raises:
        ConfigError: it is none of these.
    """
    from model.render.png import encode
    from model.vision.crop import cut_out

    sight, member = _find(house, book, key, variant)
    one = _character(house, sight, member)
    if one is None:
        raise ConfigError(f"{member.name}: has no reference yet; rehearse the cast, or drop in a picture")
    characters = Characters(house.library)
    candidates = [candidate.picture for candidate in one.candidates]
    if picture in candidates:
        kept = house.library.store(encode(cut_out(stored_picture(house.library.load(picture)))))
        characters.choose(one.id, [kept], "rehearsal", f"candidate {candidates.index(picture) + 1} approved")
    elif any(picture in version.pictures for version in characters.versions(one.id)):
        characters.choose(one.id, [picture], one.source if one.pictures else "user", "approved")
    elif picture in {seen.crop for seen in Sightings(house.library).of(one.id)} | {
        view.crop for view in _seen(sight, member)
    }:
        house.library.load(picture)
        characters.choose(one.id, [picture], "sighting", "a sighting approved")
    else:
        raise ConfigError(
            f"{member.name}: picture {picture[:12]} is none of its own; choose a candidate or a crop"
        )
    return _changed(house, book, key, variant)


def pin(house: House, book: str, key: str, variant: str, pinned: bool) -> s.LookView:
    """Let a reference stay, whatever a story says; or no longer."""
    sight, member = _find(house, book, key, variant)
    one = _character(house, sight, member)
    if one is None or not one.pictures:
        raise ConfigError(f"{member.name}: has no reference yet; rehearse the cast, or drop in a picture")
    Characters(house.library).pin(one.id, pinned)
    return _changed(house, book, key, variant)


def undo(house: House, book: str, key: str, variant: str) -> s.LookView:
    """Back to the reference before."""
    sight, member = _find(house, book, key, variant)
    one = _character(house, sight, member)
    if one is None or Characters(house.library).undo(one.id) is None:
        raise ConfigError(f"{member.name}: there is nothing to undo")
    return _changed(house, book, key, variant)


def give(house: House, book: str, key: str, variant: str, data: bytes) -> s.LookView:
    """Let a look have a picture that a person brings.

    Raises:
        BadPicture: it is none, or too large.
    """
    from model.render.png import encode

    sight, member = _find(house, book, key, variant)
    kept = house.library.store(encode(read_picture(data).convert("RGB")))
    characters = Characters(house.library)
    look = look_of(member, sight.drawn.plan, house.outline(book))
    one = _character(house, sight, member) or characters.introduce(look)
    characters.choose(one.id, [kept], "user", "given by hand")
    return _changed(house, book, key, variant)


def _find(house: House, book: str, key: str, variant: str) -> tuple[Sight, CastMember]:
    sight = house.sight(book)
    wanted = f"{key}/{variant}" if variant else key
    for member in sight.drawn.plan.cast:
        if member.key == wanted:
            return sight, member
    raise KeyError(wanted)


def _character(house: House, sight: Sight, member: CastMember) -> Character | None:
    look = look_of(member, sight.drawn.plan, house.outline(sight.state.name))
    characters = Characters(house.library)
    found = characters.find(look)
    if found is None and sight.drawn.record and (run := sight.drawn.record.cast.get(member.key)):
        known = characters.get(run.character) if run.character else None
        return known if known and known.look.names.keys() & look.names.keys() else None
    return found


def _seen(sight: Sight, member: CastMember) -> list[s.SeenView]:
    record = sight.drawn.record
    return [
        s.SeenView(panel=panel.id, crop=seen.crop, identity=seen.identity)
        for panel in (record.panels if record else ())
        for who, seen in panel.sightings.items()
        if who == member.key and seen.crop
    ]


def _changed(house: House, book: str, key: str, variant: str) -> s.LookView:
    house.moved("")
    house.hub.send("cast", {"book": book})
    sight, member = _find(house, book, key, variant)
    return look_view(house, sight, member)
