"""Edits applied: a story as JSON becomes another one, and what was done in words.

In: the tree of a native story, typed edits. Out: a new tree; the old one stays as it is. Whether the story
that comes of it is right is told by the story's own reader. What cannot be done at all is an `EditRefused`.

Pictures belong to panels, not to places: whenever panels move, each of them is given the id it had, so that
seeds, tries and choices go with it.
"""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from model.page.layout.templates import templates_for
from model.story.schema import panel_id
from model.web import edits as e

Tree = dict[str, Any]


class EditRefused(Exception):
    """An edit that names something the story does not have; one line."""


class Change:
    """One story under change. `done`: in words; `notes`: what else had to change; `pages`: that were
    touched."""

    def __init__(self, story: Tree) -> None:
        self.story = copy.deepcopy(story)
        self.done: list[str] = []
        self.notes: list[str] = []
        self.pages: set[int] = set()

    # Finding

    def page(self, number: int) -> Tree:
        pages = self.story["pages"]
        if not 1 <= number <= len(pages):
            raise EditRefused(f"page {number}: the story has {len(pages)} pages; load the book again")
        self.pages.add(number)
        return pages[number - 1]

    def place(self, panel: str) -> tuple[int, int]:
        """Page from 1, index from 0."""
        page, index = (int(part) for part in panel.removeprefix("p").split("_"))
        if index > len(self.page(page)["panels"]) or not index:
            raise EditRefused(f"{panel}: page {page} has no such panel; load the book again")
        return page, index - 1

    def panel(self, panel: str) -> Tree:
        page, index = self.place(panel)
        return self.page(page)["panels"][index]

    def line(self, panel: str, line: int) -> Tree:
        return _at(self.panel(panel).get("dialogue", []), line, f"{panel}: line {line + 1}")

    # Moving

    def keep_identities(self) -> None:
        """Give every panel the id it goes by, before any of them moves."""
        for number, page in enumerate(self.story["pages"], 1):
            for index, panel in enumerate(page["panels"], 1):
                if not panel.get("id"):
                    panel["id"] = panel_id(number, index)

    def drop_needless_identities(self) -> None:
        """An id that says what the place says already is left out."""
        for number, page in enumerate(self.story["pages"], 1):
            for index, panel in enumerate(page["panels"], 1):
                if panel.get("id") == panel_id(number, index):
                    del panel["id"]

    def fit_template(self, number: int) -> None:
        """A page whose number of panels changed takes a template that holds them."""
        page = self.page(number)
        count = len(page["panels"])
        if page.pop("frames", None):
            self.notes.append(f"page {number}: its own frames are gone, for its panels changed")
        name = page.get("template")
        if name and name not in templates_for(count):
            page.pop("template")
            self.notes.append(f"page {number}: the template {name} does not hold {count} panels")
        general = self.story.get("page", {}).get("template")
        if not page.get("template") and general and general not in templates_for(count):
            page["template"] = "auto"


def apply(story: Tree, edits: Sequence[e.Edit]) -> Change:
    """All edits, one after the other.

    Raises:
        EditRefused: one of them names what is not there.
    """
    change = Change(story)
    moving = any(edit.do in _MOVING for edit in edits)
    if moving:
        change.keep_identities()
    for edit in edits:
        _APPLY[edit.do](change, edit)
    if moving:
        change.drop_needless_identities()
    return change


def _at(items: list[Any], index: int, what: str) -> Any:
    if not 0 <= index < len(items):
        raise EditRefused(f"{what} is not there; there are {len(items)}; load the book again")
    return items[index]


def _put(tree: Tree, values: Tree) -> None:
    """Set keys; an empty value takes a key out."""
    for key, value in values.items():
        if value is None or value in ("", [], {}, False):
            tree.pop(key, None)
        else:
            tree[key] = value


