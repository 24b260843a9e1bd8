"""The Colab notebook is tidy, says what can be typed, and runs from top to bottom on the starter."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from download.catalog import named
from model import cli
from model.commands import doctor, download, vibe
from model.variants import MODEL_NAMES, VARIANTS

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "AutoStudio_Colab.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
SOURCES = {cell["id"]: "".join(cell["source"]) for cell in CELLS}
CODE = "\n".join(SOURCES[cell["id"]] for cell in CELLS if cell["cell_type"] == "code")

# What a child does with the notebook: the cell of choices is changed, then all are run.
RUN = """
import sys, nbclient, nbformat
book = nbformat.read(sys.argv[1], as_version=4)
choices = next(cell for cell in book.cells if "parameters" in cell.metadata.get("tags", []))
choices.source += "\\n" + sys.argv[2]
nbclient.NotebookClient(book, timeout=1800, resources={"metadata": {"path": "."}}).execute()
nbformat.write(book, "done.ipynb")
"""


def test_no_outputs_are_kept() -> None:
    for cell in CELLS:
        assert re.fullmatch(r"[a-z-]+", cell["id"]), "a name, so that a change shows as one"
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_every_command_and_flag_is_one() -> None:
    commands = re.findall(r"run\.py (\S+)(.*)", CODE)
    assert {"doctor", "download", "vibe", "studio", "{STORY}"} == {name for name, _ in commands}
    known = {"doctor": doctor.parser(), "download": download.parser(), "vibe": vibe.parser()}
    known["{STORY}"] = cli._parser("draw")
    known["studio"] = cli.module_of("studio").parser()
    for name, rest in commands:
        for flag in re.findall(r"--\w+", rest):
            assert flag in known[name].format_help(), f"{name} has no {flag}"
    for flag in re.findall(r"--\w+", SOURCES["fetch"].replace("run.py download {MODEL} --gguf", "")):
        assert flag in known["{STORY}"].format_help(), flag


def test_every_model_that_can_be_chosen_is_one() -> None:
    models = re.findall(r'"([\w-]+)"', re.findall(r"MODEL = .*@param (\[.*\])", CODE)[0])
    levels = re.findall(r'"(\w+)"', re.findall(r"LEVEL = .*@param (\[.*\])", CODE)[0])
    assert models[0] == "starter"
    for model in models:
        assert model in {*VARIANTS, *MODEL_NAMES}
        for level in levels if model != "starter" else ():
            for source in named(model).at(level):
                assert not source.gated or source.page in SOURCES["choose-text"], (
                    f"{source.page} is to be named"
                )


def test_colabs_requirements_are_the_projects_but_for_torch() -> None:
    lines = (ROOT / "requirements_colab.txt").read_text().splitlines()
    listed = {str(Requirement(line)) for line in lines if line and not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["text"], *extras["web"]]
    assert listed == {str(Requirement(line)) for line in needed} - {
        str(Requirement(line)) for line in needed if Requirement(line).name in ("torch", "torchvision")
    }


def test_the_colab_script_is_the_doctor(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "fix_colab_deps.py"), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "run.py doctor" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_it_runs_from_top_to_bottom_on_the_starter(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom model.cli import main\nsys.exit(main())\n"
    )
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    environment = {
        **os.environ,
        **{name: str(tmp_path / name) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR")},
        "VIBE_MEMORY_PATH": "",
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(NOTEBOOK), "STEPS = 1"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=3500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    cells = {cell["id"]: cell for cell in json.loads((tmp_path / "done.ipynb").read_text())["cells"]}
    pages = len(list((tmp_path / "outputs" / "notebook" / "pages").glob("*.png")))
    assert pages >= 2
    for name in ("look", "again"):
        shown = [one for one in cells[name]["outputs"] if "image/png" in one.get("data", {})]
        assert len(shown) == pages
    assert "1 liked, 1 disliked" in str(cells["like"]["outputs"])
    assert "book.pdf" in str(cells["home"]["outputs"])
