"""AutoStudio: a story JSON goes in, a finished comic comes out.

    from autostudio import Studio

    with Studio.open(quality="fast") as studio:
        book = studio.draw(studio.plan("story.json"), out="book")
        studio.export(book, "epub")

Importing this loads nothing else: each name is fetched when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from model import __version__

if TYPE_CHECKING:
    from model.config import Settings
    from model.errors import (
        AutoStudioError,
        ConfigError,
        IntegrityError,
        OutOfMemory,
        PackageMissing,
        PanelFailed,
        Stopped,
        StorageError,
        StoryError,
        WeightsMissing,
    )
    from model.memory.characters.database import Characters
    from model.memory.chronicle.chronicle import Chronicle
    from model.run.book import Book
    from model.run.vibe import VibeMemory
    from model.story.plan import Plan
    from model.story.schema import Story
    from model.studio import Studio

_PLACES = {
    "AutoStudioError": "model.errors",
    "Book": "model.run.book",
    "Characters": "model.memory.characters.database",
    "Chronicle": "model.memory.chronicle.chronicle",
    "ConfigError": "model.errors",
    "IntegrityError": "model.errors",
    "OutOfMemory": "model.errors",
    "PackageMissing": "model.errors",
    "PanelFailed": "model.errors",
    "Plan": "model.story.plan",
    "Settings": "model.config",
    "Stopped": "model.errors",
    "StorageError": "model.errors",
    "Story": "model.story.schema",
    "StoryError": "model.errors",
    "Studio": "model.studio",
    "VibeMemory": "model.run.vibe",
    "WeightsMissing": "model.errors",
}

__all__ = [
    "AutoStudioError",
    "Book",
    "Characters",
    "Chronicle",
    "ConfigError",
    "IntegrityError",
    "OutOfMemory",
    "PackageMissing",
    "PanelFailed",
    "Plan",
    "Settings",
    "Stopped",
    "StorageError",
    "Story",
    "StoryError",
    "Studio",
    "VibeMemory",
    "WeightsMissing",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'autostudio' has no attribute '{name}'")
    found = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
