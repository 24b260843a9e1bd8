"""The story file: what a stranger may write, checked, and `load_story`, which reads any story file.

In: the path of a native story (`"version": 1`) or of one in the AutoStudio dialect. Out: a frozen `Story`.
Every trouble is a `StoryError` of one line. Does not decide anything: boxes, prompts and seeds are planned
elsewhere.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, Strict, ValidationError

from model.errors import StoryError
from model.story import dialogue
from model.story.layout import MAX_FIGURES
from model.story.reading import describe, place_of, read_json, read_json_bytes, refusal, shorten
from model.story.references import check_font, check_reference, is_font_file
from model.story.tidying import tidied

MAX_PANELS = 2_000
MAX_PANELS_PER_PAGE = 12

Text = Annotated[str, Field(max_length=4_000)]
Name = Annotated[str, Field(max_length=200)]
Key = Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]
Kind = Literal["speech", "thought", "shout", "whisper", "narration", "sfx"]
Shot = Literal["wide", "medium", "close-up"]
Emphasis = Literal["low", "normal", "high"]


def _check_box(values: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x, y, width, height = values
    if width <= 0 or height <= 0:
        raise ValueError("width and height above 0, as fractions of the panel")
    if min(x, y) < 0 or max(x + width, y + height) > 1 + 1e-6:
        raise ValueError("a box inside the panel: x, y, x + width and y + height all between 0 and 1")
    return values


def _check_frame(values: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x, y, width, height = values
    if width <= 0 or height <= 0:
        raise ValueError("width and height above 0, in percent of the page")
    if min(x, y) < 0 or max(x + width, y + height) > 100 + 1e-6:
        raise ValueError("a frame on the page: x, y, x + width and y + height all between 0 and 100 percent")
    if max(width, height) <= 1:
        raise ValueError("percent of the page, such as [0, 0, 100, 45], not fractions")
    return values


FractionBox = Annotated[tuple[Number, Number, Number, Number], AfterValidator(_check_box)]
Fraction = Annotated[Number, Field(ge=0, le=1)]


PercentBox = Annotated[tuple[Number, Number, Number, Number], AfterValidator(_check_frame)]


class _Written(BaseModel):
    """Base of everything in a story file: frozen, and no key that nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Dialogue(_Written):
    """One thing said. `speaker` is a character's id, or nothing for a voice from nowhere. `at` holds the
    middle of its balloon, in fractions of the panel's frame."""

    speaker: Key | None = None
    text: Annotated[str, Field(min_length=1, max_length=1_000)]
    kind: Kind = "speech"
    at: tuple[Fraction, Fraction] | None = None


class Presence(_Written):
    """One character in one panel. `description` replaces the character's own, in this panel only."""

    id: Key
    variant: Key | None = None
    box: FractionBox | None = None
    action: Text = ""
    expression: Text = ""
    description: Text = ""


class StoryPanel(_Written):
    """One panel. `scene` and `prompt` are drawn; `caption` and `dialogue` are lettered.

    A panel with an `id` keeps its seeds and tries when it moves. A `locked` one keeps the picture it has.
    """

    id: Key | None = None
    scene: Text = ""
    shot: Shot = "medium"
    emphasis: Emphasis = "normal"
    prompt: Text = ""
    caption: Text = ""
    characters: Annotated[tuple[Presence, ...], Field(max_length=MAX_FIGURES)] = ()
    dialogue: Annotated[tuple[Dialogue, ...], Field(max_length=24)] = ()
    text_in_image: Text = ""
    draw_text: Flag = False
    negative: Text = ""
    remember: Annotated[tuple[Text, ...], Field(max_length=24)] = ()
    seed: Annotated[int, Strict(), Field(ge=0, lt=2**63)] | None = None
    locked: Flag = False


class StoryPage(_Written):
    """One page; without a template of its own it takes the story's. `frames` are boxes of its own instead."""

    template: Key | None = None
    frames: Annotated[tuple[PercentBox, ...], Field(max_length=MAX_PANELS_PER_PAGE)] = ()
    panels: Annotated[tuple[StoryPanel, ...], Field(min_length=1, max_length=MAX_PANELS_PER_PAGE)]


class PageFormat(_Written):
    size: Literal["b5", "us", "a4", "square", "webtoon"] = "b5"
    template: Key = "auto"


class LetteringStyle(_Written):
    """How the book is lettered. `font` is a family on this machine, or a font file beside the story."""

    font: Name = ""
    capitals: Flag = False
    writing: Literal["auto", "horizontal", "vertical"] = "auto"


