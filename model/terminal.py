"""A run's events for a person at a terminal, on stderr.

On a terminal there is a bar for what is under way; what is done is one plain line, there and anywhere else.
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from model.events import Cost, Event, Failure, Note, Progress, StageBegun, StageDone
from model.program import as_typed


class Terminal:
    """A listener of `Events`. Use as a context manager: what breaks leaves no bar behind."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        # Transient, for it is drawn once more at the end, below what some terminals keep of it.
        self._bars = Bars(
            *columns, console=self._console, disable=not self._console.is_terminal, transient=True
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Terminal:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        for stage in list(self._tasks):
            self._remove(stage)
        self._bars.stop()

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(as_typed(text), markup=False, soft_wrap=True)

    def __call__(self, event: Event) -> None:
        match event:
            case StageBegun(total=total) if total:
                self._tasks[event.stage] = self._bars.add_task(event.stage, total=total)
            case Progress() if event.stage in self._tasks:
                self._bars.update(self._tasks[event.stage], completed=event.done)
            case StageDone(total=total) if total:
                self._remove(event.stage)
                self.say(f"{event.stage}: {total} in {event.seconds:.1f} s")
            case Note():
                self.say(event.text)
            case Failure():
                self.say(f"{event.name} failed: {event.message}")
            case Cost() if event.panels:
                self.say(
                    f"tries: {event.pictures} further pictures for {event.panels} panels, "
                    f"{event.seconds:.1f} s of drawing"
                )
            case _:
                pass

    def _remove(self, stage: str) -> None:
        self._bars.remove_task(self._tasks.pop(stage))
        self._bars.refresh()
