"""The joint sequence against the table of docs/how-it-works.md, cell by cell, and its properties."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.render.sequence import Layout, attention_mask, grid_ids, image_ids, pack, region_cells, unpack
from tests.chance import examples

LAYOUT = Layout(
    global_text=5, region_text=4, regions=2, rows=4, columns=6, reference_rows=2, reference_columns=2
)
BOXES = torch.tensor([[[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 0.5, 0.5]]])


def mask_of(layout: Layout = LAYOUT, **changes: object) -> torch.Tensor:
    arguments = {
        "global_lengths": torch.tensor([5]),
        "region_lengths": torch.tensor([[4, 4]]),
        "has_reference": torch.tensor([[True, True]]),
        **changes,
    }
    return attention_mask(layout, region_cells(BOXES, layout.rows, layout.columns), **arguments)[0, 0]


def kinds() -> list[tuple[str, int]]:
    """What each token of LAYOUT is: its kind and its region (-1 = none)."""
    cells = region_cells(BOXES, LAYOUT.rows, LAYOUT.columns)[0]
    owner = [int(column.int().argmax()) if column.any() else -1 for column in cells.T]
    names: list[tuple[str, int]] = [("global", -1)] * 5
    names += [("region", 0)] * 4 + [("region", 1)] * 4
    names += [("image", region) for region in owner]
    return names + [("reference", 0)] * 4 + [("reference", 1)] * 4


def allowed(query: tuple[str, int], key: tuple[str, int]) -> bool:
    """The table of docs/how-it-works.md, written once more, independently of the code."""
    same = query[1] == key[1] and query[1] >= 0
    return {
        ("global", "global"): True,
        ("global", "region"): False,
        ("global", "image"): True,
        ("global", "reference"): False,
        ("region", "global"): False,
        ("region", "region"): same,
        ("region", "image"): same,
        ("region", "reference"): same,
        ("image", "global"): True,
        ("image", "region"): same,
        ("image", "image"): True,
        ("image", "reference"): same,
        ("reference", "global"): False,
        ("reference", "region"): same,
        ("reference", "image"): False,
        ("reference", "reference"): same,
    }[query[0], key[0]]


def test_mask_is_the_table_cell_by_cell() -> None:
    mask, names = mask_of(), kinds()
    assert mask.shape == (LAYOUT.total, LAYOUT.total)
    wrong = [
        (i, j)
        for i, query in enumerate(names)
        for j, key in enumerate(names)
        if bool(mask[i, j]) != allowed(query, key)
    ]
    assert wrong == []


def test_both_image_kinds_occur_in_the_table_test() -> None:
    assert {region for kind, region in kinds() if kind == "image"} == {-1, 0, 1}


def test_padding_is_invisible() -> None:
    mask = mask_of(
        global_lengths=torch.tensor([3]),
        region_lengths=torch.tensor([[4, 0]]),
        has_reference=torch.tensor([[True, False]]),
    )
    reference = LAYOUT.reference_slice(1)
    padding = [3, 4, *range(9, 13), *range(reference.start, reference.stop)]
    for token in padding:
        assert mask[token].nonzero().flatten().tolist() == [token]
        assert mask[:, token].nonzero().flatten().tolist() == [token]


def test_without_regions_only_text_and_image_speak() -> None:
    layout = Layout(global_text=3, region_text=0, regions=0, rows=2, columns=2)
    mask = attention_mask(
        layout,
        region_cells(torch.zeros(1, 0, 4), 2, 2),
        global_lengths=torch.tensor([3]),
        region_lengths=torch.zeros(1, 0, dtype=torch.long),
        has_reference=torch.zeros(1, 0, dtype=torch.bool),
    )
    assert mask.all()


boxes = st.tuples(*(st.floats(0, 0.9) for _ in range(2)), *(st.floats(0.02, 1) for _ in range(2)))


@given(
    rows=st.integers(1, 12), columns=st.integers(1, 12), given_boxes=st.lists(boxes, min_size=1, max_size=5)
)
@settings(max_examples=examples(100), deadline=None)
def test_each_cell_has_at_most_one_owner(
    rows: int, columns: int, given_boxes: list[tuple[float, float, float, float]]
) -> None:
    cells = region_cells(torch.tensor([given_boxes]), rows, columns)
    assert cells.shape == (1, len(given_boxes), rows * columns)
    assert int(cells.sum(1).max()) <= 1
    assert cells.any()


def test_a_box_too_small_for_a_cell_gets_the_one_under_its_centre() -> None:
    cells = region_cells(torch.tensor([[[0.0, 0, 1, 1], [0.55, 0.55, 0.01, 0.01]]]), 4, 4)[0]
    assert cells[1].nonzero().flatten().tolist() == [2 * 4 + 2]
    assert not cells[0, 2 * 4 + 2]


def test_the_later_box_owns_the_overlap_and_empty_boxes_own_nothing() -> None:
    cells = region_cells(torch.tensor([[[0.0, 0, 1, 1], [0.5, 0, 0.5, 1], [0, 0, 0, 0]]]), 2, 4)[0]
    assert cells[0].view(2, 4).tolist() == [[True, True, False, False]] * 2
    assert cells[1].view(2, 4).tolist() == [[False, False, True, True]] * 2
    assert not cells[2].any()


def test_position_ids() -> None:
    ids = image_ids(LAYOUT)
    assert ids.shape == (LAYOUT.total - LAYOUT.text, 3)
    assert ids[0].tolist() == [0, 0, 0]
    assert ids[LAYOUT.image - 1].tolist() == [0, 3, 5]
    assert ids[LAYOUT.image].tolist() == [1, 0, 0]
    assert ids[-1].tolist() == [2, 1, 1]
    assert grid_ids(0, 2, 3)[:, 2].tolist() == [0, 1, 2, 0, 1, 2]


def test_pack_is_fluxpipelines_pack_and_unpack_its_inverse() -> None:
    pipeline = pytest.importorskip("diffusers").FluxPipeline
    latents = torch.randn(2, 16, 12, 20)
    assert torch.equal(pack(latents), pipeline._pack_latents(latents, 2, 16, 12, 20))
    assert torch.equal(unpack(pack(latents), 6, 10), latents)
