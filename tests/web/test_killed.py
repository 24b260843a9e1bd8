"""`kill -9` at ten random moments: what was saved is kept, what is finished is not drawn again."""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

Tree = dict[str, Any]
ROOT = Path(__file__).parents[2]
KILLS = 10
PANELS = 12


def _story() -> Tree:
    panels = [
        {
            "scene": "beach",
            "characters": [{"id": "mika"}],
            "dialogue": [{"speaker": "mika", "text": "Hello!"}],
        }
        for _ in range(PANELS)
    ]
    return {
        "title": "Killed",
        "characters": {"mika": {"name": "Mika", "description": "girl with red hair"}},
        "pages": [{"panels": panels[at : at + 4]} for at in range(0, PANELS, 4)],
    }


class _Server:
    """A studio in a process of its own."""

    def __init__(self, workspace: Path, flags: Tree) -> None:
        words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, str(ROOT / "run.py"), "studio", "--no_open", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--workspace", str(workspace), *words], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.host = self.process.stdout.readline().strip().removeprefix("http://").strip("/")

    def ask(self, method: str, path: str, body: Tree | None = None) -> Any:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, json.dumps(body or {}), {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def _finished(workspace: Path) -> dict[str, tuple[str, float]]:
    """Key → picture and moment of everything that is finished."""
    database = sqlite3.connect(workspace / "library" / "library.db")
    try:
        return {key: (blob, created) for key, blob, created in database.execute(
            "SELECT key, blob, created FROM panels"
        )}  # fmt: skip
    finally:
        database.close()


@pytest.mark.slow
def test_ten_kills_lose_nothing(tmp_path: Path, drawing: Tree) -> None:
    moments = random.Random(5)
    workspace = tmp_path / "studio"
    flags = drawing | {"num_inference_steps": 6}
    server = _Server(workspace, flags)
    book = server.ask("POST", "/api/books", {"story": _story()})["name"]
    job = server.ask("POST", "/api/jobs", {"kind": "draw", "book": book})["id"]
    saved, revision = "Hello!", 1
    before: dict[str, tuple[str, float]] = {}
    for number in range(KILLS):
        until = time.monotonic() + moments.uniform(0.5, 14.0)
        count = 0
        while time.monotonic() < until:
            count += 1
            text = f"Kill {number}, edit {count}"
            edit = {"do": "set_line", "panel": "p001_01", "line": 0, "text": text}
            done = server.ask("POST", f"/api/books/{book}/edits", {"base": revision, "edits": [edit]})
            saved, revision = text, done["revision"]
        server.kill()
        found = _finished(workspace)
        assert {key: found[key] for key in before} == before  # nothing lost, nothing drawn twice
        before = found
        server = _Server(workspace, flags)
        opened = server.ask("GET", f"/api/books/{book}")
        line = opened["story"]["pages"][0]["panels"][0]["dialogue"][0]["text"]
        # What was answered is there; an edit whose answer was killed on its way may be.
        assert opened["revision"] >= revision
        assert line == saved or opened["revision"] > revision
        revision = opened["revision"]
        state = next(one["state"] for one in server.ask("GET", "/api/jobs")["jobs"] if one["id"] == job)
        assert state in ("queued", "running", "done")
    until = time.monotonic() + 300
    while server.ask("GET", "/api/jobs")["jobs"][0]["state"] != "done":
        assert time.monotonic() < until
        time.sleep(0.5)
    assert server.ask("GET", f"/api/books/{book}")["cost"]["panels"] == []
    found = _finished(workspace)
    assert {key: found[key] for key in before} == before
    server.process.terminate()
    server.process.communicate(timeout=60)
