"""From a story to a plan: every panel with its size, boxes, prompts and seed, every character that is needed.

In: a checked `Story`, the run's seed, the frames of the page templates and the sizes that the model draws.
Out: a `Plan`, a tree of frozen values. Pure: the same story gives the same plan, on every machine, and a
panel's values depend only on what the story says of that panel.
Knows nothing of models, pages in pixels, files or what has been drawn before.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.geometry import Box
from model.story.identity import slug_of
from model.story.layout import place_figures, snap_size
from model.story.prompts import cast_prompt, region_prompt, write_panel
from model.story.quotation import Balloon
from model.story.schema import Presence, Story, StoryPage, StoryPanel, panel_id

_MOVED = 0.01  # a box that moved by less is not worth a note

MOST_SEED = 2**53 - 1  # what JavaScript, and so every web page and many a spreadsheet, copies without loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One piece of lettering. `kind`: speech, thought, shout, whisper, narration or sfx.

    `speaker` is the `character` of a figure in the same panel when the speaker is in the picture (its balloon
    points there), another cast key or None when the voice comes from outside it. `at` holds the middle of its
    balloon, in fractions of the frame.
    """

    speaker: str | None
    text: str
    kind: str
    at: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One character in one panel. `character` is its `CastMember` key; later figures stand in front."""

    character: str
    name: str
    box: Box
    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel, ready to be drawn: `width` by `height` are pixels, multiples of 32, that the model draws.

    `id` is `p<page>_<index>`, both from 1 (`p001_01`). `words` stand in `prompt`, in double quotes, and are
    to be drawn into the picture as they are. `lines` and `caption` are lettered later, never drawn. Seeds and
    decisions go by `identity`: the id that the story gives the panel, or the one of its place. A `locked`
    panel keeps the picture it has.
    """

    id: str
    page: int
    index: int
    width: int
    height: int
    prompt: str
    negative: str
    figures: tuple[Figure, ...]
    words: tuple[str, ...]
    caption: str
    lines: tuple[Line, ...]
    seed: int
    pinned_seed: bool
    remember: tuple[str, ...]
    scene: str
    shot: str
    emphasis: str = "normal"
    identity: str
    locked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: `number` from 1, its template ("auto": the page room chooses), its panels in order.

    `frames`, fractions of the page, are the story's own boxes, if it gives any.
    """

    number: int
    template: str
    panels: tuple[Panel, ...]
    frames: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CastMember:
    """One look that the book needs: `key` is "mika", or "mika/winter" for a variant; "mika#1f0c…" for a look
    that is not written down but remembered."""

    key: str
    name: str
    prompt: str
    references: tuple[Path, ...]
    aliases: tuple[str, ...] = ()

    @property
    def written(self) -> str:
        """The key of the look that the story has written down."""
        return self.key.partition("#")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole book, ready to be drawn. `notes` says in plain words what was changed or assumed.

    `font` (a family's name or a file's path), `capitals` and `writing` say how it is lettered.
    `source` is the story's file, None for a story that a program made; `written` is that story as JSON.
    `slug` is the plain name of its id or title, `key` the library's for it, the same until it is looked up.
    """

    title: str
    slug: str
    language: str
    reading_direction: str
    style: str
    page_size: str
    cast: tuple[CastMember, ...]
    pages: tuple[Page, ...]
    notes: tuple[str, ...]
    font: str = ""
    capitals: bool = False
    writing: str = "auto"
    given_id: bool = False
    source: Path | None = None
    written: str = ""
    key: str = ""

    @property
    def where(self) -> str:
        """The absolute path of the story's file; "" without one."""
        return str(self.source.resolve()) if self.source else ""

    @property
    def panels(self) -> Iterator[Panel]:
        """All panels of the book in reading order."""
        return (panel for page in self.pages for panel in page.panels)


def seed_note(seed: int) -> str:
    """What to say of a seed that is drawn with as it stands, but that not every program copies."""
    return (
        f"seed {seed} has more than 53 bits; it is kept, but JavaScript and spreadsheets round it; "
        f"seeds up to {MOST_SEED} are safe"
    )


