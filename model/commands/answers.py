"""What the commands of this folder share: an answer for a person or a program, and a parser for each action.

In: facts and lines; names of actions. Out: one of both on stdout; parsers. Imports nothing heavy.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import ConfigError
from model.program import as_typed

if TYPE_CHECKING:
    from model.memory.store.library import Library

Parsers = dict[str, argparse.ArgumentParser]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an action found or did.

    Attributes:
        facts: for a program, a JSON object.
        lines: for a person.
        code: the exit code.
    """

    facts: Mapping[str, Any]
    lines: Sequence[str]
    code: int = 0


def tell(answer: Answer, flags: argparse.Namespace) -> int:
    """Print the lines, or with `--json` the facts; returns the exit code."""
    if flags.json:
        sys.stdout.write(json.dumps(answer.facts, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in answer.lines))
    return answer.code


def library_of(flags: argparse.Namespace, *, new: bool = False) -> Library:
    """The library that `--library` names, open.

    Args:
        new: whether it may be made.
    Raises:
        ConfigError: there is none.
        StorageError, IntegrityError: see `Library`.
    """
    from model.memory.store.library import Library

    if not new and not (flags.library / "library.db").exists():
        raise ConfigError(
            f"--library: there is no library in {flags.library}; draw a story first, or name another"
        )
    return Library.open(flags.library)


def shared_flags(library: str = "") -> argparse.ArgumentParser:
    """The flags of every action: `--json`, and `--library` with this help unless it is empty."""
    shared = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    if library:
        shared.add_argument(
            "--library", type=Path, default=Path("outputs/library"), metavar="DIR", help=library
        )
    shared.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    return shared


def parsers(
    command: str, about: str, actions: Mapping[str, str], shared: argparse.ArgumentParser
) -> tuple[argparse.ArgumentParser, Parsers]:
    """The parser of `run.py COMMAND`, and one for each of its actions, with its help text."""
    top = argparse.ArgumentParser(prog=as_typed(f"run.py {command}"), description=about, allow_abbrev=False)
    made = top.add_subparsers(dest="action", required=True, metavar="ACTION")
    return top, {
        name: made.add_parser(name, help=text, description=text, parents=[shared], allow_abbrev=False)
        for name, text in actions.items()
    }


def positive(flag: str, value: int) -> int:
    """The value, if it is one or more.

    Raises:
        ConfigError: it is not.
    """
    if value < 1:
        raise ConfigError(f"{flag}: {value} is out of range; use 1 or more")
    return value
