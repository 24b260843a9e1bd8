"""`run.py quantize`: what was typed in, a file and a line about it out."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from quantization.levels import LEVELS, level_of


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of the command; nothing heavy is imported."""
    parser.add_argument(
        "source",
        type=Path,
        metavar="SRC",
        help="a safetensors or GGUF file, an index of shards, or a folder in diffusers' layout",
    )
    parser.add_argument(
        "--level", required=True, metavar="LEVEL", help=f"one of: {', '.join(LEVELS)} (in any case)"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="OUT", help="the GGUF file to write")
    parser.add_argument(
        "--imatrix", type=Path, metavar="FILE", help="how much each column matters, for K levels"
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cuda", "mps", "cpu"),
        default="auto",
        help="where to compute (default: auto)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def run(flags: argparse.Namespace) -> int:
    """Quantize; errors of the project are the caller's to show."""
    level = level_of(flags.level)
    from quantization.convert import convert

    begun = time.monotonic()
    meter = _Meter()
    made = convert(
        flags.source,
        flags.out,
        level,
        imatrix=flags.imatrix,
        device=_device(flags.device),
        report=meter.show,
    )
    meter.clear()
    seconds = round(time.monotonic() - begun, 1)
    if flags.json:
        facts = asdict(made) | {"path": str(made.path), "seconds": seconds}
        sys.stdout.write(json.dumps(facts) + "\n")
        return 0
    notes = [f"{number} tensors as {kind}" for kind, number in made.tensors.items()]
    if made.fallen_back:
        notes.append(f"{made.fallen_back} with rows that {level.type.name} cannot hold are F16")
    if made.unweighted:
        notes.append(f"{made.unweighted} not named in the importance file")
    if made.left_out:
        notes.append(f"{made.left_out} of other models left out")
    if made.resumed:
        notes.append(f"{made.resumed} found from an earlier attempt")
    sys.stderr.write(
        f"{made.path}: {made.level}, {made.bytes / 1e6:.1f} MB, "
        f"{8 * made.bytes / made.weights:.2f} bits a weight, {seconds} s; {'; '.join(notes)}\n"
    )
    return 0


def _device(name: str) -> str:
    import torch

    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


class _Meter:
    """One line on a terminal, rewritten; nothing where stderr is a file."""

    def show(self, name: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{100 * done // max(1, total)} %  {name}")
            sys.stderr.flush()

    def clear(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
