"""The prompts: one for the whole panel, one for each figure.

In: a panel and its characters as written. Out: prompts, the words to draw, what is left for the letterer.
A prompt depends on its own panel, the character it names and the story's style, on nothing else.
Does not know boxes, seeds or which model reads the prompts.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.story.quotation import Balloon, read_words
from model.story.schema import Character, Presence, StoryPanel

_COUNTS = (
    "no one",
    "one character",
    *(f"{n} characters" for n in ["two", "three", "four", "five", "six", "seven", "eight"]),
)
_SHOTS = {"wide": "wide shot", "medium": "medium shot", "close-up": "close-up"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelText:
    """`prompt` is drawn and contains every one of `words`; `caption` and `balloons` are lettered."""

    prompt: str
    words: tuple[str, ...]
    caption: str
    balloons: tuple[Balloon, ...]


def write_panel(panel: StoryPanel, style: str) -> PanelText:
    """The global prompt of a panel, and what its texts leave to the letterer.

    Quoted words of scene, prompt and caption, and `text_in_image`, stand in the prompt verbatim. A balloon
    that a text describes becomes lettering, unless the story asks the model to draw it (`draw_text`).
    """
    scene = read_words(panel.scene, keep_balloons=panel.draw_text)
    extra = read_words(panel.prompt, keep_balloons=panel.draw_text)
    caption = read_words(panel.caption)
    drawn = [*scene.words, *extra.words]
    additions: list[str] = []
    balloons = (*scene.balloons, *extra.balloons, *caption.balloons)
    if panel.draw_text:
        balloons = ()
        for balloon in caption.balloons:
            additions.append(f'{balloon.kind} bubble with the words "{balloon.text}"')
            drawn.append(balloon.text)
    written = [panel.text_in_image.strip()] if panel.text_in_image.strip() else []
    for words in (*caption.words, *written):
        if words not in drawn:
            additions.append(f'the words "{words}"')
            drawn.append(words)
    who = _COUNTS[len(panel.characters)]
    parts = [style, who, _SHOTS[panel.shot], scene.text, extra.text, *additions]
    return PanelText(
        prompt=_joined(parts), words=tuple(drawn), caption=caption.text.strip(), balloons=balloons
    )


def region_prompt(character: Character, who: Presence) -> str:
    """What one figure looks like and does in one panel."""
    look = who.description or cast_prompt(character, who.variant)
    return _joined([look, who.expression, who.action])


def head_prompt(style: str, scene: str) -> str:
    """The global prompt for one head of a panel with its surroundings."""
    return _joined([style, _COUNTS[1], _SHOTS["medium"], scene])


def cast_prompt(character: Character, variant: str | None) -> str:
    """What a character looks like in every panel: the description, or that of the named variant."""
    text = character.variants[variant] if variant else character.description
    return text.strip() or character.name.strip() or "a character"


def _joined(parts: list[str]) -> str:
    """Parts with commas between them; what is said in quotation marks is left exactly as it stands."""
    return ", ".join(stripped for part in parts if (stripped := part.strip().rstrip(",;").rstrip()))
