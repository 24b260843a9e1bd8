"""Find words in the prompts, lines and characters of books, and replace them over one book.

In: a text. Out: where it stands; or edits that replace it. Case is folded unless it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from model.errors import AutoStudioError
from model.story.schema import Story, panel_id
from model.web import edits as e
from model.web import schemas as s
from model.web.state import House

_DRAWN = ("scene", "prompt", "negative", "text_in_image")
Spot = tuple[str, int, str, str, str, str]  # group, page, panel, character, field, text


def search(house: House, text: str, limit: int) -> s.Hits:
    """Where a text stands, over all books."""
    pattern = re.compile(re.escape(text), re.IGNORECASE)
    found: list[s.Hit] = []
    for name in house.workspace.names():
        try:
            story = house.books.state(name).story
        except (KeyError, AutoStudioError):
            continue
        for spot in _spots(story):
            for match in pattern.finditer(spot[5]):
                if len(found) == limit:
                    return s.Hits(hits=found, more=True)
                found.append(_hit(name, story.title, spot, spot[5], match.start(), match.end()))
    return s.Hits(hits=found)


def replaced(house: House, book: str, wanted: s.ReplaceRequest) -> tuple[list[s.Hit], list[e.Edit]]:
    """Every place of a book as it would read, and the edits that do it."""
    story = house.books.state(book).story
    pattern = re.compile(re.escape(wanted.find), 0 if wanted.case else re.IGNORECASE)
    hits: list[s.Hit] = []
    changes: list[e.Edit] = []
    for spot in _spots(story):
        if spot[0] not in wanted.where or not pattern.search(spot[5]):
            continue
        text = pattern.sub(lambda _: wanted.replace, spot[5])
        at = text.find(wanted.replace) if wanted.replace else 0
        hits.append(_hit(book, story.title, spot, text, max(at, 0), max(at, 0) + len(wanted.replace)))
        changes.append(_edit(story, spot, text))
    return hits, changes


def _spots(story: Story) -> Iterator[Spot]:
    for number, page in enumerate(story.pages, 1):
        for index, panel in enumerate(page.panels, 1):
            name = panel_id(number, index)
            for field in _DRAWN:
                yield "prompts", number, name, "", field, getattr(panel, field)
            for place, who in enumerate(panel.characters):
                for field in ("action", "expression", "description"):
                    yield "prompts", number, name, who.id, f"figure {place} {field}", getattr(who, field)
            yield "lines", number, name, "", "caption", panel.caption
            for place, line in enumerate(panel.dialogue):
                yield "lines", number, name, line.speaker or "", f"line {place}", line.text
    for key, character in story.characters.items():
        yield "characters", 0, "", key, "name", character.name
        yield "characters", 0, "", key, "description", character.description
        for variant, words in character.variants.items():
            yield "characters", 0, "", key, f"variant {variant}", words


def _edit(story: Story, spot: Spot, text: str) -> e.Edit:
    _, _, panel, character, field, _ = spot
    kind, _, rest = field.partition(" ")
    if not panel:
        if kind == "variant":
            return e.SetVariant(do="set_variant", id=character, variant=rest, words=text)
        return e.SetCharacter(do="set_character", id=character, values={field: text})
    if kind == "line":
        return e.SetLine(do="set_line", panel=panel, line=int(rest), text=text)
    if kind == "figure":
        place, _, key = rest.partition(" ")
        return e.SetFigure(do="set_figure", panel=panel, figure=int(place), values={key: text})
    return e.SetPanel(do="set_panel", panel=panel, values={field: text})


def _hit(book: str, title: str, spot: Spot, text: str, start: int, end: int) -> s.Hit:
    _, page, panel, character, field, _ = spot
    return s.Hit(
        book=book,
        title=title,
        panel=panel,
        page=page,
        character=character,
        field=field,
        text=text,
        start=start,
        end=end,
    )
