"""What the starter's upscaler learns from: panels of the drawn world at four times their size, and the same
panels small, as they are drawn, as the VAE gives them back, and as soft as a diffusion model draws them.

In: seeds and a VAE. Out: arrays of pixels and batches of crops. Knows nothing of the network that learns.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import skia
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor

from scripts.starter.gallery import COUNT_WEIGHTS, panel_size
from scripts.starter.vae import decode, encode, pictures, pixels
from scripts.starter.world import Scene, ground_truth, render, to_svg

Picture = NDArray[np.uint8]

FACTOR = 4
INK_SHARE = 0.2
# How often a crop comes from each small picture.
SHARES = {"drawn": 0.2, "touched": 0.15, "redrawn": 0.3, "dreamed": 0.35}
# Crops whose goal is soft itself: without them every soft part would have to become an edge somewhere.
FADED_SHARE, FADING = 0.15, (8.0, 28.0)  # radius of the blur in large pixels
WANDER = 25.0  # small pixels (standard deviation) between a head and the centre of its crop


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpPanel:
    """One panel, large as it should be and small as it may come.

    Attributes:
        large: RGB, 8 bit, shape (FACTOR · height, FACTOR · width, 3).
        drawn: the panel as the drawn world renders it small: RGB, 8 bit, shape (height, width, 3).
        touched: `drawn` a little blurred and noisy. redrawn: `drawn` from the VAE, its latent a little noisy.
        dreamed: likewise, noisier and blurred, as generated panels look.
        heads: centres (x, y) of the visible heads in small pixels.
    """

    large: Picture
    drawn: Picture
    touched: Picture
    redrawn: Picture
    dreamed: Picture
    heads: tuple[tuple[float, float], ...]
    ink: bool


def render_large(scene: Scene, factor: int = FACTOR) -> Picture:
    """The scene as `render` paints it, `factor` times as large: lines grow with it."""
    large = np.zeros((scene.height * factor, scene.width * factor, 4), np.uint8)
    canvas = skia.Surface(large).getCanvas()
    canvas.scale(factor, factor)
    # True: copy. Without it skia reads the bytes after Python has freed them.
    dom = skia.SVGDOM.MakeFromStream(skia.MemoryStream(to_svg(scene).encode(), True))
    dom.setContainerSize(skia.Size(scene.width, scene.height))
    dom.render(canvas)
    return large[..., :3].copy()


@torch.no_grad()
def draw_sharp(seed: int, vae: AutoencoderKL) -> SharpPanel:
    """The panel of a seed. Deterministic on one machine."""
    rng, noise = random.Random(seed), torch.Generator().manual_seed(seed)
    width, height = panel_size(rng)
    count = rng.choices(range(len(COUNT_WEIGHTS)), COUNT_WEIGHTS)[0]
    scene = Scene.random(rng, width, height, count=count, ink=rng.random() < INK_SHARE)
    centres = (truth.head.centre for truth in ground_truth(scene) if truth.head.area > 0)
    drawn = render(scene)
    latents = encode(vae, pixels(drawn[None])).float()
    strengths = torch.tensor([rng.uniform(0.0, 0.15), rng.uniform(0.1, 0.4)]).view(2, 1, 1, 1)
    grain = torch.randn((2, *latents.shape[1:]), generator=noise)
    redrawn, dreamed = pictures(decode(vae, latents + strengths * latents.std() * grain))
    return SharpPanel(
        large=render_large(scene),
        drawn=drawn,
        touched=_touched(drawn, rng, blur=(0.0, 0.6), grain=3.0),
        redrawn=redrawn,
        dreamed=_touched(dreamed, rng, blur=(0.2, 1.1), grain=1.5),
        heads=tuple((x * width, y * height) for x, y in centres),
        ink=scene.ink,
    )


def _touched(picture: Picture, rng: random.Random, *, blur: tuple[float, float], grain: float) -> Picture:
    """Blurred by a Gaussian of a random width in pixels, with noise of up to `grain` of 255."""
    soft = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(rng.uniform(*blur))))
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(0, grain), soft.shape)
    return (soft + noise).round().clip(0, 255).astype(np.uint8)


class SharpPool:
    """`size` panels in memory (4 MB each) that are replaced, oldest first."""

    def __init__(self, size: int, first_seed: int, vae: AutoencoderKL) -> None:
        self.next_seed, self._vae, self._oldest = first_seed, vae, 0
        self.panels = [self._new() for _ in range(size)]

    def refresh(self) -> None:
        """Replace the oldest panel."""
        self.panels[self._oldest] = self._new()
        self._oldest = (self._oldest + 1) % len(self.panels)

    def batch(self, rng: np.random.Generator, count: int, side: int) -> tuple[Tensor, Tensor]:
        """`count` crops of `side` small pixels, and what each should become.

        Returns:
            (count, 3, side, side) and (count, 3, FACTOR · side, FACTOR · side), float32, 0 to 1, channels
            last in memory; half of them around heads, mirrored and recoloured at random.
        """
        crops = [self._crop(rng, side) for _ in range(count)]
        small, large = (np.stack(part) for part in zip(*crops, strict=True))
        recolour = Recolouring(rng, count)
        return recolour(tensor(small)), recolour(tensor(large))

    def _new(self) -> SharpPanel:
        self.next_seed += 1
        return draw_sharp(self.next_seed - 1, self._vae)

    def _crop(self, rng: np.random.Generator, side: int) -> tuple[Picture, Picture]:
        panel = self.panels[rng.integers(len(self.panels))]
        kind = rng.choice(list(SHARES), p=list(SHARES.values()))
        small: Picture = getattr(panel, kind)
        height, width = small.shape[:2]
        if panel.heads and rng.random() < 0.5:
            x, y = np.array(panel.heads[rng.integers(len(panel.heads))]) + rng.normal(0, WANDER, 2) - side / 2
        else:
            x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
        column, row = int(np.clip(x, 0, width - side)), int(np.clip(y, 0, height - side))
        cut, goal = (
            picture[row * times : (row + side) * times, column * times : (column + side) * times]
            for picture, times in ((small, 1), (panel.large, FACTOR))
        )
        if rng.random() < FADED_SHARE:
            faded = Image.fromarray(goal).filter(ImageFilter.GaussianBlur(rng.uniform(*FADING)))
            goal, cut = np.asarray(faded), np.asarray(faded.resize((side, side), Image.Resampling.BOX))
        if rng.random() < 0.5:
            cut, goal = cut[:, ::-1], goal[:, ::-1]
        return cut, goal


class Recolouring:
    """One colour map a sample, the same for small and large: the network should enlarge any palette.

    Half of the samples keep their colours; the others get their channels shuffled and each channel's range
    narrowed, now and then reversed.
    """

    def __init__(self, rng: np.random.Generator, count: int) -> None:
        self._channels = np.tile(np.arange(3), (count, 1))
        self._low, self._high = np.zeros((count, 3)), np.ones((count, 3))
        for row in np.flatnonzero(rng.random(count) < 0.5):
            self._channels[row] = rng.permutation(3)
            ends = np.stack([rng.uniform(0, 0.35, 3), rng.uniform(0.65, 1, 3)])
            self._low[row], self._high[row] = ends if rng.random() < 0.75 else ends[::-1]

    def __call__(self, batch: Tensor) -> Tensor:
        rows = torch.arange(len(batch))[:, None]
        low, high = (torch.from_numpy(ends).float()[:, :, None, None] for ends in (self._low, self._high))
        mapped = low + (high - low) * batch[rows, torch.from_numpy(self._channels)]
        return mapped.contiguous(memory_format=torch.channels_last)


def tensor(batch: Picture) -> Tensor:
    """(n, height, width, 3) 8 bit → (n, 3, height, width) float32, 0 to 1."""
    return torch.from_numpy(np.array(batch)).permute(0, 3, 1, 2).float().div_(255)
