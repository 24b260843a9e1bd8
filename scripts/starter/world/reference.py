"""Reference pictures: one character alone on blank paper, as a crop cut out of another panel would show it.

In: an identity and a random generator. Out: a square RGB picture. The character is cut out along its mask,
cropped to the box of it with a small margin, and padded to a square, never centre-cropped; the head is
always whole. Knows nothing of scenes.
"""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from scripts.starter.world.figure import BOTTOM_Y, Figure, extent
from scripts.starter.world.identity import Identity, State
from scripts.starter.world.palette import Colour, Flat, Ink
from scripts.starter.world.placement import FRAMES
from scripts.starter.world.scene import COVERED, document, raster

FRAME_WEIGHTS = (0.5, 0.42, 0.08)
INK_SHARE = 0.15
WHITE_SHARE = 0.7
LIGHT_PAPERS = ((247, 239, 228), (232, 241, 250), (253, 232, 238), (238, 246, 230), (240, 240, 242))
MARGINS = (0.02, 0.09)  # of the longer side, on each side of it
# Where the panel that the crop comes from would have cut the figure (the character's own y).
CUTS = {"full body": (BOTTOM_Y, BOTTOM_Y), "bust": (96, 122), "close-up": (56, 66)}

# The figure is measured on a small canvas first, in its own coordinates times MEASURE.
MEASURE = 0.5
SLACK = 24.0  # the nominal extent may be a few units short; tilt adds a few more


def reference(
    identity: Identity,
    rng: random.Random,
    size: int = 128,
    *,
    ink: bool | None = None,
    frame: str | None = None,
) -> NDArray[np.uint8]:
    """Draw one character in a random state, cut out, cropped and padded.

    Args:
        identity: whom to draw.
        rng: decides state, framing, paper and margin.
        size: side of the picture in pixels.
        ink: ink or colour; None for mostly colour.
        frame: "full body", "bust" or "close-up"; None for mostly the first two.
    Returns:
        RGB, 8 bit, shape (size, size, 3). Deterministic for one skia version.
    """
    state = State.random(rng)
    frame = frame or rng.choices(FRAMES, FRAME_WEIGHTS)[0]
    ink = rng.random() < INK_SHARE if ink is None else ink
    paper = (255, 255, 255) if rng.random() < WHITE_SHARE else rng.choice(LIGHT_PAPERS)
    margin = rng.uniform(*MARGINS)
    left, top, right, bottom = _drawn_box(identity, state, rng.uniform(*CUTS[frame]))
    side = max(right - left, bottom - top) * (1 + 2 * margin)
    scale = size / side
    x, y = size / 2 - (left + right) / 2 * scale, size / 2 - (top + bottom) / 2 * scale
    figure = Figure(identity=identity, state=state, scale=scale, x=x, y=y)
    policy = Ink() if ink else Colour()
    drawn = raster(document(size, size, figure.svg(policy)), size, size)
    drawn[round(y + bottom * scale) :] = 0  # below the crop there is padding, not more character
    alpha = drawn[..., 3:].astype(np.uint16)
    # At most 255 * 255, which 16 bits hold.
    return ((drawn[..., :3] * alpha + np.array(paper, np.uint16) * (255 - alpha)) // 255).astype(np.uint8)


def _drawn_box(identity: Identity, state: State, cut: float) -> tuple[float, float, float, float]:
    """The drawn figure's (left, top, right, bottom) above the line `cut`, head centre at the origin."""
    x0, y0, x1, _ = extent(identity, state)
    reach = max(-x0, x1) + SLACK  # both ways, for a flipped figure
    width, height = round(2 * reach * MEASURE), round((cut - y0 + SLACK) * MEASURE)
    figure = Figure(identity=identity, state=state, scale=MEASURE, x=width / 2, y=(SLACK - y0) * MEASURE)
    alpha = raster(document(width, height, figure.svg(Flat("#ffffff"))), width, height)[..., 3]
    rows, columns = np.flatnonzero((alpha > COVERED).any(1)), np.flatnonzero((alpha > COVERED).any(0))
    left, right = (int(columns[0]) - figure.x) / MEASURE, (int(columns[-1]) + 1 - figure.x) / MEASURE
    top, bottom = (int(rows[0]) - figure.y) / MEASURE, (int(rows[-1]) + 1 - figure.y) / MEASURE
    return left, top, right, min(bottom, cut)
