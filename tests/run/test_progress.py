"""What a person sees of a run: a bar while something is under way, one line of it afterwards."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator

import pytest

from model.events import Events
from model.terminal import Terminal

if sys.platform == "win32":
    pytest.skip("terminals of this kind are POSIX's", allow_module_level=True)


class Screen(io.StringIO):
    """A stream that calls itself a terminal and keeps what it is sent."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.terminal

    terminal = -1

    @property
    def screen(self) -> list[str]:
        """The lines that stand there in the end."""
        lines, row, column = [""], 0, 0
        for code, text in re.findall(r"(\x1b\[[?\d;]*[A-Za-z]|\r|\n)|([^\x1b\r\n]+)", self.getvalue()):
            if text:
                lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
                column += len(text)
            elif code == "\n":
                row, column = row + 1, 0
                lines += [""] * (row + 1 - len(lines))
            elif code == "\r":
                column = 0
            elif code.endswith("A"):
                row -= int(code[2:-1] or 1)
            elif code.endswith("K"):
                lines[row] = ""
        return [line.rstrip() for line in lines if line.strip()]


@pytest.fixture(params=["xterm-256color", "dumb"])
def terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """A real one beneath, for its size is asked for."""
    master, slave = os.openpty()
    stream = Screen()
    stream.terminal = slave
    monkeypatch.setenv("TERM", request.param)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    yield stream
    os.close(master)
    os.close(slave)


def run(stream: io.StringIO) -> None:
    with contextlib.redirect_stderr(stream), Terminal() as terminal:
        events = Events(listener=terminal)
        events.note("First Light: 2 panels")
        for name, total in (("cast", 3), ("panels", 2), ("again", 0)):
            with events.counted(name, total) as counter:
                for done in range(total):
                    counter.to(done + 1)
                    terminal._bars.refresh()
        events.note("the book is done")


def test_what_is_done_stands_there_once(terminal: Screen) -> None:
    run(terminal)
    for screen in (terminal.screen, re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", terminal.getvalue()).split("\n")):
        told = [re.sub(r"[\d.]+ s$", "… s", line.split("\r")[-1]) for line in screen]
        for line in ("First Light: 2 panels", "cast: 3 in … s", "panels: 2 in … s", "the book is done"):
            assert told.count(line) == 1, screen
    assert len(terminal.screen) == 4, "and nothing else, no bar either"
    assert "again" not in terminal.getvalue()


def test_while_it_is_under_way_there_is_a_bar_where_the_terminal_can_take_it_away(terminal: Screen) -> None:
    run(terminal)
    assert ("━" in terminal.getvalue()) == (os.environ["TERM"] != "dumb")


def test_what_breaks_leaves_no_bar_and_no_line(terminal: Screen) -> None:
    with contextlib.redirect_stderr(terminal):
        listener = Terminal()
    with pytest.raises(KeyError), listener, Events(listener=listener).counted("cast", 3):
        raise KeyError
    assert terminal.screen == []


def test_elsewhere_lines_are_plain() -> None:
    stream = io.StringIO()
    run(stream)
    assert [re.sub(r"[\d.]+ s$", "… s", line) for line in stream.getvalue().splitlines()] == [
        "First Light: 2 panels",
        "cast: 3 in … s",
        "panels: 2 in … s",
        "the book is done",
    ]
