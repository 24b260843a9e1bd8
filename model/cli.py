"""The command line: parses what was typed, calls the door, returns an exit code.

Parsing imports nothing heavy, so that `--help` answers at once; a command imports what it needs when it runs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from model import __version__
from model.config import FIRST_STORY
from model.errors import ConfigError
from model.failures import plain_failures
from model.flags import FLAGS, add_flag
from model.program import as_typed
from model.quiet import quieten

if TYPE_CHECKING:
    from model.run.book import Report
    from model.story.plan import Plan
    from model.studio import Studio

EXIT_CODES = (
    "exit codes: 0 done; 1 some panels failed; 2 the story or a flag is wrong; 3 the machine lacks something"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. What goes wrong becomes one line on stderr."""
    with plain_failures() as failure:
        failure.code = _main(argv)
    return failure.code


def _main(argv: Sequence[str] | None) -> int:
    words = [_underscored(word) for word in (sys.argv[1:] if argv is None else argv)]
    command = words[0] if words and words[0] in {*COMMANDS, *MEMORIES} else "draw"
    rest = words[1:] if words and words[0] == command else words
    if command in MEMORIES:
        module = module_of(command)
        flags, run = module.parser().parse_args(rest), module.run
    else:
        flags, run = _parser(command).parse_args(rest), COMMANDS[command][1]
    quieten(online=command == "download")
    # Operations that Apple's devices lack run on the CPU; torch asks when it is imported.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    return run(flags)


def _draw(flags: argparse.Namespace) -> int:
    return _each_story(flags, lambda studio, plan: studio.draw(plan).report)


def _cast(flags: argparse.Namespace) -> int:
    return _each_story(flags, lambda studio, plan: studio.rehearse(plan))


def _layout(flags: argparse.Namespace) -> int:
    return _each_story(flags, lambda studio, plan: studio.layout(plan), drawn=False)


def _each_story(
    flags: argparse.Namespace, make: Callable[[Studio, Plan], Report], *, drawn: bool = True
) -> int:
    """Plan every story, so that a bad one is refused before anything is made; then make something of each."""
    from model.studio import Studio
    from model.terminal import Terminal

    said = {name: value for name, value in vars(flags).items() if name not in ("stories", "json")}
    stories = flags.stories or [FIRST_STORY]
    code = 0
    with Terminal() as terminal, Studio.open(events=terminal, **said) as studio:
        if studio.settings.out is not None and len(stories) > 1:
            raise ConfigError(
                f"--out: one folder for {len(stories)} stories; draw them one by one, or leave --out out"
            )
        plans = [studio.plan(path, drawn=drawn) for path in stories]
        for plan in plans:
            code = max(code, _tell(make(studio, plan), flags.json))
    return code


def _tell(report: Report, as_json: bool) -> int:
    """Where the book is, for a person on stderr or for a program on stdout."""
    if as_json:
        sys.stdout.write(json.dumps({**asdict(report), "out": str(report.out)}) + "\n")
    else:
        failed = f", {report.failed} failed" if report.failed else ""
        sys.stderr.write(
            f"{report.out}: {report.panels} panels on {report.pages} pages{failed}; "
            f"{report.drawn} pictures drawn, {report.cached} found, {report.seconds:.1f} s\n"
        )
    return report.exit_code


def _underscored(word: str) -> str:
    """`--guidance-scale=3` → `--guidance_scale=3`: both spellings of a flag are one."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def _parser(command: str) -> argparse.ArgumentParser:
    """One parser a command; flags that a command does not read are not offered by it."""
    listing = "\n".join(
        f"  run.py {name + ' ' if name != 'draw' else ''}[STORY …]   {text}"
        for name, (text, _) in COMMANDS.items()
    )
    listing += "".join(f"\n  run.py {name} …   {text}" for name, text in MEMORIES.items())
    parser = argparse.ArgumentParser(
        prog=as_typed("run.py" if command == "draw" else f"run.py {command}"),
        description="AutoStudio: a story JSON goes in, a finished comic comes out.\n\n" + as_typed(listing),
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "stories",
        nargs="*",
        type=Path,
        metavar="STORY",
        help="story JSON (default: examples/first_light.json)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a story on stdout")
    parser.add_argument("--version", action="version", version=f"AutoStudio {__version__}")
    scopes = {"layout": ("model",), "cast": ("model", "draw")}.get(command, ("model", "draw", "book"))
    for flag in FLAGS:
        if flag.scope in scopes:
            add_flag(parser, flag)
    return parser


COMMANDS: dict[str, tuple[str, Callable[[argparse.Namespace], int]]] = {
    "draw": ("draw the book", _draw),
    "cast": ("rehearse the cast and stop, to look at the references", _cast),
    "layout": ("draw panel frames, boxes and balloons only; no model", _layout),
}

# What is kept between runs, and files of weights: a module of model/commands each, with a parser of its own.
MEMORIES: dict[str, str] = {
    "studio": "a page in the browser where books are made by choosing and correcting",
    "vibe": "likes and dislikes: like, dislike, stats, score, explain, clear, export, import, analytics, …",
    "download": "download and check weights: flux-dev, sdxl, …; --list shows what is here",
    "export": "a finished book in other formats, lettered again: pdf, cbz, epub, webtoon, html, png, layers",
    "repair": "part of a panel drawn again, the rest as it was",
    "doctor": "what is installed, what fits, what is broken, and how to fix it; --fix",
    "quantize": "make a GGUF file of a checkpoint",
    "characters": "how characters look: list, show, add, approve, remove, undo, sightings",
    "panels": "drawn panels: list, similar, pin, unpin, gc, export, import, books, forget, diversity",
    "chronicle": "the story's long-term memory: recall, add, list, forget, log",
}


def module_of(command: str) -> ModuleType:
    """Where the parser of a command of MEMORIES is."""
    return importlib.import_module(
        "model.web.command" if command == "studio" else f"model.commands.{command}"
    )
