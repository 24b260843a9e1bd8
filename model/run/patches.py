"""Part of a panel, drawn again at the model's own size and blended back along a soft mask.

A model draws well what fills its picture: a head of forty pixels is six latents wide, the same head alone
forty. In: a panel, a square in it, a mask. Out: what is asked for the square, and the panel with it. Outside
of the mask the panel stays as it was, to the bit. Knows nothing of why the part is drawn again.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from model.errors import PanelFailed
from model.geometry import Box
from model.render.png import encode
from model.render.request import PanelRequest, Redrawn, Region
from model.run.batches import attempt, batches
from model.run.context import Context

LEAST = 16  # pixels of a square's side


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A part of a panel that is to be drawn again.

    Attributes:
        left, top, side: of the square that is cut out, in pixels of the panel.
        mask: L, side × side: white is drawn again, black stays, grey is the edge between.
    """

    left: int
    top: int
    side: int
    mask: Image.Image

    def cut(self, picture: Image.Image) -> Image.Image:
        """The square of a picture of the panel's size."""
        return picture.crop((self.left, self.top, self.left + self.side, self.top + self.side))

    def place(self, box: Box, size: tuple[int, int]) -> Box:
        """A box of a panel of this size (pixels) as fractions of the square, clipped to it."""
        return Box(
            (box.x * size[0] - self.left) / self.side,
            (box.y * size[1] - self.top) / self.side,
            box.width * size[0] / self.side,
            box.height * size[1] / self.side,
        ).clipped()

    def blend(self, panel: Image.Image, drawn: Image.Image) -> Image.Image:
        """The panel with the square as it was drawn again."""
        done = panel.copy()
        small = drawn.resize((self.side, self.side), Image.Resampling.LANCZOS)
        done.paste(small, (self.left, self.top), self.mask)
        return done


def square_round(box: Box, size: tuple[int, int], zoom: float) -> tuple[int, int, int]:
    """A square round a box, moved so that it lies in the panel: left, top, side.

    Args:
        box: fractions of the panel; size: of the panel in pixels.
        zoom: side over the longer side of the box.
    """
    width, height = size
    side = max(LEAST, round(zoom * max(box.width * width, box.height * height)))
    side = min(side, width, height)
    x, y = box.centre
    left = min(max(round(x * width - side / 2), 0), width - side)
    top = min(max(round(y * height - side / 2), 0), height - side)
    return left, top, side


def native_size(context: Context) -> tuple[int, int]:
    """The squarest (width, height) that the model draws."""
    return min(context.models.checkpoint.shapes, key=lambda shape: abs(shape[0] / shape[1] - 1))


def ask(
    request: PanelRequest,
    picture: Image.Image,
    patch: Patch,
    context: Context,
    *,
    prompt: str,
    regions: tuple[Region, ...],
    strength: float,
) -> PanelRequest:
    """What is asked of the renderer for a patch.

    Args:
        request: of the panel: its negative prompt, seed and sampling are kept.
        prompt: the global one for the patch; regions: with boxes of the panel.
    """
    size, library = native_size(context), context.library
    enlarged = patch.cut(picture).resize(size, Image.Resampling.BICUBIC)
    mask = patch.mask.resize(size, Image.Resampling.BILINEAR)
    # Restarts would draw it twice; the way is short.
    scheduler = "flow_match" if request.sampling.scheduler == "restart" else request.sampling.scheduler
    return replace(
        request,
        width=size[0],
        height=size[1],
        prompt=prompt,
        background="",
        regions=tuple(replace(one, box=patch.place(one.box, picture.size)) for one in regions),
        sampling=replace(request.sampling, scheduler=scheduler, refine_steps=0),
        style=None,
        redrawn=Redrawn(
            picture=library.store(encode(enlarged)), strength=strength, mask=library.store(encode(mask))
        ),
        detail=None,
        repair=None,
    )


def _kind(request: PanelRequest) -> Hashable:
    """Requests of one kind are drawn together."""
    strength = request.redrawn.strength if request.redrawn else 1.0
    return request.width, request.height, request.sampling, strength


def draw(asked: Sequence[PanelRequest], context: Context, *, stage: str) -> list[Image.Image | PanelFailed]:
    """Patches in batches; one that fails leaves the others alone.

    Args:
        stage: of the events that say how far it is.
    """
    done: dict[int, Image.Image | PanelFailed] = {}
    work = batches(
        list(enumerate(asked)),
        alike=lambda item: _kind(item[1]),
        most=context.settings.batch,
    )
    with context.events.counted(stage, len(asked)) as counter:

        def draw_some(some: Sequence[tuple[int, PanelRequest]]) -> Sequence[Image.Image]:
            return context.models.renderer.draw(
                [request for _, request in some],
                on_step=lambda step, steps: counter.to(len(done) + len(some) * step / steps, step, steps),
            )

        for batch in work:
            results, _ = attempt(batch, draw_some)
            done |= {index: one for (index, _), one in zip(batch, results, strict=True)}
            counter.to(len(done))
    return [done[index] for index in range(len(asked))]
