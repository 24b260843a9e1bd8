"""The judge reads fresh drawn panels right, also worn ones; its training learns; its sheets are true."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.errors import WeightsMissing
from model.geometry import Box
from scripts.starter.judge import scenes
from scripts.starter.judge.accuracy import match, measure
from scripts.starter.judge.judge import Judge, new_network
from scripts.starter.judge.labels import ATTRIBUTES, PLACES, Character
from scripts.starter.judge.losses import finding_loss, make_batch, reading_loss
from scripts.starter.judge.scenes import HELD_OUT_SEEDS, Sheet, draw_sheet, make_scene, shape_of
from scripts.starter.judge.train import ADAM
from scripts.starter.judge.wear import wear
from scripts.starter.optimizer import MuonAdam

FRESH = HELD_OUT_SEEDS + 400_000_000
LEAST = {"hair": 0.96, "ink": 0.98, "count": 0.95, "background": 0.92, "box_iou": 0.85}


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.open()


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    return draw_sheet(FRESH, 0, 12)


def pictures(sheet: Sheet) -> list[Image.Image]:
    return [Image.fromarray(picture) for picture in sheet.pictures]


def test_reads_fresh_panels(judge: Judge) -> None:
    """48 panels have 60 to 90 figures: one misread is more than a hundredth."""
    for name, share in measure(judge, 48, FRESH + 1000).items():
        assert share >= LEAST.get(name, 0.88), name


def test_reads_worn_panels(judge: Judge, sheet: Sheet) -> None:
    clean = torch.from_numpy(sheet.pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    worn = ((wear(clean, random.Random(0)) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    readings = judge.read([Image.fromarray(picture) for picture in worn])
    right = [
        reading.background == PLACES[place] for reading, place in zip(readings, sheet.place, strict=True)
    ]
    assert np.mean(right) >= 0.75  # of twelve; chance is one in twelve


def test_an_enlarged_panel_reads_alike(judge: Judge, sheet: Sheet) -> None:
    small = pictures(sheet)[:4]
    large = [picture.resize((picture.width * 4, picture.height * 4)) for picture in small]
    for one, other in zip(judge.read(small), judge.read(large), strict=True):
        assert one.background == other.background
        assert len(one.characters) == len(other.characters)


def test_reads_in_the_order_of_given_boxes(judge: Judge, sheet: Sheet) -> None:
    row = int(np.argmax((sheet.face >= 0.6).sum(1)))
    boxes = [
        Box(left, top, right - left, bottom - top)
        for (left, top, right, bottom), face in zip(sheet.boxes[row].tolist(), sheet.face[row], strict=True)
        if face >= 0.6
    ]
    picture = pictures(sheet)[row]
    forth, back = judge.read_at([picture, picture], [boxes, boxes[::-1]])
    assert [who.hair for who in forth.characters] == [who.hair for who in back.characters][::-1]
    for box, who in zip(boxes, forth.characters, strict=True):
        assert who.box.iou(box) > 0.5


def test_reads_at_a_place_where_nobody_is(judge: Judge) -> None:
    empty = Image.new("RGB", (256, 256), "white")
    (reading,) = judge.read_at([empty], [[Box(0.1, 0.1, 0.4, 0.8), Box(0.9, 0.9, 0.1, 0.1)]])
    assert len(reading.characters) == 2
    assert all(who.score < 0.5 for who in reading.characters)
    assert judge.read([empty])[0].characters == ()
    assert judge.read([]) == []


def test_chances_add_up(judge: Judge, sheet: Sheet) -> None:
    for reading in judge.read(pictures(sheet)[:3]):
        assert sum(reading.places.values()) == pytest.approx(1, abs=1e-4)
        for who in reading.characters:
            assert set(who.probabilities) == set(ATTRIBUTES)
            for name, chances in who.probabilities.items():
                assert sum(chances.values()) == pytest.approx(1, abs=1e-4)
                assert getattr(who, name) == max(chances, key=lambda value: chances[value])


def test_weights_come_back_as_they_were_saved(judge: Judge, sheet: Sheet, tmp_path: Path) -> None:
    judge.save(tmp_path / "weights.safetensors")
    again = Judge.open(tmp_path / "weights.safetensors")
    assert again.read(pictures(sheet)[:2]) == judge.read(pictures(sheet)[:2])
    assert (tmp_path / "weights.safetensors").stat().st_size <= 4_200_000
    with pytest.raises(WeightsMissing, match="no weights"):
        Judge.open(tmp_path / "nowhere")


def test_learns() -> None:
    torch.manual_seed(0)
    network, rng = new_network().train(), random.Random(0)
    optimizer = MuonAdam(network.named_parameters(), adam=ADAM)
    batch = make_batch(draw_sheet(FRESH, 1, 6), list(range(6)), rng, worn=False)
    losses: list[float] = []
    for _ in range(12):
        loss = finding_loss(network.find(batch.pictures), batch) + reading_loss(network, batch, rng)
        loss.backward()
        optimizer.step(5e-3)
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_wear_changes_pictures_and_depends_on_its_seed_alone(sheet: Sheet) -> None:
    clean = torch.from_numpy(sheet.pictures[:6]).permute(0, 3, 1, 2).float() / 127.5 - 1
    worn = wear(clean, random.Random(1))
    assert torch.equal(worn, wear(clean, random.Random(1)))
    assert worn.shape == clean.shape
    assert worn.abs().max() <= 1
    assert 0.005 < (worn - clean).abs().mean() < 0.2


def test_sheets_tell_what_the_scene_says(sheet: Sheet) -> None:
    width, height = shape_of(0)
    assert sheet.pictures.shape == (12, height, width, 3)
    for row in range(12):
        scene = make_scene(FRESH + row, width, height)
        assert PLACES[sheet.place[row]] == scene.background
        for k in range(scenes.MOST):
            if k >= len(scene.figures):
                assert (sheet.looks[row, k] == -1).all()
                assert sheet.face[row, k] == 0
                continue
            figure = scene.figures[k]
            for index, (name, values) in enumerate(ATTRIBUTES.items()):
                owner = figure.state if name == "expression" else figure.identity
                assert values[sheet.looks[row, k, index]] == getattr(owner, name)


def test_a_sheet_survives_its_file(sheet: Sheet, tmp_path: Path) -> None:
    sheet.save(tmp_path / "sheet.npz")
    again = Sheet.load(tmp_path / "sheet.npz")
    assert all(np.array_equal(getattr(sheet, name), getattr(again, name)) for name in Sheet.__slots__)


BOXES = st.builds(
    Box, st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.1, 0.5), st.floats(0.1, 0.5)
)  # fmt: skip


def standing(box: Box) -> Character:
    likeliest = {name: values[0] for name, values in ATTRIBUTES.items()}
    return Character(box=box, head=box, score=1.0, probabilities={}, **likeliest)


@given(st.lists(BOXES, max_size=4), st.lists(BOXES, max_size=4))
def test_nobody_is_matched_twice(asked: list[Box], found: list[Box]) -> None:
    characters = [standing(box) for box in found]
    matched = match(asked, characters)
    assert len(matched) == len(asked)
    taken = [id(who) for who in matched if who is not None]
    assert len(taken) == len(set(taken))
    for box, who in zip(asked, matched, strict=True):
        assert who is None or box.iou(who.box) >= 0.3
