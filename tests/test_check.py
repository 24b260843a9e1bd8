"""The scripts of the check: what they run, and how they get the tools that tests need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ("chromium", "pdftotext", "epubcheck")


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder that is the whole PATH: a shell's few commands, and no tool."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "tr", "touch", "chmod"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def script(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!{folder / 'bash'}\n{text}\n")
    (folder / name).chmod(0o755)


def ensure_tools(commands: Path) -> str:
    """What it says; it never fails."""
    done = subprocess.run(
        [str(commands / "bash"), "-euo", "pipefail", "-c", f'source "{ROOT}/scripts/tools.sh"; ensure_tools'],
        env={**os.environ, "PATH": str(commands)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return done.stderr


def apt(commands: Path, user: int, *, installs: bool = True) -> Path:
    """An apt-get that notes its words and makes the tools. Returns the note."""
    note = commands.parent / "apt.txt"
    made = "\n".join(f'touch "{commands}/{name}"; chmod +x "{commands}/{name}"' for name in TOOLS if installs)
    script(commands, "apt-get", f'echo "$*" >> "{note}"\n[ "$1" = install ] || exit 0\n{made or "exit 100"}')
    script(commands, "id", f"echo {user}")
    return note


def test_root_gets_what_is_missing_and_nothing_twice(commands: Path) -> None:
    note = apt(commands, 0)
    script(commands, "pdftotext", "")
    assert "chromium epubcheck" in ensure_tools(commands)
    assert note.read_text().splitlines() == [
        "update -qq",
        "install -y -qq --no-install-recommends chromium epubcheck",
    ]
    assert ensure_tools(commands) == ""
    assert len(note.read_text().splitlines()) == 2


@pytest.mark.parametrize("user", [0, 1000])
def test_what_cannot_be_had_is_said_and_stops_nothing(commands: Path, user: int) -> None:
    note = apt(commands, user, installs=False)
    assert "their tests are skipped: chromium poppler-utils epubcheck" in ensure_tools(commands)
    assert note.exists() == (user == 0)


# --- scripts/check and .ci/run, with an interpreter that says what it is started with


@pytest.fixture
def checkout(tmp_path: Path, commands: Path) -> Path:
    """A checkout whose tools are there and whose Python runs no module."""
    folder = tmp_path / "checkout"
    for name in (".ci/run", "scripts/check", "scripts/venv.sh", "scripts/tools.sh", "pyproject.toml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "requirements.txt").touch()
    (folder / "scripts" / "install.py").touch()  # nothing is to be installed
    (folder / ".venv" / "bin").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(
        f'#!/bin/bash\ncase "$*" in "-m "*|*importlinter*) ;; *) exec "{sys.executable}" "$@" ;; esac\n'
        '[ "$2" != "${FAILS:-none}" ]\n'
    )
    python.chmod(0o755)
    for name in TOOLS:
        script(commands, name, "")
    return folder


def started(checkout: Path, command: str, *words: str, fails: str = "") -> tuple[int, list[str]]:
    """Exit code, and the module and words of each tool that was started."""
    path = f"{checkout.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(checkout / command), *words],
        env={**os.environ, "PATH": path, "FAILS": fails or "none"},
        capture_output=True,
        text=True,
    )
    return done.returncode, re.findall(r"^\$ -[mc] (.*)$", done.stdout, re.MULTILINE)


def test_the_check_runs_the_tests_once_and_ci_the_long_ones_too(checkout: Path) -> None:
    code, plain = started(checkout, "scripts/check", "-k", "library")
    assert code == 0
    tools = ["ruff", "ruff", "pyright", "scripts.studio.typecheck", "import", "pytest"]
    assert [line.split()[0] for line in plain] == tools
    assert plain[-1].endswith(" -k library")
    assert " -m " not in plain[-1]
    code, everything = started(checkout, ".ci/run")
    assert code == 0
    assert [line.split()[0] for line in everything] == [
        *(line.split()[0] for line in plain),
        *("pytest", "pytest"),
    ]
    assert "scripts.studio.typecheck" in plain
    assert "scripts.studio.typecheck --needed" in everything
    assert "-m slow or browser or hypothesis" in everything[-2]
    assert "--hypothesis-profile long" in everything[-2]
    assert everything[-1].endswith("tests/fuzz")


def test_the_check_stops_at_what_fails(checkout: Path) -> None:
    code, tried = started(checkout, "scripts/check", "--all", fails="pyright")
    assert code == 1
    assert [line.split()[0] for line in tried] == ["ruff", "ruff", "pyright"]
