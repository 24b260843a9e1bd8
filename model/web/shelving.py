"""Books come and go: from examples, from files dropped in, from nothing, as copies, to the bin and back.

In: what a person wants on the shelf. Out: folders of the workspace, and cards of them. Nothing is deleted:
what goes, goes to the bin.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from model.config import FIRST_STORY
from model.errors import AutoStudioError, StoryError
from model.files import storage_errors
from model.memory.store.library import Library
from model.story.reading import read_json_bytes
from model.story.references import is_font_file
from model.story.schema import Story, load_story, read_story
from model.web import schemas as s
from model.web.drawn import record_of
from model.web.state import House

Tree = dict[str, Any]
EXAMPLES = FIRST_STORY.parent


def card_of(house: House, name: str) -> s.BookCard:
    """A book as it stands on the shelf; a broken one says why."""
    folder = house.workspace.book(name)
    changed = (folder / "story.json").stat().st_mtime
    try:
        state = house.books.state(name)
    except AutoStudioError as error:
        return s.BookCard(
            name=name, title=name, pages=0, panels=0, drawn=0, changed=changed, revision=0, broken=str(error)
        )
    record = record_of(folder / "book")
    pages = folder / "book" / "pages" / "page_001.png"
    return s.BookCard(
        name=name,
        title=state.story.title,
        pages=len(state.story.pages),
        panels=sum(len(page.panels) for page in state.story.pages),
        drawn=sum(1 for panel in record.panels if panel.picture) if record else 0,
        cover=f"/api/books/{name}/cover?v={pages.stat().st_mtime_ns}" if pages.is_file() else "",
        changed=changed,
        revision=state.revision,
        drawing=any(job.state == "running" for job in house.queue.jobs.of_book(name)),
    )


def examples() -> list[s.ExampleCard]:
    """The stories that come with the program."""
    found: list[s.ExampleCard] = []
    for path in sorted(EXAMPLES.glob("*.json")):
        story = load_story(path)
        found.append(
            s.ExampleCard(
                name=path.stem,
                title=story.title,
                pages=len(story.pages),
                panels=sum(len(page.panels) for page in story.pages),
            )
        )
    # The first one first.
    return sorted(found, key=lambda card: card.name != FIRST_STORY.stem)


def new_book(house: House, wanted: s.NewBook) -> str:
    """Put a new book on the shelf; its name.

    Raises:
        KeyError: the example or the book to copy is not there. StoryError: the story is none.
    """
    if wanted.copy_of is not None:
        return _copy(house, wanted.copy_of, wanted.title)
    if wanted.example is not None:
        path = EXAMPLES / f"{wanted.example}.json"
        if path not in EXAMPLES.glob("*.json"):
            raise KeyError(wanted.example)
        return _from_file(house, path.read_bytes(), path, wanted.title, beside=EXAMPLES)
    if wanted.story is not None:
        return _put(house, wanted.story, wanted.title, "begun from a story")
    blank: Tree = {"title": wanted.title or "Untitled", "pages": [{"panels": [{"scene": ""}]}]}
    return _put(house, blank, wanted.title, "begun")


def uploaded(house: House, data: bytes, filename: str) -> str:
    """A book of a story file, in either dialect; its name.

    Raises:
        StoryError: it is no story.
    """
    name = Path(filename.replace("\\", "/")).name[:80] or "story.json"
    return _from_file(house, data, Path(name), None)


def rename(house: House, name: str, title: str) -> None:
    """Give a book another title; its folder and its pictures stay."""
    from model.web.edits import SetStory

    state = house.books.state(name)
    edit = SetStory(do="set_story", values={"title": title})
    house.books.edit(name, state.revision, [edit], what=f"renamed to {title}")


def discard(house: House, name: str) -> s.BinCard:
    """Put a book into the bin, with all its revisions' latest state."""
    folder = house.workspace.book(name)
    for job in house.queue.jobs.of_book(name):
        house.queue.change(job.id, "cancelled")
    title = card_of(house, name).title
    entry = f"{name}.{int(time.time() * 1000)}"
    with storage_errors(folder):
        os.rename(folder, house.workspace.bin / entry)
    house.moved(name)
    return s.BinCard(entry=entry, title=title, deleted=time.time())


