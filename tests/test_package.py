"""What `pip install .` brings: every folder with code, the first story, the starter, a command, types."""

from __future__ import annotations

import subprocess
import sys
import time
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
IMPORT_SECONDS = 0.15


def test_every_folder_with_code_is_listed() -> None:
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("autostudio", "model", "download", "quantization")
        for path in (ROOT / top).rglob("*.py")
    }
    assert set(SETUPTOOLS["packages"]) == {*folders, "autostudio.examples", "model.starter"}


def test_importing_the_package_is_light() -> None:
    code = (
        "import time; started = time.process_time()\n"
        "import autostudio, sys\n"
        "print(time.process_time() - started, autostudio.__version__)\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'PIL', 'model.studio'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    seconds: list[float] = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        seconds.append(float(done.stdout.split()[0]))
    assert min(seconds) < IMPORT_SECONDS


def test_the_module_is_the_command() -> None:
    words = [sys.executable, "-m", "autostudio"]
    done = subprocess.run([*words, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "usage: python -m autostudio [" in done.stdout
    assert "run.py" not in done.stdout
    wrong = subprocess.run([*words, "export", "nowhere"], cwd=ROOT, capture_output=True, text=True)
    assert wrong.returncode == 2


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git would commit, so that left-over files of this folder do not travel."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.rstrip("\0").split("\0")  # fmt: skip
    for name in listed:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    words = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(folder),
    ]
    done = subprocess.run([*words, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.slow
def test_the_wheel_has_what_a_first_book_needs_and_no_more(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"autostudio", "model", "download", "quantization"}
    for name in (
        "autostudio/py.typed",
        "autostudio/examples/first_light.json",
        "model/starter/manifest.json",
        "model/starter/transformer/flux-q8_0.gguf",
        "model/page/export/reader.css",
        "model/web/static/index.html",
        "model/web/static/vendor/preact.js",
        "model/web/static/vendor/LICENSE-preact.txt",
    ):
        assert name in names
    assert not any(name.endswith((".md", ".png", ".ipynb")) for name in names)
    for line in (
        "Author: The AutoStudio developers",
        "Keywords: ",
        "Description-Content-Type: text/markdown",
    ):
        assert line in metadata, line


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_installed_wheel_draws_the_first_story(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own that borrows the dependencies of this one, in an empty folder."""
    home = tmp_path / "environment"
    venv.create(home, with_pip=False)
    bin_folder = home / ("Scripts" if sys.platform == "win32" else "bin")
    python = next(path for path in (bin_folder / "python", bin_folder / "python.exe") if path.exists())
    (site,) = home.rglob("site-packages")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True)
    here = next(Path(place) for place in sys.path if place.endswith("site-packages"))
    (site / "borrowed.pth").write_text(str(here))
    desk = tmp_path / "desk"
    desk.mkdir()
    command = [str(bin_folder / "autostudio"), "--quality", "fast", "--candidates", "1", "--max_retries", "0"]
    started = time.monotonic()
    done = subprocess.run(command, cwd=desk, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (desk / "outputs" / "first-light" / "pages" / "page_001.png").is_file(), time.monotonic() - started
    found = subprocess.run(
        [str(python), "-c", "import autostudio; print(autostudio.__file__)"],
        cwd=desk, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert str(home) in found