class Character(_Written):
    name: Name = ""
    aliases: Annotated[tuple[Name, ...], Field(max_length=24)] = ()
    description: Text = ""
    references: Annotated[tuple[Annotated[str, Field(max_length=1_000)], ...], Field(max_length=24)] = ()
    variants: dict[Key, Text] = {}


class Story(_Written):
    """A whole story as it was written, checked. `notes` says what was changed while reading it."""

    version: Annotated[int, Strict()] = 1
    id: Key | None = None
    title: Annotated[str, Field(min_length=1, max_length=200)]
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$")] = "en"
    reading_direction: Literal["ltr", "rtl"] = "ltr"
    style: Name = "colour comic"
    page: PageFormat = PageFormat()
    lettering: LetteringStyle = LetteringStyle()
    characters: dict[Key, Character] = {}
    pages: Annotated[tuple[StoryPage, ...], Field(min_length=1, max_length=MAX_PANELS)]
    _path: Path = PrivateAttr(default=Path())
    _notes: tuple[str, ...] = PrivateAttr(default=())

    @property
    def path(self) -> Path:
        """The file that was read; references are relative to its folder."""
        return self._path

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed or assumed while reading, in plain words."""
        return self._notes

    def read_from(self, path: Path, notes: tuple[str, ...]) -> Story:
        """This story, with where it was read from."""
        story = self.model_copy()
        story._path, story._notes = path, notes
        return story

    @property
    def font(self) -> str:
        """The face to letter with: a family's name, or the path of a file that lies beside the story."""
        name = self.lettering.font
        return str(self._path.parent / name) if is_font_file(name) else name

    def reference_paths(self, character: str) -> tuple[Path, ...]:
        """The pictures of one character, in the order of the file."""
        return tuple(self._path.parent / name for name in self.characters[character].references)


def load_story(path: Path) -> Story:
    """Read a story file, native or in the AutoStudio dialect.

    Raises:
        StoryError: one line that names the file, the place in it, what was found and expected, what to do.
    """
    return _checked(read_json(path), path)


