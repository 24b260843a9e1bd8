"""What the studio's server takes: to answer, to set an edited page, to open a long book, to tell many.

    python -m scripts.bench.studio [--edits 50] [--pages 100] [--listeners 200] [--steps 8] [--seed 0]

A server of its own is started on a temporary workspace. `answers`: seconds from the command to the address.
`edit_ms`: a line of a page of eight panels is changed fifty times, each with another text, from the request
to the page set again in the answer. `preview_ms`: the same while typing, nothing is kept. `opens`: seconds
until a book of a hundred pages (eight panels each) and its first two pages are there, from a server that just
started. `slower`: books are drawn alone and before two hundred listeners; the share of time more.

Last line: JSON. Expected: answers in 2 s, an edit in 300 ms, a book of 100 pages in 2 s, at most 5 % slower.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scripts.bench.command import run, seed_flag

ROOT = Path(__file__).resolve().parents[2]
WORDS = (
    *("the", "sun", "is", "not", "up", "yet", "and", "we", "have"),
    *("been", "waiting", "here", "since", "last", "night", "for", "a", "boat"),
)
Tree = dict[str, Any]


def story(pages: int, panels: int, chance: random.Random, scene: str = "beach") -> Tree:
    """So many pages of so many panels, with two people and two lines in each."""
    told = [
        {
            "scene": scene,
            "characters": [{"id": "mika"}, {"id": "ren"}],
            "dialogue": [{"speaker": who, "text": words(chance)} for who in ("mika", "ren")],
        }
        for _ in range(pages * panels)
    ]
    return {
        "title": f"Bench {pages}",
        "characters": {
            "mika": {"name": "Mika", "description": "girl with long silver hair, yellow hoodie"},
            "ren": {"name": "Ren", "description": "boy with spiky red hair, blue t-shirt"},
        },
        "pages": [{"panels": told[at : at + panels]} for at in range(0, len(told), panels)],
    }


def words(chance: random.Random) -> str:
    """A line to say."""
    return " ".join(chance.choices(WORDS, k=chance.randint(3, 9))).capitalize() + "."


class Server:
    """A studio in a process of its own."""

    def __init__(self, workspace: Path, *flags: str) -> None:
        started = time.perf_counter()
        command = [sys.executable, str(ROOT / "run.py"), "studio", "--no_open", "--port", "0"]
        self._process = subprocess.Popen(
            [*command, "--workspace", str(workspace), *flags], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self.host = self._process.stdout.readline().strip().removeprefix("http://").strip("/")
        self.answers = time.perf_counter() - started
        self._connection = http.client.HTTPConnection(self.host, timeout=600)

    def ask(self, method: str, path: str, body: Tree | None = None) -> Any:
        """The answer to a request; the connection stays."""
        data = json.dumps(body).encode() if body is not None else None
        self._connection.request(method, path, data, {"Content-Type": "application/json"})
        found = self._connection.getresponse()
        told = json.loads(found.read())
        assert found.status < 300, told
        return told

    def draw(self, book: str) -> float:
        """Seconds that drawing a book takes, as its job counts them."""
        job = self.ask("POST", "/api/jobs", {"kind": "draw", "book": book})["id"]
        while True:
            time.sleep(0.2)
            found = next(one for one in self.ask("GET", "/api/jobs")["jobs"] if one["id"] == job)
            if found["state"] in ("done", "failed"):
                assert found["state"] == "done", found["message"]
                return found["seconds"]

    def close(self) -> None:
        """Stop it."""
        self._connection.close()
        self._process.terminate()
        self._process.communicate()


@contextlib.contextmanager
def serving(workspace: Path, *flags: str) -> Iterator[Server]:
    """A server for as long as the body runs."""
    server = Server(workspace, *flags)
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def listening(host: str, count: int) -> Iterator[list[int]]:
    """So many clients of the events, read by one thread; what each got, in bytes."""
    import select

    name, _, port = host.partition(":")
    sockets = [socket.create_connection((name, int(port))) for _ in range(count)]
    got = [0] * count
    for one in sockets:
        one.sendall(f"GET /api/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    ended = threading.Event()
    polled = select.poll()
    places = {one.fileno(): index for index, one in enumerate(sockets)}
    for one in sockets:
        polled.register(one, select.POLLIN)

    def read() -> None:
        while not ended.is_set():
            for handle, _ in polled.poll(100):
                got[places[handle]] += len(sockets[places[handle]].recv(1 << 20))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield got
    finally:
        ended.set()
        thread.join()
        for one in sockets:
            one.close()


def edits(server: Server, count: int, chance: random.Random) -> tuple[float, float]:
    """Median milliseconds of an edit that is kept, and of one while typing."""
    book = server.ask("POST", "/api/books", {"story": story(1, 8, chance)})["name"]
    server.ask("GET", f"/api/books/{book}/pages/1")
    kept: list[float] = []
    typed: list[float] = []
    for number in range(count):
        edit = {"do": "set_line", "panel": f"p001_0{number % 8 + 1}", "line": 0, "text": words(chance)}
        body: Tree = {"base": number + 1, "edits": [edit]}
        started = time.perf_counter()
        shown = server.ask("POST", f"/api/books/{book}/preview", {**body, "pages": [1]})
        typed.append(time.perf_counter() - started)
        assert len(shown["pages"][0]["panels"]) == 8
        edit["text"] += "!"
        started = time.perf_counter()
        done = server.ask("POST", f"/api/books/{book}/edits", body)
        kept.append(time.perf_counter() - started)
        assert done["pages"][0]["number"] == 1
    return 1000 * statistics.median(kept), 1000 * statistics.median(typed)


def opens(workspace: Path, pages: int, chance: random.Random) -> float:
    """Seconds until a long book and its first pages are there, from a server that knows nothing yet."""
    with serving(workspace) as server:
        book = server.ask("POST", "/api/books", {"story": story(pages, 8, chance)})["name"]
    with serving(workspace) as server:
        started = time.perf_counter()
        opened = server.ask("GET", f"/api/books/{book}")
        server.ask("GET", f"/api/books/{book}/pages?from=1&to=2")
        assert opened["page_count"] == pages
        return time.perf_counter() - started


def slower(workspace: Path, listeners: int, steps: int, chance: random.Random) -> tuple[float, float, int]:
    """Seconds of drawing alone and before listeners; and events' bytes that each of these got at least."""
    flags = ("--quality", "fast", "--num_inference_steps", str(steps), "--max_retries", "1")
    with serving(workspace, *flags) as server:
        warm = server.ask("POST", "/api/books", {"story": story(1, 1, chance)})["name"]
        server.draw(warm)
        alone: list[float] = []
        before: list[float] = []
        got: list[int] = []
        for scene in ("beach", "park"):
            book = server.ask("POST", "/api/books", {"story": story(2, 4, chance, scene)})["name"]
            alone.append(server.draw(book))
        with listening(server.host, listeners) as read:
            for scene in ("forest", "snow"):
                book = server.ask("POST", "/api/books", {"story": story(2, 4, chance, scene)})["name"]
                before.append(server.draw(book))
            got = read
        return sum(alone), sum(before), min(got)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (("edits", 50), ("pages", 100), ("listeners", 200), ("steps", 8)):
        parser.add_argument(f"--{name}", type=int, default=default)
    seed_flag(parser, 0)
    flags = parser.parse_args(argv)
    chance = random.Random(flags.seed)
    facts: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="autostudio-bench-") as name:
        folder = Path(name)
        with serving(folder / "edits") as server:
            facts["answers"] = round(server.answers, 2)
            kept, typed = edits(server, flags.edits, chance)
            facts |= {"edit_ms": round(kept, 1), "preview_ms": round(typed, 1)}
        facts["opens"] = round(opens(folder / "long", flags.pages, chance), 2)
        if flags.listeners:
            alone, before, got = slower(folder / "heard", flags.listeners, flags.steps, chance)
            facts |= {"alone": round(alone, 1), "heard": round(before, 1), "least_bytes": got}
            facts["slower"] = round(before / alone - 1, 3)
    for key, value in facts.items():
        print(f"{key:12} {value:>10}")
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
