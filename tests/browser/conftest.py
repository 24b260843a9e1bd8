"""A studio that runs, and a browser that looks at it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.page.chromium import PATH

ROOT = Path(__file__).parents[2]
FEW = (
    "--quality",
    "fast",
    "--num_inference_steps",
    "4",
    "--max_retries",
    "1",
    "--seed",
    "1",
    "--candidates",
    "2",
)
STORY: dict[str, Any] = {
    "version": 1,
    "title": "Two on a beach",
    "characters": {
        "mika": {"name": "Mika", "description": "girl with long silver hair, yellow hoodie, glasses"},
        "taro": {"name": "Taro", "description": "boy with short black hair, red shirt"},
    },
    "pages": [
        {
            "panels": [
                {
                    "scene": "beach at dawn",
                    "shot": "wide",
                    "characters": [{"id": "mika", "box": [0.1, 0.2, 0.35, 0.75]}],
                    "dialogue": [{"speaker": "mika", "text": "It's late!"}],
                },
                {
                    "scene": "street at night",
                    "characters": [{"id": "taro", "box": [0.5, 0.2, 0.35, 0.75]}],
                    "dialogue": [{"speaker": "taro", "text": "Not for me."}],
                },
            ]
        },
        {"panels": [{"scene": "garden in the morning", "caption": "The next day.", "characters": []}]},
    ],
}


@dataclass
class Served:
    """A server, and what a test asks it past the browser."""

    address: str
    workspace: Path
    process: subprocess.Popen[str]
    variables: dict[str, str]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of an answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def book(self, story: dict[str, Any] = STORY) -> str:
        """A new book; its name."""
        return self.ask("POST", "/api/books", {"story": story})["name"]

    def draw(self, name: str, *, seconds: float = 240) -> None:
        """Draw a book, and wait for it."""
        job = self.ask("POST", "/api/jobs", {"kind": "draw", "book": name})["id"]
        self.wait(job, seconds)

    def wait(self, job: int, seconds: float = 240) -> None:
        """Until a job is done."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            (found,) = (one for one in self.ask("GET", "/api/jobs")["jobs"] if one["id"] == job)
            if found["state"] == "done":
                return
            assert found["state"] not in ("failed", "cancelled"), found["message"]
            time.sleep(0.25)
        raise AssertionError(f"job {job} is not done after {seconds} s")


def serve(workspace: Path) -> Served:
    """Start a studio on any free port, and read its address."""
    variables = {**os.environ, "VIBE_MEMORY_PATH": str(workspace / "vibe_memory.json")}
    process = subprocess.Popen(
        [sys.executable, "run.py", "studio", "--workspace", str(workspace), "--port", "0", "--no_open", *FEW],
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("http://"):
            return Served(line.strip().rstrip("/"), workspace, process, variables)
    raise AssertionError(f"the studio ended with {process.wait()} and named no address")


def stop(served: Served) -> None:
    """End it as Ctrl-C does."""
    served.process.send_signal(signal.SIGINT)
    try:
        served.process.wait(30)
    except subprocess.TimeoutExpired:
        served.process.kill()
        served.process.wait()
    assert served.process.stdout is not None
    served.process.stdout.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One studio for the tests of a file, with an empty workspace."""
    served = serve(tmp_path_factory.mktemp("workspace"))
    yield served
    stop(served)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if PATH is None:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1440, "height": 900})
    made.set_default_timeout(20_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab; an error on its console fails the test."""
    tab, troubles = context.new_page(), list[str]()
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    yield tab
    # The browser itself reports every answer of 400 and more; those that a test wants are shown on the page.
    assert not [one for one in troubles if "Failed to load resource" not in one]
