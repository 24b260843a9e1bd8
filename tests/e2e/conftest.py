"""Commands as a user gives them, in processes of their own, and a story that the tiny checkpoint draws."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from tests.stories import two_friends

ROOT = Path(__file__).parents[2]
STEPS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that ended. `code` -9: it was killed."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """What `--json` printed last."""
        return json.loads(self.out.splitlines()[-1])


class Forks:
    """Sends commands to forks.py and waits for them, or kills them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = self._started()

    def run(
        self,
        *words: str | Path,
        cwd: Path,
        kill_after: float | None = None,
        trace: Path | None = None,
        largest_file: int = 0,
        env: Mapping[str, str] | None = None,
    ) -> Done:
        """Run one command.

        Args:
            kill_after: seconds until SIGKILL; None = let it end.
            trace: file that gets the keys of the panels that are drawn, before they are.
            largest_file: bytes that a file may grow to, as on a disk that is full; 0 = no limit.
            env: variables that it sees beside those of the tests.
        """
        out, err = self._folder / "out.txt", self._folder / "err.txt"
        job = {
            "words": [str(word) for word in words],
            "cwd": str(cwd),
            "out": str(out),
            "err": str(err),
            "trace": str(trace) if trace else "",
            "largest_file": largest_file,
            "env": dict(env or {}),
        }
        if self._server.poll() is not None:
            self._server = self._started()  # it was killed in another test, which has failed
        requests = self._stream(self._server.stdin)
        requests.write(json.dumps(job) + "\n")
        requests.flush()
        pid = int(self._answer(self._server))
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)
        code = int(self._answer(self._server))
        requests.write("\n")
        requests.flush()
        return Done(code=code, out=out.read_text(), err=err.read_text())

    def close(self) -> None:
        self._stream(self._server.stdin).close()
        self._server.wait()
        self._stream(self._server.stdout).close()

    def _started(self) -> subprocess.Popen[str]:
        server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forks.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer(server) == "ready\n"
        return server

    def _answer(self, server: subprocess.Popen[str]) -> str:
        """Its next line; a server that has gone says by what: -15 is somebody's SIGTERM, -9 the kernel's."""
        line = self._stream(server.stdout).readline()
        assert line, f"forks.py ended with {server.wait()}"
        return line

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    server = Forks(tmp_path_factory.mktemp("forks"))
    yield server
    server.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A folder to run commands in."""

    folder: Path
    forks: Forks
    flags: tuple[str, ...]

    def write(self, story: dict[str, Any], name: str = "story.json") -> Path:
        path = self.folder / name
        path.write_text(json.dumps(story))
        return path

    def run(self, *words: str | Path, **limits: Any) -> Done:
        """`run.py WORDS` with the tiny checkpoint; flags given twice are taken from `words`."""
        given = [str(word) for word in words]
        command = given[:1] if given and given[0] in ("cast", "layout", "draw") else []
        flags = {"layout": (*self.flags[:2], "--json"), "cast": self.flags[:-2]}.get(
            "".join(command), self.flags
        )
        return self.forks.run(*command, *flags, *given[len(command) :], cwd=self.folder, **limits)

    def files(self, out: str) -> dict[str, bytes]:
        """Every file of a book, by its path in the book's folder."""
        folder = self.folder / "outputs" / out
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def record(self, out: str) -> dict[str, Any]:
        """The book's run.json."""
        return json.loads((self.folder / "outputs" / out / "run.json").read_text())


@pytest.fixture(scope="session")
def desk_in(forks: Forks, tiny: Path) -> Callable[[Path], Desk]:
    """Make a desk in a folder."""
    flags = (
        "--model", str(tiny), "--json", "--device", "cpu",
        "--num_inference_steps", str(STEPS), "--candidates", "1", "--upscaler", "none",
    )  # fmt: skip
    return lambda folder: Desk(folder=folder, forks=forks, flags=flags)


@pytest.fixture
def desk(desk_in: Callable[[Path], Desk], tmp_path: Path) -> Desk:
    return desk_in(tmp_path)


@pytest.fixture(scope="session")
def story() -> Callable[[], dict[str, Any]]:
    """A new copy of a story of two pages, three panels and two characters."""
    return two_friends
