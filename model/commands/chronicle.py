"""`run.py chronicle …`: search the story's long-term memory, add to it, remove from it.

In: parsed flags. Out: lines for a person, or with --json one object for a program; an exit code.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from model.commands.answers import Answer, library_of, parsers, positive, shared_flags, tell
from model.errors import ConfigError

if TYPE_CHECKING:
    from model.memory.chronicle.chronicle import Chronicle
    from model.memory.chronicle.memories import Memory, Place, Recollection
    from model.memory.store.library import Library

LOGGED = 20


def parser() -> argparse.ArgumentParser:
    """The parser of `run.py chronicle`."""
    about = "The long-term memory of one library's stories: events, speech and facts."
    texts = {name: text for name, (text, _) in ACTIONS.items()}
    top, made = parsers("chronicle", about, texts, shared_flags("the library to use"))

    recall = made["recall"]
    recall.add_argument("words", nargs="+", metavar="WORDS", help="what to search for")
    recall.add_argument("--who", metavar="NAME", help="only what this character saw or heard of")
    recall.add_argument(
        "--present",
        action="append",
        default=[],
        metavar="NAME",
        help="somebody in the scene; may be repeated",
    )
    recall.add_argument("--k", type=int, default=4, metavar="N", help="at most N memories (default: 4)")
    recall.add_argument(
        "--tokens", type=int, default=160, metavar="N", help="at most N tokens of text in all (default: 160)"
    )

    add = made["add"]
    add.add_argument("text", metavar="TEXT", help="in words, as under `remember` of a story")
    add.add_argument(
        "--who", action="append", default=[], metavar="NAME", help="somebody who was there; may be repeated"
    )
    add.add_argument(
        "--told",
        action="append",
        default=[],
        metavar="NAME",
        help="somebody who heard of it; may be repeated",
    )
    add.add_argument("--said_by", default="", metavar="NAME", help="who said it")
    add.add_argument(
        "--after", default="", metavar="STORY", help="known only to stories after this one (its slug)"
    )
    add.add_argument("--importance", type=float, default=0.5, metavar="X", help="0 to 1 (default: 0.5)")
    add.add_argument("--next_session", action="store_true", help="recall it only from the next run on")

    listing = made["list"]
    listing.add_argument("--who", metavar="NAME", help="only what this character knows")
    listing.add_argument("--story", metavar="STORY", help="only of this story (its slug)")

    forget = made["forget"]
    forget.add_argument("ids", nargs="*", type=int, metavar="NUMBER", help="as `list` numbers them")
    forget.add_argument("--story", metavar="STORY", help="everything of this story, and its chapter number")

    log = made["log"]
    log.add_argument("name", metavar="NAME", help="the character")
    log.add_argument("words", nargs="*", metavar="WORDS", help="what to search for; default: the latest")
    log.add_argument("--k", type=int, default=LOGGED, metavar="N", help=f"at most N (default: {LOGGED})")
    return top


def run(flags: argparse.Namespace) -> int:
    """Run an action.

    Raises:
        ConfigError: it cannot be done; the message says what can.
        StorageError, IntegrityError: see `Library`.
    """
    from model.memory.chronicle.chronicle import Chronicle
    from model.memory.chronicle.sentences import find_sentence_model

    with library_of(flags, new=flags.action == "add") as library:
        chronicle = Chronicle(library, find_sentence_model())
        return tell(ACTIONS[flags.action][1](flags, chronicle, library), flags)


def _recall(flags: argparse.Namespace, chronicle: Chronicle, library: Library) -> Answer:
    found = chronicle.recall(
        " ".join(flags.words),
        who=flags.who,
        present=flags.present,
        k=positive("--k", flags.k),
        tokens=positive("--tokens", flags.tokens),
    )
    whose = f" to {flags.who}" if flags.who else ""
    return Answer(
        facts={"search": chronicle.search, "recalled": [asdict(memory) for memory in found]},
        lines=[_line(memory) for memory in found] or [f"nothing comes to mind{whose}"],
    )


def _add(flags: argparse.Namespace, chronicle: Chronicle, library: Library) -> Answer:
    from model.memory.chronicle.memories import by_hand

    if flags.after:
        _check_story("--after", flags.after, library)
    memory = by_hand(
        flags.text,
        who=flags.who,
        told=flags.told,
        said_by=flags.said_by,
        after=flags.after,
        importance=flags.importance,
        next_session=flags.next_session,
    )
    try:
        receipt = chronicle.keep(memory)
    except ValueError as error:
        raise ConfigError(f"chronicle add: {error}") from error
    (kept,) = [found for found in chronicle.memories() if found.key == memory.key]
    done = "stored" if receipt.stored else "replaced" if receipt.replaced else "there already"
    knowers = ", ".join(memory.passages[0].known_by) or "nobody (name them with --who or --told)"
    return Answer(
        facts={"id": kept.id, "key": kept.key, "stored": bool(receipt.stored)},
        lines=[f"{kept.id}: {done}; known to {knowers}"],
    )


def _list(flags: argparse.Namespace, chronicle: Chronicle, library: Library) -> Answer:
    if flags.story is not None:
        _check_story("--story", flags.story, library)
    found = chronicle.memories(who=flags.who, story=flags.story)
    lines = [line for memory in found for line in _lines(memory)]
    facts = {"memories": [asdict(memory) for memory in found]}
    return Answer(facts=facts, lines=lines or ["nothing is remembered"])


def _forget(flags: argparse.Namespace, chronicle: Chronicle, library: Library) -> Answer:
    if (flags.story is None) == (not flags.ids):
        raise ConfigError(
            "chronicle forget: name numbers as `run.py chronicle list` shows them, or --story STORY"
        )
    if flags.story is not None:
        _check_story("--story", flags.story, library)
        removed = chronicle.forget_story(flags.story)
    else:
        unknown = set(flags.ids) - {memory.id for memory in chronicle.memories()}
        if unknown:
            numbers = ", ".join(map(str, sorted(unknown)))
            raise ConfigError(
                f"chronicle forget: no memory {numbers}; `run.py chronicle list` shows the numbers"
            )
        removed = chronicle.forget(flags.ids)
    line = f"{len(removed)} removed{': ' if removed else ''}{', '.join(removed)}"
    return Answer(facts={"removed": list(removed)}, lines=[line])


def _log(flags: argparse.Namespace, chronicle: Chronicle, library: Library) -> Answer:
    from model.memory.chronicle.block import classic_block

    count = positive("--k", flags.k)
    if flags.words:
        recalled = chronicle.recall(" ".join(flags.words), who=flags.name, k=count)
        passages = [(memory.speaker, memory.text, memory.created) for memory in recalled]
    else:
        passages = [
            (passage.speaker, passage.text, memory.created)
            for memory in chronicle.memories(who=flags.name)
            for passage in memory.passages
            if passage.kind != "seen"
        ][-count:]
    block = classic_block(flags.name, passages, time.time())
    return Answer(facts={"log": block}, lines=[block])


ACTIONS: dict[str, tuple[str, Callable[[argparse.Namespace, Chronicle, Library], Answer]]] = {
    "recall": ("search memories, best first", _recall),
    "add": ("add a fact, or something that was said", _add),
    "list": ("list every memory, in the order of the book", _list),
    "forget": ("remove memories", _forget),
    "log": ("print what a character remembers, as a block for a chat model", _log),
}


def _check_story(flag: str, slug: str, library: Library) -> None:
    known = [row["slug"] for row in library.rows("SELECT slug FROM stories ORDER BY chapter")]
    if slug not in known:
        stories = ", ".join(known[:12]) or "none yet"
        raise ConfigError(f"{flag}: the library knows no story '{slug}'; it knows: {stories}")


def _line(memory: Recollection) -> str:
    said = f"{memory.speaker}: " if memory.speaker else ""
    return f"{memory.memory}  {_where(memory.story, memory.place)}  {said}{memory.text}"


def _lines(memory: Memory) -> Iterable[str]:
    who = ", ".join(memory.present) or "nobody"
    heard = f"; told: {', '.join(memory.told)}" if memory.told else ""
    later = "; from the next run on" if memory.next_session else ""
    yield f"{memory.id}  {_where(memory.story, memory.place)}  there: {who}{heard}{later}"
    for passage in memory.passages:
        said = f"{passage.speaker}: " if passage.speaker else ""
        yield f"    {passage.kind:8}  {said}{passage.text}"


def _where(story: str, place: Place) -> str:
    from model.memory.chronicle.memories import END_OF_STORY

    if not story:
        return "added"
    return f"after {story}" if place[1] >= END_OF_STORY else f"{story} p{place[1]:03}_{place[2]:02}"
