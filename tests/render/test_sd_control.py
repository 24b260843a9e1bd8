"""Who says what where, measured on tiny Stable Diffusion checkpoints: words and references act in their
boxes, in every cross-attention layer to the bit and in what is drawn by a margin; with the masks off,
everywhere."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.image_processor import IPAdapterMaskProcessor
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.render.flux.renderer import square_picture
from model.render.request import PanelRequest
from model.render.sd.attention import GLOBAL_SHARE, reference_places, region_shares
from model.render.sd.renderer import SDRenderer
from tests.render.sd_checkpoints import (
    ADAPTERS,
    CAST,
    OLD_ARRAYS,
    PAIR,
    PICTURES,
    RED,
    SIDE,
    difference,
    draw,
    open_sd,
    sampled,
    sd_folder,
    stock,
)

pytestmark = OLD_ARRAYS

ELSE = "girl with silver hair, dress"
# Character 2 in other words, and with another face.
WORDS = replace(PAIR, regions=(PAIR.regions[0], replace(PAIR.regions[1], prompt=ELSE)))
FACE = replace(CAST, regions=(CAST.regions[0], replace(CAST.regions[1], reference=RED)))
CHANGES = pytest.mark.parametrize(
    ("before", "after"), [(PAIR, WORDS), (CAST, FACE)], ids=["words", "reference"]
)


@pytest.fixture(params=["sd15", "sdxlplus"])
def renderer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SDRenderer:
    return open_sd(tmp_path_factory, request.param)


def first_call(renderer: SDRenderer, request: PanelRequest) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    """Arguments and output of the UNet's first call."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any], Any]] = []
    handle = renderer.parts.unet.register_forward_hook(
        lambda _module, args, kwargs, out: calls.append((args, kwargs, out[0])), with_kwargs=True
    )
    draw(renderer, sampled(request, steps=1))
    handle.remove()
    return calls[0]


def layers(renderer: SDRenderer) -> dict[str, Any]:
    """Every cross-attention layer of the UNet, by name."""
    return {name: m for name, m in renderer.parts.unet.named_modules() if name.endswith("attn2")}


@torch.inference_mode()
def looked(renderer: SDRenderer, request: PanelRequest) -> dict[str, torch.Tensor]:
    """What each cross-attention layer makes of the same noise, (cells, width), told of a request."""
    _, told, _ = first_call(renderer, request)
    unet = renderer.parts.unet
    states = unet.process_encoder_hidden_states(told["encoder_hidden_states"], told["added_cond_kwargs"])
    out: dict[str, torch.Tensor] = {}
    for name, layer in layers(renderer).items():
        cells = 64 if layer.to_q.in_features == unet.config.block_out_channels[0] else 16
        noise = torch.randn(1, cells, layer.to_q.in_features, generator=torch.Generator().manual_seed(1))
        out[name] = layer(noise, encoder_hidden_states=states, **told["cross_attention_kwargs"])[0]
    return out


