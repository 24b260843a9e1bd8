"""`run.py quantize SRC --level LEVEL -o OUT`: make a GGUF file of a checkpoint; `--report`: measure levels.

In: what was typed. Out: the file, and a line about it for a person, or with --json one object for a program.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from model.errors import ConfigError
from model.program import as_typed
from quantization.levels import LEVELS, Level, level_of


def parser() -> argparse.ArgumentParser:
    """The parser of `run.py quantize`."""
    top = argparse.ArgumentParser(
        prog=as_typed("run.py quantize"),
        description="Make a GGUF file of a Flux transformer or a T5 encoder, without a compiler. An "
        "interrupted conversion resumes with the same command.",
        allow_abbrev=False,
    )
    top.add_argument(
        "source",
        type=Path,
        metavar="SRC",
        help="a safetensors or GGUF file, an index of shards, or a folder in diffusers' layout",
    )
    top.add_argument("--level", metavar="LEVEL", help=f"one of: {', '.join(LEVELS)} (in any case)")
    top.add_argument("-o", "--out", type=Path, metavar="OUT", help="the GGUF file to write")
    top.add_argument(
        "--report",
        action="store_true",
        help="make every level (or the one named), draw the same panels with each, and show what it costs; "
        "OUT is then a folder (default: outputs/gguf, where --gguf finds files and figures)",
    )
    top.add_argument(
        "--panels",
        type=int,
        default=4,
        metavar="N",
        help="panels that --report and --imatrix draw, 1 to 64 (default: 4)",
    )
    top.add_argument(
        "--imatrix",
        type=Path,
        metavar="FILE",
        help="how much each column matters, for K levels: a story (.json), whose panels are drawn to measure "
        "it, or a file made before (safetensors, or llama.cpp's GGUF)",
    )
    top.add_argument(
        "--device",
        choices=("auto", "cuda", "mps", "cpu"),
        default="auto",
        help="where to compute (default: auto)",
    )
    top.add_argument("--json", action="store_true", help="print one JSON object")
    return top


def run(flags: argparse.Namespace) -> int:
    """Quantize. The exit code; errors of the project are the caller's to show."""
    if not 1 <= flags.panels <= 64:
        raise ConfigError(f"--panels: {flags.panels} is out of range; use 1 to 64")
    if flags.report:
        return _report(flags)
    if flags.level is None or flags.out is None:
        raise ConfigError("quantize: --level LEVEL and -o OUT say what to make and where; or use --report")
    level = level_of(flags.level)
    from quantization.convert import Converted, convert

    begun = time.monotonic()
    imatrix = _importance(flags, (level,), flags.out.parent)
    made: Converted = convert(
        flags.source, flags.out, level, imatrix=imatrix, device=flags.device, report=_show
    )
    _clear()
    seconds = round(time.monotonic() - begun, 1)
    if flags.json:
        facts = asdict(made) | {"path": str(made.path), "seconds": seconds}
        sys.stdout.write(json.dumps(facts) + "\n")
        return 0
    notes = [f"{number} tensors {kind}" for kind, number in made.tensors.items()]
    if made.fallen_back:
        notes.append(f"{made.fallen_back} are F16 for their rows are no multiple of {level.type.values}")
    if made.unweighted:
        notes.append(f"{made.unweighted} are not in the importance file")
    if made.left_out:
        notes.append(f"{made.left_out} of other models left out")
    if made.resumed:
        notes.append(f"{made.resumed} found from an earlier attempt")
    sys.stderr.write(
        f"{made.path}: {made.level}, {made.bytes / 1e6:.1f} MB, "
        f"{8 * made.bytes / made.weights:.2f} bits a weight, {seconds} s; {'; '.join(notes)}\n"
    )
    return 0


def _report(flags: argparse.Namespace) -> int:
    """Make and measure levels, and print the table."""
    from model.commands.quantize_report import levels_of, report, table

    folder = flags.out or Path("outputs/gguf")
    levels = levels_of(flags.level)
    rows = report(
        flags.source,
        folder,
        levels=levels,
        panels=flags.panels,
        device=flags.device,
        say=_say,
        imatrix=_importance(flags, levels, folder),
    )
    if flags.json:
        facts = [asdict(row) | {"psnr": None if math.isinf(row.psnr) else row.psnr} for row in rows]
        sys.stdout.write(json.dumps({"folder": str(folder), "levels": facts}) + "\n")
    else:
        sys.stdout.write(table(rows))
    return 0


def _importance(flags: argparse.Namespace, levels: Sequence[Level], folder: Path) -> Path | None:
    """The file of `--imatrix`; of a story it is made in `folder`, by drawing."""
    if flags.imatrix is None:
        return None
    if not any(level.type.weighted for level in levels):
        raise ConfigError(f"--imatrix: {levels[0].name} has no use for importance; choose a K level")
    if flags.imatrix.suffix.lower() != ".json":
        return flags.imatrix
    from model.commands.quantize_draw import importance_for

    return importance_for(
        flags.source, flags.imatrix, folder, panels=flags.panels, device=flags.device, say=_say
    )


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _show(name: str, done: int, total: int) -> None:
    """Progress on a terminal, one line that is written again; nothing where stderr is a file."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{100 * done // max(1, total)} %  {name}")
        sys.stderr.flush()


def _clear() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
