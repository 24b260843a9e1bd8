"""A studio that answers, in this process, and a client that speaks to it as a browser does."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from model.web.app import application, guarded
from model.web.serve import LOCAL, listening_at
from model.web.state import House
from model.web.workspace import Workspace
from tests.stories import two_friends

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Requests of a page of this server, unless they say otherwise."""

    def __init__(self, port: int, house: House) -> None:
        self.port, self.house = port, house

    def ask(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            said: dict[str, str] = {}
            data = body
            if body is not None and not isinstance(body, bytes):
                data, said = json.dumps(body).encode(), {"Content-Type": "application/json"}
            connection.request(method, path, data, said | (headers or {}))
            found = connection.getresponse()
            return Answer(found.status, {k.lower(): v for k, v in found.getheaders()}, found.read())

    def get(self, path: str, status: int = 200) -> Any:
        return self._done(self.ask("GET", path), status)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return self._done(self.ask("POST", path, body), status)

    def edit(self, book: str, base: int, *edits: Tree, status: int = 200) -> Any:
        return self.post(f"/api/books/{book}/edits", {"base": base, "edits": list(edits)}, status)

    def wait(self, job: int, seconds: float = 240) -> Tree:
        """A job that has ended."""
        until = time.monotonic() + seconds
        while True:
            found = next(one for one in self.get("/api/jobs")["jobs"] if one["id"] == job)
            if found["state"] in ("done", "failed", "cancelled"):
                return found
            assert time.monotonic() < until, f"job {job} is still {found['state']}"
            time.sleep(0.1)

    def work(self, **wanted: Any) -> Tree:
        """Ask for work and wait for it."""
        done = self.wait(self.post("/api/jobs", wanted, 201)["id"])
        assert done["state"] == "done", done["message"]
        return done

    @staticmethod
    def _done(answer: Answer, status: int) -> Any:
        assert answer.status == status, (answer.status, answer.body[:500])
        return answer.json


@contextlib.contextmanager
def serving(
    folder: Path, *, token: str = "", proxies: tuple[str, ...] = (), **flags: Any
) -> Iterator[Client]:
    """A studio on a workspace."""
    house = House(Workspace(folder), flags)
    listening = listening_at("127.0.0.1", 0)
    app = guarded(application(house), hosts=LOCAL, token=token, proxies=proxies)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    house.queue.start()
    try:
        yield Client(listening.getsockname()[1], house)
    finally:
        server.should_exit = True
        thread.join(10)
        house.close()
        listening.close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with serving(tmp_path / "studio") as made:
        yield made


@pytest.fixture
def drawing(tiny: Path) -> Tree:
    """Flags that draw in a blink."""
    return {
        "model": str(tiny),
        "device": "cpu",
        "num_inference_steps": 2,
        "candidates": 2,
        "upscaler": "none",
        "max_retries": 1,
    }


@pytest.fixture
def story() -> Tree:
    story = two_friends()
    story["pages"][0]["panels"][0]["dialogue"].append(
        {"speaker": "mika", "text": "Are you there?", "kind": "shout"}
    )
    return story


@pytest.fixture
def book(client: Client, story: Tree) -> str:
    """A book on the shelf."""
    return client.post("/api/books", {"story": story}, 201)["name"]


Serving = Callable[..., contextlib.AbstractContextManager[Client]]
