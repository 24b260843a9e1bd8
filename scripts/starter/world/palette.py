"""Named colours of the drawn world, and the policies that turn a colour into paint.

In: colour names (`HAIR["red"]`) and hex strings. Out: hex strings, or SVG paint such as a screentone
pattern. One drawing routine serves colour panels, ink panels and masks: only the policy differs. Knows
nothing of shapes or characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

HAIR = {
    "black": "#2b2a3a",
    "brown": "#7a4a2c",
    "blonde": "#f6d365",
    "red": "#d23b35",
    "orange": "#f08a34",
    "pink": "#f79ac0",
    "purple": "#8d5cc8",
    "blue": "#3d72d8",
    "teal": "#2fb5a8",
    "green": "#5aa845",
    "silver": "#c9cfdd",
    "white": "#f7f5f2",
}
CLOTH = {
    "red": "#d8423f",
    "blue": "#3f74d0",
    "green": "#4ba35c",
    "yellow": "#f4c93f",
    "purple": "#8a5cc0",
    "pink": "#f391b6",
    "white": "#f6f4f0",
    "black": "#34333f",
    "orange": "#ef8538",
    "teal": "#37b3ac",
}
EYES = {
    "blue": "#3b82d8",
    "green": "#46a558",
    "brown": "#8a5a34",
    "red": "#cf3b40",
    "purple": "#8956c4",
    "amber": "#d99a2b",
}
SKIN = {"pale": "#ffe6d6", "light": "#fbd9c0", "tan": "#f0c39c", "brown": "#c98f62", "dark": "#8f5c3c"}

WHITE = "#ffffff"
DARK_INK = "#26262a"
LINE_INK = "#141416"

# What a light, a middle and a dark screen of dots amount to from afar. A panel has the grey; the dots are
# laid over it where the page is put together. A decoder that sees nothing but 16 pixel cells of even grey can
# only answer with even grey: convolutions know no places.
TONES = ((0.86, WHITE), (0.70, "#d4d4d4"), (0.52, "#9e9e9e"), (0.36, "#464646"))  # lighter than this: that


@lru_cache(maxsize=4096)
def mix(first: str, second: str, amount: float) -> str:
    """The colour `amount` (0 to 1) of the way from `first` to `second`, all '#rrggbb'."""
    channels = zip(_channels(first), _channels(second), strict=True)
    blended = (a + (b - a) * amount for a, b in channels)
    return "#{:02x}{:02x}{:02x}".format(*(max(0, min(255, round(value))) for value in blended))


def luminance(colour: str) -> float:
    """Rec. 601 luma of '#rrggbb', 0 (black) to 1 (white)."""
    red, green, blue = _channels(colour)
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


class Policy(Protocol):
    """How colours become paint. `ink` tells the drawing code to prefer line over shading."""

    @property
    def ink(self) -> bool: ...

    def fill(self, colour: str) -> str:
        """Paint for an area."""
        ...

    def line(self, colour: str) -> str:
        """Paint for an outline."""
        ...


class Colour:
    """Colour panels: every colour is itself."""

    ink = False

    def fill(self, colour: str) -> str:
        return colour

    def line(self, colour: str) -> str:
        return colour


class Ink:
    """Ink panels: an area becomes white, one of three greys that stand for screentone, or black, by its
    luminance."""

    ink = True

    def fill(self, colour: str) -> str:
        if colour == "none":
            return colour
        light = luminance(colour)
        for threshold, tone in TONES:
            if light > threshold:
                return tone
        return DARK_INK

    def line(self, colour: str) -> str:
        return colour if colour == "none" else LINE_INK


@dataclass(frozen=True, slots=True)
class Flat:
    """Masks: whatever is painted at all is painted in one colour."""

    colour: str
    ink: bool = False

    def fill(self, colour: str) -> str:
        return colour if colour == "none" else self.colour

    def line(self, colour: str) -> str:
        return self.fill(colour)
