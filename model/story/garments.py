"""What people wear and how they wear their hair, as far as a remembered fact can change it: tables of words.

In: a noun phrase such as "her old round glasses". Out: its head noun in one spelling, and the slot it fills.
English only. Knows nothing of facts or descriptions.
"""

from __future__ import annotations

import re

_SLOTS = {
    "eyes": "glasses sunglasses goggles monocle eyepatch",
    "head": "hat cap helmet crown beanie beret tiara bandana headband hood",
    "ears": "headphones earphones earmuffs",
    "whole": "dress suit kimono yukata uniform armour robe overalls pyjamas gown costume swimsuit tracksuit",
    "top": "hoodie t-shirt shirt sweater blouse vest tunic top cardigan",
    "bottom": "skirt trousers jeans shorts leggings",
    "over": "coat jacket cape cloak raincoat apron",
    "face": "mask",
    "hands": "gloves mittens",
    "feet": "shoes boots sneakers sandals slippers socks",
    "neck": "scarf tie necklace bow",
    "hair": "ribbon flower hairpin hairclip",
    "other": "ears backpack bag belt ring bracelet earrings bandage badge wings watch",
}
_SLOT_OF = {noun: slot for slot, nouns in _SLOTS.items() for noun in nouns.split()}
_SPELLINGS: dict[str, str] = {
    "spectacles": "glasses", "eyeglasses": "glasses", "specs": "glasses", "tshirt": "t-shirt",
    "tee": "t-shirt", "hoody": "hoodie", "jumper": "sweater", "pullover": "sweater", "armor": "armour",
    "pajamas": "pyjamas", "pants": "trousers", "trainers": "sneakers", "headset": "headphones",
}  # fmt: skip
# Putting on the first takes off the second; elsewhere a garment replaces those of its slot, or only its own
# kind where several go together.
_REPLACES = {
    "whole": {"whole", "top", "bottom"},
    "top": {"whole", "top"},
    "bottom": {"whole", "bottom"},
}
_TOGETHER = {"neck", "hair", "other"}

_COLOURS = (
    "black brown blonde blond red orange pink purple blue teal green silver white grey gray yellow golden "
    "gold auburn ginger violet crimson scarlet turquoise platinum rainbow"
)
COLOURS = frozenset(_COLOURS.split())
SHADES = frozenset({"light", "dark", "bright", "pale", "deep", "neon", "jet"})
LENGTHS = frozenset(
    {"long", "short", "shoulder-length", "waist-length", "chin-length", "medium-length", "very"}
)
# How hair can be worn, longest first: as said in a fact → as written into a description.
STYLES = {
    "twin tails": "twin tails", "twintails": "twin tails", "pigtails": "twin tails", "ponytail": "ponytail",
    "pony tail": "ponytail", "hair buns": "hair buns", "buns": "hair buns", "bun": "bun",
    "bob cut": "bob cut", "bob": "bob cut", "braids": "braids", "braid": "braid", "plait": "braid",
}  # fmt: skip

_DETERMINER = re.compile(
    r"^(?:(?:a|an|the|his|her|their|its|some|my|own|new|both|pair|of|that|this)\s+)+", re.I
)
# A noun phrase ends where one of these begins.
_END = re.compile(
    r"\s+(?:in|on|at|for|from|to|into|onto|under|over|behind|beside|near|with|without|when|while|because|since"
    r"|after|before|during|until|that|which|who|so|as|by|around|through|instead|again|back|yesterday|today"
    r"|tonight|now|forever|already|too|there|here|somewhere|of|if|by)\b.*$",
    re.IGNORECASE | re.DOTALL,
)


def bare(phrase: str) -> str:
    """A noun phrase without its determiner and what follows it: "her red scarf at home" → "red scarf"."""
    return _DETERMINER.sub("", _END.sub("", " ".join(phrase.split()))).strip(" .!?;:")


def head(phrase: str) -> str:
    """The noun that the phrase is about, lower case, one spelling: "round spectacles" → "glasses"."""
    words: list[str] = re.findall(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*", bare(phrase).lower())
    if not words:
        return ""
    noun = _SPELLINGS.get(words[-1], words[-1])
    if noun not in _SLOT_OF and noun.removesuffix("s") in _SLOT_OF:
        return noun.removesuffix("s")
    return f"{noun}s" if noun not in _SLOT_OF and f"{noun}s" in _SLOT_OF else noun


def is_worn(noun: str) -> bool:
    """Whether a head noun is something that people wear, as far as the tables know."""
    return noun in _SLOT_OF


def replaces(new: str, old: str) -> bool:
    """Whether who puts on `new` no longer shows `old`; both are head nouns."""
    first, second = _SLOT_OF.get(new, ""), _SLOT_OF.get(old, "")
    if not first or not second or first in _TOGETHER:
        return new == old
    return second in _REPLACES.get(first, {first})
