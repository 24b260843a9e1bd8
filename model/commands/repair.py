"""`run.py repair RUN_DIR PANEL "words" --box X,Y,W,H`: part of a panel drawn again, the rest as it was.

In: parsed flags. Out: a further try of the panel, shown by the book, whose pages are set again. It draws with
the settings that the book was drawn with.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model.errors import ConfigError
from model.program import as_typed


def parser() -> argparse.ArgumentParser:
    """The parser of `run.py repair`."""
    top = argparse.ArgumentParser(
        prog=as_typed("run.py repair"),
        description="Draw part of a panel again; the rest stays as it is, to the bit. Every try is kept.",
        allow_abbrev=False,
    )
    top.add_argument("run", type=Path, metavar="RUN_DIR", help="the book's folder, with its run.json")
    top.add_argument("panel", metavar="PANEL", help="such as p001_02")
    top.add_argument(
        "words", nargs="?", default="", help="what the part should be (default: what the story says)"
    )
    where = top.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--box", metavar="X,Y,W,H", help="the part: pixels of the panel's picture, or fractions of it"
    )
    where.add_argument(
        "--mask", type=Path, metavar="PNG", help="a picture that is white where the panel is drawn again"
    )
    where.add_argument("--at", metavar="X,Y", help="a point: the head or figure there is drawn again")
    top.add_argument(
        "--strength", type=float, metavar="X", help="how much may change, 0.1 to 1 (default: 0.6)"
    )
    top.add_argument("--seed", type=int, metavar="N", help="of the repair (default: another one each time)")
    top.add_argument(
        "--try", type=int, metavar="N", dest="attempt", help="which try (default: the one shown)"
    )
    return top


def run(flags: argparse.Namespace) -> int:
    """Repair. The exit code; errors of the project are the caller's to show."""
    from model.run.record import read_record
    from model.run.repair import STRENGTH
    from model.run.settle import flags_of
    from model.studio import Studio

    box = _numbers("--box", flags.box, "four numbers: X,Y,W,H") if flags.box is not None else None
    at = _numbers("--at", flags.at, "two numbers: X,Y") if flags.at is not None else None
    record = read_record(flags.run)
    with Studio.open(**flags_of(record.config.model_dump())) as studio:
        plan = studio.plan(flags.run / record.story)
        book = studio.draw(plan, out=flags.run)
        book = studio.repair(
            book,
            flags.panel,
            box=box,
            mask=flags.mask,
            at=at,
            words=flags.words,
            strength=STRENGTH if flags.strength is None else flags.strength,
            seed=flags.seed,
            attempt=flags.attempt,
        )
    outcome = book.panels[flags.panel]
    number = [one.request.key for one in outcome.candidates].index(outcome.best.request.key)
    sys.stderr.write(f"{flags.run}: {flags.panel} shows try {number} of {len(outcome.candidates)}\n")
    return book.report.exit_code


def _numbers(flag: str, said: str, expected: str) -> list[float]:
    try:
        return [float(number) for number in said.split(",")]
    except ValueError:
        raise ConfigError(f"{flag}: found '{said}'; expected {expected}") from None
