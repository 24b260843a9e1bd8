"""What the starter is asked for in its benchmark: panels made up by the drawn world, told in a story's words.

A scene of the drawn world decides who stands where, in which shape and framing; only its words and boxes go
on from here, never its picture. Seeds are the benchmark's own: no training ever drew these scenes. Knows
nothing of models.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from model.errors import ConfigError
from model.geometry import Box
from model.story.prompts import region_prompt, write_panel
from model.story.schema import Character, Presence, StoryPanel
from scripts.starter.captions import hair_phrase
from scripts.starter.judge.losses import FACE_READ, TORSO_READ
from scripts.starter.judge.scenes import seen
from scripts.starter.pool import CELL, SHAPES
from scripts.starter.world import Figure, Identity, Scene, ground_truth

SEEDS, RANGE, RANGES = 6_000_000_000, 10_000_000, 1_000_001
# Ranges from NEAR on lie apart from the first ones, beyond everybody's seeds.
NEAR, FAR_SEEDS = 40, 1_000_000_000_000
# Where in a range each measurement's own seeds begin.
PANELS, CAST, DRAWN, JUDGED = 0, 2_000_000, 4_000_000, 6_000_000

COUNT_WEIGHTS = (0.5, 0.3, 0.2)  # one, two, three characters
INK_SHARE = 0.2
FRAME_WEIGHTS = {1: (0.4, 0.4, 0.2), 2: (0.5, 0.5, 0.0), 3: (0.5, 0.5, 0.0)}
FRAMES = ("full body", "bust", "close-up")
SHOTS = {"full body": "wide", "bust": "medium", "close-up": "close-up"}
SUBJECTS = ("girl", "boy", "woman", "man", "a character")
MEMBERS = 20  # of the cast in which everybody is to be recognised
APPEARANCES = 4  # panels of each of them
TRIES = 200  # scenes until one shows everybody's face


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One character as it is asked for in a panel.

    Attributes:
        key: names it and its reference.
        identity: what it must look like.
        description: all that lasts of its looks, as a story's cast says it.
        said: what this panel says of its looks.
        expression, action: what it does here.
        box: where it is asked to stand, fractions of the panel.
        torso: whether the scene shows enough of it for its clothes to be asked for.
    """

    key: str
    identity: Identity
    description: str
    said: str
    expression: str
    action: str
    box: Box
    torso: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One panel to be drawn. `people` stand back to front; `scene` is the truth, for measurements alone."""

    id: str
    width: int
    height: int
    ink: bool
    place: str
    shot: str
    people: tuple[Person, ...]
    scene: Scene

    @property
    def prompt(self) -> str:
        """The global prompt."""
        characters = tuple(Presence(id=f"c{k}") for k in range(len(self.people)))
        panel = StoryPanel.model_validate(
            {"scene": self.place, "shot": self.shot, "characters": [who.model_dump() for who in characters]}
        )
        return write_panel(panel, style_of(self.ink)).prompt

    @property
    def region_prompts(self) -> tuple[str, ...]:
        """One prompt a character."""
        return tuple(
            region_prompt(
                Character(description=person.said),
                Presence(id="c", expression=person.expression, action=person.action),
            )
            for person in self.people
        )

    @property
    def passing_prompts(self) -> tuple[str, ...]:
        """What each character does here, without a word on how it looks."""
        return tuple(f"a character, {person.expression}, {person.action}" for person in self.people)

    @property
    def whole_prompt(self) -> str:
        """Everything in one prompt, for a model that knows no regions."""
        return ", ".join((self.prompt, *self.region_prompts))


def style_of(ink: bool) -> str:
    """The style a story would name."""
    return "manga ink style" if ink else "colour comic"


def describe(who: Identity, rng: random.Random) -> str:
    """A cast's description: `girl with long silver hair, yellow hoodie, glasses`."""
    accessory = [] if who.accessory == "none" else [who.accessory]
    hair = hair_phrase(who.hair, who.style, rng)
    return ", ".join((f"{rng.choice(SUBJECTS)} with {hair}", f"{who.color} {who.outfit}", *accessory))


def held_out_panels(count: int, number: int) -> tuple[Wanted, ...]:
    """`count` panels of range `number`: one to three strangers, every shape, framing and background, one in
    five in ink. Each is described in full and has a reference of its own."""
    first = first_seed(number) + PANELS
    return tuple(_panel(first + index, f"s{number}/p{index}") for index in range(count))


