"""Panels for the detector: drawn at every shape, worn a little, some passed through the VAE, and the truth.

A panel is kept at the size at which the detector sees it. In: seeds. Out: `Panel`s, kept in files.
Knows nothing of phrases and networks.
"""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from transformers.image_transforms import get_size_with_aspect_ratio

from scripts.starter.captions import attributes
from scripts.starter.gallery import panel_size
from scripts.starter.vae import decode, encode, open_vae, pictures, pixels, place
from scripts.starter.world import Scene, ground_truth, render

Picture = NDArray[np.uint8]

SHORTEST, LONGEST = (
    224,
    352,
)  # sides of what the detector sees: 2:1 panels are not shrunk much more than squares
INK_SHARE = 0.2
COUNT_WEIGHTS = (0.10, 0.36, 0.34, 0.20)  # nobody, one, two, three characters
LEAST_SEEN = 0.006  # of the panel; of whom less can be seen nobody need be found
LATENT_NOISE = 0.45  # most noise on latents, in their standard deviations: generated panels are not perfect
BATCH = 16
PART = 400


class Panel(TypedDict):
    """One panel.

    Keys: picture (height, width, 3) uint8, at the detector's size; boxes [x, y, width, height] in fractions
    and attributes of whom can be seen; ink; frame; worn (0 as drawn, 1 softened or noisy, 2 through the VAE).
    """

    picture: Picture
    boxes: list[list[float]]
    cast: list[dict[str, Any]]
    ink: bool
    frame: str
    worn: int


def draw(seed: int, vae_share: float = 0.0) -> Panel:
    """The panel of a seed, at its own size if it is to pass through the VAE (`worn` says 2), else ready."""
    rng = random.Random(seed)
    width, height = panel_size(rng)
    count = rng.choices(range(len(COUNT_WEIGHTS)), COUNT_WEIGHTS)[0]
    scene = Scene.random(rng, width, height, count=count, ink=rng.random() < INK_SHARE)
    boxes, cast = [], []
    for figure, truth in zip(scene.figures, ground_truth(scene), strict=True):
        if truth.mask.mean() > LEAST_SEEN:
            boxes.append(list(truth.box.as_tuple()))
            cast.append(attributes(figure.identity, figure.state))
    picture = render(scene)
    worn = 2 if rng.random() < vae_share else int(rng.random() < 0.4)
    if worn == 1:
        picture = _worn(picture, rng)
    if worn < 2:
        picture = resized(picture)
    return {
        "picture": picture, "boxes": boxes, "cast": cast, "ink": scene.ink, "frame": scene.frame,
        "worn": worn,
    }  # fmt: skip


def resized(picture: Picture) -> Picture:
    """A picture at the size at which the detector sees it, as transformers' image processor resizes it."""
    height, width = get_size_with_aspect_ratio(picture.shape[:2], SHORTEST, LONGEST)
    if (height, width) == picture.shape[:2]:
        return picture
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))


def _worn(picture: Picture, rng: random.Random) -> Picture:
    """Softened, noisy, or both."""
    kind = rng.random()
    if kind < 0.7:
        blur = ImageFilter.GaussianBlur(rng.uniform(0.4, 1.4))
        picture = np.asarray(Image.fromarray(picture).filter(blur))
    if kind > 0.5:
        grain = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(2, 12), picture.shape)
        picture = (picture + grain).clip(0, 255).astype(np.uint8)
    return picture


@torch.no_grad()
def through_vae(panels: Sequence[Panel], folder: Path, seed: int) -> None:
    """Encode and decode, with noise between, every panel that is marked for it; they are changed in place."""
    vae = place(open_vae(folder), "cpu")
    chance = torch.Generator().manual_seed(seed)
    groups: dict[tuple[int, ...], list[Panel]] = {}
    for panel in panels:
        if panel["worn"] == 2:
            groups.setdefault(panel["picture"].shape, []).append(panel)
    for members in groups.values():
        for start in range(0, len(members), BATCH):
            chosen = members[start : start + BATCH]
            latents = encode(vae, pixels(np.stack([panel["picture"] for panel in chosen]))).float()
            strength = torch.rand(len(latents), 1, 1, 1, generator=chance) * LATENT_NOISE * latents.std()
            latents = latents + strength * torch.randn(latents.shape, generator=chance)
            for panel, picture in zip(chosen, pictures(decode(vae, latents)), strict=True):
                panel["picture"] = resized(picture)


def make(seeds: range, *, vae: Path | None, vae_share: float, workers: int) -> list[Panel]:
    """The panels of all seeds; drawn in this process if `workers` is 0."""
    one = partial(draw, vae_share=vae_share if vae else 0.0)
    if workers:
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            panels = pool.map(one, seeds, chunksize=32)
    else:
        panels = [*map(one, seeds)]
    if vae:
        through_vae(panels, vae, seeds.start)
    return panels


def kept(folder: Path, seeds: range, *, vae: Path | None, vae_share: float, workers: int) -> list[Panel]:
    """The panels of all seeds, made where they are not in the folder yet: PART in a file, so that little is
    lost when this is interrupted."""
    folder.mkdir(parents=True, exist_ok=True)
    panels: list[Panel] = []
    for start in range(seeds.start, seeds.stop, PART):
        path = folder / f"panels_{start}.pt"
        if not path.exists():
            part = range(start, min(start + PART, seeds.stop))
            made = make(part, vae=vae, vae_share=vae_share, workers=workers)
            tensors = [{**panel, "picture": torch.tensor(panel["picture"])} for panel in made]
            torch.save(tensors, path.with_suffix(".tmp"))
            path.with_suffix(".tmp").replace(path)
        for panel in torch.load(path, weights_only=True):
            panel["picture"] = panel["picture"].numpy()
            panels.append(panel)
    return panels
