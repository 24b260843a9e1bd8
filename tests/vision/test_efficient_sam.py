"""EfficientSAM's calling convention, on a TorchScript that outlines dark things in its boxes."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from model.errors import IntegrityError
from model.geometry import Box
from model.vision.efficient_sam import is_script
from model.vision.segment import Segmenter, open_segmenter


class Outliner(nn.Module):
    """EfficientSAM's signature: of three proposals the second is right, and says so."""

    def forward(self, pictures: Tensor, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        queries, height, width = points.shape[1], pictures.shape[2], pictures.shape[3]
        upper_left = points[:, :, 0] * (labels[:, :, :1] == 2)
        lower_right = points[:, :, 1] * (labels[:, :, 1:] == 3)
        rows = torch.arange(height, device=pictures.device)[:, None] + 0.5
        columns = torch.arange(width, device=pictures.device)[None, :] + 0.5
        inside = (
            (columns > upper_left[:, :, :1, None])
            & (columns < lower_right[:, :, :1, None])
            & (rows > upper_left[:, :, 1:, None])
            & (rows < lower_right[:, :, 1:, None])
        )
        dark = pictures.mean(1)[:, None] < 0.5
        right = (inside & dark).float() * 2 - 1
        logits = torch.stack([-right, right, torch.ones_like(right)], dim=2)
        quality = torch.tensor([0.2, 0.9, 0.5]).expand(pictures.shape[0], queries, 3)
        return logits, quality


class Stranger(nn.Module):
    def forward(self, pictures: Tensor) -> Tensor:
        return pictures


class Halving(nn.Module):
    """The right signature, masks of another size."""

    def forward(self, pictures: Tensor, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones(1, points.shape[1], 1, 4, 4), torch.ones(1, points.shape[1], 1)


def script(module: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():  # newer torch calls scripting out of date; the files are still about
        warnings.simplefilter("ignore")
        torch.jit.script(module).save(path)
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return script(Outliner(), tmp_path_factory.mktemp("scripts") / "efficientsam_s.jit")


@pytest.fixture(scope="module")
def segmenter(path: Path) -> Segmenter:
    return open_segmenter(path, run_scripts=True)


def panel(width: int, height: int, *things: tuple[int, int, int, int]) -> Image.Image:
    picture = Image.new("RGB", (width, height), "white")
    for thing in things:
        ImageDraw.Draw(picture).rectangle(thing, fill="black")
    return picture


def test_each_box_has_the_mask_that_the_script_holds_best(segmenter: Segmenter) -> None:
    first = panel(60, 40, (5, 5, 14, 24), (40, 10, 49, 19))
    second = panel(30, 50, (10, 20, 19, 29))
    left, right, both = Box(0, 0, 0.5, 1), Box(0.5, 0, 0.5, 1), Box(0, 0, 1, 1)
    masks = segmenter.segment([first, second], [[left, right, both], [both]])
    assert [[int(mask.sum()) for mask in some] for some in masks] == [[200, 100, 300], [100]]
    assert [mask.shape for mask in masks[0]] == [(40, 60)] * 3
    assert masks[1][0].shape == (50, 30)
    assert masks[0][0][5:25, 5:15].all()
    assert masks[0][0].dtype == np.bool_


def test_together_is_as_alone(segmenter: Segmenter) -> None:
    pictures = [panel(60, 40, (5, 5, 14, 24)), panel(30, 50, (10, 20, 19, 29))]
    boxes = [[Box(0, 0, 0.2, 1), Box(0.1, 0.1, 0.5, 0.5)], [Box(0.4, 0.4, 0.2, 0.1)]]
    together = segmenter.segment(pictures, boxes)
    for picture, asked, masks in zip(pictures, boxes, together, strict=True):
        for box, mask in zip(asked, masks, strict=True):
            assert np.array_equal(mask, segmenter.segment([picture], [[box]])[0][0])


def test_nothing_found_is_an_empty_mask(segmenter: Segmenter) -> None:
    asked = [Box(0, 0, 0, 0), Box(0, 0, 1, 1), Box(2, 2, 1, 1)]
    empty, found, outside = segmenter.segment([panel(20, 30)], [asked])[0]
    for mask in (empty, found, outside):
        assert mask.shape == (30, 20)
        assert not mask.any()
    assert segmenter.segment([panel(20, 30)], [[]]) == [[]]


def test_a_script_is_known_by_its_content(path: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "efficient_sam_vitt.pt"
    renamed.write_bytes(path.read_bytes())
    assert is_script(renamed)
    assert open_segmenter(renamed, run_scripts=True).segment([panel(20, 30)], [[Box(0, 0, 1, 1)]])
    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.jit")
    assert not is_script(tmp_path / "weights.jit")
    (tmp_path / "text.jit").write_text("no archive")
    assert not is_script(tmp_path / "text.jit")


@pytest.mark.parametrize("module", [Stranger(), Halving()])
def test_other_scripts_are_refused_in_one_line(module: nn.Module, tmp_path: Path) -> None:
    segmenter = open_segmenter(script(module, tmp_path / "other.jit"), run_scripts=True)
    with pytest.raises(IntegrityError, match="not one called as EfficientSAM is") as raised:
        segmenter.segment([panel(20, 30)], [[Box(0, 0, 1, 1)]])
    assert "\n" not in str(raised.value)


def test_a_damaged_script_is_refused(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    damaged = tmp_path / "damaged.jit"
    damaged.write_bytes(whole[:200] + bytes(200) + whole[400:])
    with pytest.raises(IntegrityError, match="fetch it again"):
        open_segmenter(damaged, run_scripts=True)
