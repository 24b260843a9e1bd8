"""What programs write into a story and people do not: nulls, empty texts, camera words of film makers.

In: the JSON tree of a native story. Out: the same story without what says nothing, its shots in the words of
the schema, and notes on each word that was changed. What is wrong stays, for the schema to refuse. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from model.story.reading import place_of, shorten

Tree = dict[str, Any]
Steps = tuple[str | int, ...]

# An empty style is a style: none. Everywhere else an empty text of an optional field says nothing.
_EMPTY_SAYS = ("style",)
_NEEDED = ("title", "pages", "panels", "id", "text")
# How people name what a camera sees → the nearest shot that is planned for.
SHOTS: dict[str, tuple[str, ...]] = {
    "wide": (
        *("wide", "very wide", "extreme wide", "full", "full body", "full length", "full figure", "long"),
        *("very long", "extreme long", "establishing", "master", "group", "aerial", "birds eye", "overhead"),
        *("panorama", "panoramic", "landscape", "drone", "crane", "ws", "ls", "els", "fs", "ews"),
    ),
    "medium": (
        *("medium", "mid", "middle", "bust", "waist", "waist up", "chest", "chest up", "half", "half body"),
        *(
            "upper body",
            "cowboy",
            "american",
            "knee",
            "knee up",
            "three quarter",
            "medium long",
            "medium wide",
        ),
        *("medium full", "medium close up", "medium close", "over the shoulder", "over shoulder", "ots"),
        *("two", "three", "reaction", "pov", "point of view", "profile", "low angle", "high angle", "dutch"),
        *("dutch angle", "eye level", "ms", "mcu", "mls", "tracking", "dolly"),
    ),
    "close-up": (
        *(
            "close up",
            "close",
            "closeup",
            "extreme close up",
            "extreme closeup",
            "extreme close",
            "big close up",
        ),
        *("tight", "face", "head", "head and shoulders", "headshot", "portrait", "detail", "insert", "macro"),
        *("choker", "cu", "ecu", "bcu", "xcu"),
    ),
}
_SHOT_OF = {word: shot for shot, words in SHOTS.items() for word in words}


def tidied(tree: Tree) -> tuple[Tree, tuple[str, ...]]:
    """The story without what says nothing, and notes on words that were changed."""
    notes: list[str] = []
    story = _said(tree)
    if story.get("id") in (None, ""):  # of the story; a figure needs its own
        story.pop("id", None)
    _each(story, "characters", (), lambda one, steps: _listed(_said(one), "references", "aliases"))
    for key in ("page", "lettering"):
        if isinstance(story.get(key), dict):
            story[key] = _said(story[key])

    def panel(one: Tree, steps: Steps) -> Tree:
        found = _listed(_said(one), "remember", "dialogue", "characters")
        if found.get("id") in (None, ""):
            found.pop("id", None)
        shot = found.get("shot")
        if isinstance(shot, str) and (meant := shot_of(shot)) is not None and meant != shot:
            found["shot"] = meant
            notes.append(f'{place_of((*steps, "shot"))}: "{shorten(shot)}" is drawn as "{meant}"')
        _each(found, "characters", steps, lambda who, _: _said(who))
        _each(found, "dialogue", steps, lambda line, _: _said(line))
        return found

    def page(one: Tree, steps: Steps) -> Tree:
        found = _listed(_said(one), "panels")
        _each(found, "panels", steps, panel)
        return found

    _each(story, "pages", (), page)
    return story, tuple(notes)


def shot_of(written: str) -> str | None:
    """The shot that is meant by a camera word; None for a word that names none."""
    words = re.sub(r"[\s_./-]+", " ", written.casefold().replace("'", "").replace("’", "")).strip()
    bare = re.sub(r"\b(?:shot|view|frame|framing|angle shot)$", "", words).strip()
    return _SHOT_OF.get(words) or _SHOT_OF.get(bare)


def _said(tree: Tree) -> Tree:
    """An object without its optional keys that are null or an empty text."""
    return {
        key: value
        for key, value in tree.items()
        if key in _NEEDED or not (value is None or (value == "" and key not in _EMPTY_SAYS))
    }


def _listed(tree: Tree, *names: str) -> Tree:
    """Lists of an object without their nulls and empty texts."""
    for name in names:
        value = tree.get(name)
        if isinstance(value, list):
            tree[name] = [one for one in cast("list[object]", value) if one is not None and one != ""]
    return tree


def _each(tree: Tree, name: str, steps: Steps, change: Callable[[Tree, Steps], Tree]) -> None:
    """Change every object in a list, or in a table, that stands under a name."""
    value = tree.get(name)
    if isinstance(value, list):
        items = cast("list[object]", value)
        tree[name] = [
            change(cast(Tree, one), (*steps, name, index)) if isinstance(one, dict) else one
            for index, one in enumerate(items)
        ]
    elif isinstance(value, dict):
        table = cast("dict[str, object]", value)
        tree[name] = {
            key: change(cast(Tree, one), (*steps, name, key)) if isinstance(one, dict) else one
            for key, one in table.items()
        }
