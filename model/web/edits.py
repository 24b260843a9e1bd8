"""Edits: what the page may do to a story, each a small typed operation.

In: JSON of a request. Out: frozen values, told apart by `do`. How they change a story is told by
`applying.py`. Panels go by their ids (`p001_02`), lines and figures by their places in the panel, from 0.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PanelId = Annotated[str, Field(pattern=r"^p\d{3,}_\d{2,}$", max_length=16, examples=["p001_02"])]
CharacterId = Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]
Place = Annotated[int, Field(ge=0, lt=100_000)]
Number = Annotated[int, Field(ge=1, lt=100_000)]
Words = Annotated[str, Field(max_length=4_000)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Box = tuple[Fraction, Fraction, Fraction, Fraction]
Tree = dict[str, Any]


class _Edit(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SetLine(_Edit):
    """Change a line of dialogue; what is left out stays."""

    do: Literal["set_line"]
    panel: PanelId
    line: Place
    text: Words | None = None
    kind: Literal["speech", "thought", "shout", "whisper", "narration", "sfx"] | None = None
    speaker: CharacterId | Literal[""] | None = None


class AddLine(_Edit):
    """A new line at `line`; those from there on move back."""

    do: Literal["add_line"]
    panel: PanelId
    line: Place
    text: Words
    kind: Literal["speech", "thought", "shout", "whisper", "narration", "sfx"] = "speech"
    speaker: CharacterId | None = None


class RemoveLine(_Edit):
    do: Literal["remove_line"]
    panel: PanelId
    line: Place


class MoveLine(_Edit):
    """Read a line earlier or later in its panel."""

    do: Literal["move_line"]
    panel: PanelId
    line: Place
    to: Place


class MoveBalloon(_Edit):
    """Hold a line's balloon with its middle at `at`, fractions of the panel's frame; None lets it go."""

    do: Literal["move_balloon"]
    panel: PanelId
    line: Place
    at: tuple[Fraction, Fraction] | None


class SetPanel(_Edit):
    """Set keys of a panel as the story file has them; an empty value takes a key out.

    Of: scene, shot, emphasis, prompt, negative, caption, text_in_image, draw_text, remember, seed, locked.
    """

    do: Literal["set_panel"]
    panel: PanelId
    values: Tree


class SetFigure(_Edit):
    """Set keys of a figure: id, variant, box, action, expression, description; an empty value takes one
    out."""

    do: Literal["set_figure"]
    panel: PanelId
    figure: Place
    values: Tree


class AddFigure(_Edit):
    do: Literal["add_figure"]
    panel: PanelId
    id: CharacterId
    box: Box | None = None


class RemoveFigure(_Edit):
    do: Literal["remove_figure"]
    panel: PanelId
    figure: Place


class AddPanel(_Edit):
    """A new panel on a page (from 1), before the one that stands at `index` (from 0)."""

    do: Literal["add_panel"]
    page: Number
    index: Place
    values: Tree = {}


class RemovePanel(_Edit):
    do: Literal["remove_panel"]
    panel: PanelId


class MovePanel(_Edit):
    """To a page (from 1) and a place on it (from 0); its pictures go with it."""

    do: Literal["move_panel"]
    panel: PanelId
    page: Number
    index: Place


class SplitPanel(_Edit):
    """Two panels of one: the second has the same scene and figures, and the lines from `line` on."""

    do: Literal["split_panel"]
    panel: PanelId
    line: Place


class MergePanels(_Edit):
    """A panel and the next one on its page become one: the first's picture, the lines of both."""

    do: Literal["merge_panels"]
    panel: PanelId


class AddPage(_Edit):
    """A new page with one empty panel, which becomes page `page` (from 1)."""

    do: Literal["add_page"]
    page: Number


class RemovePage(_Edit):
    do: Literal["remove_page"]
    page: Number


class MovePage(_Edit):
    do: Literal["move_page"]
    page: Number
    to: Number


class SplitPage(_Edit):
    """The panels from `index` (from 0) on go to a new page after this one."""

    do: Literal["split_page"]
    page: Number
    index: Place


class MergePages(_Edit):
    """A page takes the panels of the next."""

    do: Literal["merge_pages"]
    page: Number


class SetPage(_Edit):
    """A template of its own ("" = the story's), or frames in percent of the page ([] = the template's)."""

    do: Literal["set_page"]
    page: Number
    template: str | None = None
    frames: list[tuple[float, float, float, float]] | None = None


class SetCharacter(_Edit):
    """Set keys of a character: name, aliases, description; a character that is not there is added."""

    do: Literal["set_character"]
    id: CharacterId
    values: Tree


class RemoveCharacter(_Edit):
    """Take a character out of the story, and out of every panel; its lines stay, said by nobody."""

    do: Literal["remove_character"]
    id: CharacterId


class SetVariant(_Edit):
    """The words of an outfit or age; None takes it away."""

    do: Literal["set_variant"]
    id: CharacterId
    variant: CharacterId
    words: Words | None


class SetStory(_Edit):
    """Set keys of the story: title, style, language, reading_direction, page, lettering."""

    do: Literal["set_story"]
    values: Tree


class ReplaceStory(_Edit):
    """The whole story, for whatever the others cannot say."""

    do: Literal["replace_story"]
    story: Tree


Edit = Annotated[
    SetLine
    | AddLine
    | RemoveLine
    | MoveLine
    | MoveBalloon
    | SetPanel
    | SetFigure
    | AddFigure
    | RemoveFigure
    | AddPanel
    | RemovePanel
    | MovePanel
    | SplitPanel
    | MergePanels
    | AddPage
    | RemovePage
    | MovePage
    | SplitPage
    | MergePages
    | SetPage
    | SetCharacter
    | RemoveCharacter
    | SetVariant
    | SetStory
    | ReplaceStory,
    Field(discriminator="do"),
]
