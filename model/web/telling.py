"""What the chronicle remembers of a book's story, and what a person adds to it or takes away.

In: a book, a character, a panel. Out: memories as views. A fact of a panel is written into the story, under
`remember`, so that every run knows it; one without a panel holds before the whole story.
"""

from __future__ import annotations

from model.errors import ConfigError
from model.memory.chronicle.chronicle import Chronicle
from model.memory.chronicle.memories import by_hand
from model.web import schemas as s
from model.web.edits import SetPanel
from model.web.state import House


def chronicle_view(house: House, book: str, character: str | None, panel: str | None) -> s.ChronicleView:
    """What is remembered, in the order of the book."""
    sight = house.sight(book)
    chronicle = Chronicle(house.library, None)
    before = None
    if panel is not None:
        page, index = (int(part) for part in panel.removeprefix("p").split("_"))
        before = chronicle.chapter(sight.plan.key), page, index
    found = chronicle.memories(who=character, before=before)
    return s.ChronicleView(
        memories=[
            s.MemoryView(
                id=memory.id,
                page=memory.place[1] if memory.place[1] < 100_000 else 0,
                panel=memory.place[2],
                story=memory.story,
                chapter=memory.place[0],
                kind=passage.kind,
                text=passage.text,
                speaker=passage.speaker,
                known_by=list(passage.known_by),
                by_hand=memory.key.startswith("added/"),
            )
            for memory in found
            for passage in memory.passages
        ],
        people=[member.name for member in sight.plan.cast if "/" not in member.key],
    )


def remember(house: House, book: str, wanted: s.NewMemoryRequest) -> None:
    """Add a fact.

    Raises:
        ConflictError: of a panel, and the book was changed meanwhile.
        ConfigError: nobody is to know it.
    """
    if wanted.panel is not None:
        state = house.books.state(book)
        page, index = (int(part) for part in wanted.panel.removeprefix("p").split("_"))
        pages = state.story.pages
        if not (1 <= page <= len(pages) and 1 <= index <= len(pages[page - 1].panels)):
            raise KeyError(wanted.panel)
        facts = [*pages[page - 1].panels[index - 1].remember, wanted.text]
        edit = SetPanel(do="set_panel", panel=wanted.panel, values={"remember": facts})
        house.books.edit(book, wanted.base, [edit], what=f"{wanted.panel}: to remember", client=wanted.client)
        return
    if not wanted.present:
        raise ConfigError("present: found nobody, expected who knows it; name at least one character")
    Chronicle(house.library, None).keep(by_hand(wanted.text, who=wanted.present))
    house.moved("")


def forget(house: House, memory: int) -> None:
    """Forget a memory.

    Raises:
        KeyError: there is none of that number.
    """
    if not Chronicle(house.library, None).forget([memory]):
        raise KeyError(f"memory {memory}")
    house.moved("")
