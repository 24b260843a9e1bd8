"""Repair: part of a panel's picture is drawn again, with the same character and reference.

In: a panel's picture, where it is wrong, and words for what it should be. Out: the request of the repaired
try, and its picture: the part with its surroundings at the model's own size, blended back along a soft edge.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from model.errors import ConfigError, IntegrityError, PanelFailed
from model.files import BlobId
from model.geometry import Box
from model.pictures import BadPicture, read_picture, stored_picture
from model.render.png import encode
from model.render.request import PanelRequest, Redrawn, Region, Repair
from model.run.context import Context
from model.run.patches import Patch, ask, draw, native_size, square_round
from model.story.plan import Panel, Plan
from model.story.prompts import head_prompt

STRENGTH = 0.6
SURROUNDINGS = 2.5  # side of what is drawn over the longer side of what is repaired
EDGE = 0.015  # of the panel's longer side: how soft the edge is
LARGE = 0.8  # of the model's own side: surroundings from there on are no better drawn than the whole panel
OWNED = 0.5  # share of the part that lies in a character's box, from which on it is that character's


def box_mask(box: Sequence[float], size: tuple[int, int]) -> Image.Image:
    """A mask over a rectangle.

    Args:
        box: x, y, width, height; in pixels where any is above 1, else in fractions of the panel.
        size: of the panel, in pixels.
    Raises:
        ConfigError: not four numbers, or none of it lies in the panel.
    """
    if len(box) != 4 or not all(-1e6 < value < 1e6 for value in box):
        raise ConfigError(
            f"box: found {', '.join(map(str, box))}; expected four numbers: x, y, width, height"
        )
    x, y, w, h = box
    if max(box) > 1:
        x, y, w, h = x / size[0], y / size[1], w / size[0], h / size[1]
    inside = Box(x, y, w, h).clipped()
    left, top, right, bottom = inside.pixels(*size)
    if w <= 0 or h <= 0 or right - left < 1 or bottom - top < 1:
        raise ConfigError(
            f"box: {', '.join(map(str, box))} holds nothing of a panel of {size[0]} × {size[1]} pixels"
        )
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rectangle((left, top, right - 1, bottom - 1), fill=255)
    return mask


def painted_mask(mask: Image.Image | bytes | str | Path, size: tuple[int, int]) -> Image.Image:
    """A painted mask: what is white, or opaque in a picture with transparency, is drawn again.

    Raises:
        ConfigError: it is no picture, or nothing in it is white.
    """
    try:
        picture = mask if isinstance(mask, Image.Image) else read_picture(_source(mask))
    except BadPicture as error:
        raise ConfigError(f"mask: {error}; give a picture that is white where the panel is wrong") from error
    flat = picture.getchannel("A") if "A" in picture.getbands() else picture.convert("L")
    table = [0] * 128 + [255] * 128
    painted = flat.resize(size, Image.Resampling.BILINEAR).point(table)
    if painted.getbbox() is None:
        raise ConfigError("mask: nothing in it is white; paint what is to be drawn again")
    return painted


def _source(mask: bytes | str | Path) -> bytes | Path:
    return mask if isinstance(mask, bytes) else Path(mask)


def repair_of(
    plan: Plan,
    panel: Panel,
    source: PanelRequest,
    picture: BlobId,
    mask: Image.Image,
    *,
    words: str,
    strength: float,
    context: Context,
) -> Repair:
    """What is asked of a repair.

    Args:
        source: the request of the try that is repaired; picture: its PNG.
        mask: L, of the panel's size, without its soft edge.
        words: what the part should be; empty: what was asked for before.
    """
    soft = mask.filter(ImageFilter.GaussianBlur(EDGE * max(mask.size)))
    part = _extent(mask)
    owner = _owner(part, [region.box for region in source.regions])
    region, prompt = None, head_prompt(plan.style, panel.scene)
    if owner is not None:
        region = source.regions[owner]
        if words:
            look = {member.key: member.prompt for member in plan.cast}[panel.figures[owner].character]
            region = replace(region, prompt=f"{look}, {words}")
    else:
        prompt = ", ".join(filter(None, (plan.style, words or panel.scene)))
    return Repair(
        picture=picture,
        mask=context.library.store(encode(soft)),
        strength=strength,
        prompt=prompt,
        region=region,
    )


def to_facts(repair: Repair, seed: int) -> str:
    """A repair as JSON, for the library."""
    return json.dumps({"seed": seed, **asdict(repair)}, sort_keys=True, ensure_ascii=False)


def repaired_request(first: PanelRequest, facts: str) -> PanelRequest:
    """The request of a repaired try.

    Args:
        first: the panel's request at its first try.
        facts: see `to_facts`.
    """
    known = json.loads(facts)
    seed, region = known.pop("seed"), known.pop("region")
    owner = Region(**{**region, "box": Box(**region["box"])}) if region else None
    return replace(first, seed=seed, detail=None, style=None, repair=Repair(region=owner, **known))


def repaired(requests: Sequence[PanelRequest], context: Context) -> list[Image.Image | PanelFailed]:
    """The pictures of repaired tries. A picture that the library has lost fails its own request alone."""
    done: list[Image.Image | PanelFailed] = []
    parts: dict[int, _Part] = {}
    for index, request in enumerate(requests):
        try:
            parts[index] = _part(request, context)
            done.append(PanelFailed("it was not drawn"))
        except (IntegrityError, BadPicture) as error:
            done.append(PanelFailed(f"what was to be repaired is gone from the library: {error}"))
    drawn = draw([part.asked for part in parts.values()], context, stage="repair")
    for (index, part), one in zip(parts.items(), drawn, strict=True):
        if not isinstance(one, PanelFailed) and part.patch is not None:
            one = part.patch.blend(part.picture, one)
        done[index] = one
    return done


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What is drawn of a repair. `patch`: None where the whole panel is drawn under the mask."""

    picture: Image.Image
    patch: Patch | None
    asked: PanelRequest


