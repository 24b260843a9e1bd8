"""A style reference moves colours where nobody stands, and nothing else."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model.files import BlobId
from model.geometry import Box
from model.render.flux.renderer import FluxRenderer
from model.render.request import PanelRequest, Region, Sampling, Style
from model.render.style import SETTLED, Palette, pull, statistics
from model.render.weights import open_checkpoint

SIDE, CELL = 128, 32
REQUEST = PanelRequest(
    weights="0" * 64,
    width=SIDE,
    height=SIDE,
    prompt="colour comic, one character, beach",
    negative="",
    regions=(Region(box=Box(0.0, 0.0, 0.5, 1.0), prompt="girl with red hair"),),
    seed=7,
    sampling=Sampling(steps=3, guidance=1.0),
)


def donor() -> bytes:
    """A picture whose sides are no whole cells."""
    noise = np.random.default_rng(0).integers(0, 256, (90, 141, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise).save(data, "PNG")
    return data.getvalue()


PICTURE = donor()
STYLED = replace(REQUEST, style=Style(picture=BlobId(hashlib.sha256(PICTURE).hexdigest()), weight=1.0))


def palette(weight: float) -> Palette:
    given = torch.randn(1, 50, 4, generator=torch.Generator().manual_seed(1)) * 3 + 1
    mean, spread = statistics(given)
    return Palette(mean=mean, spread=spread, weight=torch.full((1, 16, 1), weight))


def drawn(seed: int) -> torch.Tensor:
    return torch.randn(1, 16, 4, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("noise", [1.0, 0.9, SETTLED + 0.01])
def test_at_weight_one_the_panel_that_is_meant_has_the_palette(noise: float) -> None:
    velocity, latents, goal = drawn(2), drawn(3), palette(1.0)
    meant = latents - noise * pull(velocity, latents, noise, goal)
    mean, spread = statistics(meant)
    torch.testing.assert_close(mean, goal.mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(spread, goal.spread, atol=1e-4, rtol=1e-4)


def test_half_the_weight_goes_half_the_way() -> None:
    velocity, latents = drawn(2), drawn(3)
    whole = pull(velocity, latents, 0.8, palette(1.0)) - velocity
    torch.testing.assert_close(pull(velocity, latents, 0.8, palette(0.5)) - velocity, whole / 2)


def test_settled_panels_and_owned_cells_stay_to_the_bit() -> None:
    velocity, latents, goal = drawn(2), drawn(3), palette(1.0)
    assert torch.equal(pull(velocity, latents, SETTLED, goal), velocity)
    goal.weight[:, 4:] = 0
    moved = pull(velocity, latents, 0.8, goal)
    assert torch.equal(moved[:, 4:], velocity[:, 4:])
    assert not torch.equal(moved[:, :4], velocity[:, :4])


def test_only_the_panel_that_leans_changes(tiny: Path) -> None:
    renderer = FluxRenderer(open_checkpoint(tiny), load_reference=lambda _: PICTURE)
    other = replace(REQUEST, seed=8)
    plain, plain_other = renderer.draw((REQUEST, other))
    styled, untouched = renderer.draw((STYLED, other))
    assert untouched.tobytes() == plain_other.tobytes()
    assert np.abs(np.asarray(styled, float) - np.asarray(plain, float)).mean() > 0.5
    # Not leaning is another key, but the same picture.
    still, _ = renderer.draw((replace(STYLED, style=replace(STYLED.style, weight=0.0)), other))  # type: ignore[type-var]
    assert still.tobytes() == plain.tobytes()


def test_the_picture_is_encoded_once(tiny: Path) -> None:
    loaded: list[str] = []

    def load(sha256: str) -> bytes:
        loaded.append(sha256)
        return PICTURE

    renderer = FluxRenderer(open_checkpoint(tiny), load_reference=load)
    first = renderer.draw((STYLED,))[0].tobytes()
    assert renderer.draw((STYLED,))[0].tobytes() == first
    assert len(loaded) == 1