def halves(cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The left and the right half of a square of cells."""
    side = round(len(cells) ** 0.5)
    grid = cells.unflatten(0, (side, side))
    return grid[:, : side // 2], grid[:, side // 2 :]


# --- in every layer


@CHANGES
def test_what_is_said_of_a_character_reaches_its_box_and_no_other_cell(
    renderer: SDRenderer, before: PanelRequest, after: PanelRequest
) -> None:
    one, other = looked(renderer, before), looked(renderer, after)
    assert len(one) == len(layers(renderer)) >= 5
    for name, cells in one.items():
        left, right = halves((cells - other[name]).abs().amax(-1))
        assert left.max() == 0, name
        assert right.min() > 1e-3, name


@CHANGES
def test_unmasked_it_reaches_every_cell(
    renderer: SDRenderer, before: PanelRequest, after: PanelRequest
) -> None:
    one, other = (looked(renderer, sampled(request, masked=False)) for request in (before, after))
    for name, cells in one.items():
        assert (cells - other[name]).abs().amax(-1).min() > 1e-3, name


def test_words_are_blended_by_their_shares(renderer: SDRenderer) -> None:
    """Against diffusers' attention, told one prompt at a time."""
    plain = replace(PAIR, regions=())
    blended = looked(renderer, replace(PAIR, regions=PAIR.regions[:1], background="sunset"))
    everywhere, person, behind = (
        looked(renderer, replace(plain, prompt=prompt))
        for prompt in (PAIR.prompt, PAIR.regions[0].prompt, "sunset")
    )
    for name, cells in blended.items():
        parts = [halves(one[name]) for one in (everywhere, person, behind)]
        left, right = halves(cells)
        expected = GLOBAL_SHARE * parts[0][0] + (1 - GLOBAL_SHARE) * parts[1][0]
        torch.testing.assert_close(left, expected, atol=1e-4, rtol=1e-4)
        expected = GLOBAL_SHARE * parts[0][1] + (1 - GLOBAL_SHARE) * parts[2][1]
        torch.testing.assert_close(right, expected, atol=1e-4, rtol=1e-4)


def test_a_region_without_words_and_face_leaves_its_box_to_the_global_prompt(renderer: SDRenderer) -> None:
    silent = replace(PAIR, regions=(replace(PAIR.regions[0], prompt=""), PAIR.regions[1]))
    free, bound = looked(renderer, replace(PAIR, regions=())), looked(renderer, silent)
    for name, cells in free.items():
        assert torch.equal(halves(cells)[0], halves(bound[name])[0])


@pytest.mark.parametrize("row", ["sd15plus", "sdxl"])
def test_references_act_as_diffusers_masked_ip_adapter(
    tmp_path_factory: pytest.TempPathFactory, row: str
) -> None:
    folder = sd_folder(tmp_path_factory, row)
    cast = tuple(replace(region, prompt="") for region in CAST.regions)
    (latents, time), told, ours = first_call(
        open_sd(tmp_path_factory, row), sampled(replace(CAST, regions=cast), guidance=4.0)
    )
    pipeline, (file, encoder) = stock(row, folder), ADAPTERS[row]
    pipeline.load_ip_adapter(
        str(folder),
        subfolder=str(Path(file).parent),
        weight_name=Path(file).name,
        image_encoder_folder=encoder,
    )
    faces = [square_picture(Image.open(io.BytesIO(PICTURES[one.reference])), 32) for one in cast]
    boxes = np.zeros((2, SIDE, SIDE), np.float32)
    boxes[0, :, : SIDE // 2], boxes[1, :, SIDE // 2 :] = 1, 1
    masks = IPAdapterMaskProcessor().preprocess(list(torch.tensor(boxes)), height=SIDE, width=SIDE)
    with torch.inference_mode():
        seen = pipeline.prepare_ip_adapter_image_embeds([faces], None, "cpu", 1, True)
        theirs = pipeline.unet(
            latents,
            time,
            encoder_hidden_states=told["encoder_hidden_states"],
            cross_attention_kwargs={"ip_adapter_masks": [masks.reshape(1, 2, SIDE, SIDE)]},
            added_cond_kwargs={**told["added_cond_kwargs"], "image_embeds": seen},
        ).sample
    assert len(latents) == 2
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert (ours[1] - first_call(open_sd(tmp_path_factory, row), PAIR)[2][0]).abs().mean() > 1e-2


# --- in what is drawn


LARGE = 192  # where the reach of a few convolutions is not half a panel


def moved(renderer: SDRenderer, before: PanelRequest, after: PanelRequest) -> tuple[float, float]:
    """Mean change of the left and the right half of the picture, of 255."""
    one, other = (draw(renderer, replace(one, width=LARGE, height=LARGE)) for one in (before, after))
    left, right = (0, 0, LARGE // 2, LARGE), (LARGE // 2, 0, LARGE, LARGE)
    return difference(one.crop(left), other.crop(left)), difference(one.crop(right), other.crop(right))


@CHANGES
def test_character_2_changes_box_2_more_than_box_1(
    renderer: SDRenderer, before: PanelRequest, after: PanelRequest
) -> None:
    """Measured: 1.39 to 1.98 times as much, unmasked 0.91 to 1.18; other random weights 1.55 to 1.97."""
    left, right = moved(renderer, before, after)
    open_left, open_right = moved(renderer, sampled(before, masked=False), sampled(after, masked=False))
    told = f"box 1 {left:.2f}, box 2 {right:.2f}; unmasked {open_left:.2f} and {open_right:.2f}, of 255"
    # The UNet's own self-attention carries some of it over, in untrained weights more than in trained ones.
    assert right > 0.3, told  # words move 0.48 to 0.7 in these weights, by rounding now more, now less
    assert right / left > 1.35, told
    assert right / left > 1.25 * open_right / open_left, told


# --- shares and places


BOXES = st.lists(
    st.tuples(*(st.floats(0, 0.9) for _ in range(2)), *(st.floats(0.05, 1),) * 2),
    max_size=5,
)


@given(BOXES, st.integers(1, 12), st.integers(1, 12), st.booleans(), st.booleans(), st.data())
def test_shares_leave_the_global_prompt_its_own(
    boxes: list[tuple[float, ...]],
    rows: int,
    columns: int,
    background: bool,
    masked: bool,
    data: st.DataObject,
) -> None:
    count = len(boxes)
    spoken = torch.tensor([data.draw(st.lists(st.booleans(), min_size=count, max_size=count))]).bool()
    placed = torch.tensor(boxes).view(1, count, 4)
    shares = region_shares(placed, spoken, torch.tensor([background]), rows, columns, masked=masked)
    assert shares.shape == (1, 1 + count, rows * columns, 1)
    assert shares.min() >= 0
    assert shares.sum(1).max() <= 1 - GLOBAL_SHARE + 1e-6
    if masked:
        assert ((shares > 0).sum(1) <= 1).all(), "one prompt a cell"
    assert (shares[:, 1:][~spoken] == 0).all()
    places = reference_places(placed, spoken, rows, columns, masked=masked)
    assert places.shape == (1, count, 1, rows * columns)
    assert ((places > 0).squeeze(2) == (shares[:, 1:, :, 0] > 0)).all() or not masked
