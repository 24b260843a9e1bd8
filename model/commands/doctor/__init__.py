"""`run.py doctor`: what is installed, what fits, what is broken, and what to type.

In: what was typed. Out: a line a finding on stdout, with the command that mends it, or with --json one
object; exit code 3 while something is wrong. `--fix` runs the safe ones and looks again. torch is asked in a
child, so that this works where torch does not; a check that breaks is a finding, and the others still run.
"""

from __future__ import annotations

import argparse
import functools
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from model.commands.doctor import machine, packages, probe, stores, weights
from model.commands.doctor.findings import Finding, guarded
from model.program import as_typed

__all__ = ["parser", "run"]

Check = Callable[[], Iterator[Finding]]


def parser() -> argparse.ArgumentParser:
    """The parser of `run.py doctor`."""
    top = argparse.ArgumentParser(
        prog=as_typed("run.py doctor"),
        description="What is installed, what fits this machine, what is broken, and how to fix it.",
        epilog="exit codes: 0 nothing is wrong; 3 something is",
        allow_abbrev=False,
    )
    top.add_argument(
        "--fix", action="store_true", help="run the commands that can do no harm, then check again"
    )
    top.add_argument(
        "--deep",
        action="store_true",
        help="read every byte of downloaded weights: a minute for 30 GB, or more",
    )
    top.add_argument(
        "--library",
        type=Path,
        default=Path("outputs/library"),
        metavar="DIR",
        help="the library to check",
    )
    top.add_argument("--json", action="store_true", help="print one JSON object")
    return top


def run(flags: argparse.Namespace) -> int:
    """Check, fix if asked to, and report; returns the exit code."""
    findings = examine(flags.library, deep=flags.deep)
    fixed: list[dict[str, object]] = []
    commands = dict.fromkeys(one.safe for one in findings if one.state == "wrong" and one.safe)
    if flags.fix and commands:
        for words in commands:
            fixed.append({"command": list(words), "code": _run(words)})
        findings = examine(flags.library, deep=flags.deep)
    wrong = sum(one.state == "wrong" for one in findings)
    if flags.json:
        facts = {"ok": not wrong, "findings": [asdict(one) for one in findings], "fixed": fixed}
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    else:
        for one in findings:
            sys.stdout.write(f"{one.state:6}{one.area:10}{one.text}\n")
            if one.mend and one.state != "ok":
                sys.stdout.write(f"{'':16}→ {one.mend}\n")
        left = [one for one in findings if one.state == "wrong" and one.safe]
        advice = "; --fix mends what can be mended safely" if left and not flags.fix else ""
        sys.stdout.write(f"{wrong} wrong{advice}\n" if wrong else "nothing is wrong\n")
    return 3 if wrong else 0


def examine(library: Path, *, deep: bool = False) -> list[Finding]:
    """Every check, in the order in which one needs the other; `deep`: see `weights.downloaded`."""
    installed = packages.Installed()
    probed = functools.cache(probe.ask)
    checks: list[tuple[str, Check]] = [
        ("python", packages.python),
        ("packages", lambda: packages.packages(installed, packages.bounds())),
        ("torch", lambda: packages.torch_pair(installed)),
        ("torch", lambda: probe.torch_works(probed())),
        ("device", lambda: probe.device(probed())),
        ("memory", machine.memory),
        ("disk", lambda: machine.disk(Path("outputs"), library, _cache())),
        ("weights", weights.starter),
        ("weights", lambda: weights.downloaded(deep=deep)),
        ("library", lambda: stores.library(library)),
        ("vibe", stores.vibe),
        ("encoder", stores.encoder),
        ("sentences", stores.sentences),
        ("fonts", stores.fonts),
        ("plan", lambda: machine.fits(probed())),
    ]
    return [finding for area, check in checks for finding in guarded(area, check)]


def _run(words: tuple[str, ...]) -> int:
    """Run a command whose lines go to stderr, for stdout is the answer's; its exit code."""
    sys.stderr.write(f"$ {shlex.join(words)}\n")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        for line in child.stdout or ():
            sys.stderr.write(line)
    return child.returncode


def _cache() -> Path:
    from download.cache import default_cache

    return default_cache()
