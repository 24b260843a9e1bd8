"""`--gguf` from the command line: another file draws other pictures under other keys, and keeps to a plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.commands.quantize_report import levels_of
from model.render.weights import STARTER, open_checkpoint
from quantization.convert import convert
from quantization.levels import LEVELS

PLAIN = ("--max_retries", "0", "--detector", "none", "--segmenter", "none")


def short_story() -> dict[str, Any]:
    return {"version": 1, "title": "Short", "pages": [{"panels": [{"scene": "beach", "shot": "wide"}]}]}


def test_a_level_draws_the_book_by_a_plan(desk: Any, tiny: Path) -> None:
    checkpoint = open_checkpoint(tiny)
    story = desk.write(short_story())
    source = next(tiny.glob("transformer/*.gguf"))
    made = desk.folder / "outputs" / "gguf" / f"{checkpoint.name}-Q4_0.gguf"
    convert(source, made, LEVELS["Q4_0"], device="cpu")
    assert desk.run(story, *PLAIN, "--gguf", "auto").code == 0
    own = desk.record("short")
    assert own["weights"]["fingerprint"] == checkpoint.fingerprint  # the better one of the two
    done = desk.run(story, *PLAIN, "--gguf", "Q4_0")
    assert done.code == 0, done.err
    assert "Q4_0*" in done.err  # the table
    assert f"taking Q4_0: outputs/gguf/{made.name}" in done.err
    level = desk.record("short")
    assert level["weights"]["fingerprint"] != checkpoint.fingerprint
    assert level["config"]["gguf"]["path"].endswith("Q4_0.gguf")
    assert level["config"]["gguf"]["level"] == "Q4_0"
    assert level["panels"][0]["key"] != own["panels"][0]["key"]
    assert level["memory"]["given_up"] == []
    assert "predicted peak" in level["memory"]["plan"]
    assert level["memory"]["predicted_peak"] > 0
    assert desk.run(story, *PLAIN, "--gguf", "Q4_0").report["drawn"] == 0  # found by its key


def test_a_wrong_level_or_file_is_code_2(desk: Any, tiny: Path) -> None:
    good = next(tiny.glob("transformer/*.gguf")).read_bytes()
    broken = {"cut": good[:-500], "short": good[:99], "empty": b"", "magic": b"GGML" + good[4:]}
    for name, data in broken.items():
        (desk.folder / f"{name}-Q8_0.gguf").write_bytes(data)
    for asked in ("Q9_9", "gone.gguf", *(f"{name}-Q8_0.gguf" for name in broken)):
        done = desk.run(desk.write(short_story()), "--gguf", asked)
        assert done.code == 2, done.err
        assert asked in done.err
        assert "Traceback" not in done.err


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("level", [level.name for level in levels_of(None)])
def test_the_starter_draws_the_example_story_at_every_level(
    level: str, desk_in: Callable[[Path], Any], tmp_path: Path
) -> None:
    desk = desk_in(tmp_path)
    file = tmp_path / f"starter-{level}.gguf"
    convert(STARTER / "transformer" / "flux-q8_0.gguf", file, LEVELS[level], device="cpu")
    done = desk.run("--model", "starter", *PLAIN, "--gguf", file)
    assert done.code == 0, done.err
    assert done.report["failed"] == 0
    assert done.report["panels"] == len(desk.record("first-light")["panels"])
