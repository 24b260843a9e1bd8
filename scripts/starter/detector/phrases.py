"""What a panel is asked for, and who in it is meant: phrases with their truth.

A phrase says some lasting attributes of a character: of one who is there, of one who is there but for one
attribute, of somebody else, or none at all (`a character`). A phrase whose truth cannot be seen (a colour in
ink, clothes in a close-up) is not asked. In: the attributes of a panel's characters. Out: phrases, each with
a yes or no a character. Knows nothing of pixels and tokens.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.starter.captions import EXPRESSIONS, hair_phrase
from scripts.starter.world.identity import ACCESSORIES, OUTFITS, STYLES
from scripts.starter.world.palette import CLOTH, EYES, HAIR

Attributes = Mapping[str, Any]
Said = dict[str, str]

ANYBODY = ("a character", "a character", "a character", "character", "a person", "person", "a girl", "a boy")
SUBJECTS = ("a character", "character", "girl", "boy", "woman", "man", "person", "a girl", "a boy")
VALUES = {
    "hair": tuple(HAIR),
    "style": STYLES,
    "outfit": OUTFITS,
    "color": tuple(CLOTH),
    "acc": tuple(name for name in ACCESSORIES if name != "none"),
    "eyes": tuple(EYES),
}
COLOURS = frozenset({"hair", "color", "eyes"})
CLOTHES = frozenset({"outfit", "color"})
CLOSED_EYES = frozenset({"laughing", "winking"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Words, for each character of the panel whether they are true of it, and the attributes they say."""

    words: str
    whom: tuple[bool, ...]
    said: Mapping[str, str] = field(default_factory=dict)


def seen(who: Attributes, *, ink: bool, frame: str) -> frozenset[str]:
    """Which attributes of a character can be told from the picture."""
    keys = {"style", "outfit", "acc"} if ink else {"hair", "style", "outfit", "color", "acc", "eyes"}
    if frame == "close-up":
        keys -= CLOTHES
    if frame == "full body" or who["expr"] in CLOSED_EYES:
        keys.discard("eyes")
    return frozenset(keys)


def told(said: Said, who: Attributes, visible: frozenset[str]) -> bool | None:
    """Whether `said` is true of a character; None if the picture does not tell."""
    if any(who[key] != value for key, value in said.items() if key in visible):
        return False
    if any(who[key] != value for key, value in said.items()):
        return None
    return True if not said or visible & set(said) else None


def speak(said: Said, rng: random.Random, passing: Sequence[str] = ()) -> str:
    """Say attributes: `girl with red hair, blue hoodie`, `silver long hair`, `boy with short black hair`.

    Args:
        said: attribute → value; empty for anybody.
        rng: decides wording, order and commas.
        passing: expression and pose to say as well.
    """
    if not said:
        return rng.choice(ANYBODY)
    parts = [*_hair(said, rng), *_clothes(said, rng)]
    if "acc" in said:
        parts.append(said["acc"])
    if "eyes" in said:
        parts.append(f"{said['eyes']} eyes")
    parts += passing
    if rng.random() < 0.3:
        rng.shuffle(parts)
    mark = ", " if rng.random() < 0.3 else " "
    if rng.random() < 0.35:
        return mark.join(parts)
    link = " with " if rng.random() < 0.6 and not parts[0].startswith("wearing") else " "
    return rng.choice(SUBJECTS) + link + mark.join(parts)


def _hair(said: Said, rng: random.Random) -> list[str]:
    if "hair" in said and "style" in said:
        return [hair_phrase(said["hair"], said["style"], rng)]
    if "hair" in said:
        return [f"{said['hair']} hair"]
    if "style" in said:
        return ["hair in buns" if said["style"] == "hair buns" and rng.random() < 0.4 else said["style"]]
    return []


def _clothes(said: Said, rng: random.Random) -> list[str]:
    if "color" in said and "outfit" in said:
        return [("wearing " if rng.random() < 0.15 else "") + f"{said['color']} {said['outfit']}"]
    if "outfit" in said:
        return [said["outfit"]]
    if "color" in said:
        return [f"{said['color']} clothes" if rng.random() < 0.5 else f"wearing {said['color']}"]
    return []


def _of(who: Attributes, rng: random.Random, *, ink: bool, frame: str) -> Said:
    """Some attributes of a character: all that describe it, two or three, or one."""
    kind = rng.random()
    if kind < 0.4:
        keys = {"hair", "style", "outfit", "color", "acc"} - ({"acc"} if rng.random() < 0.25 else set())
        keys |= {"eyes"} if rng.random() < 0.3 else set()
    else:
        known = [key for key in VALUES if key != "eyes" or rng.random() < 0.3]
        keys = set(rng.sample(known, rng.choice((2, 3)) if kind < 0.68 else 1))
        if not ink and frame != "close-up" and keys & CLOTHES and rng.random() < 0.7:
            keys |= CLOTHES
    if ink:
        keys |= {"style"} | ({"outfit"} if frame != "close-up" else set())
    return {key: who[key] for key in VALUES if key in keys and who[key] != "none"}


def _other(said: Said, cast: Sequence[Attributes], rng: random.Random, *, ink: bool, frame: str) -> Said:
    """`said` with one attribute of somebody else, if possible of another character of the panel."""
    hidden = (COLOURS if ink else frozenset()) | (CLOTHES if frame == "close-up" else frozenset())
    keys = [key for key in said if key not in hidden]
    keys = [key for key in keys if key != "eyes"] or keys
    if not keys:
        return {}
    key = rng.choice(keys)
    values = [who[key] for who in cast if who[key] not in (said[key], "none")]
    if not values or rng.random() < 0.4:
        values = [value for value in VALUES[key] if value != said[key]]
    return {**said, key: rng.choice(values)}


def _anyone(rng: random.Random) -> dict[str, str]:
    return {key: rng.choice(values) for key, values in VALUES.items()}


def ask(
    cast: Sequence[Attributes], rng: random.Random, *, ink: bool, frame: str, least: int = 2, most: int = 4
) -> list[Phrase]:
    """Phrases for one panel: `least` to `most`, without two of the same words.

    Args:
        cast: hair, style, outfit, color, acc, eyes, expr, pose of each character that can be seen.
        rng: decides everything else.
    """
    visible = [seen(who, ink=ink, frame=frame) for who in cast]
    phrases: dict[str, Phrase] = {}
    wanted = rng.randint(least, most)
    for attempt in range(4 * wanted):
        if len(phrases) == wanted:
            break
        chance, passing = rng.random(), []
        if attempt == 0 and chance < 0.65:
            said: Said = {}
        elif not cast or chance < 0.12:
            said = _of(_anyone(rng), rng, ink=ink, frame=frame)
        else:
            who = rng.choice(cast)
            said = _of(who, rng, ink=ink, frame=frame)
            if len(said) > 2 and rng.random() < 0.2:
                passing = [rng.choice(EXPRESSIONS[who["expr"]]), who["pose"]][: rng.choice((1, 2))]
            if chance > 0.62:
                said = _other(said, cast, rng, ink=ink, frame=frame)
        truths = [told(said, who, keys) for who, keys in zip(cast, visible, strict=True)]
        if (not said and attempt) or None in truths:
            continue
        words = speak(said, rng, passing)
        phrases.setdefault(words, Phrase(words=words, whom=tuple(map(bool, truths)), said=said))
    found = list(phrases.values()) or [Phrase(words="a character", whom=(True,) * len(cast))]
    rng.shuffle(found)
    return found
