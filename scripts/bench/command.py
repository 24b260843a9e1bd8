"""What every bench shares as a command: seeds within their range, and one line about what it lacks.

In: a bench's `main`. Out: its exit code; 2, and one line on stderr, where weights are not here, a flag is
wrong or a file cannot be read.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from model.errors import AutoStudioError, ConfigError
from model.failures import plain_failures

_MOST = 2**32 - 1  # what every generator of numbers takes


def run(main: Callable[[], int]) -> int:
    """Run a bench; see above."""
    code = 0
    with plain_failures() as failure:
        try:
            code = main()
        except AutoStudioError as error:
            raise ConfigError(str(error)) from error
    return failure.code or code


def seed_flag(
    parser: argparse.ArgumentParser, default: int, *, most: int = _MOST, help: str = "(default: %(default)s)"
) -> None:
    """Add `--seed`: a whole number from 0 to `most`."""

    def seed(text: str) -> int:
        if not text.isdecimal() or int(text) > most:
            raise ConfigError(f"--seed: found {text[:40]!r}, expected a whole number from 0 to {most}")
        return int(text)

    parser.add_argument("--seed", type=seed, default=default, metavar="N", help=help)


def prompts_flag(parser: argparse.ArgumentParser, default: int = 0) -> None:
    """Add `--seed` where it says which held-out prompts are drawn."""
    from scripts.bench.held_out import RANGES

    last = RANGES - 1
    seed_flag(parser, default, most=last, help=f"which range of prompts, 0 to {last} (default: %(default)s)")
