"""What the documents tell to type: every command of every block of shell lines, in every document.

A new file in `docs/` is read without being named anywhere.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELLS = ("bash", "sh", "shell", "console")
BLOCK = re.compile(r"^[ \t]*```(\w+)[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)


def documents() -> tuple[Path, ...]:
    """Every document that a person reads."""
    return tuple(sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("model/*.md")]))


def commands_in(text: str) -> list[str]:
    """The commands of a document: without prompts and comments, broken lines joined."""
    found: list[str] = []
    for language, block in BLOCK.findall(text):
        if language not in SHELLS:
            continue
        for line in block.replace("\\\n", " ").splitlines():
            command = re.split(r"(?:^|\s)#", line)[0].strip()
            command = " ".join(command.removeprefix("$ ").split())
            # In a console's block, lines without a prompt are what the command says.
            if command and (language != "console" or line.lstrip().startswith("$ ")):
                found.append(command)
    return found


def commands() -> dict[str, str]:
    """Every command, and the first document that has it."""
    found: dict[str, str] = {}
    for document in documents():
        for command in commands_in(document.read_text(encoding="utf-8")):
            found.setdefault(command, document.relative_to(ROOT).as_posix())
    return found
