"""The frame of the house: pinned requirements, imports that stay light, the script of a fresh machine."""

from __future__ import annotations

import ast
import http.server
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import install

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    canonicalize_name(pin.name): pin
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
    for pin in [Requirement(line)]
}


def test_every_requirement_is_one_exact_version() -> None:
    for pin in PINS.values():
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier)), pin
        assert pin.url is None


@pytest.mark.parametrize("bound", PROJECT["dependencies"])
def test_the_tested_versions_fit_the_bounds(bound: str) -> None:
    wanted = Requirement(bound)
    pin = PINS[canonicalize_name(wanted.name)]
    assert wanted.specifier.contains(next(iter(pin.specifier)).version)


def test_torch_and_torchvision_here_are_the_tested_ones() -> None:
    for name in ("torch", "torchvision"):
        assert PINS[canonicalize_name(name)].specifier.contains(version(name).split("+")[0])


def test_the_tools_of_the_check_are_pinned() -> None:
    for line in PROJECT["optional-dependencies"]["dev"]:
        assert re.search(r"==\d", line), line


def test_importing_the_light_rooms_loads_nothing_heavy() -> None:
    code = (
        "import sys, model, model.story, model.memory.panels.cache, model.page\n"
        "heavy = {'torch', 'torchvision', 'diffusers', 'transformers', 'ray', 'fastapi', 'open_clip'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# What tests of the product may take from scripts/: the drawn world, and how the starter's files are made.
DRAWN_WORLD = (
    "scripts.starter.world",
    "scripts.starter.judge.scenes",
    "scripts.starter.captions",
    "scripts.starter.text",
    "scripts.starter.vae",
    "scripts.starter.export",
    "scripts.starter.detector",
)
# Tests of scripts/ itself, and of documents, which are generated and tell to run it.
OF_SCRIPTS = ("browser/", "starter/", "bench/", "documents/", "test_docs.py", "test_house.py")


def test_tests_of_the_product_need_nothing_of_scripts_but_the_drawn_world() -> None:
    tests = ROOT / "tests"
    for path in tests.rglob("*.py"):
        if path.relative_to(tests).as_posix().startswith(OF_SCRIPTS):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            for name in names:
                known = any(name == one or name.startswith(f"{one}.") for one in DRAWN_WORLD)
                assert known or name.partition(".")[0] != "scripts", f"{path}: {name}"


# --- scripts/quickstart, on a checkout that needs no packages


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a checkout") / "with spaces"
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("starter", "bench"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "run.py").write_text(
        "import sys\nprint(sys.prefix, sys.argv[1:])\nsys.exit(len(sys.argv) - 1)\n"
    )
    return folder


def quickstart(checkout: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    assert bash is not None
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PATH": path or os.environ["PATH"]}
    return subprocess.run(
        [bash, str(checkout / "scripts" / "quickstart"), *arguments],
        cwd=checkout.parent,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_quickstart_installs_once_and_passes_words_and_exit_code(checkout: Path) -> None:
    first = quickstart(checkout, "a story.json", "--json")
    assert first.returncode == 2, first.stderr
    assert first.stdout == f"{checkout / '.venv'} ['a story.json', '--json']\n"
    assert "installing into .venv" in first.stderr
    second = quickstart(checkout)
    assert (second.returncode, second.stderr) == (0, "")


def test_quickstart_installs_again_when_the_requirements_change(checkout: Path) -> None:
    quickstart(checkout)
    (checkout / "requirements.txt").write_text("a-package-that-is-nowhere==1.0\n")
    failed = quickstart(checkout)
    assert failed.returncode == 3
    assert "installation failed" in failed.stderr
    assert failed.stdout == ""
    (checkout / "requirements.txt").write_text("# nothing\n")
    assert quickstart(checkout).returncode == 0


@pytest.fixture
def cpu_index() -> Iterator[str]:
    """A package index on this machine that answers for torch."""

    class Index(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/torch/" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("card", [True, False])
def test_the_torch_that_suits_the_machine_is_taken(
    card: bool, cpu_index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nexit {0 if card else 9}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(install, "CPU_INDEX", cpu_index)
    cpu, why = install.choose_torch()
    assert cpu is not card
    assert ("for the NVIDIA card" if card else "no NVIDIA card was found") in why
    pins = install.requirements(cpu)
    assert any(pin.startswith("nvidia-") for pin in pins) is card
    assert any(pin.startswith("torch==") for pin in pins)
    assert (cpu_index in install.command(tmp_path / "pins.txt", cpu=cpu)) is not card


def test_without_pytorchs_index_the_ordinary_one_has_to_do(
    cpu_index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "CPU_INDEX", f"{cpu_index}/nowhere")
    monkeypatch.setenv("AUTOSTUDIO_TORCH", "cpu")
    cpu, why = install.choose_torch()
    assert not cpu
    assert "cannot be reached" in why
    monkeypatch.setattr(install, "CPU_INDEX", cpu_index)
    assert install.choose_torch()[0]
    monkeypatch.setenv("AUTOSTUDIO_TORCH", "cuda")
    assert not install.choose_torch()[0]


def test_uv_is_used_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert install.command(tmp_path, cpu=False)[1:4] == ["-m", "pip", "install"]
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    words = install.command(tmp_path, cpu=True)
    assert words[:3] == [str(uv), "pip", "install"]
    assert sys.executable in words


def test_quickstart_says_what_it_needs_where_there_is_no_python(checkout: Path, tmp_path: Path) -> None:
    for command in ("dirname", "cat"):
        found = shutil.which(command)
        assert found is not None
        (tmp_path / command).symlink_to(found)
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # what a Python 3.10 answers to the question for its version
    old.chmod(0o755)
    shutil.rmtree(checkout / ".venv", ignore_errors=True)
    done = quickstart(checkout, path=str(tmp_path))
    assert done.returncode == 3
    assert "no Python 3.11 or newer found on PATH" in done.stderr
    assert not (checkout / ".venv").exists()
