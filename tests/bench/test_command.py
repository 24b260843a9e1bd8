"""Every bench says in one line what it lacks, and ends with exit code 2."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

from scripts.bench.command import run

BENCHES = Path(__file__).resolve().parents[2] / "scripts" / "bench"
COMMANDS = {
    path.stem: text for path in sorted(BENCHES.glob("*.py")) if "__main__" in (text := path.read_text())
}
SEEDED = [name for name, text in COMMANDS.items() if re.search(r"(seed|prompts)_flag\(parser", text)]


def ended(name: str, *words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What a bench says on stderr, with exit code 2."""
    module = importlib.import_module(f"scripts.bench.{name}")
    monkeypatch.setattr(sys, "argv", [name, *words])
    assert run(module.main) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1, said
    return said


@pytest.mark.parametrize("name", COMMANDS)
def test_each_runs_through_the_same_door(name: str) -> None:
    text = COMMANDS[name]
    assert text.endswith('if __name__ == "__main__":\n    sys.exit(run(main))\n')
    assert '"--seed"' not in text


@pytest.mark.parametrize("name", SEEDED)
@pytest.mark.parametrize("seed", ["-1", str(2**64), "x"])
def test_a_seed_out_of_range(
    name: str, seed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ended(name, f"--seed={seed}", capsys=capsys, monkeypatch=monkeypatch)
    assert said.startswith(f"error: --seed: found '{seed}', expected a whole number from 0 to ")


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("control", "--weights"),
        ("taste", "--clip"),
        ("upscale", "--upscaler"),
        ("upscale", "--vae"),
        ("sd_world", "--weights"),
        ("starter", "--model"),
        ("sd_control", "--model"),
    ],
)
def test_weights_that_are_not_here(
    name: str, flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "gone" in ended(name, flag, str(tmp_path / "gone"), capsys=capsys, monkeypatch=monkeypatch)
