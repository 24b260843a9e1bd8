"""`run.py export RUN_DIR --format FORMAT`: a finished book in another format, or lettered again.

In: parsed flags. Out: files, and a line about them for a person, or with --json one object for a program.
Draws no panel and loads no model.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from model.program import as_typed

FORMATS = ("png", "pdf", "cbz", "html", "epub", "webtoon", "layers")


def parser() -> argparse.ArgumentParser:
    """The parser of `run.py export`."""
    top = argparse.ArgumentParser(
        prog=as_typed("run.py export"),
        description="Write a finished book in one or several formats, with the words its story has now. "
        "No panel is drawn.",
        allow_abbrev=False,
    )
    top.add_argument("run", type=Path, metavar="RUN_DIR", help="the book's folder, with its run.json")
    top.add_argument(
        "--format",
        action="append",
        choices=(*FORMATS, "all"),
        dest="formats",
        help="may be given several times; all: every form "
        "(default: png, pdf, cbz and html, as a run writes them)",
    )
    top.add_argument(
        "--dpi", type=int, metavar="N", help="of page pictures, 18 to 900 (default: the run's, 150)"
    )
    top.add_argument(
        "--empty_balloons", action="store_true", help="leave the words out, into the folder empty_balloons/"
    )
    top.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: RUN_DIR)")
    top.add_argument(
        "--story", type=Path, metavar="STORY", help="the story, when it was moved (default: as run.json says)"
    )
    top.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    return top


def run(flags: argparse.Namespace) -> int:
    """Export. The exit code; errors of the project are the caller's to show."""
    from model.page.export.book import BOOK
    from model.run.reprint import reprint

    asked = flags.formats or BOOK
    formats = FORMATS if "all" in asked else tuple(asked)
    done = reprint(
        flags.run,
        story=flags.story,
        formats=formats,
        dpi=flags.dpi,
        empty_balloons=flags.empty_balloons,
        out=flags.out,
    )
    for note in done.notes:
        sys.stderr.write(f"note: {note}\n")
    if flags.json:
        paths = {"out": str(done.out), "files": [str(file) for file in done.files]}
        sys.stdout.write(json.dumps({**asdict(done), **paths}) + "\n")
    else:
        sys.stderr.write(
            f"{done.out}: {', '.join(formats)}; "
            f"{len(done.set_anew)} of {done.pages} pages set, "
            f"no panel drawn, {done.seconds:.1f} s\n"
        )
    return done.exit_code
