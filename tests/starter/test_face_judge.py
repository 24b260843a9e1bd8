"""The face judge learns to find heads and to tell drawn from smeared ones, and a run reads what it wrote."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from model.errors import IntegrityError, WeightsMissing
from model.geometry import Box
from model.vision.face_network import SIDE, FaceNetwork
from model.vision.faces import CONFIG, WEIGHTS, FaceJudge, figure_window, window
from scripts.starter.faces.heads import Somebody, everybody, figures, heads
from scripts.starter.faces.train import SHAPE, Length, auc, platt, train_finder, train_judge, write
from scripts.starter.world import Scene, ground_truth, render


def people(count: int) -> list[Somebody]:
    """Figures of the drawn world, one a panel."""
    found = []
    for seed in range(count):
        scene = Scene.random(random.Random(seed), count=1, ink=False, frame="bust")
        (truth,) = ground_truth(scene)
        found.append(
            Somebody(
                picture=Image.fromarray(render(scene)), box=truth.box, head=truth.head, kind="drawn",
                drawn=True, frame=scene.frame, ink=scene.ink,
            )
        )  # fmt: skip
    return found


def smeared(who: Somebody) -> Somebody:
    return replace(who, picture=who.picture.filter(ImageFilter.GaussianBlur(3)), drawn=False, kind="smeared")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    write(FaceNetwork(SHAPE["finder"], SHAPE["judge"]), tmp_path, limit=0.4, scale=2.0, shift=0.5)
    return tmp_path


def test_windows_are_square_and_say_where_they_lie() -> None:
    picture = Image.new("RGB", (320, 192), "blue")
    square, (left, top, side) = window(picture, Box(0.25, 0.25, 0.5, 0.5), 1.5)
    assert square.size == (SIDE, SIDE)
    assert (left, top, side) == pytest.approx((160 - 120, 96 - 120, 240))
    assert square.getpixel((SIDE // 2, 0)) == (255, 255, 255), "white beyond the picture"
    assert square.getpixel((SIDE // 2, SIDE // 2)) == (0, 0, 255)


def test_of_a_tall_figure_the_top_is_looked_at() -> None:
    picture = Image.new("RGB", (256, 256))
    _, (_, top, side) = figure_window(picture, Box(0.3, 0.1, 0.3, 0.8))
    assert top < 0.1 * 256
    assert top + side < 0.9 * 256


def test_a_head_and_a_score_for_every_figure(written: Path) -> None:
    judge = FaceJudge(written)
    pictures = [Image.new("L", (200, 100)), Image.new("RGBA", (64, 64)), Image.new("RGB", (64, 64))]
    rows = [[Box(0.1, 0.1, 0.4, 0.8), Box(0.5, 0.1, 0.4, 0.8)], [], [Box(0.0, 0.0, 1.0, 1.0)]]
    found = judge.heads(pictures, rows)
    scores = judge.score(pictures, found)
    assert [len(row) for row in found] == [len(row) for row in scores] == [2, 0, 1]
    assert all(0 <= score <= 1 for row in scores for score in row)
    assert all(box.clipped() == box for row in found for box in row)
    assert judge.score(pictures, found) == scores
    assert judge.limit == 0.4


def test_what_is_missing_or_broken_is_said(written: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="face judge"):
        FaceJudge(tmp_path / "nowhere")
    config = json.loads((written / CONFIG).read_text(encoding="utf-8"))
    (written / CONFIG).write_text(json.dumps({**config, "judge": [8, 8]}), encoding="utf-8")
    with pytest.raises(IntegrityError, match="not a face judge"):
        FaceJudge(written)
    (written / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    (written / WEIGHTS).write_bytes(b"nothing")
    with pytest.raises(IntegrityError):
        FaceJudge(written)


def test_it_learns_both() -> None:
    torch.manual_seed(0)
    drawn = people(12)
    network = FaceNetwork([8, 8, 16, 16], [8, 16, 16, 16])
    before = _distance(network, drawn)
    train_finder(network.train(), drawn, Length(steps=150), seed=0)
    assert _distance(network, drawn) < 0.6 * before
    rng, boxes = random.Random(0), [who.head for who in drawn]
    kinds = [heads(kind, boxes, rng, times=2) for kind in (drawn, [smeared(who) for who in drawn])]
    train_judge(network.train(), kinds[0], kinds[1], Length(steps=60), seed=0)
    network.eval()
    with torch.inference_mode():
        high, low = (
            network.score(torch.from_numpy(kind).permute(0, 3, 1, 2).float() / 127.5 - 1).numpy()
            for kind in kinds
        )
    assert auc(high, low) > 0.9


def _distance(network: FaceNetwork, drawn: list[Somebody]) -> float:
    squares, targets = figures(drawn, random.Random(1), times=1)
    network.eval()
    with torch.inference_mode():
        found = network.find(torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 127.5 - 1)
    return float((found - torch.from_numpy(targets)).abs().mean())


def test_hidden_heads_are_left_out(tmp_path: Path) -> None:
    picture = torch.zeros(64, 64, 3, dtype=torch.uint8)
    seen, hidden = (0.1, 0.1, 0.8, 0.8, 0.2, 0.1, 0.5, 0.5), (0.1, 0.1, 0.8, 0.8, 0.2, 0.1, 0.5, 0.1)
    path = tmp_path / "panels_a_000.pt"
    torch.save(
        {"pictures": [picture], "figures": [[seen, hidden]], "about": [("euler 16", 0, "bust", True, 2)]},
        path,
    )
    (who,) = everybody([path])
    assert (who.drawn, who.ink, who.kind) == (False, True, "euler 16")
    assert who.head.height == 0.5


def test_platt_gives_probabilities() -> None:
    rng = np.random.default_rng(0)
    high, low = rng.normal(3, 2, 4000), rng.normal(-1, 2, 2000)
    scale, shift = platt(high, low)
    # Two normal curves of one width: slope distance / variance, even odds half way.
    assert scale == pytest.approx(1.0, abs=0.1)
    assert -shift / scale == pytest.approx(1.0, abs=0.15)
    assert auc(high, low) == pytest.approx(0.921, abs=0.02)