def read_story(tree: Mapping[str, Any], path: Path = Path("story")) -> Story:
    """The same for a story that a program holds, as if it stood at `path`: the files that it names are sought
    from there.

    Raises:
        StoryError: as `load_story`.
    """
    try:
        text = json.dumps(tree, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoryError(
            f"{path}: not made of JSON values ({error}); use dicts, lists, texts and numbers"
        ) from error
    return _checked(read_json_bytes(text.encode("utf-8", "surrogatepass"), path), path)


def _checked(tree: object, path: Path) -> Story:
    if not isinstance(tree, dict):
        raise refusal(path, "the top", describe(tree), "an object with a title and pages", "see examples/")
    written: dict[str, Any] = tree  # pyright: ignore[reportUnknownVariableType]
    notes: tuple[str, ...] = ()
    if dialogue.is_dialogue(written):
        written, notes = dialogue.convert(written, path)
    written, tidy = tidied(written)
    version: object = written.get("version", 1)
    if version != 1 or version is True:
        found = describe(version)
        raise refusal(path, "version", found, "1", 'write "version": 1, the only version there is')
    try:
        story = Story.model_validate(written)
    except ValidationError as error:
        raise _explain(path, error) from None
    story = story.read_from(path, (*notes, *tidy))
    _check_names(path, story)
    if is_font_file(story.lettering.font):
        check_font(path, "lettering.font", story.lettering.font)
    for key, character in story.characters.items():
        for index, name in enumerate(character.references):
            check_reference(path, f"characters.{key}.references[{index}]", name)
    return story


def panel_id(page: int, index: int) -> str:
    """What a panel is called by its place, both from 1: "p001_02"."""
    return f"p{page:03}_{index:02}"


def nearest(name: str, known: list[str]) -> str:
    """`did you mean "x"?` when some known name is near, else a list of what is known."""
    close = difflib.get_close_matches(name[:80], known, n=1, cutoff=0.5)
    return f'did you mean "{close[0]}"?' if close else f"use one of {_listed(known)}"


def _check_names(path: Path, story: Story) -> None:
    """Every id that a panel uses must be a character's, every variant must be one of that character's."""
    panels = [(p, i, panel) for p, page in enumerate(story.pages) for i, panel in enumerate(page.panels)]
    if len(panels) > MAX_PANELS:
        advice = "split it into several stories"
        raise refusal(path, "pages", f"{len(panels)} panels", f"at most {MAX_PANELS} panels in all", advice)
    known = list(story.characters)
    owners: dict[str, str] = {}
    for p, i, panel in panels:
        where = f"pages[{p}].panels[{i}]"
        name = panel.id or panel_id(p + 1, i + 1)
        if name in owners:
            advice = "give one of them another id"
            raise refusal(path, f"{where}.id", f'"{name}", as {owners[name]}', "an id of its own", advice)
        owners[name] = where
        for index, who in enumerate(panel.characters):
            _check_known(path, f"{where}.characters[{index}].id", who.id, "character", known)
            if who.variant is not None:
                variants = list(story.characters[who.id].variants)
                place = f"{where}.characters[{index}].variant"
                _check_known(path, place, who.variant, f'variant of "{who.id}"', variants)
        for index, line in enumerate(panel.dialogue):
            if line.speaker is not None:
                _check_known(path, f"{where}.dialogue[{index}].speaker", line.speaker, "character", known)


def _check_known(path: Path, place: str, name: str, what: str, known: list[str]) -> None:
    if name not in known:
        expected = f"a known {what}" if known else f"no {what}, for none is defined"
        advice = nearest(name, known) if known else "define it under characters first"
        raise refusal(path, place, describe(name), expected, advice)


def _explain(path: Path, error: ValidationError) -> StoryError:
    """The most telling of pydantic's complaints in our words: unknown keys first, they explain the rest."""
    complaints = error.errors(include_url=False)
    ranks = {"extra_forbidden": 0, "too_long": 1}
    first = min(complaints, key=lambda complaint: ranks.get(complaint["type"], 2))
    steps, kind, context = first["loc"], first["type"], first.get("ctx", {})
    found, more = describe(first["input"]), ""
    if len(complaints) > 1:
        more = f" ({len(complaints) - 1} more to correct after this)"
    if "[key]" in steps:
        steps = steps[: steps.index("[key]")]
    place = place_of(steps)
    if kind == "extra_forbidden":
        known = _keys_at(steps[:-1])
        found = f'the unknown key "{shorten(str(steps[-1]))}"'
        place = place_of(steps[:-1])
        return refusal(path, place, found, f"only {_listed(known)}", nearest(str(steps[-1]), known) + more)
    if kind == "missing":
        advice = f'add "{steps[-1]}"{more}'
        return refusal(path, place_of(steps[:-1]), f'no "{steps[-1]}"', f'the key "{steps[-1]}"', advice)
    if kind == "value_error":
        return refusal(path, place, _numbers(first["input"]), str(context["error"]), f"correct the box{more}")
    return refusal(path, place, found, _expectation(kind, context, first["msg"]), f"correct it{more}")


def _expectation(kind: str, context: dict[str, Any], message: str) -> str:
    """What pydantic wanted, in the words of people who write stories."""
    limit = context.get("max_length", context.get("min_length"))
    table = {
        "too_long": f"at most {limit} items",
        "too_short": f"at least {limit} item",
        "string_too_long": f"at most {limit} characters",
        "string_too_short": "some text",
        "string_type": "a text",
        "string_pattern_mismatch": "letters, digits, _ and - only, 1 to 64 of them",
        "literal_error": str(context.get("expected", "")).replace("'", '"'),
        "float_type": "a number",
        "int_type": "a whole number",
        "bool_type": "true or false",
        "tuple_type": "a list",
        "dict_type": "an object",
        "model_type": "an object",
        "greater_than_equal": f"at least {context.get('ge')}",
        "less_than": f"less than {context.get('lt')}",
        "less_than_equal": f"at most {context.get('le')}",
    }
    return table.get(kind, message.removeprefix("Input should be "))


def _keys_at(steps: tuple[str | int, ...]) -> list[str]:
    """The keys that the object at this place may have."""
    names: dict[str, type[BaseModel]] = {"pages": StoryPage, "panels": StoryPanel, "dialogue": Dialogue}
    named = [step for step in steps if isinstance(step, str)]
    model: type[BaseModel] = Story
    if named and named[-1] == "characters" and "pages" in named:
        model = Presence
    elif len(named) == 2 and named[0] == "characters":
        model = Character
    elif named == ["page"]:
        model = PageFormat
    elif named == ["lettering"]:
        model = LetteringStyle
    elif named:
        model = names.get(named[-1], Story)
    return list(model.model_fields)


def _numbers(value: object) -> str:
    return shorten(str(list(value))) if isinstance(value, list | tuple) else describe(value)  # pyright: ignore


def _listed(names: list[str]) -> str:
    shown = ", ".join(shorten(name, 24) for name in names[:16])
    return shown + (", …" if len(names) > 16 else "")
