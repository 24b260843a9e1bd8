"""The command line: what was typed in, a run, and an exit code out (DESIGN section 8).

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
from typing import TYPE_CHECKING

from model import __version__
from model.config import DEVICES, FIRST_STORY, INJECTIONS, MODELS, QUALITIES, VIBE_SETTINGS, Settings
from model.errors import AutoStudioError
from model.quiet import quieten

if TYPE_CHECKING:
    from model.run.report import Report

SCHEDULERS = ("flow_match", "euler", "ddim", "dpm")
EXIT_CODES = (
    "exit codes: 0 done; 1 some panels failed; 2 the story or a flag is wrong; 3 the machine lacks something"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Errors of the project become one line on stderr."""
    words = [_underscored(word) for word in (sys.argv[1:] if argv is None else argv)]
    command = words[0] if words and words[0] in {*COMMANDS, *MEMORIES} else "draw"
    rest = words[1:] if words and words[0] == command else words
    if command in MEMORIES:
        module = importlib.import_module(f"model.commands.{command}")
        flags, run = module.parser().parse_args(rest), module.run
    else:
        flags, run = _parser(command).parse_args(rest), COMMANDS[command][1]
    quieten(online=command == "download")
    # Operations that Apple's devices lack run on the CPU; torch asks when it is imported.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    try:
        return run(flags)
    except AutoStudioError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except MemoryError:
        sys.stderr.write("error: out of memory; close other programs, or use --quality fast\n")
        return 3
    except KeyboardInterrupt:
        sys.stderr.write("stopped; the same command goes on from here\n")
        return 130


def _draw(flags: argparse.Namespace) -> int:
    from model.studio import make_book

    return _each_story(
        flags, lambda path, desk: make_book(path, desk.settings, desk.library, desk.models, desk.reporter)
    )


def _cast(flags: argparse.Namespace) -> int:
    from model.studio import make_cast

    return _each_story(
        flags, lambda path, desk: make_cast(path, desk.settings, desk.library, desk.models, desk.reporter)
    )


def _layout(flags: argparse.Namespace) -> int:
    from model.run.progress import Reporter
    from model.run.settle import settle
    from model.studio import make_layout

    settings = settle(model=flags.model, model_variant=flags.model_variant, out=flags.out)
    stories = flags.stories or [FIRST_STORY]
    _check_stories(stories, settings, drawn=False)
    code = 0
    with Reporter() as reporter:
        for path in stories:
            code = max(code, _tell(make_layout(path, settings, reporter), flags.json))
    return code


class _Desk:
    """What every story of one command shares: settings, library, resident models, progress."""

    def __init__(self, settings: Settings) -> None:
        from model.memory.store.library import Library
        from model.run.models import Resident
        from model.run.progress import Reporter

        self.settings = settings
        self.reporter = Reporter()
        self.library = Library.open(settings.library)
        self.models = Resident(settings, self.library, self.reporter)


def _each_story(flags: argparse.Namespace, make: Callable[[Path, _Desk], Report]) -> int:
    from model.run.settle import fit, settle

    told = {name: value for name, value in vars(flags).items() if name not in ("stories", "json")}
    settings = fit(settle(**told), _say)
    stories = flags.stories or [FIRST_STORY]
    _check_stories(stories, settings)
    desk = _Desk(settings)
    code = 0
    with desk.library, desk.reporter:
        for path in stories:
            code = max(code, _tell(make(path, desk), flags.json))
    return code


def _check_stories(stories: Sequence[Path], settings: Settings, *, drawn: bool = True) -> None:
    """Refuse a bad story, and a story that shall be drawn with weights that are not here, before anything is
    made on disk."""
    from model.errors import ConfigError
    from model.run.settle import checkpoint_of, outline_of
    from model.studio import check_story

    if settings.out is not None and len(stories) > 1:
        raise ConfigError(
            f"--out: one folder for {len(stories)} stories; draw them one by one, or leave --out out"
        )
    checkpoint = checkpoint_of(settings, hashed=False) if drawn else outline_of(settings)
    for path in stories:
        check_story(path, settings, checkpoint)


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


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


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
        prog="run.py" if command == "draw" else f"run.py {command}",
        description="AutoStudio: a story JSON goes in, a finished comic comes out.\n\n" + listing,
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
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the book's folder (default: outputs/<story slug>)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a story on stdout")
    parser.add_argument("--version", action="version", version=f"AutoStudio {__version__}")
    parser.add_argument(
        "--model",
        metavar="NAME",
        help=f"one of: {', '.join(MODELS)}; or a folder in diffusers' layout, a safetensors or GGUF file, "
        "or a hub name (default: flux where it was downloaded, else starter)",
    )
    parser.add_argument(
        "--model_variant",
        default="",
        metavar="NAME",
        help="of flux: dev or schnell, of fluxplus: kontext; of a folder or file: also plus "
        "(default: dev, or what the files say)",
    )
    if command == "layout":
        return parser
    _drawing_flags(parser)
    if command == "draw":
        _book_flags(parser)
    return parser


