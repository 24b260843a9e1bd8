"""The parts of README.md that the code knows better: the flags, the presets, the starter's words.

    python -m scripts.docs      # rewrites what stands between <!-- NAME --> and <!-- /NAME -->

In: model.cli's parsers, model.config's presets, the tables of the drawn world. Out: README.md, the same text
outside the markers. tests/test_docs.py fails when a part is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import get_args

from model import cli
from model.story.schema import Shot
from model.variants import VARIANTS
from scripts.starter import captions
from scripts.starter.world import identity, palette
from scripts.starter.world.backgrounds import BACKGROUNDS

README = Path(__file__).resolve().parent.parent / "README.md"


def flag_table() -> str:
    """Every flag of every command, once, with the commands that read it."""
    described: dict[str, str] = {}
    commands: dict[str, list[str]] = {}
    for command in cli.COMMANDS:
        for action in cli._parser(command)._actions:
            name = _flag(action)
            described.setdefault(name, (action.help or "") % {**vars(action), "prog": "run.py"})
            commands.setdefault(name, []).append(command)
    rows = [
        (f"`{name}`", text, "all" if len(commands[name]) == len(cli.COMMANDS) else ", ".join(commands[name]))
        for name, text in described.items()
    ]
    rows.sort(key=lambda row: row[0].startswith("`--"))  # the story first, the rest as --help has it
    return _table(("flag", "what it says", "commands"), rows)


def preset_table() -> str:
    """What each `--quality` stands for, by model."""
    rows = [
        (model, f"`{quality}`", preset.steps, f"{preset.guidance:g}", preset.refine_steps)
        for model, row in VARIANTS.items()
        for quality, preset in row.presets.items()
    ]
    return _table(("model", "quality", "steps", "guidance", "refine steps"), rows)


def word_table() -> str:
    """What the starter has learnt to draw, in the words it was taught with."""
    rows = [
        ("who", _listed(dict.fromkeys(who.removeprefix("a ") for who in captions.SUBJECTS))),
        ("hair", f"{_listed(palette.HAIR)}; {_listed(identity.STYLES)}"),
        ("eyes", ", ".join(f"{colour} eyes" for colour in palette.EYES)),
        ("clothes", f"{_listed(palette.CLOTH)}; {_listed(identity.OUTFITS)}"),
        ("with it", _listed(name for name in identity.ACCESSORIES if name != "none")),
        ("expression", _synonyms(identity.EXPRESSIONS, captions.EXPRESSIONS)),
        ("action", _listed(identity.POSES)),
        ("scene", _synonyms(BACKGROUNDS, captions.BACKGROUNDS)),
        ("shot", _listed(get_args(Shot))),
        ("style", f"{_listed(captions.COLOUR_STYLES)}; {_listed(captions.INK_STYLES)}"),
    ]
    return _table(("what", "words"), rows)


BLOCKS: Mapping[str, Callable[[], str]] = {
    "flags": flag_table,
    "presets": preset_table,
    "words": word_table,
}


def refreshed(text: str) -> str:
    """`text` with every generated part made anew.

    Raises:
        ValueError: the markers of a part are not there exactly once.
    """
    for name, made in BLOCKS.items():
        opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if (text.count(opening), text.count(closing)) != (1, 1):
            raise ValueError(f"README.md: expected one {opening.strip()} and one {closing} after it")
        before, rest = text.split(opening)
        text = before + opening + made() + "\n" + closing + rest.partition(closing)[2]
    return text


def _flag(action: argparse.Action) -> str:
    """A flag as it is typed: `--seed SEED`, `--device auto|cuda`, `STORY …`."""
    if not action.option_strings:
        return f"{action.metavar} …"
    name = action.option_strings[-1]
    if action.nargs == 0:
        return name
    if action.choices:
        return f"{name} {'|'.join(map(str, action.choices))}"
    return f"{name} {action.metavar or action.dest.upper()}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def _synonyms(words: Iterable[str], others: Mapping[str, Iterable[str]]) -> str:
    """`smiling (smile, happy), angry, …`: each word with the other ways to say it."""
    parts: list[str] = []
    for word in words:
        rest = [other for other in others.get(word, ()) if other != word]
        parts.append(f"{word} ({', '.join(rest)})" if rest else word)
    return ", ".join(parts)


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_escaped(str(cell)) for cell in line) + " |" for line in lines)


def _escaped(cell: str) -> str:
    """A cell without what Markdown would take for a border or a tag; inside backquotes `<` is itself."""
    text = cell.replace("|", "\\|")
    return text if text.startswith("`") else text.replace("<", "&lt;")


def main() -> int:
    argparse.ArgumentParser(description="Rewrite the generated parts of README.md.").parse_args()
    before = README.read_text(encoding="utf-8")
    after = refreshed(before)
    if after != before:
        README.write_text(after, encoding="utf-8")
    sys.stdout.write(f"{README.name}: {'as it was' if after == before else 'rewritten'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
