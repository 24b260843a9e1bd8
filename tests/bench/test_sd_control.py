"""The bench of Stable Diffusion runs on any checkpoint, and its last line can be read."""

from __future__ import annotations

import json

import pytest

from scripts.bench.sd_control import main
from tests.render.sd_checkpoints import OLD_ARRAYS, sd_folder

pytestmark = OLD_ARRAYS


def test_the_last_line_tells_what_moved(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sd_folder(tmp_path_factory, "sd15")
    flags = ("--size", "64", "--steps", "2", "--refine_steps", "0", "--seeds", "1", "--device", "cpu")
    assert main(["--model", str(folder), *flags]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["row"] == "sd15"
    assert [(one["changed"], one["masked"]) for one in told["moved"]] == [
        ("words", True),
        ("reference", True),
        ("words", False),
        ("reference", False),
    ]
    assert all(one["own"] > 0 for one in told["moved"])
    assert told["seconds"]["regions"] > 0