def _drawing_flags(parser: argparse.ArgumentParser) -> None:
    """What decides a rehearsal and a panel alike. Names are those of `resolve`."""
    parser.add_argument(
        "--quality", default="balanced", help=f"one of: {', '.join(QUALITIES)} (default: balanced)"
    )
    parser.add_argument(
        "--num_inference_steps",
        dest="steps",
        type=int,
        metavar="N",
        help="denoising steps (default: by quality)",
    )
    parser.add_argument(
        "--guidance_scale", dest="guidance", type=float, metavar="X", help="1 = off (default: by model)"
    )
    parser.add_argument(
        "--scheduler",
        choices=SCHEDULERS,
        help="sampler (default: flow_match; euler for Stable Diffusion, which takes no flow_match)",
    )
    parser.add_argument(
        "--refine_steps", type=int, metavar="N", help="last steps that follow the global prompt alone"
    )
    parser.add_argument(
        "--max_sequence_length",
        type=int,
        metavar="N",
        help="most tokens of a global prompt (default: 512, or what the model takes)",
    )
    parser.add_argument(
        "--lora",
        action="append",
        default=[],
        metavar="FILE[:WEIGHT]",
        help="a LoRA file and how strongly it acts; may be given several times",
    )
    parser.add_argument(
        "--reference_scale",
        type=float,
        default=1.0,
        metavar="X",
        help="how strongly the pictures of characters act, 0 to 2; 0 = not at all (default: 1)",
    )
    parser.add_argument(
        "--gguf",
        default="",
        metavar="LEVEL",
        help="draw with quantized weights: a level such as Q4_K_S, a GGUF file, or auto for what fits "
        "(default: the model's own)",
    )
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to draw (default: auto)")
    parser.add_argument("--seed", type=int, default=0, help="of the run (default: 0)")
    parser.add_argument(
        "--candidates", type=int, default=3, metavar="N", help="rehearsal drawings a character (default: 3)"
    )
    for eye, does in (("detector", "finds"), ("segmenter", "cuts out")):
        parser.add_argument(
            f"--{eye}",
            default="auto",
            metavar="PATH",
            help=f"weights of what {does} characters, or none (default: auto, the model's own)",
        )
    parser.add_argument(
        "--library",
        type=Path,
        default=Path("outputs/library"),
        metavar="DIR",
        help="where drawn panels are kept",
    )


def _book_flags(parser: argparse.ArgumentParser) -> None:
    """What is done with drawn panels."""
    parser.add_argument(
        "--max_retries",
        type=int,
        metavar="N",
        help="most new tries for a panel that is not accepted, 0 to 10 (default: 3)",
    )
    parser.add_argument(
        "--vibe_settings",
        metavar="NAME",
        help="threshold and retries by name: "
        + "; ".join(f"{name} ({least}, {most})" for name, (least, most) in VIBE_SETTINGS.items()),
    )
    parser.add_argument(
        "--vibe_threshold",
        type=float,
        metavar="X",
        help="least score of the vibe memory that a panel needs, -1 to 1 (default: -0.1)",
    )
    parser.add_argument(
        "--vibe_category", metavar="NAME", help="score panels as of this category (default: all)"
    )
    parser.add_argument(
        "--vibe_guidance",
        action="store_true",
        help="also steer: panels take on colours of pictures you like (default: off)",
    )
    parser.add_argument(
        "--vibe_weight",
        type=float,
        default=0.5,
        metavar="X",
        help="how much of their colours, 0 to 1 (default: 0.5)",
    )
    parser.add_argument(
        "--inject_every",
        type=int,
        default=0,
        metavar="N",
        help="every Nth panel takes on colours of a drawn one; 15 suits long books (default: 0, none does)",
    )
    parser.add_argument(
        "--inject",
        choices=INJECTIONS,
        default="similar",
        help="which one: like the panels before it, or unlike them (default: similar)",
    )
    parser.add_argument(
        "--inject_weight",
        type=float,
        default=0.5,
        metavar="X",
        help="how much of its colours, 0 to 1; beyond 0.5 backgrounds suffer (default: 0.5)",
    )
    parser.add_argument(
        "--cache_entries",
        type=int,
        default=100_000,
        metavar="N",
        help="most panels the library keeps after a run (default: 100000)",
    )
    parser.add_argument(
        "--cache_gb",
        type=float,
        default=20.0,
        metavar="X",
        help="most gigabytes of panels it keeps; books and what you like or pin stay (default: 20)",
    )
    parser.add_argument(
        "--upscaler",
        default="starter",
        metavar="PATH",
        help="weights of what enlarges accepted panels (ESRGAN and its kin), or none "
        "(default: starter, the project's own)",
    )


COMMANDS: dict[str, tuple[str, Callable[[argparse.Namespace], int]]] = {
    "draw": ("draw the book", _draw),
    "cast": ("rehearse the cast and stop, to look at the references", _cast),
    "layout": ("draw panel frames, boxes and balloons only; no model", _layout),
}

# What is kept between runs, and files of weights: a module of model/commands each, with a parser of its own.
MEMORIES: dict[str, str] = {
    "vibe": "likes and dislikes: like, dislike, stats, score, explain, clear, export, import, analytics, …",
    "download": "fetch and check weights: flux-dev, sdxl, …; --list says what is here",
    "export": "a finished book in another form, or lettered anew: pdf, cbz, epub, webtoon, html, png, layers",
    "doctor": "what is installed, what fits, what is broken, and what to type; --fix",
    "quantize": "make a GGUF file of a checkpoint",
    "characters": "who looks how: list, show, add, approve, remove, undo, sightings",
    "panels": "drawn panels: list, similar, pin, unpin, gc, export, import, books, forget, diversity",
    "chronicle": "the story's long-term memory: recall, add, list, forget, log",
}
