"""Events to whoever listens: numbered, sent once each as they happen, to any number of tabs.

In: events from any thread. Out: lines of server-sent events. Each is written as text once, and put into the
queue of every listener by the one thread that runs the server's loop; a queue has an end. A slow listener
loses previews and progress first; one that loses anything else is told to load everything again (`resync`),
as is one that comes back after more than is remembered.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_REMEMBERED = 4096  # events that a listener may have missed
_WAITING = 256  # events that wait for one listener
_PASSING = ("preview", "progress")  # the next one says more
_SILENCE = 15.0  # seconds until a line says that the connection lives


@dataclass(slots=True, eq=False)
class _Listener:
    book: str
    queue: deque[tuple[str, str]] = field(default_factory=deque[tuple[str, str]])
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False


class Hub:
    """The events of one server."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)
        self._number = 0
        self._kept: deque[tuple[int, str, str, str]] = deque(maxlen=_REMEMBERED)
        self._listeners: set[_Listener] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._ended = False

    def begin(self) -> None:
        """Called on the server's loop before anybody listens."""
        self._loop = asyncio.get_running_loop()

    def end(self) -> None:
        """Called on the loop: every listener goes home."""
        self._ended = True
        for listener in self._listeners:
            listener.wake.set()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def send(self, name: str, facts: Mapping[str, Any]) -> None:
        """Pass an event on; from any thread, and without waiting for anybody."""
        book = str(facts.get("book", ""))
        with self._lock:
            self._number += 1
            number = self._number
            text = f"id: {self.epoch}-{number}\nevent: {name}\ndata: {json.dumps(dict(facts))}\n\n"
            if name not in _PASSING:
                self._kept.append((number, name, book, text))
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._deliver, name, book, text)

    async def listen(self, book: str = "", last: str = "") -> AsyncIterator[str]:
        """Everything from now on, after what was missed since the event of the id `last`.

        Args:
            book: only of this book, and what is of no book; empty: of all.
        """
        listener = _Listener(book)
        with self._lock:
            missed, resync = self._missed(book, last)
            self._listeners.add(listener)
        try:
            yield f"event: hello\ndata: {json.dumps({'epoch': self.epoch})}\n\n"
            if resync:
                yield "event: resync\ndata: {}\n\n"
            for text in missed:
                yield text
            while not self._ended:
                if not listener.queue:
                    listener.wake.clear()
                    try:
                        await asyncio.wait_for(listener.wake.wait(), _SILENCE)
                    except TimeoutError:
                        yield ": here\n\n"
                        continue
                if listener.lost:
                    listener.lost = False
                    yield "event: resync\ndata: {}\n\n"
                waiting = "".join(text for _, text in listener.queue)
                listener.queue.clear()
                if waiting:
                    yield waiting
        finally:
            self._listeners.discard(listener)

    def _missed(self, book: str, last: str) -> tuple[list[str], bool]:
        """What a listener missed, and whether that is more than is remembered."""
        if not last:
            return [], False
        epoch, _, number = last.partition("-")
        if epoch != self.epoch or not number.isdigit():
            return [], True
        since = int(number)
        oldest = self._kept[0][0] if self._kept else self._number + 1
        if since + 1 < oldest and self._number > since and len(self._kept) == _REMEMBERED:
            return [], True
        return [text for at, _, of, text in self._kept if at > since and _concerns(of, book)], False

    def _deliver(self, name: str, book: str, text: str) -> None:
        for listener in self._listeners:
            if not _concerns(book, listener.book):
                continue
            if len(listener.queue) >= _WAITING:
                passing = next((one for one in listener.queue if one[0] in _PASSING), None)
                if name in _PASSING:
                    continue
                if passing is not None:
                    listener.queue.remove(passing)
                else:
                    listener.queue.clear()
                    listener.lost = True
            listener.queue.append((name, text))
            listener.wake.set()


def _concerns(of: str, book: str) -> bool:
    return not book or not of or of == book
