"""GGUF_GUIDE.md: its commands can be typed, and what each machine is told to take is what its plan takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from model import cli
from model.commands import download, quantize
from quantization.advise import advise
from quantization.levels import LEVELS
from quantization.plans import GB, Canvas, Machine
from quantization.sizes import MODELS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "GGUF_GUIDE.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
ROWS = [line.strip("| ").split(" | ") for line in GUIDE.splitlines() if line.startswith("| a ")]
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
COMMANDS += [found for found in re.findall(r"`(python run\.py [^`]+)`", GUIDE) if "LEVEL" not in found]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_can_be_typed(command: str) -> None:
    words = shlex.split(command)
    assert words[:2] == ["python", "run.py"]
    if words[2] == "quantize":
        flags = quantize.parser().parse_args(words[3:])
        assert flags.report or flags.level in LEVELS
    elif words[2] == "download":
        flags = download.parser().parse_args(words[3:])
        assert flags.gguf is None or flags.gguf in LEVELS
    else:
        cli._parser("draw").parse_args(words[2:])


def on(kind: str, free: float, host: float) -> Machine:
    return Machine(kind=kind, free=int(free * GB), host=int(host * GB))


# What of a card's, a Mac's, and main memory is free where nothing else runs.
MACHINES = {
    "a card of 8 GB, 32 GB of main memory": [on("cuda", 8, 32)],
    "a card of 8 GB, 16 GB of main memory": [on("cuda", 8, 13)],
    "a card of 12 GB": [on("cuda", 12, 32), on("cuda", 12, 13)],
    "a card of 16 GB or 24 GB": [on("cuda", 16, 32), on("cuda", 24, 32)],
    "a Mac with 32 GB": [on("mps", 21.3, 28)],
    "a Mac with 48 GB": [on("mps", 36, 44)],
    "a Mac with 16 GB or 24 GB": [on("mps", 10.7, 12), on("mps", 16, 20)],
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_machine_is_told_what_its_plan_takes(row: list[str]) -> None:
    have, take, command = row
    canvas = Canvas(width=1024, height=1024, batch=4)
    for machine in MACHINES[have]:
        plan = advise(MODELS["flux-schnell"], machine, canvas)[0]
        if take.startswith("no Flux"):
            assert not plan.fits
            assert advise(MODELS["sdxl"], machine, canvas)[0].fits
        else:
            assert plan.fits
            assert plan.level == re.match(r"\w+", take)[0]  # pyright: ignore[reportOptionalSubscript]
            assert command.endswith(f"--gguf {plan.level}`")
            assert ("main memory" in take) == (plan.offload == "group")
    assert len(ROWS) == len(MACHINES)
