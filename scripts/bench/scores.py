"""From what the judge reads to figures: what was asked for against what is there.

In: wanted panels and the judge's readings of the pictures drawn for them. Out: shares, 0 to 1; None where
nothing was asked that could be measured. Pure; knows nothing of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from scripts.bench.held_out import Person, Wanted
from scripts.starter.judge.accuracy import match
from scripts.starter.judge.labels import LASTING, Character, Reading
from scripts.starter.world import Identity

Figures = dict[str, float | None]

# The name of each figure, and the attribute of the judge that it is about.
ASKED = {
    "hair_colour": "hair",
    "hair_style": "style",
    "outfit": "outfit",
    "outfit_colour": "color",
    "accessory": "accessory",
    "expression": "expression",
}
IN_COLOUR = ("hair_colour", "outfit_colour")
TORSO_NEEDED = ("outfit", "outfit_colour")
LEAST = 1e-6  # chance below which the judge's certainty says nothing more


def mean(values: Sequence[float]) -> float | None:
    """None for nothing."""
    return sum(values) / len(values) if values else None


def pair_up(panel: Wanted, reading: Reading) -> list[tuple[Person, Character | None]]:
    """Everybody who was asked for, with whom the judge found in their box."""
    return list(
        zip(panel.people, match([person.box for person in panel.people], reading.characters), strict=True)
    )


def panel_figures(panels: Sequence[Wanted], readings: Sequence[Reading]) -> Figures:
    """Attributes, background, style, counts, boxes and leaks over all panels.

    A character that was not found has everything wrong, and an IoU of 0. Colours are asked in colour panels
    only, clothes only where the asked framing shows the torso.
    """
    right: dict[str, list[float]] = {name: [] for name in (*ASKED, "background", "ink", "box_iou")}
    counts: dict[int, list[float]] = {1: [], 2: [], 3: []}
    for panel, reading in zip(panels, readings, strict=True):
        right["background"].append(reading.background == panel.place)
        right["ink"].append(reading.ink == panel.ink)
        counts[len(panel.people)].append(len(reading.characters) == len(panel.people))
        for person, character in pair_up(panel, reading):
            right["box_iou"].append(person.box.iou(character.box) if character else 0.0)
            for name, attribute in ASKED.items():
                if (name in IN_COLOUR and panel.ink) or (name in TORSO_NEEDED and not person.torso):
                    continue
                right[name].append(
                    character is not None and getattr(character, attribute) == wanted(person, attribute)
                )
    figures: Figures = {name: mean(values) for name, values in right.items()}
    figures |= {f"count_{count}": mean(values) for count, values in counts.items()}
    figures["leak"] = mean(leaks(panels, readings))
    return figures


def wanted(person: Person, attribute: str) -> str:
    """What the judge should say of somebody."""
    return person.expression if attribute == "expression" else getattr(person.identity, attribute)


def leaks(panels: Sequence[Wanted], readings: Sequence[Reading]) -> list[float]:
    """For every character of a two-character colour panel whose four colours of hair and clothes all differ:
    1 if the judge reads its hair or its clothes in a colour that is the other's, else 0."""
    found: list[float] = []
    for panel, reading in zip(panels, readings, strict=True):
        if panel.ink or len(panel.people) != 2:
            continue
        pairs = pair_up(panel, reading)
        colours = [{person.identity.hair, person.identity.color} for person, _ in pairs]
        if len(colours[0] | colours[1]) < 4:
            continue
        for (person, character), others in zip(pairs, reversed(colours), strict=True):
            if character is not None:
                read = {character.hair, character.color} if person.torso else {character.hair}
                found.append(float(bool(read & others)))
    return found


def recognised(
    cast: Mapping[str, Identity],
    members: Sequence[str],
    panels: Sequence[Wanted],
    readings: Sequence[Reading],
) -> list[float]:
    """For every appearance of the members: 1 if, of the whole cast, the member fits best what is seen.

    What is seen is the judge's certainty of every lasting attribute of whom it finds in the asked box; a
    member fits as well as the product of its attributes' chances. Nobody found is nobody recognised.
    """
    right: list[float] = []
    for panel, reading in zip(panels, readings, strict=True):
        for person, character in pair_up(panel, reading):
            if person.key not in members:
                continue
            if character is None:
                right.append(0.0)
                continue
            fits = {key: _fit(who, character) for key, who in cast.items()}
            right.append(float(max(fits, key=fits.__getitem__) == person.key))
    return right


def _fit(who: Identity, character: Character) -> float:
    chances = (character.probabilities[name][getattr(who, name)] for name in LASTING)
    return sum(math.log(max(chance, LEAST)) for chance in chances)
