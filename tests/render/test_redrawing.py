"""Drawings that start from a picture, by every family: what the mask keeps is the picture to the bit, more
strength changes more, words act inside of the mask."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from model.files import NO_BLOB, BlobId
from model.geometry import Box
from model.render.flux.renderer import FluxRenderer
from model.render.offload import Draws
from model.render.request import PanelRequest, Redrawn, Region, Sampling
from model.render.sd.renderer import SDRenderer
from model.render.weights import open_checkpoint
from tests.render.sd_checkpoints import OLD_ARRAYS, open_sd

pytestmark = OLD_ARRAYS

SIDE = 128
PICTURES: dict[BlobId, bytes] = {}


def kept(picture: Image.Image) -> BlobId:
    """The picture's address, under which the renderers find it."""
    data = io.BytesIO()
    picture.save(data, "PNG")
    blob = BlobId(hashlib.sha256(data.getvalue()).hexdigest())
    PICTURES[blob] = data.getvalue()
    return blob


def before() -> Image.Image:
    picture = Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB")
    ImageDraw.Draw(picture).ellipse((20, 30, 90, 110), fill="orange")
    return picture


def soft_mask() -> Image.Image:
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).rectangle((72, 40, 110, 100), fill=255)
    return mask.filter(ImageFilter.GaussianBlur(4))


def request(strength: float = 0.6, mask: Image.Image | None = None, **other: object) -> PanelRequest:
    plain = PanelRequest(
        weights="0" * 64,
        width=SIDE,
        height=SIDE,
        prompt="colour comic, one character, beach",
        negative="",
        regions=(Region(box=Box(0.5, 0.2, 0.4, 0.7), prompt="girl with red hair"),),
        seed=7,
        sampling=Sampling(steps=6, guidance=2.0, scheduler="euler"),
        redrawn=Redrawn(picture=kept(before()), strength=strength, mask=kept(mask) if mask else NO_BLOB),
    )
    return replace(plain, **other)


@pytest.fixture(params=["flux", "sd15", "sdxl"])
def renderer(request: pytest.FixtureRequest, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Draws:
    if request.param == "flux":
        return FluxRenderer(open_checkpoint(tiny), load_reference=PICTURES.__getitem__)
    opened: SDRenderer = open_sd(tmp_path_factory, request.param)
    opened._load = PICTURES.__getitem__
    return opened


def changed(first: Image.Image, second: Image.Image) -> np.ndarray:
    return np.abs(np.asarray(first, float) - np.asarray(second, float)).max(-1)


def test_what_the_mask_keeps_is_the_picture_to_the_bit(renderer: Draws) -> None:
    mask = soft_mask()
    drawn = renderer.draw([request(mask=mask)])[0]
    difference = changed(drawn, before())
    outside = np.asarray(mask) == 0
    assert outside.mean() > 0.5
    assert difference[outside].max() == 0
    assert difference[np.asarray(mask) > 200].mean() > 2


def test_more_strength_changes_more(renderer: Draws) -> None:
    # Against a drawing with hardly any noise: these weights are random, their VAE gives back no picture.
    least, some, most = (renderer.draw([request(strength)])[0] for strength in (0.17, 0.5, 1.0))
    assert changed(some, least).mean() < changed(most, least).mean()


def test_the_same_request_is_the_same_picture_and_a_batch_changes_nothing(renderer: Draws) -> None:
    one, other = request(mask=soft_mask()), request(mask=soft_mask(), seed=8)
    alone = renderer.draw([one])[0]
    assert alone.tobytes() == renderer.draw([one])[0].tobytes()
    pair = renderer.draw([one, other])
    assert changed(pair[0], alone).max() <= 2
    assert changed(pair[1], alone).max() > 2


def test_words_act_inside_of_the_mask(renderer: Draws) -> None:
    one = request(0.9, soft_mask())
    said = replace(one, regions=(replace(one.regions[0], prompt="boy with blue hair, angry"),))
    first, second = renderer.draw([one])[0], renderer.draw([said])[0]
    difference = changed(first, second)
    assert difference.max() > 0
    assert difference[np.asarray(soft_mask()) == 0].max() == 0


@pytest.mark.parametrize("scheduler", ["flow_match", "restart", "dpm"])
def test_every_flow_sampler_redraws(tiny: Path, scheduler: str) -> None:
    renderer = FluxRenderer(open_checkpoint(tiny), load_reference=PICTURES.__getitem__)
    counted: list[tuple[int, int]] = []
    asked = request(0.5, sampling=Sampling(steps=8, guidance=1.0, scheduler=scheduler))
    renderer.draw([asked], on_step=lambda step, steps: counted.append((step, steps)))
    steps = 8 if scheduler == "restart" else 4
    assert counted == [(step, steps) for step in range(1, steps + 1)]


@pytest.mark.parametrize("scheduler", ["euler", "ddim", "dpm"])
def test_every_sampler_of_stable_diffusion_redraws(
    tmp_path_factory: pytest.TempPathFactory, scheduler: str
) -> None:
    renderer = open_sd(tmp_path_factory, "sd15")
    renderer._load = PICTURES.__getitem__
    counted: list[int] = []
    asked = request(0.5, soft_mask(), sampling=Sampling(steps=8, guidance=2.0, scheduler=scheduler))
    drawn = renderer.draw([asked], on_step=lambda step, _: counted.append(step))[0]
    assert counted == [1, 2, 3, 4]
    assert changed(drawn, before())[np.asarray(soft_mask()) == 0].max() == 0


def test_a_picture_of_another_size_is_refused(tiny: Path) -> None:
    renderer = FluxRenderer(open_checkpoint(tiny), load_reference=PICTURES.__getitem__)
    with pytest.raises(ValueError, match="cannot start from a picture"):
        renderer.draw([request(width=2 * SIDE)])


def test_where_it_starts_is_part_of_the_key_and_nothing_else_is_changed_by_it() -> None:
    keys: set[str] = {
        request().key,
        request(0.5).key,
        request(mask=soft_mask()).key,
        replace(request(), redrawn=None).key,
    }
    assert len(keys) == 4
