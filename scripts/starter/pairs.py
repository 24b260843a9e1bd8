"""What the starter's CLIP learns from: one character as a clean reference, cut out of a panel, and in words.

The studio will compare crops of generated panels with references, so a crop here is what a detector's box
shows: background and neighbours, a box that is a little off, softer lines. In: seeds. Out: pixels of fixed
size and captions. Knows nothing of the model that learns.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from model.geometry import Box
from model.vision.clip import on_square
from scripts.starter.captions import EXPRESSIONS, region_caption
from scripts.starter.gallery import panel_size
from scripts.starter.world import Identity, Scene, ground_truth, reference, render

Pictures = NDArray[np.uint8]

SIDE = 128
COUNT_WEIGHTS = (0.4, 0.4, 0.2)  # one, two, three characters in a panel
INK_SHARE = 0.2
SAME_INK = 0.95  # how often a reference is ink when its panel is, and colour when it is
JITTER = 0.08  # of the box's side, each way
MASKED_SHARE = 0.5  # crops without their surroundings, as a segmenter cuts them out
LEAST_HEAD = 0.004  # of the panel's area; with less of its head in sight nobody could be told
PASSING_SHARE = 0.2  # captions that mention expression and pose, which say nothing of who it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """One character of the drawn world, seen several times.

    Attributes:
        references: RGB, 8 bit, shape (views, SIDE, SIDE, 3): alone on light paper.
        crops: likewise: the character's box in a panel, padded to a square with white.
        attributes: what captions are made of.
    """

    references: Pictures
    crops: Pictures
    attributes: Mapping[str, Any]


def draw_cast(seed: int, views: int = 1) -> list[Character]:
    """One to three characters who share panels, each seen `views` times both ways.

    Characters who are hidden in one of the panels are left out.
    """
    rng = random.Random(seed)
    count = rng.choices((1, 2, 3), COUNT_WEIGHTS)[0]
    cast = [Identity.random(rng) for _ in range(count)]
    ink = rng.random() < INK_SHARE
    crops: list[list[Pictures]] = [[] for _ in cast]
    references: list[list[Pictures]] = [[] for _ in cast]
    attributes: list[dict[str, Any]] = []
    for _ in range(views):
        width, height = panel_size(rng)
        scene = Scene.random(rng, width, height, identities=cast, ink=ink)
        attributes = [
            {**dataclasses.asdict(figure.identity), "acc": figure.identity.accessory}
            | {"expr": figure.state.expression, "pose": figure.state.pose}
            for figure in scene.figures
        ]
        picture = Image.fromarray(render(scene))
        for index, truth in enumerate(ground_truth(scene)):
            if truth.head.area > LEAST_HEAD:
                seen = cut_free(picture, truth.mask, rng) if rng.random() < MASKED_SHARE else picture
                crops[index].append(np.asarray(panel_crop(seen, truth.box, rng)))
            toned = ink if rng.random() < SAME_INK else not ink
            references[index].append(reference(cast[index], rng, SIDE, ink=toned))
    return [
        Character(references=np.stack(alone), crops=np.stack(found), attributes=about)
        for alone, found, about in zip(references, crops, attributes, strict=True)
        if len(found) == views
    ]


def cut_free(picture: Image.Image, mask: NDArray[np.bool_], rng: random.Random) -> Image.Image:
    """The figure of a mask on white, with the edge where a segmenter might have put it."""
    edge = Image.fromarray(mask.astype(np.uint8) * 255)
    grow = rng.choice((ImageFilter.MaxFilter(3), ImageFilter.MaxFilter(5), ImageFilter.MinFilter(3), None))
    edge = edge.filter(grow) if grow else edge
    return Image.composite(picture, Image.new("RGB", picture.size, "white"), edge)


def panel_crop(picture: Image.Image, box: Box, rng: random.Random) -> Image.Image:
    """Cut a box out of a panel, not quite where it is, soften it as a VAE would, and pad it to a square."""
    left, right = (x + rng.uniform(-JITTER, JITTER) * box.width for x in (box.x, box.right))
    top, bottom = (y + rng.uniform(-JITTER, JITTER) * box.height for y in (box.y, box.bottom))
    cut = picture.crop(Box(left, top, right - left, bottom - top).pixels(picture.width, picture.height))
    if rng.random() < 0.5:
        cut = cut.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.3)))
    if rng.random() < 0.4:
        clean, grain = np.asarray(cut), np.random.default_rng(rng.getrandbits(32))
        noisy = clean + grain.normal(0, rng.uniform(2, 9), clean.shape)
        cut = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    return on_square(cut, SIDE)


def draw_characters(seeds: Iterable[int], views: int, workers: int) -> list[Character]:
    """The casts of all seeds, neighbours of one panel side by side. `workers` 0: drawn in this process."""
    if not workers:
        return [character for seed in seeds for character in draw_cast(seed, views)]
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        casts = pool.imap(partial(draw_cast, views=views), seeds, chunksize=8)
        return [character for cast in casts for character in cast]


def look_caption(attributes: Mapping[str, Any], rng: random.Random) -> str:
    """How the character looks, in the words of a region prompt; mostly without what it is doing.

    Commas stand where people would set them or nowhere: a query may have them.
    """
    if rng.random() < PASSING_SHARE:
        words = region_caption(attributes, rng).split()
    else:
        unsaid = {**attributes, "expr": "neutral", "pose": ""}
        words = [word for word in region_caption(unsaid, rng).split() if word not in EXPRESSIONS["neutral"]]
    if rng.random() < 0.3:
        words = [word + "," if rng.random() < 0.2 else word for word in words[:-1]] + words[-1:]
    return " ".join(words)


def choose(
    characters: Sequence[Character], size: int, rng: random.Random
) -> tuple[Pictures, Pictures, list[str]]:
    """A batch: references, crops (both (size, SIDE, SIDE, 3)) and captions, row by row of one character.

    They come two by two in the order they were drawn, so that many rows have a neighbour from their own
    panel: who shares a background has to be told apart by looks.
    """
    pairs = rng.sample(range(len(characters) // 2), size // 2)
    rows = [characters[2 * pair + which] for pair in pairs for which in (0, 1)]
    references = np.stack([rng.choice(row.references) for row in rows])
    crops = np.stack([rng.choice(row.crops) for row in rows])
    return references, crops, [look_caption(row.attributes, rng) for row in rows]
