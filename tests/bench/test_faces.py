"""The benchmark of faces: what it says of limits, and that it runs to its last line on the starter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from scripts.bench import faces
from scripts.bench.faces import Try, chosen, limit_table, sheet


def a_try(least: float | None, total: float, *right: bool) -> Try:
    return Try(least=least, total=total, right=right)


def test_a_run_stops_at_the_first_try_that_passes_and_else_takes_the_best() -> None:
    bad, worse, good = a_try(0.04, 0.8, False), a_try(0.02, 0.9, True), a_try(0.3, 0.5, True)
    assert chosen([bad, good], 0.1) == (2, good)
    assert chosen([bad, good], 0.03) == (1, bad)
    assert chosen([bad, worse], 0.1) == (2, worse)
    assert chosen([a_try(None, 0.5), good], 0.1) == (1, a_try(None, 0.5))


def test_limits_say_what_they_send_back_and_what_that_gains() -> None:
    rows = [
        (a_try(0.001, 0.5, False), a_try(0.5, 0.9, True)),
        (a_try(0.9, 0.9, True), a_try(0.9, 0.9, True)),
    ]
    table, facts = limit_table(rows)
    assert facts["back_0"] == 0
    assert facts["back_0.01"] == 0.5
    assert facts["expression_0"] == 0.5
    assert facts["expression_0.01"] == 1.0
    assert facts["least_0.01"] == pytest.approx(0.7)
    assert len(table.splitlines()) == 3 + len(faces.LIMITS)


def test_ways_stand_side_by_side() -> None:
    made = sheet([[Image.new("RGB", (50, 100), "red"), Image.new("RGB", (100, 100), "blue")]], height=50)
    assert made.size == (25 + 4 + 50 + 4, 54)
    assert made.getpixel((10, 10)) == (255, 0, 0)
    assert made.getpixel((60, 10)) == (0, 0, 255)


def test_runs_to_its_last_line_on_the_starter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--n", "1", "--seed", "40", "--quality", "fast", "--tries", "1", "--levers", "1"]
    assert faces.main([*arguments, "--library", str(tmp_path), "--sheet", str(tmp_path / "s.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(lines[-1])
    assert 0 <= figures["one pass"]["least"] <= 1
    assert figures["one pass"]["seconds"] > 0
    with Image.open(tmp_path / "s.png") as made:
        assert made.height == 204
