"""Events reach everybody, in order, and nobody who is slow holds up the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from model.web.hub import Hub


def _run(play: Callable[[Hub], Awaitable[None]]) -> None:
    async def started() -> None:
        hub = Hub()
        hub.begin()
        await play(hub)

    asyncio.run(started())


async def _next(stream: AsyncIterator[str]) -> list[tuple[str, dict[str, object], str]]:
    """The events of the next piece: name, facts, id."""
    found: list[tuple[str, dict[str, object], str]] = []
    for part in (await asyncio.wait_for(anext(stream), 5)).strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in part.splitlines())
        found.append((lines["event"], json.loads(lines["data"]), lines.get("id", "")))
    return found


def test_everybody_hears_what_concerns_them() -> None:
    async def play(hub: Hub) -> None:
        everything, one = hub.listen(), hub.listen("mine")
        for stream in (everything, one):
            assert (await _next(stream))[0][0] == "hello"
        hub.send("note", {"book": "other", "text": "a"})
        hub.send("note", {"book": "mine", "text": "b"})
        hub.send("shelf", {})
        await asyncio.sleep(0.01)
        assert [name for name, *_ in await _next(everything)] == ["note", "note", "shelf"]
        assert [facts for _, facts, _ in await _next(one)] == [{"book": "mine", "text": "b"}, {}]

    _run(play)


def test_who_comes_back_gets_what_was_missed() -> None:
    async def play(hub: Hub) -> None:
        stream = hub.listen()
        await _next(stream)
        hub.send("drawn", {"name": "p001_01"})
        await asyncio.sleep(0.01)
        ((_, _, last),) = await _next(stream)
        hub.send("drawn", {"name": "p001_02"})
        hub.send("progress", {"done": 1})
        again = hub.listen("", last)
        await _next(again)
        assert [facts["name"] for _, facts, _ in await _next(again)] == ["p001_02"]
        # Of another server's life nothing is known: load everything.
        other = hub.listen("", "feedbeef-7")
        await _next(other)
        assert (await _next(other))[0][0] == "resync"

    _run(play)


def test_a_slow_listener_loses_previews_and_nothing_else() -> None:
    async def play(hub: Hub) -> None:
        slow = hub.listen()
        await _next(slow)
        for number in range(200):
            hub.send("drawn", {"number": number})
            for step in range(5):
                hub.send("preview", {"number": number, "step": step})
        await asyncio.sleep(0.05)
        found = await _next(slow)
        assert [facts["number"] for name, facts, _ in found if name == "drawn"] == list(range(200))
        assert len(found) < 300

    _run(play)


def test_one_that_loses_more_is_told_to_load_again() -> None:
    async def play(hub: Hub) -> None:
        slow = hub.listen()
        await _next(slow)
        for number in range(1000):
            hub.send("drawn", {"number": number})
        await asyncio.sleep(0.05)
        assert (await _next(slow))[0][0] == "resync"
        assert (await _next(slow))[-1][1] == {"number": 999}

    _run(play)


def test_who_leaves_is_forgotten() -> None:
    async def play(hub: Hub) -> None:
        stream = hub.listen()
        await _next(stream)
        assert hub.listeners == 1
        await stream.aclose()  # type: ignore[attr-defined]
        assert hub.listeners == 0

    _run(play)
