"""A headless Chromium, driven over its debugging pipe: no driver, no package, two file descriptors."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATH = next((found for found in map(shutil.which, NAMES) if found), None)
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
_COMMANDS, _ANSWERS = 3, 4  # the descriptors that Chromium reads and writes


class Chromium:
    """One page of one browser. Use inside `with`."""

    def __init__(self, profile: Path, width: int, height: int, *, touch: bool = False) -> None:
        """Start it. `profile`: an empty folder for its files."""
        pipes = [_high(end) for end in (*os.pipe(), *os.pipe())]
        theirs, ours, answers, replies = pipes
        words = [str(PATH), *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
        ends = [(os.POSIX_SPAWN_DUP2, theirs, _COMMANDS), (os.POSIX_SPAWN_DUP2, replies, _ANSWERS)]
        self._process = os.posix_spawn(words[0], words, os.environ, file_actions=[*quiet, *ends])
        os.close(theirs)
        os.close(replies)
        self._commands, self._answers = os.fdopen(ours, "wb"), os.fdopen(answers, "rb")
        self._number, self._session = 0, ""
        targets = self.send("Target.getTargets")["targetInfos"]
        (page,) = (target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.send("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.resize(width, height, touch=touch)

    def __enter__(self) -> Chromium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session = ""
        self.send("Browser.close")
        self._commands.close()
        self._answers.close()
        os.waitpid(self._process, 0)

    def send(self, method: str, **words: object) -> dict[str, Any]:
        """One command of the DevTools protocol, and its result."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": words}
        if self._session:
            command["sessionId"] = self._session
        self._commands.write(json.dumps(command).encode() + b"\0")
        self._commands.flush()
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def resize(self, width: int, height: int, *, touch: bool = False) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=touch,
        )
        self.send("Emulation.setTouchEmulationEnabled", enabled=touch)

    def open(self, address: str) -> None:
        """Go there and wait until everything is loaded."""
        self.send("Page.enable")
        self.send("Page.navigate", url=address)
        self.run(
            "new Promise(done => document.readyState === 'complete' ? done() : window.onload = () => done())"
        )

    def run(self, script: str) -> Any:
        """The value of an expression in the page; promises are waited for."""
        done = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def key(self, key: str) -> None:
        """Press and release a key, by its name in `KeyboardEvent.key`."""
        text = {"text": key} if len(key) == 1 else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def click(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def swipe(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """One finger goes down at `start`, moves, and is lifted at `end`."""
        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": start[0], "y": start[1]}])
        for share in (0.25, 0.5, 0.75, 1.0):
            x, y = (one + (other - one) * share for one, other in zip(start, end, strict=True))
            self.send("Input.dispatchTouchEvent", type="touchMove", touchPoints=[{"x": x, "y": y}])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def _message(self) -> bytes:
        """Up to the next zero byte."""
        message = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "the browser has gone"
            message += byte
        return bytes(message)


def _high(end: int) -> int:
    """The descriptor, moved out of the way of those that have a meaning."""
    moved = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 16)
    os.close(end)
    return moved
