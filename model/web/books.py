"""Books that are open: every edit of a story goes through `Books.edit`, and only through it.

In: a book's name, edits based on a revision. Out: a revision that is kept (first in the library, then in
story.json, which is the truth that every other program reads), or a refusal. A file that somebody else
changed is taken as an edit of theirs. Knows nothing of pictures and pages.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.errors import StoryError
from model.files import write_bytes
from model.memory.desk.revisions import Revision, Revisions
from model.memory.store.library import Library
from model.story.reading import read_json
from model.story.references import is_font_file
from model.story.schema import Story, load_story, read_story
from model.web.applying import Change, apply
from model.web.edits import Edit
from model.web.workspace import Workspace

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A story as it stands: its revision, its JSON, and the same checked."""

    name: str
    revision: int
    tree: Tree
    story: Story
    notes: tuple[str, ...] = ()


class ConflictError(Exception):
    """An edit that was based on another revision than the current one."""

    def __init__(self, base: int, yours: Tree | None, theirs: State, what: str) -> None:
        super().__init__(f"the book was changed meanwhile ({what}); choose which of the two to keep")
        self.base, self.yours, self.theirs, self.what = base, yours, theirs, what


@dataclass(slots=True)
class _Open:
    lock: threading.RLock = field(default_factory=threading.RLock)
    state: State | None = None
    signature: tuple[int, int] = (0, 0)