def bin_cards(house: House) -> list[s.BinCard]:
    """What is in the bin, newest first."""
    found: list[s.BinCard] = []
    for folder in house.workspace.bin.iterdir():
        name, _, when = folder.name.rpartition(".")
        if name and when.isdigit() and (folder / "story.json").is_file():
            try:
                title = json.loads((folder / "story.json").read_bytes())["title"]
            except (ValueError, KeyError, TypeError, OSError):
                title = name
            found.append(s.BinCard(entry=folder.name, title=str(title)[:200], deleted=int(when) / 1000))
    return sorted(found, key=lambda card: -card.deleted)


def restore(house: House, entry: str) -> str:
    """Take a book out of the bin; its name.

    Raises:
        KeyError: there is no such thing in it.
    """
    if entry not in {card.entry for card in bin_cards(house)}:
        raise KeyError(entry)
    old = entry.rpartition(".")[0]
    name = house.workspace.free_name(old)
    if name != old:
        house.books.revisions.forget(name)
    with storage_errors(house.workspace.bin):
        os.rename(house.workspace.bin / entry, house.workspace.books / name)
    return name


def _from_file(house: House, data: bytes, path: Path, title: str | None, beside: Path | None = None) -> str:
    tree = read_json_bytes(data, path)
    if not isinstance(tree, dict):
        raise StoryError(f"{path.name}: found no object, expected a story; see the examples")
    story = read_story(tree, path)
    kept: Tree = json.loads(story.model_dump_json(exclude_defaults=True))
    return _put(house, kept, title, f"begun from {path.name}", beside=beside)


def _put(house: House, tree: Tree, title: str | None, what: str, beside: Path | None = None) -> str:
    """A new folder with a story, and with the files that it names."""
    if title:
        tree = {**tree, "title": title}
    if not isinstance(tree.get("title"), str) or not tree["title"].strip():
        raise StoryError('story: no "title"; expected one; add it')
    name = house.workspace.free_name(tree["title"])
    folder = house.workspace.books / name
    if beside is None:
        read_story({**tree, "id": name}, folder / "story.json")
    with storage_errors(folder):
        folder.mkdir()
    try:
        if beside is not None:
            _bring(read_story(tree, beside / "story.json"), beside, folder)
        # Decisions and memories go by the id: two books of one title are two.
        house.books.new(name, {**tree, "id": name}, what)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # made a moment ago, by this very call
        raise
    return name


def _bring(story: Story, beside: Path, folder: Path) -> None:
    """Copy the files that a story names."""
    names = [name for one in story.characters.values() for name in one.references]
    if is_font_file(story.lettering.font):
        names.append(story.lettering.font)
    for name in names:
        source, goal = (beside / name).resolve(), (folder / name).resolve()
        if source.is_relative_to(beside.resolve()) and goal.is_relative_to(folder.resolve()):
            with storage_errors(goal):
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, goal)


def _copy(house: House, name: str, title: str | None) -> str:
    state = house.books.state(name)
    copied = _put(
        house,
        state.tree,
        title or f"{state.story.title} (copy)",
        f"copied from {name}",
        beside=house.workspace.book(name),
    )
    _copy_decisions(house.library, house.sight(name).plan.key, house.sight(copied).plan.key)
    house.moved(copied)
    return copied


def _copy_decisions(library: Library, story: str, other: str) -> None:
    """A copy shows the tries that the original shows."""
    with library.writing() as connection:
        for table, columns in (
            ("tries", "panel, first, seed, created"),
            ("choices", "panel, first, key"),
            ("shown", "panel, facts"),
        ):
            connection.execute(
                f"INSERT OR IGNORE INTO {table} (story, {columns})"
                f" SELECT ?, {columns} FROM {table} WHERE story = ?",
                (other, story),
            )
