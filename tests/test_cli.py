"""The command line's words, before any run: spellings, refusals, and an answer at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model import __version__, cli
from model.config import PRESETS, QUALITIES, resolve
from model.errors import ConfigError
from model.run.report import told

ROOT = Path(__file__).parents[1]
HELP_SECONDS = 0.3
UNNEEDED_FOR_HELP = {"torch", "diffusers", "transformers", "numpy", "pydantic", "PIL", "skia", "rich"}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *words], cwd=ROOT, capture_output=True, text=True
    )


def test_help_answers_at_once() -> None:
    seconds: list[float] = []
    for _ in range(5):
        started = time.perf_counter()
        run("--help")
        seconds.append(time.perf_counter() - started)
    done = run("--help")
    assert done.returncode == 0
    assert "exit codes: 0 done" in done.stdout
    for command in cli.COMMANDS:
        assert command == "draw" or f"run.py {command}" in done.stdout
    assert min(seconds) < HELP_SECONDS


@pytest.mark.parametrize("words", [("--help",), ("cast", "--help"), ("layout", "--help"), ("--version",)])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "run.py"), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported, "the list of imports was read"
    assert not imported & UNNEEDED_FOR_HELP


def test_version() -> None:
    assert run("--version").stdout == f"AutoStudio {__version__}\n"


@pytest.mark.parametrize("command", [(), ("draw",), ("cast",)])
@pytest.mark.parametrize(
    "flag", ["--num-inference-steps", "--guidance-scale", "--refine-steps", "--max-sequence-length"]
)
def test_both_spellings_of_a_flag_are_one(
    command: tuple[str, ...], flag: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    underscored = "--" + flag[2:].replace("-", "_")
    answers = set()
    for words in ((flag, "-7"), (f"{flag}=-7",), (underscored, "-7"), (f"{underscored}=-7",)):
        code = cli.main([*command, str(tmp_path / "story.json"), *words])
        answers.add((code, capsys.readouterr().err))
    ((code, message),) = answers
    assert code == 2
    assert message.startswith(f"error: {underscored}: -7")


def test_a_dash_in_a_value_stays(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--model=my-model"]) == 2
    assert "'my-model'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("--frobnicate",),
        ("--qual", "fast"),  # no abbreviations: a later flag must not change what a script says
        ("layout", "--seed", "1"),
        ("--seed",),
        ("--seed", "one"),
        ("--scheduler", "heun"),
    ],
)
def test_an_unknown_flag_exits_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(list(words))
    assert left.value.code == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


def test_an_unknown_command_is_taken_for_a_story_and_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["paint"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "paint" in message
    assert len(message.splitlines()) == 1


# --- what the flags resolve to


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("model", PRESETS)
def test_the_preset_fills_what_was_not_said(model: str, quality: str) -> None:
    settings = resolve(model=model, quality=quality)
    preset = PRESETS[model][quality]
    assert (settings.steps, settings.guidance, settings.refine_steps) == (
        preset.steps,
        preset.guidance,
        min(preset.refine_steps, preset.steps // 2),
    )
    said = resolve(model=model, quality=quality, steps=3, guidance=1.0, refine_steps=2)
    assert (said.steps, said.guidance, said.refine_steps) == (3, 1.0, 2)


def test_a_folder_with_a_manifest_is_a_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--model: .* is unknown; use one of starter, .*, or a folder"):
        resolve(model=str(tmp_path))
    (tmp_path / "manifest.json").write_text("{}")
    assert resolve(model=str(tmp_path), quality="fast").steps == PRESETS["starter"]["fast"].steps


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 100.5])
def test_guidance_is_a_number_in_range(value: float) -> None:
    with pytest.raises(ConfigError, match="--guidance_scale"):
        resolve(guidance=value)


def test_schnell_takes_no_guidance_and_256_tokens() -> None:
    assert resolve(model="flux-schnell").max_sequence_length == 256
    assert resolve(model="flux-schnell", guidance=1.0).guidance == 1.0
    with pytest.raises(ConfigError, match="draws without guidance"):
        resolve(model="flux-schnell", guidance=3.5)
    with pytest.raises(ConfigError, match="--max_sequence_length: 257 is out of range"):
        resolve(model="flux-schnell", max_sequence_length=257)


def test_a_presets_refine_steps_are_at_most_half_and_a_typed_number_counts() -> None:
    assert resolve(model="flux-dev", steps=6).refine_steps == 3
    assert resolve(model="flux-dev", steps=6, refine_steps=6).refine_steps == 6


def test_operations_that_apples_devices_lack_run_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTORCH_ENABLE_MPS_FALLBACK", "0")
    assert cli.main(["nowhere.json"]) == 2
    assert os.environ["PYTORCH_ENABLE_MPS_FALLBACK"] == "0", "what somebody said stays"
    monkeypatch.delenv("PYTORCH_ENABLE_MPS_FALLBACK")
    assert cli.main(["nowhere.json"]) == 2
    assert os.environ["PYTORCH_ENABLE_MPS_FALLBACK"] == "1"


@pytest.mark.parametrize("model", sorted(PRESETS))
@pytest.mark.parametrize("quality", QUALITIES)
def test_a_run_says_what_its_quality_stands_for(model: str, quality: str) -> None:
    settings = resolve(model=model, quality=quality)
    line = told(settings)
    assert line.startswith(f"{settings.variant}, {quality}: {settings.steps} steps")
    assert (f"the last {settings.refine_steps} by the whole prompt" in line) == (settings.refine_steps > 0)
    assert line.endswith("no guidance" if settings.guidance == 1 else f"guidance {settings.guidance:g}")
