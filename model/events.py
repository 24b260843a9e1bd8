"""What happens in a run, as a typed stream: the terminal, `--json`, the page and workers all read the same
one.

A run calls `Events`; a listener gets one frozen value an event, in order, on the thread that draws. Nothing
is printed here. `Events.stop()` may be called from any thread: the run raises `Stopped` before its next step,
with everything kept that was finished, and the same call goes on from there.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from model.errors import Stopped
from model.files import BlobId


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBegun:
    """A stage begins.

    Attributes:
        stage: "plan", "load", "draw", "judge", "commit", "pages", …; counted ones are "cast", "panels",
            "again" (further tries), "heads", "enlarge" and "layout".
        total: pictures or pages that it will make; 0 = it is not counted.
    """

    stage: str
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageDone:
    """A stage ended well. `seconds`: wall clock; `total`: as it began."""

    stage: str
    seconds: float
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A counted stage moved on.

    Attributes:
        done: pictures made so far, with fractions for the batch that is being drawn.
        step, steps: denoising steps of that batch; 0 of 0 outside of drawing.
    """

    stage: str
    done: float
    total: int
    step: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """How a picture looks in the middle of its steps.

    Attributes:
        name: panel id, or `cast/<character>`.
        key: of its request.
        picture: PNG, RGB, as large as the panel is drawn.
    """

    name: str
    key: str
    step: int
    steps: int
    picture: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureDrawn:
    """A picture is kept in the library; what the judge says of a panel follows as `PanelJudged`.

    Attributes:
        name: panel id, or `cast/<character>`.
        key: of its request; blob: sha256 of its PNG.
        cached: it was there before.
        seconds: what drawing it took.
    """

    name: str
    key: str
    blob: BlobId
    cached: bool
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelJudged:
    """One try of a panel was judged.

    Attributes:
        panel: its id; attempt: 0 is the first try; key: of its request; blob: sha256 of its PNG.
        accepted: whether it will do; reasons: why not, in words.
        scores: vibe, identity, count, layout, total, as far as they were measured.
    """

    panel: str
    attempt: int
    key: str
    blob: BlobId
    accepted: bool
    reasons: tuple[str, ...]
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A picture could not be drawn; the run goes on. `name`: panel id, or `cast/<character>`."""

    name: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the judge's strictness cost: pictures beyond one a panel, for how many panels, and the seconds
    that drawing them took, now or when they were drawn."""

    panels: int
    pictures: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line for a person."""

    text: str


Event = StageBegun | StageDone | Progress | Preview | PictureDrawn | PanelJudged | Failure | Cost | Note
Listener = Callable[[Event], object]


@dataclass(slots=True)
class Events:
    """Where a run reports to.

    Args:
        listener: gets every event; None = nobody listens.
        preview_every: steps between two previews of a batch; 0 = none. Each costs a decoding of the batch.

    Attributes:
        seconds: stage → seconds spent in it so far.
    """

    listener: Listener | None = None
    preview_every: int = 0
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    _stop: threading.Event = field(default_factory=threading.Event)

    def emit(self, event: Event) -> None:
        """Pass an event on."""
        if self.listener is not None:
            self.listener(event)

    def note(self, text: str) -> None:
        """One line for a person."""
        self.emit(Note(text=text))

    def stop(self) -> None:
        """Ask the run to stop before its next step; may be called from any thread."""
        self._stop.set()

    def resume(self) -> None:
        """Take `stop` back, so that another run may begin."""
        self._stop.clear()

    def check(self) -> None:
        """Called between two steps.

        Raises:
            Stopped: somebody asked for it.
        """
        if self._stop.is_set():
            raise Stopped("stopped; the same call goes on from here")

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A stage that is not counted; its seconds are added up by name. A run that was stopped ends here."""
        self.check()
        started = time.perf_counter()
        self.emit(StageBegun(stage=name))
        try:
            yield
        finally:
            seconds = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self.emit(StageDone(stage=name, seconds=seconds))

    @contextlib.contextmanager
    def counted(self, name: str, total: int) -> Iterator[Counter]:
        """A stage that makes `total` pictures; other stages happen within it. Nothing to do is no stage."""
        counter = Counter(self, name, total)
        if not total:
            yield counter
            return
        started = time.perf_counter()
        self.emit(StageBegun(stage=name, total=total))
        yield counter
        self.emit(StageDone(stage=name, total=total, seconds=time.perf_counter() - started))


class Counter:
    """How far a counted stage is."""

    def __init__(self, events: Events, stage: str, total: int) -> None:
        self._events, self._stage, self._total = events, stage, total
        self.done = 0.0

    def to(self, done: float, step: int = 0, steps: int = 0) -> None:
        """`done` of the stage's total are made; `step` of `steps` of the batch at work.

        Raises:
            Stopped: somebody asked for it.
        """
        self.done = done
        self._events.emit(Progress(stage=self._stage, done=done, total=self._total, step=step, steps=steps))
        self._events.check()
