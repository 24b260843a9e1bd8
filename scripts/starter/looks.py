"""What the starter's CLIP learns about faces: whole panels and the heads in them, and captions that nearly
fit.

A vibe memory compares panels, and a smile is two pixels of a panel that is shrunk to 128. So a panel's vector
may be one of the whole and of its heads together (`together`), all in one space. Captions here always say
hair style, expression, accessory and, of a whole panel, pose; hard negatives say all the same but for one of
them. In: seeds. Out: pixels and captions. Knows nothing of the model that learns.
"""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from model.geometry import Box
from model.vision.clip import on_square
from model.vision.crop import crop_box
from scripts.starter.captions import COLOUR_STYLES, EXPRESSIONS, INK_STYLES, SHOTS, attributes, hair_phrase
from scripts.starter.gallery import panel_size
from scripts.starter.pairs import SIDE
from scripts.starter.world import Identity, Scene, ground_truth, render
from scripts.starter.world.identity import ACCESSORIES, POSES, STYLES
from scripts.starter.world.palette import HAIR

HEAD_ZOOM = 1.25
INK_SHARE = 0.4
LEAST_HEAD = 0.004  # of the panel's area
NEGATIVES = 3
VALUES: dict[str, Sequence[Any]] = {
    "style": STYLES, "expr": tuple(EXPRESSIONS), "acc": ACCESSORIES, "pose": POSES, "hair": tuple(HAIR),
    "ink": (False, True),
}  # fmt: skip
# How often a negative differs in it.
OFTEN = {"style": 3, "expr": 4, "acc": 2, "pose": 1, "hair": 1, "ink": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A panel with one character: the whole and its head, both RGB, 8 bit, (SIDE, SIDE, 3); what is in it."""

    whole: NDArray[np.uint8]
    head: NDArray[np.uint8]
    about: Mapping[str, Any]


def grown(box: Box, by: float) -> Box:
    """A box `by` times as large round the same middle, cut off at the panel's edges."""
    x, y = box.centre
    return Box(x - box.width * by / 2, y - box.height * by / 2, box.width * by, box.height * by).clipped()


def head_picture(picture: Image.Image, head: Box) -> Image.Image:
    """What is shown of a head: the box and a little around it, on a square."""
    return on_square(crop_box(picture, grown(head, HEAD_ZOOM)), SIDE)


def draw_look(seed: int) -> Look | None:
    """The look of a seed; None if its head cannot be seen."""
    rng = random.Random(seed)
    width, height = panel_size(rng)
    scene = Scene.random(rng, width, height, identities=[Identity.random(rng)], ink=rng.random() < INK_SHARE)
    (truth,) = ground_truth(scene)
    if truth.head.area < LEAST_HEAD:
        return None
    picture = Image.fromarray(render(scene))
    (figure,) = scene.figures
    about = attributes(figure.identity, figure.state) | {"ink": scene.ink, "frame": scene.frame}
    whole, head = on_square(picture, SIDE), head_picture(picture, truth.head)
    return Look(whole=np.asarray(whole), head=np.asarray(head), about=about)


def draw_looks(seeds: Iterable[int], workers: int) -> list[Look]:
    """The looks of all seeds. `workers` 0: drawn in this process."""
    if not workers:
        return [look for look in map(draw_look, seeds) if look]
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        return [look for look in pool.imap(draw_look, seeds, chunksize=16) if look]


def caption(about: Mapping[str, Any], rng: random.Random, *, whole: bool) -> str:
    """Style, hair, accessory, expression; of a whole panel also its shot and the pose."""
    style = rng.choice(INK_STYLES if about["ink"] else COLOUR_STYLES)
    hair = about["style"] if about["ink"] else hair_phrase(about["hair"], about["style"], rng)
    parts = [hair, rng.choice(EXPRESSIONS[about["expr"]])]
    if about["acc"] != "none":
        parts.append(about["acc"])
    if whole:
        parts.append(about["pose"])
    if rng.random() < 0.5:
        rng.shuffle(parts)
    shot = [rng.choice(SHOTS[about["frame"]])] if whole and rng.random() < 0.5 else []
    return " ".join((style, *shot, *parts))


def differing(about: Mapping[str, Any], rng: random.Random, *, whole: bool) -> Mapping[str, Any]:
    """The same but for one attribute that can be seen."""
    hidden = set() if whole and about["frame"] != "close-up" else {"pose"}
    hidden |= {"hair"} if about["ink"] else set()
    keys = [key for key in VALUES if key not in hidden]
    key = rng.choices(keys, [OFTEN[key] for key in keys])[0]
    return {**about, key: rng.choice([value for value in VALUES[key] if value != about[key]])}


def choose_looks(
    looks: Sequence[Look], size: int, rng: random.Random
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[str], list[str]]:
    """A batch: wholes, heads, and for wholes and for heads a row of captions each: of every look the true one
    first,
    then NEGATIVES that are not."""
    chosen = rng.sample(looks, size)
    said: list[list[str]] = [[], []]
    for look in chosen:
        for captions, whole in zip(said, (True, False), strict=True):
            abouts = [look.about, *(differing(look.about, rng, whole=whole) for _ in range(NEGATIVES))]
            captions += [caption(about, rng, whole=whole) for about in abouts]
    wholes = np.stack([one.whole for one in chosen])
    heads = np.stack([one.head for one in chosen])
    return wholes, heads, said[0], said[1]


def together(whole: Tensor, head: Tensor) -> Tensor:
    """The vector of a panel and of its heads in one: the unit mean of the whole and of what its heads are
    like."""
    return F.normalize(whole + head, dim=-1)


def look_loss(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Each picture against every picture's true caption and its own wrong ones.

    Args:
        images: (n, d); texts: (n · (1 + NEGATIVES), d), of every picture the true caption first. Unit
        vectors.
    """
    mine = texts.view(len(images), 1 + NEGATIVES, -1)
    among = scale * images @ mine[:, 0].T
    near = scale * torch.einsum("nd,nkd->nk", images, mine[:, 1:])
    target = torch.arange(len(images), device=images.device)
    return F.cross_entropy(torch.cat([among, near], 1), target)
