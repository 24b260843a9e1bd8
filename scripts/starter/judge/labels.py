"""What the judge can say: the attributes it reads, their values, and a reading as a value.

Values are the words of the drawn world. Knows nothing of pixels or networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.geometry import Box
from scripts.starter.world.backgrounds import BACKGROUNDS
from scripts.starter.world.identity import ACCESSORIES, EXPRESSIONS, OUTFITS, STYLES
from scripts.starter.world.palette import CLOTH, HAIR

# Of each character. The order is that of the network's outputs: append, never insert.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "hair": tuple(HAIR),
    "style": STYLES,
    "outfit": OUTFITS,
    "color": tuple(CLOTH),
    "accessory": ACCESSORIES,
    "expression": EXPRESSIONS,
}
PLACES = tuple(BACKGROUNDS)
COLOURS = ("hair", "color")  # what an ink panel cannot show
ON_TORSO = ("outfit", "color")  # what cannot be seen where the torso is out of the panel or hidden
LASTING = ("hair", "style", "outfit", "color", "accessory")  # what makes somebody the same person

Probabilities = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """One character that was found in a panel.

    Attributes:
        box: what is visible of it, fractions of the panel.
        head: of its head, likewise.
        score: 0 to 1, how sure it is that somebody is there.
        hair, style, outfit, color, accessory, expression: the likeliest values.
        probabilities: of every value of every attribute, each attribute's adding up to 1.
    """

    box: Box
    head: Box
    score: float
    hair: str
    style: str
    outfit: str
    color: str
    accessory: str
    expression: str
    probabilities: Mapping[str, Probabilities]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the judge sees in one panel.

    Attributes:
        background: one of `PLACES`.
        ink: black and white with screentone instead of colour; then the colours of characters mean nothing.
        characters: by falling score.
        places: probability of every background.
    """

    background: str
    ink: bool
    characters: tuple[Character, ...]
    places: Probabilities
