"""The prompt syntax of A1111's web UI, in texts that are drawn: what can be meant is, the rest is named.

In: a story whose texts may hold weights, `[a|b]`, `BREAK`, `<lora:name:0.8>` and wildcards. Out: the same
story in plain words, and a note for each thing that was changed, with what to use instead. What stands in
double quotes is to be read in the picture, and stays; so do captions and dialogue. Wildcards are files beside
the story. The same story and files give the same words.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model.story.reading import place_of, shorten
from model.story.schema import Story

_MOST_WILDCARD = 1 << 20  # bytes of a file of wildcards
_DEPTH = 5  # wildcards inside wildcards
_NUMBER = r"\s*[-+]?\d*\.?\d+\s*"
_NETWORK = re.compile(r"<\s*(lora|lyco|hypernet)\s*:\s*([^:<>]+?)\s*(?::\s*([^<>]*?)\s*)?>", re.IGNORECASE)
_WILDCARD = re.compile(r"__([\w][\w/ -]*?)__(?!_)")
_CHOICE = re.compile(r"\{([^{}|]*(?:\|[^{}|]*)+)\}")
_TURNS = re.compile(r"(?<!\\)\[([^\[\]|:]*(?:\|[^\[\]|:]*)+)\]")
_EDIT = re.compile(rf"(?<!\\)\[([^\[\]:]*):(?:([^\[\]:]*):)?({_NUMBER})\]")
_WEIGHT = re.compile(rf"(?<!\\)\(([^()]+):{_NUMBER}(?<!\\)\)")
_DOUBLE = re.compile(r"(?<!\\)\(\s*(?<!\\)\(([^()]+)\)\s*\)")
_LESS = re.compile(r"(?<!\\)\[([^\[\]]+)\]")
_BREAK = re.compile(r"\s*,?\s*\bBREAK\b\s*,?\s*")


def in_plain_words(story: Story) -> Story:
    """The story with its drawn texts in plain words, and what was changed among its notes."""
    notes: list[str] = []

    def said(text: str, *steps: str | int) -> str:
        return _plain(text, place_of(steps), story.path.parent, notes)

    characters = {
        key: one.model_copy(
            update={
                "description": said(one.description, "characters", key, "description"),
                "variants": {
                    name: said(text, "characters", key, "variants", name)
                    for name, text in one.variants.items()
                },
            }
        )
        for key, one in story.characters.items()
    }
    pages = tuple(
        page.model_copy(
            update={
                "panels": tuple(
                    _panel(panel, ("pages", p, "panels", i), said) for i, panel in enumerate(page.panels)
                )
            }
        )
        for p, page in enumerate(story.pages)
    )
    changed = {"style": said(story.style, "style"), "characters": characters, "pages": pages}
    found = story.model_copy(update=changed)
    return found.read_from(story.path, (*story.notes, *notes)) if found != story else story


def _panel(panel: Any, steps: tuple[str | int, ...], said: Callable[..., str]) -> Any:
    texts = {name: said(getattr(panel, name), *steps, name) for name in ("scene", "prompt", "negative")}
    people = tuple(
        who.model_copy(
            update={
                name: said(getattr(who, name), *steps, "characters", index, name)
                for name in ("action", "expression", "description")
            }
        )
        for index, who in enumerate(panel.characters)
    )
    return panel.model_copy(update={**texts, "characters": people})


def _plain(text: str, place: str, folder: Path, notes: list[str]) -> str:
    """One text; what is in double quotes is left as it is."""
    parts = re.split(r'("[^"]*")', text)
    for index in range(0, len(parts), 2):
        if re.search(r"[<\[({_]|BREAK", parts[index]):
            parts[index] = _rewritten(parts[index], place, folder, notes)
    return "".join(parts)


def _rewritten(text: str, place: str, folder: Path, notes: list[str]) -> str:
    def note(what: str, instead: str) -> None:
        notes.append(f"{place}: {shorten(what, 50)}: {instead}")

    def network(found: re.Match[str]) -> str:
        weight = f":{found[3].partition(':')[0]}" if found[3] else ""
        note(
            found[0],
            f"no words, and left out; a LoRA acts on a whole book: --lora {found[2]}.safetensors{weight}",
        )
        return ""

    def turns(found: re.Match[str]) -> str:
        first = found[1].split("|")[0].strip()
        note(
            found[0],
            f'draws "{first}"; words do not alternate from step to step; use {{a|b}} for one of them',
        )
        return first

    def edit(found: re.Match[str]) -> str:
        after = found[2] is not None
        early, late = (found[1], found[2]) if after else ("", found[1])
        kept = (early if float(found[3]) > 0.5 and early.strip() else late).strip()
        note(found[0], f'draws "{kept}"; a prompt does not change while it is drawn; use two panels')
        return kept

    def weight(found: re.Match[str]) -> str:
        note(found[0], "its weight is left out; put what matters first, or say it in more words")
        return found[1]

    text = _chosen(text, place, folder, notes)
    text = _NETWORK.sub(network, text)
    if _BREAK.search(text):
        note("BREAK", "a comma; what belongs to one character stands in its own description")
        text = _BREAK.sub(", ", text)
    rules = ((_TURNS, turns), (_EDIT, edit), (_WEIGHT, weight), (_DOUBLE, weight), (_LESS, weight))
    for _ in range(_DEPTH):
        before = text
        for pattern, meaning in rules:
            text = pattern.sub(meaning, text)
        if text == before:
            break
    text = re.sub(r"\\([()\[\]])", r"\1", text)
    return re.sub(r"\s*,(?:\s*,)+", ",", re.sub(r"[ \t]{2,}", " ", text)).strip(" ,") if text else text


def _chosen(text: str, place: str, folder: Path, notes: list[str]) -> str:
    """Wildcards and `{a|b}` resolved: which line, or which part, depends on the place alone."""
    for depth in range(_DEPTH):
        number = 0

        def pick(options: list[str], name: str, depth: int = depth) -> str:
            nonlocal number
            number += 1
            digest = hashlib.sha256(f"{place}\n{name}\n{depth}\n{number}".encode()).digest()
            return options[int.from_bytes(digest[:6], "big") % len(options)]

        def wildcard(found: re.Match[str], pick: Callable[..., str] = pick) -> str:
            lines = _lines(folder, found[1])
            if not lines:
                notes.append(
                    f"{place}: {found[0]}: no {found[1]}.txt beside the story or in wildcards/; write one"
                )
                return found[1].rpartition("/")[2]
            line = pick(lines, found[1])
            notes.append(f'{place}: {found[0]} is "{shorten(line, 40)}"')
            return line

        changed = _WILDCARD.sub(wildcard, text)
        changed = _CHOICE.sub(
            lambda found, pick=pick: pick([one.strip() for one in found[1].split("|")], ""), changed
        )
        if changed == text:
            break
        text = changed
    return text


def _lines(folder: Path, name: str) -> list[str]:
    """What a file of wildcards offers; nothing where there is no such file inside the story's folder."""
    for place in (folder / f"{name}.txt", folder / "wildcards" / f"{name}.txt"):
        try:
            if not place.resolve().is_relative_to(folder.resolve()) or not place.is_file():
                continue
            with place.open("rb") as file:
                text = file.read(_MOST_WILDCARD).decode("utf-8-sig", "replace")
        except (OSError, ValueError):
            continue
        lines = [line.strip() for line in text.splitlines()]
        found = [line[:400] for line in lines if line and not line.startswith("#") and line.isprintable()]
        if found:
            return found
    return []
