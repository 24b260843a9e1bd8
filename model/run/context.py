"""What every stage of a run works with, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from model.config import Settings
from model.events import Events
from model.memory.store.library import Library
from model.run.models import Models


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One run's settings, loaded models, library, and where it reports to."""

    settings: Settings
    models: Models
    library: Library
    events: Events
