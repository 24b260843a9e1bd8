"""The parser of `run.py characters`, which character a name means, and how characters are printed.

Knows nothing of what the actions do. Imports nothing heavy.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.commands.answers import parsers, shared_flags
from model.errors import ConfigError

if TYPE_CHECKING:
    from model.memory.characters.database import Characters
    from model.memory.characters.looks import Character
    from model.memory.characters.sightings import Seen
    from model.memory.store.library import Library

ACTIONS: dict[str, str] = {
    "list": "list all characters",
    "show": "show one character: reference, candidates of its rehearsal, versions",
    "add": "use pictures as the reference of a character, known or new",
    "approve": "approve the present reference, a candidate of the rehearsal, or a sighting",
    "remove": "remove the reference, or sightings",
    "undo": "go back to the previous reference",
    "sightings": "list crops from accepted panels, the best first",
}


def parser() -> argparse.ArgumentParser:
    """The parser of `run.py characters`."""
    about = "The characters of one library, and how each of them looks."
    top, made = parsers("characters", about, ACTIONS, shared_flags("the library to use"))
    for name in ("show", "add", "approve", "remove", "undo"):
        made[name].add_argument("name", metavar="NAME", help="a name, an alias, or a number of `list`")
    made["sightings"].add_argument("name", nargs="?", metavar="NAME", help="the character")
    for name in ("show", "add", "approve", "remove", "undo", "sightings"):
        made[name].add_argument("--variant", metavar="NAME", help="an outfit or age, as the story names it")
    made["show"].add_argument("--out", type=Path, metavar="DIR", help="write the pictures there")
    add = made["add"]
    add.add_argument(
        "pictures", nargs="+", type=Path, metavar="PICTURE", help="the first is used for drawing"
    )
    add.add_argument("--alias", action="append", default=[], metavar="NAME", help="may be repeated")
    add.add_argument("--description", metavar="TEXT", help="as in a story (default: the first story's)")
    add.add_argument("--also", action="store_true", help="add them to the present reference")
    add.add_argument("--whole", action="store_true", help="use pictures as they are; cut no figure out")
    for network, does in (("detector", "finds"), ("segmenter", "cuts out")):
        text = f"weights of the network that {does} figures, or none"
        add.add_argument(f"--{network}", default="auto", metavar="PATH", help=text)
    for name in ("add", "sightings"):
        made[name].add_argument(
            "--model", default="starter", metavar="NAME", help="model that measures pictures"
        )
    for name in ("add", "approve"):
        made[name].add_argument("--pin", action="store_true", help="keep it whatever a story says")
    which = made["approve"].add_mutually_exclusive_group()
    which.add_argument("--candidate", type=int, metavar="K", help="of the rehearsal, as `show` numbers them")
    which.add_argument("--sighting", type=int, metavar="ID", help="as `sightings` numbers them")
    made["approve"].add_argument("--unpin", action="store_true", help="use stories' own pictures again")
    made["remove"].add_argument(
        "--sighting", type=int, action="append", metavar="ID", help="remove only this"
    )
    made["remove"].add_argument("--forever", action="store_true", help="delete the character altogether")
    made["sightings"].add_argument(
        "--like", type=Path, metavar="PICTURE", help="closest to this, of any character"
    )
    made["sightings"].add_argument("--k", type=int, default=20, metavar="N", help="at most N (default: 20)")
    return top


def find_character(flags: argparse.Namespace, characters: Characters) -> Character:
    """The one character that NAME means: a name or an alias, else a number."""
    known = matching(flags, characters)
    if not known:
        number = int(flags.name) if flags.name.isascii() and flags.name.isdigit() else 0
        one = characters.get(number)
        if one is None:
            names = ", ".join(dict.fromkeys(one.title for one in characters.all()[:12])) or "nobody yet"
            raise ConfigError(f"characters: nobody is called '{flags.name}'; the library knows: {names}")
        return one
    return one_of(known, flags)


def matching(flags: argparse.Namespace, characters: Characters) -> list[Character]:
    from model.memory.store.words import fold

    variant = getattr(flags, "variant", None)
    known = [one for one in characters.named([flags.name]) if variant is None or _same(one, variant)]
    # A name takes precedence over an alias.
    return [one for one in known if fold(one.look.name) == fold(flags.name)] or known


def _same(one: Character, variant: str) -> bool:
    from model.memory.store.words import fold

    return fold(one.look.variant) == fold(variant)


def one_of(known: Sequence[Character], flags: argparse.Namespace) -> Character:
    """Of several looks in different styles or weights, the latest decision; different characters of one name
    are refused."""
    from model.memory.store.words import fold

    if len({(fold(one.look.variant), fold(one.look.description)) for one in known}) > 1:
        listed = "; ".join(f"{one.id} ({one.title}: {one.look.description[:40]})" for one in known[:6])
        raise ConfigError(f"characters: '{flags.name}' means several; give one's number: {listed}")
    return max(known, key=lambda one: (one.approved, one.version_id))


def line_of(one: Character) -> str:
    state = "pinned" if one.pinned else "approved" if one.approved else ""
    facts = ", ".join(part for part in (one.source, state, f"of {one.story}" if one.story else "") if part)
    return f"{one.id}  {one.title}  {facts if one.pictures else 'no reference'}"


def facts_of(one: Character, library: Library) -> dict[str, Any]:
    return {
        "id": one.id,
        **asdict(one.look),
        "story": one.story,
        "source": one.source,
        "approved": one.approved,
        "pinned": one.pinned,
        "version": one.version_id,
        "pictures": list(one.pictures),
        "references": [str(library.blob_path(picture)) for picture in one.pictures],
        "candidates": [
            {"number": number, **asdict(candidate), "path": str(library.blob_path(candidate.picture))}
            for number, candidate in enumerate(one.candidates, 1)
        ],
    }


def near(cosine: float | None) -> str:
    return "" if cosine is None else f", cosine {cosine:.3f}"


def row_of(seen: Seen, cosine: float | None, library: Library) -> dict[str, Any]:
    return {**asdict(seen), "cosine": cosine, "path": str(library.blob_path(seen.crop))}
