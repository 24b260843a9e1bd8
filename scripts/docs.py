"""The parts of the documents that the code knows better: commands, flags, presets, the starter's words.

    python -m scripts.docs      # rewrites what stands between <!-- NAME --> and <!-- /NAME -->

In: the parsers of model.cli and model.commands, the table of variants, the catalog of downloads, the tables
of the drawn world. Out: the pages of docs/ that `BLOCKS` names, the same text outside the markers.
tests/test_docs.py fails when a part is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import get_args

from download.catalog import CATALOG
from model import cli
from model.story.schema import Shot
from model.variants import VARIANTS
from scripts.starter import captions
from scripts.starter.world import identity, palette
from scripts.starter.world.backgrounds import BACKGROUNDS

DOCS = Path(__file__).resolve().parent.parent / "docs"


def command_table() -> str:
    """Every command and what it does."""
    drawing = {name: text for name, (text, _) in cli.COMMANDS.items()}
    rows = [
        (f"`{name} {what}`", text)
        for commands, what in ((drawing, "STORY …"), (cli.MEMORIES, "…"))
        for name, text in commands.items()
    ]
    return _table(("command", "what it does"), rows)


def flag_table() -> str:
    """Every flag of every drawing command, once, with the commands that read it."""
    return _flags({command: cli._parser(command) for command in cli.COMMANDS}, "commands")


def tool_tables() -> str:
    """Each other command: its actions, and every flag with the actions that read it."""
    return "\n\n".join(_tool(command) for command in cli.MEMORIES)


def _tool(command: str) -> str:
    parser: argparse.ArgumentParser = cli.module_of(command).parser()
    parts = [f"### {command}", str(parser.description)]
    choices = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if choices:
        texts = {str(one.dest): str(one.help) for one in choices[0]._choices_actions}
        actions: dict[str, argparse.ArgumentParser] = dict(choices[0].choices)
        rows = [(f"`{' '.join((name, *_words(one)))}`", texts[name]) for name, one in actions.items()]
        parts += [_table(("action", "what it does"), rows), _flags(actions, "actions")]
    else:
        parts += [_flags({command: parser}, "")]
    return "\n\n".join(parts)


def _words(parser: argparse.ArgumentParser) -> list[str]:
    """What an action is given besides flags."""
    return [_flag(action) for action in parser._actions if not action.option_strings]


def _flags(parsers: Mapping[str, argparse.ArgumentParser], readers: str) -> str:
    """Every flag of some parsers, once, with the parsers that have it; the words without dashes first.

    Args:
        readers: what the parsers are; empty: there is one, and nothing to say about it.
    """
    described: dict[str, str] = {}
    commands: dict[str, list[str]] = {}
    for command, parser in parsers.items():
        for action in parser._actions:
            name = _flag(action)
            if not (action.help or action.option_strings) or name == "--help":
                continue
            described.setdefault(name, (action.help or "") % {**vars(action), "prog": "run.py"})
            commands.setdefault(name, []).append(command)
    rows = [
        (f"`{name}`", text, "all" if len(commands[name]) == len(parsers) else ", ".join(commands[name]))
        for name, text in described.items()
    ]
    rows.sort(key=lambda row: row[0].startswith(("`--", "`-o")))  # the rest as --help has it
    if not readers:
        return _table(("flag", "meaning"), [row[:2] for row in rows])
    return _table(("flag", "meaning", readers), rows)


def preset_table() -> str:
    """What each `--quality` stands for, by model."""
    rows = [
        (
            model,
            f"`{quality}`",
            preset.steps,
            f"{preset.guidance:g}",
            preset.refine_steps,
            preset.scheduler or ("flow_match" if row.family == "flux" else "euler"),
        )
        for model, row in VARIANTS.items()
        for quality, preset in row.presets.items()
    ]
    return _table(("model", "quality", "steps", "guidance", "refine steps", "sampler"), rows)


def download_table() -> str:
    """What `run.py download` can fetch."""
    return _table(("name", "what it is"), [(f"`{one.name}`", one.purpose) for one in CATALOG.values()])


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


# Name of a generated part → the page of docs/ it is in, and what makes it.
BLOCKS: Mapping[str, tuple[str, Callable[[], str]]] = {
    "commands": ("command-line.md", command_table),
    "flags": ("command-line.md", flag_table),
    "tools": ("command-line.md", tool_tables),
    "downloads": ("models.md", download_table),
    "presets": ("models.md", preset_table),
    "words": ("stories.md", word_table),
}
PAGES = tuple(dict.fromkeys(page for page, _ in BLOCKS.values()))


def refreshed(page: str, text: str) -> str:
    """The text of a page of docs/ with every generated part made anew.

    Raises:
        ValueError: the markers of a part are not there exactly once.
    """
    for name, (place, made) in BLOCKS.items():
        if place != page:
            continue
        opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if (text.count(opening), text.count(closing)) != (1, 1):
            raise ValueError(f"docs/{page}: expected one {opening.strip()} and one {closing} after it")
        before, rest = text.split(opening)
        text = before + opening + made() + "\n" + closing + rest.partition(closing)[2]
    return text


def _flag(action: argparse.Action) -> str:
    """A flag as it is typed: `--seed SEED`, `--device auto|cuda`, `STORY …`."""
    if not action.option_strings:
        return f"{action.metavar or action.dest}{' …' if action.nargs in ('*', '+') else ''}"
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
    argparse.ArgumentParser(description="Rewrite the generated parts of the pages in docs/.").parse_args()
    for page in PAGES:
        path = DOCS / page
        before = path.read_text(encoding="utf-8")
        after = refreshed(page, before)
        if after != before:
            path.write_text(after, encoding="utf-8")
        sys.stdout.write(f"docs/{page}: {'as it was' if after == before else 'rewritten'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