def _set_line(change: Change, edit: e.SetLine) -> None:
    line = change.line(edit.panel, edit.line)
    if edit.text is not None:
        line["text"] = edit.text
    if edit.kind is not None:
        _put(line, {"kind": "" if edit.kind == "speech" else edit.kind})
    if edit.speaker is not None:
        _put(line, {"speaker": edit.speaker})
    change.done.append(f"{edit.panel}: changed line {edit.line + 1}")


def _add_line(change: Change, edit: e.AddLine) -> None:
    lines = change.panel(edit.panel).setdefault("dialogue", [])
    new: Tree = {"text": edit.text}
    _put(new, {"speaker": edit.speaker, "kind": "" if edit.kind == "speech" else edit.kind})
    lines.insert(edit.line, new)
    change.done.append(f"{edit.panel}: added a line")


def _remove_line(change: Change, edit: e.RemoveLine) -> None:
    change.line(edit.panel, edit.line)
    panel = change.panel(edit.panel)
    del panel["dialogue"][edit.line]
    _put(panel, {"dialogue": panel["dialogue"]})
    change.done.append(f"{edit.panel}: removed line {edit.line + 1}")


def _move_line(change: Change, edit: e.MoveLine) -> None:
    line = change.line(edit.panel, edit.line)
    lines = change.panel(edit.panel)["dialogue"]
    lines.remove(line)
    lines.insert(edit.to, line)
    change.done.append(f"{edit.panel}: moved line {edit.line + 1}")


def _move_balloon(change: Change, edit: e.MoveBalloon) -> None:
    line = change.line(edit.panel, edit.line)
    _put(line, {"at": [round(value, 4) for value in edit.at] if edit.at else None})
    change.done.append(f"{edit.panel}: moved a balloon" if edit.at else f"{edit.panel}: let a balloon go")


def _set_panel(change: Change, edit: e.SetPanel) -> None:
    panel = change.panel(edit.panel)
    barred = {"id", "characters", "dialogue"} & set(edit.values)
    if barred:
        raise EditRefused(f"{edit.panel}: {', '.join(sorted(barred))} has edits of its own")
    seed = edit.values.get("seed")
    _put(panel, edit.values)
    if seed is not None and "seed" in edit.values:
        panel["seed"] = seed  # 0 is a seed
    change.done.append(f"{edit.panel}: changed {', '.join(sorted(edit.values))}")


def _set_figure(change: Change, edit: e.SetFigure) -> None:
    figures = change.panel(edit.panel).get("characters", [])
    figure = _at(figures, edit.figure, f"{edit.panel}: figure {edit.figure + 1}")
    _put(figure, edit.values)
    change.done.append(f"{edit.panel}: changed {', '.join(sorted(edit.values))} of {figure.get('id')}")


def _add_figure(change: Change, edit: e.AddFigure) -> None:
    figure: Tree = {"id": edit.id}
    _put(figure, {"box": list(edit.box) if edit.box else None})
    change.panel(edit.panel).setdefault("characters", []).append(figure)
    change.done.append(f"{edit.panel}: added {edit.id}")


def _remove_figure(change: Change, edit: e.RemoveFigure) -> None:
    panel = change.panel(edit.panel)
    figure = _at(panel.get("characters", []), edit.figure, f"{edit.panel}: figure {edit.figure + 1}")
    del panel["characters"][edit.figure]
    _put(panel, {"characters": panel["characters"]})
    change.done.append(f"{edit.panel}: removed {figure.get('id')}")


def _add_panel(change: Change, edit: e.AddPanel) -> None:
    page = change.page(edit.page)
    new = {key: value for key, value in edit.values.items() if key != "id"} or {"scene": ""}
    page["panels"].insert(edit.index, {"id": _new_id(), **new})
    change.fit_template(edit.page)
    change.done.append(f"page {edit.page}: added a panel")


def _remove_panel(change: Change, edit: e.RemovePanel) -> None:
    page, index = change.place(edit.panel)
    _take(change, page, index)
    change.done.append(f"removed {edit.panel}")


