"""Every command that a document tells to type is run. What it needs, and what stands in: `recipes.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents.place import Place
from tests.documents.reading import commands, commands_in
from tests.documents.recipes import run_command

COMMANDS = commands()

# diffusers' DPM-Solver hands a tensor to numpy in the old way; nothing here can change that.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> Place:
    return Place(folder=tmp_path, monkeypatch=monkeypatch, capsys=capsys, request=request)


@pytest.mark.parametrize("command", COMMANDS, ids=list(COMMANDS))
def test_every_command_works(place: Place, command: str) -> None:
    run_command(place, command)


def test_documents_have_commands() -> None:
    assert {"README.md", "COLAB_SETUP.md", "GGUF_GUIDE.md"} <= set(COMMANDS.values())
    assert len(COMMANDS) > 50


def test_a_command_is_found_however_it_is_written() -> None:
    text = (
        "```bash\nrun.py a # why\n\n# only words\nrun.py b \\\n    --c\n```\n"
        "1. first\n   ```sh\n   run.py d\n   ```\n```json\nrun.py no\n```\n"
        "```console\n$ run.py e\nwhat it says\n```\n"
    )
    assert commands_in(text) == ["run.py a", "run.py b --c", "run.py d", "run.py e"]


@pytest.mark.parametrize("command", ["python elsewhere.py", "make check", "scripts/unheard"])
def test_a_command_that_nothing_runs_fails(place: Place, command: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="no recipe runs"):
        run_command(place, command)


@pytest.mark.parametrize(
    "command",
    ["python run.py my_story.json --qualty fast", "python run.py vibe lick good.png",
     "python -m scripts.starter.train_vae --hours 2", "python run.py download flux-def",
     "python -m pip install no-such-package"],
)  # fmt: skip
def test_a_command_that_does_not_work_fails(place: Place, command: str) -> None:
    with pytest.raises((AssertionError, SystemExit)):
        run_command(place, command)


@pytest.mark.parametrize("name", ["autostudio", "python -m autostudio", "python run.py"])
def test_the_program_has_three_names(place: Place, name: str) -> None:
    run_command(place, f"{name} layout my_story.json")