def _part(request: PanelRequest, context: Context) -> _Part:
    """What is drawn of one repair: the part with its surroundings, or, where that is large, the panel."""
    repair = request.repair
    assert repair is not None
    picture = stored_picture(context.library.load(repair.picture)).convert("RGB")
    mask = stored_picture(context.library.load(repair.mask)).convert("L")
    part = _extent(mask)
    longer = max(part.width * mask.width, part.height * mask.height)
    if longer > min(mask.size) or SURROUNDINGS * longer > LARGE * min(native_size(context)):
        mine = repair.region
        regions = [mine if mine and mine.box == one.box else one for one in request.regions]
        redrawn = Redrawn(picture=repair.picture, strength=repair.strength, mask=repair.mask)
        asked = replace(request, repair=None, regions=tuple(regions), redrawn=redrawn)
        return _Part(picture=picture, patch=None, asked=asked)
    left, top, side = square_round(part, picture.size, SURROUNDINGS)
    patch = Patch(left=left, top=top, side=side, mask=mask.crop((left, top, left + side, top + side)))
    asked = ask(
        request,
        picture,
        patch,
        context,
        prompt=repair.prompt,
        regions=(repair.region,) if repair.region else (),
        strength=repair.strength,
    )
    return _Part(picture=picture, patch=patch, asked=asked)


def _extent(mask: Image.Image) -> Box:
    """What a mask frees, as fractions of it."""
    left, top, right, bottom = mask.getbbox() or (0, 0, *mask.size)
    width, height = mask.size
    return Box(left / width, top / height, (right - left) / width, (bottom - top) / height)


def _owner(part: Box, boxes: Sequence[Box]) -> int | None:
    """Whose box holds most of a part; the nearest to the reader of those that hold as much."""
    shares = [part.intersection(box) / (part.width * part.height) for box in boxes]
    best = max(range(len(boxes)), key=lambda index: (shares[index], index), default=None)
    return best if best is not None and shares[best] >= OWNED else None
