"""Which folder a book goes to, where nobody names one, and which story of the library it is: each one's own.

In: a plan, the folders of books that are there, the library. Out: a folder; the plan with its key. A story
whose file gives it an id has a folder of that name; else the first to come has the plain name of its title,
and later ones of the same name have a few digits more, made of their path and title. The key is found by the
same facts, whatever the folder. Draws nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from model.errors import ConfigError
from model.memory.chronicle.stories import Known, key_of_story
from model.memory.store.library import Library
from model.run.record import read_record, story_of
from model.story.identity import distinct
from model.story.plan import Plan

BOOKS = Path("outputs")


def folder_of(plan: Plan, books: Path = BOOKS) -> Path:
    """The story's own folder: see above. Deterministic for the same folders."""
    plain = books / plan.slug
    if plan.given_id:
        return plain
    other = books / _spare(plan)
    # Whoever had to take the longer name keeps it, whatever became of the story that had the plain one.
    if _is_book(other):
        return other
    # A book of 0.1.0 stays where it is, though its folder is named otherwise today.
    for folder in (books / plan.key, plain):
        if _is_book(folder) and not _taken(folder, plan):
            return folder
    return other if _taken(plain, plan) else plain


def with_key(plan: Plan, library: Library) -> Plan:
    """The plan with its story's key in the library, which notes it.

    Raises:
        StorageError, IntegrityError: as `Library.writing`.
    """
    known = Known(
        given=plan.given_id, name=plan.slug, title=plan.title, source=plan.where, spare=_spare(plan)
    )
    return replace(plan, key=key_of_story(library, known))


def _spare(plan: Plan) -> str:
    return distinct(plan.slug, plan.where, plan.title)


def _is_book(folder: Path) -> bool:
    return (folder / "run.json").is_file()


def _taken(folder: Path, plan: Plan) -> bool:
    """Whether a book of another story lies in a folder."""
    if not _is_book(folder):
        return False
    try:
        record = read_record(folder)
    except ConfigError:
        return False  # damaged, or of a story that cannot be told; it is written anew
    before = story_of(record, folder)
    if plan.source is not None and before.is_file():
        return before.resolve() != plan.source.resolve()
    # The story was moved, or never was a file: its title is all there is to go by.
    return record.title not in ("", plan.title)