def first_seed(number: int) -> int:
    """Where a range begins.

    Raises:
        ConfigError: there is no such range.
    """
    if not 0 <= number < RANGES:
        raise ConfigError(f"--seed: {number} is out of range; use 0 to {RANGES - 1}")
    return (SEEDS if number < NEAR else FAR_SEEDS) + number * RANGE


def _panel(seed: int, name: str) -> Wanted:
    rng = random.Random(seed)
    count = rng.choices((1, 2, 3), COUNT_WEIGHTS)[0]
    cast = [Identity.random(rng) for _ in range(count)]
    told = {who: describe(who, rng) for who in cast}
    scene = _visible_scene(rng, cast, ink=rng.random() < INK_SHARE)
    keys = {who: f"{name}/{k}" for k, who in enumerate(cast)}
    return _wanted(name, scene, keys, told, said=told)


def _visible_scene(rng: random.Random, cast: Sequence[Identity], *, ink: bool, closest: int = 2) -> Scene:
    """A scene in which every face can be seen: nobody is asked for whom a panel would hide."""
    rows, columns = rng.choices(list(SHAPES), list(SHAPES.values()))[0]
    weights = FRAME_WEIGHTS[len(cast)][: closest + 1]
    for _ in range(TRIES):
        frame = rng.choices(FRAMES[: closest + 1], weights)[0]
        scene = Scene.random(rng, columns * CELL, rows * CELL, identities=cast, ink=ink, frame=frame)
        if all(face >= FACE_READ for face, _ in _seen(scene)):
            return scene
    raise RuntimeError(f"no scene of {len(cast)} in {columns} × {rows} cells shows every face")


def _seen(scene: Scene) -> list[tuple[float, float]]:
    truths = ground_truth(scene)
    return [seen(figure, truth) for figure, truth in zip(scene.figures, truths, strict=True)]


def _wanted(
    name: str,
    scene: Scene,
    keys: dict[Identity, str],
    descriptions: dict[Identity, str],
    said: dict[Identity, str],
) -> Wanted:
    def person(figure: Figure, box: Box, torso: float) -> Person:
        return Person(
            key=keys[figure.identity],
            identity=figure.identity,
            description=descriptions[figure.identity],
            said=said[figure.identity],
            expression=figure.state.expression,
            action=figure.state.pose,
            box=box,
            torso=torso >= TORSO_READ,
        )

    parts = zip(scene.figures, ground_truth(scene), _seen(scene), strict=True)
    return Wanted(
        id=name,
        width=scene.width,
        height=scene.height,
        ink=scene.ink,
        place=scene.background,
        shot=SHOTS[scene.frame],
        people=tuple(person(figure, truth.box, torso) for figure, truth, (_, torso) in parts),
        scene=scene,
    )


def cast_panels(count: int, number: int) -> tuple[tuple[Identity, ...], tuple[Wanted, ...]]:
    """A cast of twenty, and four panels of each of its first `count` members.

    What a panel says of somebody is what a story says in passing, when the reader knows them: by turns the
    hair alone ("girl with long red hair") and the clothes alone ("girl with blue hoodie"), never the
    accessory. The reference, rehearsed from the whole description, has to carry the rest. In the first two
    panels the member is alone, in the other two with another member. Colour, no close-ups.

    Returns:
        The cast, and the panels: every one shows somebody of the first `count`, some also somebody else.
    """
    rng = random.Random(first_seed(number) + CAST)
    cast = tuple(Identity.random(rng) for _ in range(MEMBERS))
    told = {who: describe(who, rng) for who in cast}
    keys = {who: f"s{number}/m{k}" for k, who in enumerate(cast)}
    panels: list[Wanted] = []
    for appearance in range(APPEARANCES):
        groups = [[k] for k in range(count)]
        if appearance >= APPEARANCES // 2:
            groups = _pairs(count, rng)
        for group in groups:
            people = [cast[k] for k in group]
            said = {who: _in_passing(told[who], appearance) for who in people}
            scene = _visible_scene(rng, people, ink=False, closest=1)
            panels.append(
                _wanted(f"s{number}/a{appearance}/{'-'.join(map(str, group))}", scene, keys, told, said)
            )
    return cast, tuple(panels)


def _pairs(count: int, rng: random.Random) -> list[list[int]]:
    """The first `count` members two by two; an odd one takes somebody from beyond them, or the first."""
    order = rng.sample(range(count), count)
    if count % 2:
        order.append(count % MEMBERS)
    return [order[k : k + 2] for k in range(0, len(order), 2)]


def _in_passing(description: str, appearance: int) -> str:
    hair, clothes, *_ = description.split(", ")
    subject = hair.split(" with ")[0]
    return f"{subject} with {clothes}" if appearance % 2 else hair
