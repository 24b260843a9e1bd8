"""The AutoStudio dialect, converted to a native story.

In: the JSON tree of `{dialogue: {"turn N": {…}}}`, of several such dialogues, or of bare turns. Out: a native
tree and notes on what was changed. Each dialogue starts a page, its turns follow in the order of N; ids
belong to their dialogue: 1 in the second is not 1 in the first. Does not know what is in a turn (turns.py).
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from pathlib import Path

from model.geometry import Box
from model.story.layout import MAX_FIGURES
from model.story.reading import describe, place_of, refusal, shorten
from model.story.turns import Steps, Thing, Tree, as_list, as_object, read_turn

_TURN = re.compile(r"\s*turn\s*[-_ ]?\s*(\d{1,9})\s*", re.IGNORECASE)
_BOOK_KEYS = ("title", "style", "language", "reading_direction")
_DEFINITIONS = "character_definitions"
_FEATURES = ("core_features", "features")
_PLACEHOLDER = "0"
_PANELS_PER_PAGE = 4


def is_dialogue(tree: Mapping[str, object]) -> bool:
    """Whether this is the dialect: turns at the top, or inside objects at the top."""
    return "pages" not in tree and (_has_turns(tree) or any(_has_turns(value) for value in tree.values()))


def convert(tree: Tree, path: Path) -> tuple[Tree, tuple[str, ...]]:
    """Convert to a native tree.

    Returns:
        The tree for the native schema, and notes: what was clipped, assumed or left out.
    Raises:
        StoryError: a turn that cannot be understood.
    """
    return _Conversion(path, tree).run()


def _has_turns(value: object) -> bool:
    keys = as_object(value) or {}
    return any(_TURN.fullmatch(key) and isinstance(turn, dict) for key, turn in keys.items())


class _Conversion:
    """One file on its way to the native form."""

    def __init__(self, path: Path, tree: Tree) -> None:
        self.path = path
        self.tree = tree
        self.notes: list[str] = []
        self.characters: dict[str, Tree] = {}

    def run(self) -> tuple[Tree, tuple[str, ...]]:
        bare = _has_turns(self.tree)
        dialogues: dict[str, Tree] = {"": self.tree}
        if not bare:
            dialogues = {key: value for key, value in self.tree.items() if _has_turns(value)}
            self._note_unread(self.tree, (), {*dialogues})
        shared = self._definitions(self.tree, ())
        pages: list[Tree] = []
        for number, (name, turns) in enumerate(dialogues.items(), 1):
            steps = (name,) if name else ()
            definitions = shared if bare else {**shared, **self._definitions(turns, steps)}
            prefix = f"d{number}_" if len(dialogues) > 1 else ""
            panels: list[Tree] = []
            for order, key in self._ordered(turns, steps):
                things = f"{prefix}extra_{order}_"
                panels.append(self._panel(turns[key], (*steps, key), definitions, prefix, things))
            pages += [{"panels": group} for group in _grouped(panels)]
        title = self.path.stem.replace("_", " ").replace("-", " ").strip().title()
        story: Tree = {"version": 1, "title": title[:200] or "Untitled"}
        story |= {key: self.tree[key] for key in _BOOK_KEYS if self.tree.get(key) not in (None, "")}
        return story | {"characters": self.characters, "pages": pages}, tuple(self.notes)

    def _ordered(self, turns: Tree, steps: Steps) -> list[tuple[int, str]]:
        """(N, key) of each turn, by N."""
        found = sorted((int(match[1]), key) for key in turns if (match := _TURN.fullmatch(key)))
        for (order, _), (following, key) in itertools.pairwise(found):
            if order == following:
                place = place_of((*steps, key))
                raise refusal(
                    self.path, place, f"turn {order} twice", "each turn once", "number the turns anew"
                )
        self._note_unread(turns, steps, {key for _, key in found})
        return found

    def _note_unread(self, tree: Tree, steps: Steps, read: set[str]) -> None:
        for key in tree.keys() - read - {_DEFINITIONS, "version", *(() if steps else _BOOK_KEYS)}:
            self.notes.append(f"{place_of((*steps, key))}: left out, it is no turn")
        self.notes.sort()

    def _definitions(self, tree: Tree, steps: Steps) -> dict[str, Tree]:
        """`character_definitions`: id → a text, or an object with a description and perhaps a name.

        The Flux fork calls the description `core_features`; it may be a list. Its `priority` has no meaning
        here: whoever is named later in a turn stands in front.
        """
        steps = (*steps, _DEFINITIONS)
        raw = as_object(tree.get(_DEFINITIONS) or {})
        if raw is None:
            found = describe(tree[_DEFINITIONS])
            raise refusal(self.path, place_of(steps), found, "an object of id and description", "correct it")
        definitions: dict[str, Tree] = {}
        for key, value in raw.items():
            entry = {"description": value} if isinstance(value, str) else as_object(value) or {}
            name = entry.get("name") or ""
            parts = [_as_text(entry.get(one)) for one in ("description", *_FEATURES)]
            description = ", ".join(part for part in parts if part) if None not in parts else None
            if not isinstance(name, str) or description is None or not (description or name):
                expected = "a text, or an object with a description or core_features"
                raise refusal(self.path, place_of((*steps, key)), describe(value), expected, "correct it")
            definitions[key] = {"description": description or name, "name": name}
            for other in sorted(entry.keys() - {"description", "name", *_FEATURES}):
                self.notes.append(f"{place_of((*steps, key, other))}: left out, it decides nothing here")
        return definitions

    def _panel(
        self, value: object, steps: Steps, definitions: dict[str, Tree], prefix: str, extra: str
    ) -> Tree:
        turn = read_turn(self.path, steps, value, self.notes)
        figures: dict[str, Tree] = {}
        for index, thing in enumerate(turn.things, 1):
            parent, _, part = thing.id.partition("-")
            if part and parent in figures:
                _join(figures[parent], thing)
                continue
            # The placeholder is nobody in particular: each time it is used it is somebody else.
            key = f"{extra}{index}" if thing.id == _PLACEHOLDER else prefix + thing.id
            self._introduce(key, thing, definitions)
            slot = f"{key}#{index}" if thing.id in figures or thing.id == _PLACEHOLDER else thing.id
            description = _described(thing.text, definitions.get(thing.id))
            figures[slot] = {"id": key, "description": description, "box": thing.box}
        if len(figures) > MAX_FIGURES:
            place, found = place_of((*steps, "objects")), f"{len(figures)} figures"
            raise refusal(self.path, place, found, f"at most {MAX_FIGURES}", "move some to another turn")
        return {
            "scene": turn.background,
            "shot": _shot(turn.things),
            "prompt": turn.caption,
            "negative": turn.negative,
            "characters": [_native(figure) for figure in figures.values()],
        }

    def _introduce(self, key: str, thing: Thing, definitions: dict[str, Tree]) -> None:
        """The first time an id appears, its definition (or else its text there) becomes the character."""
        if key not in self.characters:
            entry = definitions.get(thing.id, {"description": thing.text, "name": ""})
            label = entry["name"] or thing.text.split(",")[0]
            self.characters[key] = {"name": shorten(label.strip()), "description": entry["description"]}


def _as_text(value: object) -> str | None:
    """A text, or a list of texts as one; "" for nothing; None for anything else."""
    if value is None:
        return ""
    items = as_list(value)
    if items is not None and all(isinstance(one, str) for one in items):
        return ", ".join(one.strip() for one in items if one.strip())
    return value.strip() if isinstance(value, str) else None


def _grouped(panels: list[Tree]) -> list[list[Tree]]:
    """Panels in order on as few pages as hold them, evenly: 5 become 3 + 2, not 4 + 1."""
    count = math.ceil(len(panels) / _PANELS_PER_PAGE)
    cuts = [math.ceil(len(panels) * page / count) for page in range(count + 1)]
    return [panels[start:end] for start, end in itertools.pairwise(cuts)]


def _described(text: str, definition: Tree | None) -> str:
    """The turn's own text, after the definition where there is one; what both say is said once."""
    if definition is None:
        return text
    said: str = definition["description"]
    parts = (part.strip() for part in text.split(","))
    return ", ".join([said, *(part for part in parts if part and part.lower() not in said.lower())])


def _join(figure: Tree, part: Thing) -> None:
    """Sub-id "P-k": something that P wears, holds or is made of. It is drawn with P, in one region."""
    figure["description"] = f"{figure['description']}, {part.text}"
    mine: Box | None = figure["box"]
    if mine is not None and part.box is not None:
        left, top = min(mine.x, part.box.x), min(mine.y, part.box.y)
        right, bottom = max(mine.right, part.box.right), max(mine.bottom, part.box.bottom)
        figure["box"] = Box(left, top, right - left, bottom - top)


def _native(figure: Tree) -> Tree:
    box: Box | None = figure["box"]
    return {**figure, "box": None if box is None else list(box.as_tuple())}


def _shot(things: tuple[Thing, ...]) -> str:
    """A guess from the largest box's shape: whole people are slim, busts are broader, faces are square."""
    boxed = [(thing.box.area, thing.shape) for thing in things if thing.box and thing.shape]
    shape = max(boxed)[1] if boxed else 0.8
    return "wide" if shape < 0.62 else "medium" if shape < 0.95 or len(things) > 1 else "close-up"
