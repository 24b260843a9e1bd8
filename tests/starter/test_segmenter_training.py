"""The segmenter's trainer, small: true masks, honest batches, a falling loss, the stock decoder's answers."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from model.geometry import Box
from model.render.weights import STARTER
from model.vision.sam import build, corner_tensor
from model.vision.segment import open_segmenter
from scripts.starter import train_segmenter
from scripts.starter.outlines import GRID, PAPER, SIDE, Outlined, Pool, draw_many, jittered, make_pool
from scripts.starter.segmenter import SHAPE, predict, start_from_clip
from scripts.starter.train_segmenter import Training, choose, measure, overlap

SEED = 7_000
TINY = dataclasses.replace(
    SHAPE, width=32, depth=1, heads=2, global_blocks=(0,), channels=16, decoder_depth=1
)
FRESH_SEED = 940_000_000  # of panels that neither training nor its log has seen
LEAST_IOU, LEAST_INK_IOU = 0.90, 0.84  # ink alone is the weaker half: .88 of 400 figures


@pytest.fixture(scope="module")
def panels() -> list[Outlined]:
    return draw_many(range(SEED, SEED + 24), 0)


@pytest.fixture(scope="module")
def pool(panels: list[Outlined]) -> Pool:
    return Pool.of(panels)


def test_masks_lie_on_their_figures(panels: list[Outlined], pool: Pool) -> None:
    assert len(pool.masks) == len(pool.boxes) == sum(len(panel.masks) for panel in panels)
    assert {panel.ink for panel in panels} == {True, False}
    for index, panel in enumerate(panels):
        width, height = (int(length) for length in pool.sizes[index])
        assert max(width, height) == SIDE
        assert (pool.pictures[index, height:] == PAPER).all()
        assert (pool.pictures[index, :, width:] == PAPER).all()
        for place in range(len(panel.masks)):
            cells = pool.masks[pool.firsts[index] + place]
            share = cells.sum() / 255 * (SIDE / GRID) ** 2 / (width * height)
            assert share == pytest.approx(panel.masks[place].mean(), abs=0.01)
            rows, columns = np.flatnonzero(cells.max(1) > 127), np.flatnonzero(cells.max(0) > 127)
            box = panel.boxes[place]
            edges = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
            true = corner_tensor([box], width * GRID / SIDE, height * GRID / SIDE)[0]  # type: ignore[arg-type]
            assert np.abs(np.array(edges) - true.numpy()).max() <= 3


def test_batches_keep_masks_boxes_and_pictures_together(pool: Pool) -> None:
    rng = random.Random(1)
    for _ in range(4):
        batch = choose(pool, 6, rng)
        assert batch.pictures.shape == (6, 3, SIDE, SIDE)
        assert len(batch.owners) == len(batch.corners) == len(batch.masks)
        for corners, mask in zip(batch.corners * GRID / SIDE, batch.masks, strict=True):
            left, top, right, bottom = (round(value) for value in corners.tolist())
            tolerance = 0.12 * max(right - left, bottom - top)
            rows, columns = torch.nonzero(mask.amax(1) > 0.5), torch.nonzero(mask.amax(0) > 0.5)
            assert abs(columns.min() - left) <= tolerance + 1
            assert abs(columns.max() + 1 - right) <= tolerance + 1
            assert abs(rows.min() - top) <= tolerance + 1
            assert abs(rows.max() + 1 - bottom) <= tolerance + 1
    assert (choose(pool, 6, rng).pictures.abs() < 1e-6).float().mean() > 0.02  # beside wide and tall panels


def test_pools_are_joined_and_come_back_from_disk(panels: list[Outlined], pool: Pool, tmp_path: Path) -> None:
    joined = Pool.joined([Pool.of(panels[:10]), Pool.of(panels[10:])])
    joined.save(tmp_path / "pool.npz")
    again = Pool.load(tmp_path / "pool.npz")
    for field in dataclasses.fields(Pool):
        assert np.array_equal(getattr(again, field.name), getattr(pool, field.name))
    assert [path.name for path in tmp_path.iterdir()] == ["pool.npz"]
    made = make_pool(SEED, 3, None, 0.0, 0)
    assert np.array_equal(made.masks, pool.masks[: pool.firsts[3]])


def test_jitter_stays_within_its_bounds() -> None:
    rng, box = random.Random(0), Box(0.3, 0.2, 0.4, 0.6)
    moved = [jittered(box, 0.05, rng) for _ in range(200)]
    for edge, side in (("x", 0.4), ("right", 0.4), ("y", 0.6), ("bottom", 0.6)):
        distances = [abs(getattr(other, edge) - getattr(box, edge)) for other in moved]
        assert 0.04 * side < max(distances) <= 0.05 * side + 1e-9


def test_predictions_are_those_of_the_stock_decoder(pool: Pool) -> None:
    torch.manual_seed(0)
    sam = build(dataclasses.replace(TINY, proposals=2)).eval()
    batch = choose(pool, 3, random.Random(2))
    with torch.no_grad():
        logits, quality = predict(sam, batch)
        embeddings = sam.image_encoder(batch.pictures)
        for panel in range(3):
            figures = batch.owners == panel
            sparse, dense = sam.prompt_encoder(points=None, boxes=batch.corners[figures], masks=None)
            expected, score = sam.mask_decoder(
                image_embeddings=embeddings[panel : panel + 1],
                image_pe=sam.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
            )
            assert torch.allclose(logits[figures], expected[:, 0], atol=1e-4)
            assert logits.shape[1:] == expected.shape[2:]
            if sam.mask_decoder.num_mask_tokens == 3:
                assert quality[figures].shape == score[:, 0].shape
            assert torch.allclose(quality[figures], score[:, 0], atol=1e-4)


def test_it_learns_and_goes_on_where_it_stopped(pool: Pool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    training = Training(build(TINY))
    batch = choose(pool, 4, random.Random(3))
    losses = [training.step(batch, 5e-3)[0] for _ in range(25)]
    assert losses[-1] < 0.75 * losses[0]
    torch.save({"sam": training.sam.state_dict(), "optimizer": training.optimizer.state()}, tmp_path / "c.pt")
    saved = torch.load(tmp_path / "c.pt", weights_only=True)
    torch.manual_seed(1)
    other = Training(build(TINY))
    other.sam.load_state_dict(saved["sam"])
    other.optimizer.restore(saved["optimizer"])
    assert other.step(batch, 1e-3) == training.step(batch, 1e-3)


def test_the_encoder_starts_from_clip() -> None:
    torch.manual_seed(0)
    sam = build(SHAPE)
    before = {name: value.clone() for name, value in sam.state_dict().items()}
    start_from_clip(sam, STARTER / "clip")
    changed = {name for name, value in sam.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {
        name
        for name in before
        if name.startswith("image_encoder.") and not name.startswith("image_encoder.neck.")
    }
    with torch.no_grad():
        tokens = (
            sam.image_encoder.patch_embed(torch.rand(1, 3, SIDE, SIDE) * 2 - 1) + sam.image_encoder.pos_embed
        )
    assert 0.2 < tokens.std().item() < 5  # what the first block of a normalised CLIP is used to


def test_the_command_writes_what_is_opened(tmp_path: Path, panels: list[Outlined]) -> None:
    flags = ["--panels", "4", "--held_out", "2", "--workers", "0", "--batch", "2", "--out", str(tmp_path)]
    assert train_segmenter.main([*flags, "--minutes", "0"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"pool.npz"}
    assert train_segmenter.main([*flags, "--steps", "2"]) == 0
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["steps"] == 2
    assert 0 <= log[-1]["iou"] <= 1
    found = measure(open_segmenter(tmp_path), panels[:2], 0.05, 0)
    assert [len(values) for values in found] == [len(panel.masks) for panel in panels[:2]]


def test_overlap() -> None:
    one, half = np.ones((4, 4), bool), np.arange(16).reshape(4, 4) < 8
    assert (overlap(one, half), overlap(half, ~half), overlap(~one, ~one)) == (0.5, 0.0, 1.0)


def test_the_starter_outlines_fresh_panels() -> None:
    segmenter = open_segmenter(STARTER / "segmenter")
    panels = draw_many(range(FRESH_SEED, FRESH_SEED + 60), 0)
    each = measure(segmenter, panels, 0.05, seed=1)
    ink = [value for panel, values in zip(panels, each, strict=True) if panel.ink for value in values]
    every = [value for values in each for value in values]
    assert len(every) > 90
    assert np.mean(every) >= LEAST_IOU
    assert np.mean(ink) >= LEAST_INK_IOU
