"""What the routes work with: one studio's workspace, books, queue and events.

In: a workspace and flags. Out: books as they stand, their plans, what is drawn of them; each kept until it
changes. No network is loaded here.
"""

from __future__ import annotations

import functools
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from model.errors import AutoStudioError, ConfigError, WeightsMissing
from model.flags import checked
from model.memory.desk.jobs import Job
from model.memory.store.library import Library
from model.run.folder import with_key
from model.story.plan import Plan
from model.story.schema import Story
from model.variants import MODEL_NAMES
from model.web.books import Books, State
from model.web.drawn import BookDrawn, drawn_of
from model.web.hub import Hub
from model.web.queue import Queue
from model.web.workspace import Workspace

if TYPE_CHECKING:
    from model.config import Settings
    from model.render.request import Detail
    from model.render.weights import Checkpoint
    from model.studio import Studio

# Settings that name files.
_TYPED = ("out", "library", "lora", "detector", "segmenter", "allow_torchscript")
_KEPT = 8  # books whose plans and drawings are kept in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A book as it stands: its story, its plan, what is drawn of it."""

    state: State
    plan: Plan
    drawn: BookDrawn


class House:
    """Everything that one server has.

    Args:
        flags: of `run.py`, by their names: how books are drawn that have no settings of their own.
    """

    def __init__(self, workspace: Workspace, flags: Mapping[str, Any]) -> None:
        self.workspace, self.flags = workspace, dict(flags)
        self.library = Library.open(workspace.library)
        self.hub = Hub()
        self.books = Books(workspace, self.library, self._edited, self.plan)
        self.queue = Queue(self.library, self.hub, self._task_of, self._title_of, self.moved)
        self._sights: OrderedDict[str, tuple[object, Sight]] = OrderedDict()
        self._moves: dict[str, int] = {}
        self._lock = threading.RLock()

    def close(self) -> None:
        """Stop drawing and close the library."""
        self.queue.close()
        self.library.close()

    def folder(self, book: str) -> Path:
        """Where a book is drawn."""
        return self.workspace.book(book) / "book"

    def sight(self, book: str) -> Sight:
        """A book as it stands now.

        Raises:
            KeyError: there is no such book. StoryError: it cannot be planned.
        """
        state = self.books.state(book)
        record = self.folder(book) / "run.json"
        stamp = record.stat().st_mtime_ns if record.is_file() else 0
        key = (state.revision, id(state.tree), stamp, self._moves.get(book, 0), str(self.settings_of(book)))
        with self._lock:
            kept = self._sights.get(book)
            if kept is not None and kept[0] == key:
                self._sights.move_to_end(book)
                return kept[1]
        plan = with_key(self.plan(book, state.story), self.library)
        sight = Sight(state=state, plan=plan, drawn=self.drawn(book, plan))
        with self._lock:
            self._sights[book] = key, sight
            while len(self._sights) > _KEPT:
                self._sights.popitem(last=False)
        return sight

    def plan(self, book: str, story: Story) -> Plan:
        """A story of this book, planned.

        Raises:
            StoryError: it cannot be.
        """
        from model.run.plan import read_plan

        studio = self.studio(book)
        return read_plan(story, seed=studio.settings.seed, shapes=self.outline(book).shapes)

    def drawn(self, book: str, plan: Plan) -> BookDrawn:
        """What is drawn of a plan of this book."""
        studio = self.studio(book)
        outline = self.outline(book)
        return drawn_of(plan, self.folder(book), studio.settings, outline, self.library, self._detail(book))

    def studio(self, book: str) -> Studio:
        """The door, with the settings of a book; it loads nothing."""
        return _studio(tuple(sorted(self.settings_of(book).items())), self.workspace.library)

    def settings_of(self, book: str) -> dict[str, Any]:
        """How a book is drawn: the flags of the server, and its own."""
        desk = self.books.revisions.desk(book)
        return {**self.flags, **(desk.settings if desk else {})}

    def set_up(self, book: str, values: Mapping[str, Any]) -> None:
        """Change how a book is drawn; None takes a setting back.

        Raises:
            ConfigError: a setting is unknown, out of range, or names a file: those are named where the server
                is started, by whoever sits at the machine.
            WeightsMissing: the model is not on this machine.
        """
        self.books.state(book)
        for name, value in values.items():
            if value is not None and (name in _TYPED or not _plain(name, value)):
                found = f"{name}: found {str(value)[:60]!r}, expected no file and no address"
                raise ConfigError(f"{found}; start the studio with --{name}")
        desk = self.books.revisions.desk(book)
        own = {**(desk.settings if desk else {}), **values}
        own = {name: value for name, value in own.items() if value is not None}
        checked(own)
        _studio(tuple(sorted({**self.flags, **own}.items())), self.workspace.library)
        self.books.revisions.set_up(book, own)

    def moved(self, book: str) -> None:
        """Pictures, tries or references of a book changed; empty: of any."""
        with self._lock:
            for name in [book] if book else list(self._sights):
                self._moves[name] = self._moves.get(name, 0) + 1

    def outline(self, book: str) -> Checkpoint:
        """What a book is drawn with, as far as plans and keys need it."""
        from model.run.settle import outline_of

        settings = self.studio(book).settings
        return _outline(replace(settings, out=None)) if not settings.adapters else outline_of(settings)

    def _detail(self, book: str) -> Detail | None:
        """How small heads of a book are drawn once more; files of networks are looked for, none is loaded."""
        from model.run.models import Models
        from model.run.requests import detail_of

        studio = self.studio(book)
        try:
            return detail_of(studio.settings, Models(studio.settings, self.library, studio.events))
        except WeightsMissing:
            return None

    def _edited(self, book: str, revision: int, what: str, client: str) -> None:
        self.hub.send("revision", {"book": book, "revision": revision, "what": what, "client": client})

    def _task_of(self, job: Job) -> Mapping[str, Any]:
        if not job.book:
            return {}
        self.books.state(job.book)  # story.json is as the library has it
        return {
            "flags": {**self.settings_of(job.book), "library": str(self.workspace.library)},
            "story": str(self.books.path(job.book)),
            "out": str(self.folder(job.book)),
        }

    def _title_of(self, book: str) -> str:
        try:
            return self.books.state(book).story.title
        except (KeyError, AutoStudioError):
            return book


def _plain(name: str, value: Any) -> bool:
    """Whether a setting names no file."""
    if name == "model":
        return value in MODEL_NAMES
    if name == "upscaler":
        return value in ("starter", "none")
    if name == "gguf":
        return isinstance(value, str) and re.fullmatch(r"\w{1,12}", value) is not None
    return isinstance(value, str | int | float | bool)


@functools.lru_cache(maxsize=16)
def _studio(flags: tuple[tuple[str, Any], ...], library: Path) -> Studio:
    from model.studio import Studio

    return Studio.open(**dict(flags), library=library)


@functools.lru_cache(maxsize=16)
def _outline(settings: Settings) -> Checkpoint:
    from model.run.settle import outline_of

    return outline_of(settings)


def house_of(request: Request) -> House:
    """The house of the application that answers."""
    return request.app.state.house


Here = Annotated[House, Depends(house_of)]
