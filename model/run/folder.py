"""Which folder a book goes to, and what the library calls its story: one name a story, never one of another.

In: a plan, and the folders of books that are there. Out: the plan under a name that is its own. A story whose
file gives it an id keeps that; else the first to come has the plain name of its title, and later ones of the
same name have a few digits more, made of their path and title. Draws nothing, writes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from model.errors import ConfigError
from model.run.record import read_record, story_of
from model.story.identity import distinct
from model.story.plan import Plan

BOOKS = Path("outputs")


def named(plan: Plan, books: Path = BOOKS) -> Plan:
    """The plan under its own name: see above. Deterministic for the same folders."""
    if plan.given_id:
        return plan
    where = str(plan.source.resolve()) if plan.source else ""
    other = distinct(plan.slug, where, plan.title)
    # Whoever had to take the longer name keeps it, whatever became of the story that had the plain one.
    if _is_book(books / other) or _taken(books / plan.slug, plan):
        return replace(plan, slug=other)
    return plan


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
