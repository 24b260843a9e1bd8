"""A whole panel: the value that describes it, how one is made up, how it becomes a picture.

In: a random generator and what is to be fixed. Out: a `Scene`, its SVG, its pixels. A scene is a pure
value: the same scene always gives the same picture. Knows nothing of captions, files or training.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.starter.world.backgrounds import BACKGROUNDS, draw_background
from scripts.starter.world.figure import Figure
from scripts.starter.world.identity import Identity, State
from scripts.starter.world.palette import Colour, Flat, Ink, Policy
from scripts.starter.world.placement import FRAMES, MOST, TALL, place, slots

INK_SHARE = 0.25
COUNT_WEIGHTS = (0.5, 0.36, 0.14)  # one, two, three characters
FRAME_WEIGHTS = (0.4, 0.4, 0.2)
CROWD_FRAME_WEIGHTS = (0.6, 0.4, 0.0)
COVERED = 127  # alpha above which a pixel belongs to a figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that decides a panel's pixels.

    Attributes:
        width: panel width in pixels.
        height: panel height in pixels.
        ink: black and white with screentone instead of colour.
        background: a key of `BACKGROUNDS`.
        seed: of the background's details.
        frame: one of `FRAMES`, for every figure.
        figures: in drawing order; later ones cover earlier ones.
    """

    width: int
    height: int
    ink: bool
    background: str
    seed: int
    frame: str
    figures: tuple[Figure, ...]

    @classmethod
    def random(
        cls,
        rng: random.Random,
        width: int = 256,
        height: int = 256,
        *,
        count: int | None = None,
        identities: Sequence[Identity] | None = None,
        ink: bool | None = None,
        background: str | None = None,
        frame: str | None = None,
    ) -> Scene:
        """Make up a scene; what is given is kept, the rest is drawn from `rng`.

        Args:
            rng: the only source of chance.
            width: pixels, any; between 1:2 and 2:1 it looks as intended.
            height: pixels.
            count: 0 to 3 characters; ignored when `identities` are given.
            identities: the cast, in drawing order, 0 to 3.
            ink: colour or ink.
            background: a key of `BACKGROUNDS`.
            frame: one of `FRAMES`; several characters are never closer than "bust", and three in a tall
                panel are always "full body".
        Raises:
            ValueError: fewer than 0 or more than 3 characters.
        """
        if count is None:
            count = rng.choices((1, 2, 3), COUNT_WEIGHTS)[0]
        asked = count if identities is None else len(identities)
        if not 0 <= asked <= MOST:
            raise ValueError(
                f"scene: {asked} characters asked for; a panel of the drawn world holds 0 to {MOST}"
            )
        cast = [Identity.random(rng) for _ in range(count)] if identities is None else list(identities)
        ink = rng.random() < INK_SHARE if ink is None else ink
        background = background or rng.choice(list(BACKGROUNDS))
        places = slots(len(cast), width, height, rng)
        if frame is None:
            frame = rng.choices(FRAMES, FRAME_WEIGHTS if len(cast) < 3 else CROWD_FRAME_WEIGHTS)[0]
        if len(cast) > 1 and frame == "close-up":
            frame = "bust"
        if len(cast) > 2 and width < height * TALL:
            frame = "full body"  # busts of three would hide each other in a tall panel
        figures = tuple(
            place(identity, State.random(rng), frame, slot, width, height, rng)
            for identity, slot in zip(cast, places, strict=True)
        )
        return cls(
            width=width,
            height=height,
            ink=ink,
            background=background,
            seed=rng.randrange(1 << 30),
            frame=frame,
            figures=figures,
        )


def to_svg(scene: Scene) -> str:
    """The scene as an SVG document of its own size."""
    policy: Policy = Ink() if scene.ink else Colour()
    people = "".join(figure.svg(policy) for figure in scene.figures)
    behind = draw_background(scene.background, scene.width, scene.height, random.Random(scene.seed), policy)
    return document(scene.width, scene.height, behind + people)


def document(width: int, height: int, content: str) -> str:
    """Wrap SVG elements into a document of `width` by `height` pixels."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">{content}</svg>'
    )


def raster(svg: str, width: int, height: int) -> NDArray[np.uint8]:
    """Paint an SVG document: RGBA, straight alpha, 8 bit, shape (height, width, 4)."""
    import skia

    # True: copy. Without it skia reads the bytes after Python has freed them.
    stream = skia.MemoryStream(svg.encode(), True)
    dom = skia.SVGDOM.MakeFromStream(stream)
    pixels = np.zeros((height, width, 4), np.uint8)
    dom.setContainerSize(skia.Size(width, height))
    dom.render(skia.Surface(pixels).getCanvas())
    return pixels


def render(scene: Scene) -> NDArray[np.uint8]:
    """The panel's picture: RGB, 8 bit, shape (height, width, 3). Deterministic for one skia version."""
    return raster(to_svg(scene), scene.width, scene.height)[..., :3].copy()


def mask(scene: Scene, index: int) -> NDArray[np.bool_]:
    """The whole silhouette of figure `index`, also where others cover it: bool, (height, width)."""
    content = scene.figures[index].svg(Flat("#ffffff"))
    return raster(document(scene.width, scene.height, content), scene.width, scene.height)[..., 3] > COVERED