class Books:
    """The books of a workspace.

    Args:
        changed: called after every new current revision with the book, its revision, what was done, and who.
        check: raises a StoryError when no pages can be made of a story.
    """

    def __init__(
        self,
        workspace: Workspace,
        library: Library,
        changed: Callable[[str, int, str, str], None],
        check: Callable[[str, Story], object],
    ) -> None:
        self._workspace, self._library, self._changed, self._check = workspace, library, changed, check
        self.revisions = Revisions(library)
        self._open: dict[str, _Open] = {}
        self._lock = threading.Lock()

    def path(self, name: str) -> Path:
        """A book's story file. Raises KeyError when there is no such book."""
        return self._workspace.book(name) / "story.json"

    def state(self, name: str) -> State:
        """A book as it stands.

        Raises:
            KeyError: there is no such book.
            StoryError: its file is not a story, and never was one that is known.
        """
        path = self.path(name)
        opened = self._opened(name)
        with opened.lock:
            found = path.stat()
            signature = found.st_mtime_ns, found.st_size
            if opened.state is None or opened.signature != signature:
                opened.state = self._reconciled(name, path)
                found = path.stat()
                opened.signature = found.st_mtime_ns, found.st_size
            return opened.state

    def new(self, name: str, tree: Tree, what: str) -> State:
        """A book of a story; its folder is there, with the files that the story names."""
        path = self._workspace.books / name / "story.json"
        story = self._checked(tree, path)
        self._check(name, story)
        text = written(tree)
        self.revisions.begin(name, text, what)
        write_bytes(path, text.encode())
        self._opened(name).state = None
        return State(name=name, revision=1, tree=tree, story=story)

    def edit(self, name: str, base: int, edits: Sequence[Edit], what: str = "", client: str = "") -> Change:
        """Take edits, all or none; durable when this returns.

        Raises:
            ConflictError: `base` is not the current revision.
            EditRefused, StoryError: an edit cannot be done, or what comes of it is no story.
            StorageError: the disk refuses.
        """
        with self._opened(name).lock:
            state = self.state(name)
            if base != state.revision:
                raise self._conflict(name, base, edits, state)
            change, tree, story = self.tried(state, edits)
            if tree == state.tree:
                return change
            self._check(name, story)
            told = what or _summary(change.done)
            new = self.revisions.add(name, base, written(tree), told)
            if new is None:
                raise self._conflict(name, base, edits, self.state(name))
            self._write(name, new, tree)
        self._changed(name, new, told, client)
        return change

    def tried(self, state: State, edits: Sequence[Edit]) -> tuple[Change, Tree, Story]:
        """What edits would make of a story; nothing is kept.

        Raises:
            EditRefused, StoryError: as `edit`.
        """
        change = apply(state.tree, edits)
        story = self._checked(change.story, self.path(state.name))
        return change, _canonical(story), story

    def undo(self, name: str, base: int, client: str = "") -> State:
        """Back to what the current revision was made of; the same when there is nothing."""
        return self._move(name, base, lambda: self.revisions.before(name, base), "undone", client)

    def redo(self, name: str, base: int, client: str = "") -> State:
        """On to what was undone last."""

        def after() -> int | None:
            found = self.revisions.after(name, base)
            return found.number if found else None

        return self._move(name, base, after, "redone", client)

    def revert(self, name: str, base: int, to: int, client: str = "") -> State:
        """Make any revision the current one.

        Raises:
            KeyError: there is none of that number.
        """
        if self.revisions.get(name, to) is None:
            raise KeyError(str(to))
        return self._move(name, base, lambda: to, f"went to revision {to}", client)

    def steps(self, state: State) -> tuple[str, str]:
        """What undo and redo would do, in words; empty: nothing."""
        current = self.revisions.get(state.name, state.revision)
        after = self.revisions.after(state.name, state.revision)
        return current.what if current and current.parent else "", after.what if after else ""

    def _move(self, name: str, base: int, goal: Callable[[], int | None], what: str, client: str) -> State:
        with self._opened(name).lock:
            state = self.state(name)
            if base != state.revision:
                raise self._conflict(name, base, (), state)
            number = goal()
            revision = self.revisions.get(name, number) if number is not None else None
            if revision is None:
                return state
            tree: Tree = json.loads(revision.story)
            self._checked(tree, self.path(name))
            if not self.revisions.move(name, base, revision.number):
                raise self._conflict(name, base, (), self.state(name))
            self._write(name, revision.number, tree)
        self._changed(name, revision.number, what, client)
        return self.state(name)

    def _write(self, name: str, number: int, tree: Tree) -> None:
        """The revision is kept; now the file. Killed in between, the next start writes it."""
        write_bytes(self.path(name), written(tree).encode())
        self.revisions.wrote(name, number)
        self._opened(name).state = None

    def _reconciled(self, name: str, path: Path) -> State:
        """Bring file and library together."""
        text = path.read_bytes().decode("utf-8", "replace")
        desk = self.revisions.desk(name)
        if desk is None:
            tree, story = self._read(path)
            self.revisions.begin(name, written(tree), "found in its folder")
            return State(name=name, revision=1, tree=tree, story=story, notes=story.notes)
        current = self._known(name, desk.current)
        if text != current.story:
            before = self._known(name, desk.written)
            if desk.written != desk.current and text == before.story:
                # The library knows an edit that the file does not: this program was killed in between.
                tree = json.loads(current.story)
                write_bytes(path, current.story.encode())
                self.revisions.wrote(name, desk.current)
                return State(name=name, revision=desk.current, tree=tree, story=self._checked(tree, path))
            tree, story = self._read(path)
            if tree != json.loads(current.story):
                number = self.revisions.add(name, desk.current, written(tree), "changed in its file")
                assert number is not None  # books are locked, one by one
                self.revisions.wrote(name, number)
                return State(name=name, revision=number, tree=tree, story=story, notes=story.notes)
        tree = json.loads(current.story)
        story = self._checked(tree, path)
        return State(name=name, revision=desk.current, tree=tree, story=story, notes=story.notes)

    def _known(self, name: str, number: int) -> Revision:
        found = self.revisions.get(name, number)
        if found is None:
            raise StoryError(f"{name}: revision {number} is gone from the library; restore it, or the book")
        return found

    def _read(self, path: Path) -> tuple[Tree, Story]:
        """Somebody else's file, in either dialect."""
        read_json(path)
        story = load_story(path)
        return _canonical(story), story

    def _checked(self, tree: Tree, path: Path) -> Story:
        """The story, if it is one, and names files of the workspace only.

        Raises:
            StoryError: it is none, or does.
        """
        story = read_story(tree, path)
        named = [name for one in story.characters.values() for name in one.references]
        if is_font_file(story.lettering.font):
            named.append(story.lettering.font)
        for one in named:
            place = (path.parent / one).resolve()
            if not place.is_relative_to(self._workspace.folder.resolve()):
                raise StoryError(
                    f"{path}: names {one!r}, outside of the workspace; copy the file into {path.parent.name}/"
                )
        return story

    def _conflict(self, name: str, base: int, edits: Sequence[Edit], state: State) -> ConflictError:
        yours: Tree | None = None
        before = self.revisions.get(name, base)
        if before is not None and edits:
            try:
                yours = apply(json.loads(before.story), edits).story
            except Exception:  # a stranger's edits of another story; theirs alone is shown
                yours = None
        current = self.revisions.get(name, state.revision)
        return ConflictError(base, yours, state, current.what if current else "")

    def _opened(self, name: str) -> _Open:
        with self._lock:
            return self._open.setdefault(name, _Open())


def written(tree: Tree) -> str:
    """A story as its file has it."""
    return json.dumps(tree, ensure_ascii=False, indent=1) + "\n"


def _canonical(story: Story) -> Tree:
    """A story as the studio writes it: in the native dialect, without what says nothing."""
    return json.loads(story.model_dump_json(exclude_defaults=True))


def _summary(done: Sequence[str]) -> str:
    return done[0] if len(done) == 1 else f"{done[0]} and {len(done) - 1} more" if done else "changed nothing"