def _move_panel(change: Change, edit: e.MovePanel) -> None:
    page, index = change.place(edit.panel)
    goal = change.page(edit.page)
    panel = change.page(page)["panels"].pop(index)
    goal["panels"].insert(edit.index, panel)
    if goal is not change.page(page):
        change.fit_template(edit.page)
        if change.page(page)["panels"]:
            change.fit_template(page)
        else:
            del change.story["pages"][page - 1]
    change.done.append(f"moved {edit.panel} to page {edit.page}")


def _split_panel(change: Change, edit: e.SplitPanel) -> None:
    page, index = change.place(edit.panel)
    first = change.panel(edit.panel)
    second = copy.deepcopy(first)
    second["id"] = _new_id()
    for key in ("caption", "locked", "seed", "remember", "text_in_image"):
        second.pop(key, None)
    lines = first.get("dialogue", [])
    _put(first, {"dialogue": lines[: edit.line]})
    _put(second, {"dialogue": lines[edit.line :]})
    change.page(page)["panels"].insert(index + 1, second)
    change.fit_template(page)
    change.done.append(f"split {edit.panel}")


def _merge_panels(change: Change, edit: e.MergePanels) -> None:
    page, index = change.place(edit.panel)
    first = change.panel(edit.panel)
    second = _at(change.page(page)["panels"], index + 1, f"a panel after {edit.panel}")
    there = {one.get("id") for one in first.get("characters", [])}
    further = [one for one in second.get("characters", []) if one.get("id") not in there]
    joined = [first.get("caption", ""), second.get("caption", "")]
    _put(
        first,
        {
            "dialogue": [*first.get("dialogue", []), *second.get("dialogue", [])],
            "characters": [*first.get("characters", []), *further],
            "caption": " ".join(filter(None, joined)),
        },
    )
    _take(change, page, index + 1)
    change.done.append(f"merged {edit.panel} with the next panel")


def _add_page(change: Change, edit: e.AddPage) -> None:
    pages = change.story["pages"]
    pages.insert(min(edit.page, len(pages) + 1) - 1, {"panels": [{"id": _new_id()}]})
    change.done.append(f"added page {edit.page}")


def _remove_page(change: Change, edit: e.RemovePage) -> None:
    change.page(edit.page)
    _not_the_last(change)
    del change.story["pages"][edit.page - 1]
    change.done.append(f"removed page {edit.page}")


def _move_page(change: Change, edit: e.MovePage) -> None:
    page = change.page(edit.page)
    change.page(edit.to)
    pages = change.story["pages"]
    del pages[edit.page - 1]
    pages.insert(edit.to - 1, page)
    change.done.append(f"moved page {edit.page} to {edit.to}")


def _split_page(change: Change, edit: e.SplitPage) -> None:
    page = change.page(edit.page)
    stay, go = page["panels"][: edit.index], page["panels"][edit.index :]
    if not stay or not go:
        raise EditRefused(f"page {edit.page}: both parts need a panel; it has {len(page['panels'])}")
    page["panels"] = stay
    change.story["pages"].insert(edit.page, {"panels": go})
    change.fit_template(edit.page)
    change.done.append(f"split page {edit.page}")


def _merge_pages(change: Change, edit: e.MergePages) -> None:
    page = change.page(edit.page)
    page["panels"] = [*page["panels"], *change.page(edit.page + 1)["panels"]]
    del change.story["pages"][edit.page]
    change.fit_template(edit.page)
    change.done.append(f"merged page {edit.page} with the next")


def _set_page(change: Change, edit: e.SetPage) -> None:
    page = change.page(edit.page)
    if edit.template is not None:
        _put(page, {"template": edit.template})
    if edit.frames is not None:
        _put(page, {"frames": [list(frame) for frame in edit.frames]})
    change.done.append(f"page {edit.page}: changed its frames")