def panel_seed(run_seed: int, panel_id: str, attempt: int = 0) -> int:
    """A seed in 0 … `MOST_SEED` that depends on all three and nothing else: not on machine or order."""
    digest = hashlib.sha256(f"{run_seed}\n{panel_id}\n{attempt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 11


def plan_story(
    story: Story,
    *,
    seed: int,
    aspects: Callable[[str, StoryPage], Sequence[float]],
    shapes: Sequence[tuple[int, int]],
) -> Plan:
    """Plan the whole book.

    Args:
        story: as `load_story` gives it.
        seed: the run's seed; panels with a seed of their own keep that one.
        aspects: the width / height of each frame, given a template's name and the page that it arranges.
        shapes: the (width, height) in pixels that the model draws; each panel takes the nearest.
    """
    notes = list(story.notes)
    if seed > MOST_SEED:
        notes.append(f"the run's {seed_note(seed)}")
    pages: list[Page] = []
    for number, page in enumerate(story.pages, 1):
        template = page.template or story.page.template
        frames = aspects(template, page)
        panels = tuple(
            _plan_panel(story, panel, (number, index), snap_size(aspect, shapes), seed, notes)
            for index, (panel, aspect) in enumerate(zip(page.panels, frames, strict=True), 1)
        )
        pages.append(Page(number=number, template=template, panels=panels, frames=own_frames(page)))
    return Plan(
        title=story.title,
        slug=(slug := slug_of(story.id or story.title)),
        key=slug,
        given_id=story.id is not None,
        language=story.language,
        reading_direction=story.reading_direction,
        style=story.style,
        page_size=story.page.size,
        cast=_cast(story),
        pages=tuple(pages),
        notes=tuple(notes),
        font=story.font,
        capitals=story.lettering.capitals,
        writing=story.lettering.writing,
    )


def own_frames(page: StoryPage) -> tuple[Box, ...]:
    """The page's own frames as fractions of it."""
    return tuple(Box(*(value / 100 for value in frame)) for frame in page.frames)


def _plan_panel(
    story: Story,
    panel: StoryPanel,
    place: tuple[int, int],
    size: tuple[int, int],
    seed: int,
    notes: list[str],
) -> Panel:
    name = panel_id(*place)
    identity = panel.id or name
    if panel.seed is not None and panel.seed > MOST_SEED:
        notes.append(f"{name}: {seed_note(panel.seed)}")
    written = write_panel(panel, story.style)
    figures = _figures(story, panel, size[0] / size[1], name, notes)
    lines = [
        Line(speaker=_speaker(panel, line.speaker), text=line.text, kind=line.kind, at=line.at)
        for line in panel.dialogue
    ]
    lines += [
        Line(speaker=_teller(balloon, figures), text=balloon.text, kind=balloon.kind)
        for balloon in written.balloons
    ]
    return Panel(
        id=name,
        page=place[0],
        index=place[1],
        width=size[0],
        height=size[1],
        prompt=written.prompt,
        negative=panel.negative,
        figures=figures,
        words=written.words,
        caption=written.caption,
        lines=tuple(lines),
        seed=panel_seed(seed, identity) if panel.seed is None else panel.seed,
        pinned_seed=panel.seed is not None,
        remember=panel.remember,
        scene=panel.scene,
        shot=panel.shot,
        emphasis=panel.emphasis,
        identity=identity,
        locked=panel.locked,
    )


def _figures(
    story: Story, panel: StoryPanel, aspect: float, name: str, notes: list[str]
) -> tuple[Figure, ...]:
    given = [Box(*who.box) if who.box is not None else None for who in panel.characters]
    present = [who.id for who in panel.characters]
    boxes = place_figures(
        given,
        panel.shot,
        aspect,
        right_to_left=story.reading_direction == "rtl",
        speaking=[present.index(line.speaker) for line in panel.dialogue if line.speaker in present],
    )
    moved: list[str] = []
    figures: list[Figure] = []
    for who, wanted, box in zip(panel.characters, given, boxes, strict=True):
        character = story.characters[who.id]
        shown = character.name or who.id
        figures.append(Figure(character=_key(who), name=shown, box=box, prompt=region_prompt(character, who)))
        if wanted is not None:
            changes = zip(wanted.as_tuple(), box.as_tuple(), strict=True)
            if max(abs(before - after) for before, after in changes) > _MOVED:
                moved.append(shown)
    if moved:
        notes.append(f"{name}: boxes overlapped; moved or narrowed those of {', '.join(moved)}")
    if not any(given):
        # Who stands lower stands in front; between given boxes the story's own order decides.
        figures.sort(key=lambda figure: round(figure.box.bottom, 2))
    return tuple(figures)


def _cast(story: Story) -> tuple[CastMember, ...]:
    """Every look that some panel shows, in order of first appearance.

    References show a character's ordinary look, so a variant has none and is rehearsed from its description.
    """
    members: dict[str, CastMember] = {}
    for who in (who for page in story.pages for panel in page.panels for who in panel.characters):
        key = _key(who)
        if key not in members:
            character = story.characters[who.id]
            members[key] = CastMember(
                key=key,
                name=character.name or who.id,
                prompt=cast_prompt(character, who.variant),
                references=() if who.variant else story.reference_paths(who.id),
                aliases=character.aliases,
            )
    return tuple(members.values())


def _key(who: Presence) -> str:
    return f"{who.id}/{who.variant}" if who.variant else who.id


def _speaker(panel: StoryPanel, speaker: str | None) -> str | None:
    """The speaker's look in this panel, so that the balloon finds its figure."""
    return next((_key(who) for who in panel.characters if who.id == speaker), speaker)


def _teller(balloon: Balloon, figures: Sequence[Figure]) -> str | None:
    """Who says a described balloon: the only figure, or the one that the text named last before it."""
    if len(figures) == 1:
        return figures[0].character
    mentions = [
        (match.start(), figure.character)
        for figure in figures
        for match in re.finditer(rf"\b{re.escape(figure.name)}\b", balloon.before, re.IGNORECASE)
    ]
    return max(mentions)[1] if mentions else None
