"""Attention in pieces is attention under the mask: for any mask, in a block of Flux, in a whole panel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from model.files import BlobId
from model.geometry import Box
from model.render.flux import attention as flux_attention
from model.render.flux.attention import Pieces, attend, in_pieces
from model.render.flux.renderer import FluxRenderer
from model.render.request import PanelRequest, Region, Sampling
from model.render.sequence import Layout, attention_mask, region_cells
from model.render.weights import open_checkpoint
from tests.chance import examples
from tests.render.test_flux import PICTURES, RED

ROUNDING = 2e-6  # of sums in another order, float32


@pytest.fixture
def long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sequence counts as a long one."""
    monkeypatch.setattr(flux_attention, "LONG", 0)


def mask_of(layout: Layout, boxes: list[tuple[float, float, float, float]], spoken: int) -> torch.Tensor:
    """Two panels: the second one's text is shorter, and its last character has no reference."""
    batch = torch.tensor([boxes, boxes[::-1]], dtype=torch.float32).view(2, layout.regions, 4)
    there = torch.ones(2, layout.regions, dtype=torch.bool)
    there[1:, -1:] = False
    return attention_mask(
        layout,
        region_cells(batch, layout.rows, layout.columns),
        global_lengths=torch.tensor([layout.global_text, spoken]),
        region_lengths=torch.full((2, layout.regions), layout.region_text),
        has_reference=there,
    )


@settings(max_examples=examples(30), deadline=None)
@given(
    regions=st.integers(0, 3),
    latents=st.booleans(),
    spoken=st.integers(1, 4),
    rows=st.integers(2, 5),
    data=st.data(),
)
def test_pieces_obey_the_mask(
    regions: int, latents: bool, spoken: int, rows: int, data: st.DataObject
) -> None:
    layout = Layout(
        global_text=4, region_text=3, regions=regions, rows=rows, columns=4, picture=0 if latents else 5,
        reference_rows=2 if latents else 0, reference_columns=2 if latents else 0,
    )  # fmt: skip
    share = st.floats(0.0, 0.6)
    boxes = [(data.draw(share), data.draw(share), 0.4, 0.4) for _ in range(regions)]
    mask = mask_of(layout, boxes, spoken)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flux_attention, "LONG", 0)
        pieces = in_pieces(mask, "cpu")
    random = torch.Generator().manual_seed(1)
    query, key, value = (torch.randn(2, layout.total, 2, 8, generator=random) for _ in range(3))
    heads = [one.transpose(1, 2) for one in (query, key, value)]
    wanted = scaled_dot_product_attention(*heads, attn_mask=mask).transpose(1, 2)
    if pieces is None:
        assert mask.all()
        return
    assert isinstance(pieces, Pieces)
    found = attend(query, key, value, pieces)
    alive = mask[:, 0].sum(1) > 1  # somebody else looks at them: no padding
    assert (found - wanted)[alive].abs().max() < ROUNDING
    assert not found[~alive].any()
    # Three kinds of rows a character at most, and one for all others.
    assert all(len(panel) <= 1 + 3 * regions for panel in pieces.panels)


def test_short_sequences_keep_their_mask_and_open_ones_need_none() -> None:
    short = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    assert in_pieces(short, "cpu") is not None
    long = torch.ones(1, 1, flux_attention.LONG, flux_attention.LONG, dtype=torch.bool)
    assert in_pieces(long, "cpu") is None
    long[..., 0, 1] = False
    assert isinstance(in_pieces(long, "cpu"), Pieces)


def test_far_fewer_pairs_are_multiplied() -> None:
    """Two characters with references beside a panel of 32 × 32 tokens: less than three quarters."""
    layout = Layout(global_text=15, region_text=10, regions=2, rows=32, columns=32, picture=169)
    mask = mask_of(layout, [(0.05, 0.1, 0.4, 0.85), (0.55, 0.1, 0.4, 0.85)], spoken=15)
    pieces = in_pieces(mask, "cpu")
    assert isinstance(pieces, Pieces)
    pairs = sum(len(piece.queries) * len(piece.keys) for piece in pieces.panels[0])
    assert pairs == mask[0].sum()
    assert pairs < layout.total**2 * 3 / 4


@pytest.mark.usefixtures("long_ones")
@pytest.mark.parametrize("batch", [1, 2])
def test_a_panel_in_pieces_is_the_panel_under_the_mask(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    panels = [
        PanelRequest(
            weights="0" * 64, width=128, height=128, negative="",
            prompt="colour comic, beach" + ", boy" * seed,
            regions=(
                Region(box=Box(0.0, 0.0, 0.5, 1.0), prompt="girl with red hair", reference=BlobId(RED)),
                Region(box=Box(0.5, 0.2, 0.5, 0.8), prompt="boy, waving"),
            ),
            seed=seed, sampling=Sampling(steps=2, guidance=1.0, refine_steps=1),
        )
        for seed in range(batch)
    ]  # fmt: skip
    renderer = FluxRenderer(open_checkpoint(tiny), load_reference=PICTURES.__getitem__)
    calls: list[int] = []
    attended = flux_attention.attend
    monkeypatch.setattr(flux_attention, "attend", lambda *told: calls.append(1) or attended(*told))
    pieces = renderer.draw(panels)
    # One panel's refine step is told nothing but its prompt: there nobody is kept from anybody.
    assert len(calls) == (2 if batch == 1 else 4)
    monkeypatch.setattr(flux_attention, "LONG", 10**6)
    masked = renderer.draw(panels)
    for one, other in zip(pieces, masked, strict=True):
        assert np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max() <= 1
