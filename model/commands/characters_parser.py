"""The words of `run.py characters`: what may be typed, and whom a name means, how somebody is told of.

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
    "list": "everybody",
    "show": "one character: reference, candidates of its rehearsal, versions",
    "add": "make pictures the reference of somebody, known or new",
    "approve": "settle on the reference, a candidate of the rehearsal, or a sighting",
    "remove": "take the reference away, or sightings",
    "undo": "go back to the reference before",
    "sightings": "crops from accepted panels, the best first",
}


def parser() -> argparse.ArgumentParser:
    """What may be typed after `run.py characters`."""
    about = "The characters of one library, and how each of them looks."
    top, made = parsers("characters", about, ACTIONS, shared_flags("whose characters"))
    for name in ("show", "add", "approve", "remove", "undo"):
        made[name].add_argument("name", metavar="NAME", help="a name, an alias, or a number of `list`")
    made["sightings"].add_argument("name", nargs="?", metavar="NAME", help="whose")
    for name in ("show", "add", "approve", "remove", "undo", "sightings"):
        made[name].add_argument("--variant", metavar="NAME", help="an outfit or age, as the story names it")
    made["show"].add_argument("--out", type=Path, metavar="DIR", help="write the pictures there")
    add = made["add"]
    add.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE", help="the first is drawn with")
    add.add_argument("--alias", action="append", default=[], metavar="NAME", help="may be repeated")
    add.add_argument("--description", metavar="TEXT", help="as in a story (default: the first story's)")
    add.add_argument("--also", action="store_true", help="beside the reference there is, to know it by")
    add.add_argument("--whole", action="store_true", help="take pictures as they are; cut nobody out")
    for eye, does in (("detector", "finds"), ("segmenter", "cuts out")):
        add.add_argument(f"--{eye}", default="auto", metavar="PATH", help=f"what {does} figures, or none")
    for name in ("add", "sightings"):
        made[name].add_argument("--model", default="starter", metavar="NAME", help="whose eyes look")
    for name in ("add", "approve"):
        made[name].add_argument("--pin", action="store_true", help="stay with it whatever a story says")
    which = made["approve"].add_mutually_exclusive_group()
    which.add_argument("--candidate", type=int, metavar="K", help="of the rehearsal, as `show` numbers them")
    which.add_argument("--sighting", type=int, metavar="ID", help="as `sightings` numbers them")
    made["approve"].add_argument("--unpin", action="store_true", help="follow stories' own pictures again")
    made["remove"].add_argument("--sighting", type=int, action="append", metavar="ID", help="only this")
    made["remove"].add_argument("--forever", action="store_true", help="forget the character altogether")
    made["sightings"].add_argument("--like", type=Path, metavar="PICTURE", help="nearest to this, of anybody")
    made["sightings"].add_argument("--k", type=int, default=20, metavar="N", help="at most N (default: 20)")
    return top


def whom(flags: argparse.Namespace, characters: Characters) -> Character:
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
    # "mika" is somebody of that name before she is an alias of somebody else.
    return [one for one in known if fold(one.look.name) == fold(flags.name)] or known


def _same(one: Character, variant: str) -> bool:
    from model.memory.store.words import fold

    return fold(one.look.variant) == fold(variant)


def one_of(known: Sequence[Character], flags: argparse.Namespace) -> Character:
    """Of several in different styles or of different weights the one decided last; homonyms are refused."""
    from model.memory.store.words import fold

    if len({(fold(one.look.variant), fold(one.look.description)) for one in known}) > 1:
        listed = "; ".join(f"{one.id} ({one.title}: {one.look.description[:40]})" for one in known[:6])
        raise ConfigError(f"characters: '{flags.name}' means several; give one's number: {listed}")
    return max(known, key=lambda one: (one.approved, one.version_id))


def line_of(one: Character) -> str:
    state = "pinned" if one.pinned else "approved" if one.approved else ""
    told = ", ".join(part for part in (one.source, state, f"of {one.story}" if one.story else "") if part)
    return f"{one.id}  {one.title}  {told if one.pictures else 'no reference'}"


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
