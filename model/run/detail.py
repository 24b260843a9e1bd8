"""Small heads once more: each is drawn again with its surroundings at the model's own size, and blended back.

In: drawn panels, who was found in them, and their requests, whose `detail` says how. Out: the panels with the
heads that came out better, and how many those are. A head that came out worse stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter

from model.errors import PanelFailed
from model.geometry import Box
from model.render.request import PanelRequest
from model.run.context import Context
from model.run.patches import LEAST, Patch, ask, draw, native_size, square_round
from model.vision.judge import Measured

if TYPE_CHECKING:
    from model.vision.heads import Heads

SURROUNDINGS = 1.7  # side of what is cut out over the longer side of the head
SMALL = 0.8  # heads whose surroundings take a larger share of the model's own side are drawn well as they are
FREE = 1.2  # of the head's own box is drawn again
EDGE = 0.06  # of the side of what is cut out: how soft the edge is


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One head that is to be drawn again.

    Attributes:
        panel, figure: indices of its panel and of its figure there.
        box: fractions of the panel.
    """

    panel: int
    figure: int
    box: Box
    patch: Patch


def detailed(
    requests: Sequence[PanelRequest],
    pictures: Sequence[Image.Image],
    measured: Sequence[Measured],
    context: Context,
) -> tuple[list[Image.Image], list[int]]:
    """Draw the small heads of panels again.

    Args:
        requests: of one size and one sampling, each with its `detail`.
        pictures: RGB, of the requests' size.
        measured: who was found in them.
    Returns:
        The pictures, and the number of heads in each that were drawn again and kept.
    """
    finder = context.models.heads
    done, counts = list(pictures), [0] * len(pictures)
    small = [] if finder is None else _small(requests, pictures, measured, context, finder)
    if finder is None or not small:
        return done, counts
    asked = [_ask(requests[head.panel], pictures[head.panel], head, context) for head in small]
    for head, drawn in zip(small, draw(asked, context, stage="heads"), strict=True):
        if isinstance(drawn, PanelFailed):
            continue
        after = head.patch.blend(done[head.panel], drawn)
        if _better(done[head.panel], after, head.box, finder):
            done[head.panel] = after
            counts[head.panel] += 1
    return done, counts


def _small(
    requests: Sequence[PanelRequest],
    pictures: Sequence[Image.Image],
    measured: Sequence[Measured],
    context: Context,
    finder: Heads,
) -> list[Head]:
    """The heads that are worth drawing again, panel by panel."""
    most = SMALL * min(native_size(context))
    figures = [_figures(request, one) for request, one in zip(requests, measured, strict=True)]
    heads = finder.heads(pictures, [[box for _, box in row] for row in figures])
    small: list[Head] = []
    for panel, (row, boxes) in enumerate(zip(figures, heads, strict=True)):
        size = pictures[panel].size
        for (figure, _), box in zip(row, boxes, strict=True):
            if box is None or max(box.width * size[0], box.height * size[1]) < LEAST:
                continue
            left, top, side = square_round(box, size, SURROUNDINGS)
            if side <= most:
                mask = _ellipse(box, size).crop((left, top, left + side, top + side))
                patch = Patch(left=left, top=top, side=side, mask=_soft(mask))
                small.append(Head(panel=panel, figure=figure, box=box, patch=patch))
    return small


def _figures(request: PanelRequest, measured: Measured) -> list[tuple[int, Box]]:
    """Index and box of each figure: where it was found, or, when nobody looked, where it was asked for."""
    rows: list[tuple[int, Box]] = []
    for index, (region, sighting) in enumerate(zip(request.regions, measured.sightings, strict=True)):
        if sighting.box is not None or measured.found is None:
            rows.append((index, sighting.box or region.box))
    return rows


def _ask(request: PanelRequest, picture: Image.Image, head: Head, context: Context) -> PanelRequest:
    """What is asked for one head: the figure's words and reference, and noise of its own."""
    assert request.detail is not None
    return ask(
        replace(request, seed=(request.seed + 1 + head.figure) % 2**53),
        picture,
        head.patch,
        context,
        prompt=request.detail.prompt,
        regions=(request.regions[head.figure],),
        strength=request.detail.strength,
    )


def _ellipse(head: Box, size: tuple[int, int]) -> Image.Image:
    """A mask of the panel's size over a head."""
    width, height = size
    (x, y), across, down = head.centre, head.width * FREE / 2, head.height * FREE / 2
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).ellipse(
        ((x - across) * width, (y - down) * height, (x + across) * width, (y + down) * height), fill=255
    )
    return mask


def _soft(mask: Image.Image) -> Image.Image:
    return mask.filter(ImageFilter.GaussianBlur(EDGE * mask.width))


def _better(before: Image.Image, after: Image.Image, head: Box, finder: Heads) -> bool:
    """Whether a head is drawn at least as well as before; where nobody can say, the new one is kept."""
    old, new = (row[0] for row in finder.score([before, after], [[head], [head]]))
    return old is None or new is None or new >= old
