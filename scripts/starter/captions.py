"""The words of the drawn world: a scene's attributes in, the prompts it would be asked for with out.

The grammar is the one `model/story/prompts.py` writes: a global prompt (style, who, shot, scene) and one
region prompt a character (description, expression, action), without commas, in lower case. Synonyms and
order vary, so that a story may be told in its own words. Knows nothing of pixels.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any

from scripts.starter.world import Identity, State

SUBJECTS = ("a character", "girl", "boy", "woman", "man", "person", "a girl", "a boy")
EXPRESSIONS = {
    "neutral": ("neutral", "calm"),
    "smiling": ("smiling", "smile", "happy"),
    "laughing": ("laughing", "laugh"),
    "angry": ("angry",),
    "sad": ("sad", "crying"),
    "surprised": ("surprised", "shocked"),
    "winking": ("winking", "wink"),
}
COLOUR_STYLES = ("colour comic", "color comic", "color anime style", "colour comic style")
INK_STYLES = ("manga ink style", "ink manga screentone", "black and white manga", "ink manga with screentone")
COUNTS = ("no one", "one character", "two characters", "three characters")
SHOTS = {
    "full body": ("wide shot", "full body"),
    "bust": ("medium shot", "bust"),
    "close-up": ("close-up",),
}
BACKGROUNDS = {
    "night city": ("night city", "city at night"),
    "beach": ("beach", "sea"),
    "sunset": ("sunset", "sunset sky"),
    "starry sky": ("starry sky", "night sky"),
    "plain": ("plain", "plain background"),
}

# What a colour word belongs to: the first of these nouns that follows it.
ROLES = {
    **dict.fromkeys(("hair", "cut", "tails", "ponytail", "braid"), 0),
    **dict.fromkeys(("uniform", "hoodie", "dress", "suit", "kimono", "t-shirt", "cape"), 1),
    "eyes": 2,
}

Attributes = Mapping[str, Any]
Phrase = tuple[str, tuple[str, ...]]  # words, and the names of the attributes that they tell


def attributes(who: Identity, state: State) -> dict[str, Any]:
    """What captions are made of, of one character of the drawn world."""
    return {
        "hair": who.hair, "style": who.style, "eyes": who.eyes, "outfit": who.outfit, "color": who.color,
        "acc": who.accessory, "expr": state.expression, "pose": state.pose,
    }  # fmt: skip


def vocabulary() -> set[str]:
    """Every word this grammar can say besides the attribute values of the drawn world."""
    phrases = [
        *SUBJECTS,
        *COLOUR_STYLES,
        *INK_STYLES,
        *COUNTS,
        "wearing with eyes hair in a buns braid background",
    ]
    for table in (EXPRESSIONS, SHOTS, BACKGROUNDS):
        phrases += [phrase for choices in table.values() for phrase in choices]
    return {word for phrase in phrases for word in phrase.split()}


def colour_roles(caption: str, colours: Collection[str]) -> list[int]:
    """For each word of a region caption: 0, 1 or 2 for a colour of hair, clothes or eyes, -1 for all else."""
    words, roles = caption.split(), []
    following = -1
    for word in reversed(words):
        following = ROLES.get(word, following)
        roles.append(following if word in colours else -1)
    return roles[::-1]


def hair_phrase(colour: str, style: str, rng: random.Random) -> str:
    """`long silver hair`, `silver long hair`, `red hair in a braid`, `blue twin tails`, …"""
    if style in ("hair buns", "buns"):
        return f"{colour} hair in buns" if rng.random() < 0.7 else f"{colour} hair buns"
    if style == "braid":
        return f"{colour} hair in a braid" if rng.random() < 0.7 else f"{colour} braid"
    if style.endswith(" hair") and rng.random() < 0.6:
        return f"{style.removesuffix(' hair')} {colour} hair"
    return f"{colour} {style}"


def region_caption(
    character: Attributes, rng: random.Random, *, drop: float = 0.0, full: bool = False
) -> str:
    """The region prompt of one character.

    Args:
        character: hair, style, outfit, color, acc, eyes, expr, pose.
        rng: decides wording and order.
        drop: probability of leaving each lasting attribute out, so that a reference has to carry it.
        full: say everything, in the usual order, with plain wording (for held-out prompts).
    """
    return " ".join(words for words, _ in region_phrases(character, rng, drop=drop, full=full))


def region_phrases(
    character: Attributes, rng: random.Random, *, drop: float = 0.0, full: bool = False
) -> list[Phrase]:
    """What `region_caption` says, phrase by phrase, the subject first, with what each tells of."""
    keep = 1.0 - drop

    def said(probability: float) -> bool:
        return full or rng.random() < probability

    lasting: list[Phrase] = []
    if said(0.97 * keep):
        lasting.append((hair_phrase(character["hair"], character["style"], rng), ("hair", "style")))
    if said(0.97 * keep):
        wearing = "wearing " if not full and rng.random() < 0.1 else ""
        lasting.append((f"{wearing}{character['color']} {character['outfit']}", ("color", "outfit")))
    if character["acc"] != "none" and said(0.95 * keep):
        lasting.append((character["acc"], ("acc",)))
    if said(0.5 * keep):
        lasting.append((f"{character['eyes']} eyes", ("eyes",)))
    passing: list[Phrase] = []
    if said(0.95):
        expression = character["expr"] if full else rng.choice(EXPRESSIONS[character["expr"]])
        passing.append((expression, ("expr",)))
    if said(0.85):
        passing.append((character["pose"], ("pose",)))
    parts = lasting + passing
    if not full and rng.random() < 0.3:
        rng.shuffle(parts)
    subject = "a character" if full else rng.choice(SUBJECTS)
    linked = not full and lasting and parts[0] == lasting[0] and rng.random() < 0.6
    return [(f"{subject} with" if linked else subject, ()), *parts]


def global_caption(scene: Attributes, rng: random.Random, *, full: bool = False) -> str:
    """The global prompt of one scene (keys: ink, count, frame, bg)."""
    return " ".join(words for words, _ in global_phrases(scene, rng, full=full))


def global_phrases(scene: Attributes, rng: random.Random, *, full: bool = False) -> list[Phrase]:
    """What `global_caption` says, phrase by phrase, with the attributes that each tells."""
    count = COUNTS[scene["count"]]
    if full:
        style = "manga ink style" if scene["ink"] else "colour comic"
        shot, where = SHOTS[scene["frame"]][0], scene["bg"]
    else:
        style = rng.choice(INK_STYLES if scene["ink"] else COLOUR_STYLES)
        where = rng.choice(BACKGROUNDS.get(scene["bg"], (scene["bg"],)))
        if not where.endswith("background") and rng.random() < 0.35:
            where += " background"
        shot = rng.choice(SHOTS[scene["frame"]])
    return [(style, ("ink",)), (count, ("count",)), (shot, ("frame",)), (where, ("bg",))]
