"""The command line's words, before any run: spellings, refusals, and an answer at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model import __version__, cli
from model.errors import ConfigError
from model.run.report import settings_line
from model.run.settle import settle
from model.variants import QUALITIES, VARIANTS

ROOT = Path(__file__).parents[1]
HELP_SECONDS = 0.2
UNNEEDED_FOR_HELP = {"torch", "diffusers", "transformers", "numpy", "pydantic", "PIL", "skia", "rich"}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *words], cwd=ROOT, capture_output=True, text=True
    )


def test_help_answers_at_once() -> None:
    """In processor time: other programs on the machine do not count."""
    seconds: list[float] = []
    done = run("--help")
    for _ in range(5):
        before = os.times()
        run("--help")
        after = os.times()
        seconds.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
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
    ],
)
def test_an_unknown_flag_exits_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(list(words))
    assert left.value.code == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("flag", ["scheduler", "quality", "device", "inject", "vibe_settings"])
def test_an_unknown_choice_lists_the_known_ones(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([f"--{flag}", "heun"]) == 2
    assert capsys.readouterr().err.startswith(f"error: --{flag}: 'heun' is unknown; use one of ")


def test_an_unknown_command_is_taken_for_a_story_and_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["paint"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "paint" in message
    assert len(message.splitlines()) == 1


# --- what the flags resolve to


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("model", VARIANTS)
def test_the_preset_fills_what_was_not_said(model: str, quality: str) -> None:
    settings = settle(model=model, quality=quality)
    preset = VARIANTS[model].presets[quality]
    assert (settings.steps, settings.guidance, settings.refine_steps) == (
        preset.steps,
        preset.guidance,
        min(preset.refine_steps, preset.steps // 2),
    )
    said = settle(model=model, quality=quality, steps=3, guidance=1.0, refine_steps=2)
    assert (said.steps, said.guidance, said.refine_steps) == (3, 1.0, 2)


def test_a_folder_with_a_manifest_is_a_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--model: .* is none of the kinds that are known here"):
        settle(model=str(tmp_path))
    (tmp_path / "manifest.json").write_text("{}")
    preset = VARIANTS["starter"].presets["fast"]
    assert settle(model=str(tmp_path), quality="fast").steps == preset.steps


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 100.5])
def test_guidance_is_a_number_in_range(value: float) -> None:
    with pytest.raises(ConfigError, match="--guidance_scale"):
        settle(guidance=value)


def test_schnell_takes_no_guidance_and_256_tokens() -> None:
    assert settle(model="flux-schnell").max_sequence_length == 256
    assert settle(model="flux-schnell", guidance=1.0).guidance == 1.0
    with pytest.raises(ConfigError, match="draws without guidance"):
        settle(model="flux-schnell", guidance=3.5)
    with pytest.raises(ConfigError, match="--max_sequence_length: 257 is out of range"):
        settle(model="flux-schnell", max_sequence_length=257)


def test_a_presets_refine_steps_are_at_most_half_and_a_typed_number_counts() -> None:
    assert settle(model="flux-dev", steps=6).refine_steps == 3
    assert settle(model="flux-dev", steps=6, refine_steps=6).refine_steps == 6


def test_operations_that_apples_devices_lack_run_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTORCH_ENABLE_MPS_FALLBACK", "0")
    assert cli.main(["nowhere.json"]) == 2
    assert os.environ["PYTORCH_ENABLE_MPS_FALLBACK"] == "0", "what somebody said stays"
    monkeypatch.delenv("PYTORCH_ENABLE_MPS_FALLBACK")
    assert cli.main(["nowhere.json"]) == 2
    assert os.environ["PYTORCH_ENABLE_MPS_FALLBACK"] == "1"


@pytest.mark.parametrize("model", sorted(VARIANTS))
@pytest.mark.parametrize("quality", QUALITIES)
def test_a_run_says_what_its_quality_stands_for(model: str, quality: str) -> None:
    settings = settle(model=model, quality=quality)
    line = settings_line(settings)
    assert line.startswith(f"{settings.variant}, {quality}: {settings.steps} steps")
    assert (f"the last {settings.refine_steps} by the whole prompt" in line) == (settings.refine_steps > 0)
    assert line.endswith("no guidance" if settings.guidance == 1 else f"guidance {settings.guidance:g}")
