"""How far the run is, on stderr, and how long each stage took.

On a terminal there is a bar for what is under way; what is done is one plain line, there and anywhere else.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Reporter:
    """One run's messages and stages. Use as a context manager.

    Attributes:
        seconds: stage name → seconds spent in it so far.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._console = Console(file=sys.stderr, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        # Transient, for it is drawn once more at the end, below what some terminals keep of it.
        self._bars = Progress(
            *columns, console=self._console, disable=not self._console.is_terminal, transient=True
        )

    def __enter__(self) -> Reporter:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """One line to the user."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the body's seconds to `stage`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started

    @contextlib.contextmanager
    def bar(self, name: str, total: int) -> Iterator[Bar]:
        """A bar of `total` units on a terminal; one line when it ends. Neither for nothing to do."""
        started = time.perf_counter()
        task = self._bars.add_task(name, total=total, visible=total > 0)
        try:
            yield Bar(self._bars, task)
        finally:
            self._bars.remove_task(task)
            self._bars.refresh()
        if total:
            self.say(f"{name}: {total} in {time.perf_counter() - started:.1f} s")


class Bar:
    """One bar; `to(done)` moves it."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars, self._task = bars, task
        self.done = 0.0

    def to(self, done: float) -> None:
        self.done = done
        self._bars.update(self._task, completed=done)