def _set_character(change: Change, edit: e.SetCharacter) -> None:
    characters = change.story.setdefault("characters", {})
    new = edit.id not in characters
    barred = set(edit.values) - {"name", "aliases", "description", "variants", "references"}
    if barred:
        raise EditRefused(f"{edit.id}: a character has no {', '.join(sorted(barred))}")
    _put(characters.setdefault(edit.id, {}), edit.values)
    change.done.append(f"{'added' if new else 'changed'} {edit.id}")


def _remove_character(change: Change, edit: e.RemoveCharacter) -> None:
    if edit.id not in change.story.get("characters", {}):
        raise EditRefused(f"{edit.id}: the story has no such character; load the book again")
    del change.story["characters"][edit.id]
    for number, page in enumerate(change.story["pages"], 1):
        for panel in page["panels"]:
            figures = panel.get("characters", [])
            left = [one for one in figures if one.get("id") != edit.id]
            spoken = [line for line in panel.get("dialogue", []) if line.get("speaker") == edit.id]
            if len(left) < len(figures) or spoken:
                change.pages.add(number)
            _put(panel, {"characters": left})
            for line in spoken:
                del line["speaker"]
    change.done.append(f"removed {edit.id}")


def _set_variant(change: Change, edit: e.SetVariant) -> None:
    if edit.id not in change.story.get("characters", {}):
        raise EditRefused(f"{edit.id}: the story has no such character; load the book again")
    character = change.story["characters"][edit.id]
    variants = {**character.get("variants", {})}
    if edit.words is None:
        variants.pop(edit.variant, None)
    else:
        variants[edit.variant] = edit.words
    _put(character, {"variants": variants})
    change.done.append(f"changed {edit.variant} of {edit.id}")


def _set_story(change: Change, edit: e.SetStory) -> None:
    barred = set(edit.values) - {"title", "style", "language", "reading_direction", "page", "lettering"}
    if barred:
        raise EditRefused(f"{', '.join(sorted(barred))} of a story has edits of its own")
    style = edit.values.get("style")
    _put(change.story, edit.values)
    if style == "":
        change.story["style"] = ""  # no style is a style
    change.done.append(f"changed {', '.join(sorted(edit.values))}")


def _replace_story(change: Change, edit: e.ReplaceStory) -> None:
    change.story = copy.deepcopy(edit.story)
    change.done.append("replaced the story")


def _take(change: Change, page: int, index: int) -> None:
    """Take a panel out; a page without panels goes too."""
    panels = change.page(page)["panels"]
    if len(panels) == 1:
        _not_the_last(change)
        del change.story["pages"][page - 1]
        return
    del panels[index]
    change.fit_template(page)


def _not_the_last(change: Change) -> None:
    if len(change.story["pages"]) == 1:
        raise EditRefused("the story has this one page; a story has at least one")


def _new_id() -> str:
    """An id that no panel has had: what was drawn for another must not be shown for it."""
    return f"n{secrets.token_hex(4)}"


_MOVING = (
    *("add_panel", "remove_panel", "move_panel", "split_panel", "merge_panels"),
    *("add_page", "remove_page", "move_page", "split_page", "merge_pages"),
)
_APPLY: dict[str, Callable[[Change, Any], None]] = {
    "set_line": _set_line,
    "add_line": _add_line,
    "remove_line": _remove_line,
    "move_line": _move_line,
    "move_balloon": _move_balloon,
    "set_panel": _set_panel,
    "set_figure": _set_figure,
    "add_figure": _add_figure,
    "remove_figure": _remove_figure,
    "add_panel": _add_panel,
    "remove_panel": _remove_panel,
    "move_panel": _move_panel,
    "split_panel": _split_panel,
    "merge_panels": _merge_panels,
    "add_page": _add_page,
    "remove_page": _remove_page,
    "move_page": _move_page,
    "split_page": _split_page,
    "merge_pages": _merge_pages,
    "set_page": _set_page,
    "set_character": _set_character,
    "remove_character": _remove_character,
    "set_variant": _set_variant,
    "set_story": _set_story,
    "replace_story": _replace_story,
}
