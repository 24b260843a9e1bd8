"""`run.py characters …`: the characters of a library, their references, and a person's decisions.

In: parsed flags. Out: lines for a person, or with --json one object for a program; an exit code. Models are
loaded only by `add`, to cut figures out, and by `sightings --like`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from model.commands.answers import Answer, library_of, positive, tell
from model.commands.characters_parser import (
    facts_of,
    find_character,
    line_of,
    matching,
    near,
    one_of,
    parser,
    row_of,
)
from model.errors import ConfigError

if TYPE_CHECKING:
    from model.memory.characters.looks import Character
    from model.memory.characters.sightings import Seen
    from model.memory.store.library import Library

__all__ = ["parser", "run"]


def run(flags: argparse.Namespace) -> int:
    """Run an action.

    Raises:
        ConfigError: it cannot be done; the message says what can.
        StorageError, IntegrityError, WeightsMissing: see `Library` and `Models`.
    """
    with library_of(flags, new=flags.action == "add") as library:
        return tell(ACTIONS[flags.action](flags, library), flags)


def _list(flags: argparse.Namespace, library: Library) -> Answer:
    from model.memory.characters.database import Characters

    everybody = Characters(library).all()
    lines = [line_of(one) for one in everybody] or [
        "nobody is known yet; drawing a story introduces its cast"
    ]
    return Answer(facts={"characters": [facts_of(one, library) for one in everybody]}, lines=lines)


def _show(flags: argparse.Namespace, library: Library) -> Answer:
    from model.memory.characters.database import Characters
    from model.memory.characters.sightings import Sightings

    characters = Characters(library)
    one = find_character(flags, characters)
    versions, seen = characters.versions(one.id), Sightings(library).of(one.id)
    facts = facts_of(one, library)
    facts["versions"] = [asdict(version) for version in versions]
    facts["sightings"] = len(seen)
    lines = [line_of(one), f"  {one.look.description or 'no description'}"]
    if one.look.aliases:
        lines.append(f"  also: {', '.join(one.look.aliases)}")
    lines += [f"  reference {number}: {path}" for number, path in enumerate(facts["references"], 1)]
    lines += [
        f"  candidate {row['number']}: {row['path']}  similarity {row['similarity']:.3f}"
        for row in facts["candidates"]
    ]
    lines += [
        f"  version {version.id}: {version.why}{' (now)' if version == one.version else ''}"
        for version in versions
    ]
    lines.append(f"  {len(seen)} sightings offered")
    if flags.out is not None:
        facts["written"] = _write(one, library, flags.out)
        lines += facts["written"]
    return Answer(facts=facts, lines=lines)


def _write(one: Character, library: Library, out: Path) -> list[str]:
    """Copies that a picture viewer opens."""
    from model.files import write_bytes

    pictures = {f"reference_{number}": picture for number, picture in enumerate(one.pictures, 1)}
    pictures |= {f"candidate_{number}": one.picture for number, one in enumerate(one.candidates, 1)}
    for name, picture in pictures.items():
        write_bytes(out / f"{name}.png", library.load(picture))
    return [str(out / f"{name}.png") for name in pictures]


def _add(flags: argparse.Namespace, library: Library) -> Answer:
    from model.memory.characters.database import Characters
    from model.memory.characters.looks import Look
    from model.run.portrait import read_portrait
    from model.studio import Studio
    from model.terminal import Terminal

    characters = Characters(library)
    said = {name: getattr(flags, name) for name in ("model", "detector", "segmenter", "library")}
    with Terminal() as terminal, Studio.open(events=terminal, **said) as studio:
        models = studio.models
        made = [read_portrait(path, None if flags.whole else models) for path in flags.pictures]
    pictures = [library.store(data) for data, _ in made]
    known = matching(flags, characters)
    one = one_of(known, flags) if known else None
    look = Look(
        name=flags.name,
        aliases=tuple(flags.alias),
        variant=flags.variant or "",
        description=flags.description or "",
    )
    if one is None:
        one = characters.introduce(look)
    else:
        characters.learn(one, look)
    kept = (*one.pictures, *pictures) if flags.also else pictures
    one = characters.choose(one.id, list(dict.fromkeys(kept)), "user", "given by hand")
    if flags.pin:
        one = characters.pin(one.id)
    lines = [f"{path}: {how}" for path, (_, how) in zip(flags.pictures, made, strict=True)]
    return Answer(
        facts={**facts_of(one, library), "made": [how for _, how in made]}, lines=[*lines, line_of(one)]
    )


def _approve(flags: argparse.Namespace, library: Library) -> Answer:
    from model.memory.characters.database import Characters
    from model.memory.characters.sightings import Sightings
    from model.pictures import stored_picture
    from model.render.png import encode
    from model.vision.crop import cut_out

    characters = Characters(library)
    one = find_character(flags, characters)
    if flags.candidate is not None:
        if not 1 <= flags.candidate <= len(one.candidates):
            raise ConfigError(
                f"--candidate: {one.title} has {len(one.candidates)} candidates, found {flags.candidate}; "
                f"`run.py characters show {one.id}` numbers them"
            )
        whole = stored_picture(library.load(one.candidates[flags.candidate - 1].picture))
        picture = library.store(encode(cut_out(whole)))
        one = characters.choose(one.id, [picture], "rehearsal", f"candidate {flags.candidate} approved")
    elif flags.sighting is not None:
        seen = Sightings(library).get(flags.sighting)
        if seen is None or seen.character != one.id:
            raise ConfigError(
                f"--sighting: {one.title} has no sighting {flags.sighting}; "
                f"`run.py characters sightings {one.id}` lists them"
            )
        library.load(seen.crop)
        one = characters.choose(one.id, [seen.crop], "sighting", f"sighting {seen.id} approved")
    elif one.pictures and one.version:
        one = characters.choose(one.id, one.pictures, one.source, "approved")
    else:
        raise ConfigError(f"characters approve: {one.title} has no reference; add one, or draw its story")
    if flags.pin or flags.unpin:
        one = characters.pin(one.id, not flags.unpin)
    return Answer(
        facts=facts_of(one, library),
        lines=[line_of(one), "the next run draws the panels that used another reference"],
    )


def _remove(flags: argparse.Namespace, library: Library) -> Answer:
    from model.memory.characters.database import Characters
    from model.memory.characters.sightings import Sightings

    characters = Characters(library)
    one = find_character(flags, characters)
    if flags.sighting:
        sightings = Sightings(library)
        own = {seen.id for seen in sightings.of(one.id)}
        unknown = sorted(set(flags.sighting) - own)
        if unknown:
            raise ConfigError(
                f"--sighting: {one.title} has no sighting {unknown[0]}; "
                f"`run.py characters sightings {one.id}` lists them"
            )
        count = sightings.remove(flags.sighting)
        return Answer(
            facts={"removed_sightings": count, **facts_of(one, library)},
            lines=[f"{count} sightings of {one.title} gone"],
        )
    if flags.forever:
        characters.forget(one.id)
        return Answer(
            facts={"forgotten": one.id}, lines=[f"{one.title} is forgotten, with all versions and sightings"]
        )
    one = characters.remove(one.id)
    return Answer(facts=facts_of(one, library), lines=[f"{one.title} has no reference; undo brings it back"])


def _undo(flags: argparse.Namespace, library: Library) -> Answer:
    from model.memory.characters.database import Characters

    characters = Characters(library)
    one = find_character(flags, characters)
    back = characters.undo(one.id)
    if back is None:
        raise ConfigError(f"characters undo: there is nothing to undo for {one.title}")
    return Answer(facts=facts_of(back, library), lines=[line_of(back)])


def _sightings(flags: argparse.Namespace, library: Library) -> Answer:
    from model.memory.characters.database import Characters
    from model.memory.characters.sightings import Sightings

    if (flags.like is None) == (flags.name is None):
        raise ConfigError("characters sightings: give a NAME, or --like PICTURE")
    positive("--k", flags.k)
    if flags.like is not None:
        found = _nearest(flags, library)
    else:
        one = find_character(flags, Characters(library))
        found = [(seen, None) for seen in Sightings(library).of(one.id, flags.k)]
    rows = [row_of(seen, cosine, library) for seen, cosine in found]
    titles = {one.id: one.title for one in Characters(library).all()}
    lines = [
        f"{row['id']}  {titles[row['character']]}  {row['place']}  similarity {row['similarity']:.3f}, "
        f"quality {row['quality']:.2f}{near(row['cosine'])}  {row['path']}"
        for row in rows
    ]
    return Answer(facts={"sightings": rows}, lines=lines or ["no sightings"])


def _nearest(flags: argparse.Namespace, library: Library) -> Sequence[tuple[Seen, float | None]]:
    from model.run.portrait import read_portrait
    from model.run.sightings import nearest_sightings
    from model.studio import Studio
    from model.terminal import Terminal

    data, _ = read_portrait(flags.like, None)
    with (
        Terminal() as terminal,
        Studio.open(events=terminal, model=flags.model, library=flags.library) as studio,
    ):
        return nearest_sightings(data, flags.k, models=studio.models, library=library)


ACTIONS: dict[str, Callable[[argparse.Namespace, Library], Answer]] = {
    "list": _list,
    "show": _show,
    "add": _add,
    "approve": _approve,
    "remove": _remove,
    "undo": _undo,
    "sightings": _sightings,
}
