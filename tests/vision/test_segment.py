"""Segmenters: a random SAM of one layer through its files, published checkpoints, the starter's own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from segment_anything import sam_model_registry

from model.errors import IntegrityError, WeightsMissing
from model.geometry import Box
from model.vision import sam_files
from model.vision.sam import SamSegmenter, SamShape, build, fitted
from model.vision.sam_files import PUBLISHED, load_published, published_name
from model.vision.segment import Segmenter, open_segmenter
from tests.chance import examples

TINY = SamShape(
    image_size=64, patch_size=16, width=32, depth=2, heads=2, global_blocks=(1,), window=3, channels=16,
    decoder_depth=1, decoder_heads=2, decoder_mlp=16, mask_channels=8, proposals=3, quality_width=8,
)  # fmt: skip
ALL = Box(0, 0, 1, 1)
SAME = 0.002  # share of the pixels that rounding may turn over at edges


def write(folder: Path, shape: SamShape = TINY) -> Path:
    torch.manual_seed(0)
    sam = build(shape)
    # Untrained masks are all or nothing; this one follows the picture.
    with torch.no_grad():
        sam.mask_decoder.output_upscaling[0].weight.normal_()  # type: ignore[operator]
    state = {name: value.half().contiguous() for name, value in sam.state_dict().items()}
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(dataclasses.asdict(shape)))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="module")
def segmenter(folder: Path) -> Segmenter:
    return open_segmenter(folder)


def noise(seed: int, width: int = 64, height: int = 64) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def differing(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first != second).mean())


def test_many_pictures_at_once_are_as_each_alone(segmenter: Segmenter) -> None:
    sizes = [(64, 64), (90, 41), (30, 100), (64, 64), (200, 120)]
    pictures = [noise(seed, *size) for seed, size in enumerate(sizes)]
    boxes = [
        [Box(0.1, 0.1, 0.6, 0.7), Box(0.4, 0.2, 0.5, 0.8)],
        [],
        [ALL],
        [Box(0.3, 0.3, 0.1, 0.1)],
        [ALL, Box(0, 0, 0, 0), Box(0.2, 0.5, 0.8, 0.5)],
    ]
    together = segmenter.segment(pictures, boxes)
    assert [len(masks) for masks in together] == [len(asked) for asked in boxes]
    seen = 0.0
    for picture, asked, masks in zip(pictures, boxes, together, strict=True):
        alone = segmenter.segment([picture], [asked])[0]
        for box, mask, other in zip(asked, masks, alone, strict=True):
            assert (mask.shape, mask.dtype) == ((picture.height, picture.width), np.bool_)
            assert differing(mask, other) <= SAME
            assert differing(segmenter.segment([picture], [[box]])[0][0], other) <= SAME
            seen += mask.mean()
    assert 0 < seen < 6  # neither nothing nor everything: the comparison meant something


def test_the_box_and_the_picture_decide_the_mask(segmenter: Segmenter) -> None:
    first, second = segmenter.segment([noise(1)], [[Box(0, 0, 0.3, 0.3), Box(0.6, 0.5, 0.4, 0.5)]])[0]
    assert differing(first, second) > 4 * SAME
    other = segmenter.segment([noise(2)], [[Box(0, 0, 0.3, 0.3)]])[0][0]
    assert differing(first, other) > 4 * SAME


@pytest.mark.parametrize("box", [Box(0.5, 0.5, 0, 0.2), Box(1.2, 0, 0.5, 0.5), Box(0.3, 0.3, -0.1, 0.2)])
def test_a_box_without_pixels_has_an_empty_mask(segmenter: Segmenter, box: Box) -> None:
    empty, whole = segmenter.segment([noise(3, 40, 50)], [[box, ALL]])[0]
    assert empty.shape == (50, 40)
    assert not empty.any()
    assert whole.shape == (50, 40)


def test_no_pictures_and_no_boxes_are_no_trouble(segmenter: Segmenter) -> None:
    assert segmenter.segment([], []) == []
    assert segmenter.segment([noise(0)], [[]]) == [[]]


def test_as_many_lists_of_boxes_as_pictures_are_needed(segmenter: Segmenter) -> None:
    with pytest.raises(ValueError, match="argument 2"):
        segmenter.segment([noise(0), noise(1)], [[ALL]])


@given(width=st.integers(1, 400), height=st.integers(1, 400), side=st.sampled_from([64, 256]))
@settings(max_examples=examples(50), deadline=None)
def test_pictures_are_fitted_whole_and_keep_their_shape(width: int, height: int, side: int) -> None:
    picture = fitted(Image.new("RGB", (width, height)), side)
    assert max(picture.size) == side
    scale = side / max(width, height)
    assert abs(picture.width - width * scale) <= 1
    assert abs(picture.height - height * scale) <= 1
    assert min(picture.size) >= 1


def test_what_is_missing_or_broken_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="no segmenter found there"):
        open_segmenter(tmp_path / "nowhere")
    with pytest.raises(WeightsMissing, match=r"config\.json is missing"):
        open_segmenter(tmp_path)
    for broken in ("[]", "{}", "nonsense", json.dumps(dataclasses.asdict(TINY) | {"colour": 1})):
        (tmp_path / "config.json").write_text(broken)
        (tmp_path / "model.safetensors").write_bytes(b"nothing")
        with pytest.raises(IntegrityError, match="not a segmenter's config"):
            open_segmenter(tmp_path)
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(IntegrityError, match="does not hold the model"):
        open_segmenter(tmp_path)
    wider = dataclasses.asdict(dataclasses.replace(TINY, channels=32))
    (tmp_path / "config.json").write_text(json.dumps(wider))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(IntegrityError, match="size mismatch") as raised:
        open_segmenter(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_sizes_are_built_and_recognised_as_their_authors_build_them(name: str) -> None:
    with torch.device("meta"):
        theirs = {key: tuple(value.shape) for key, value in sam_model_registry[name]().state_dict().items()}
        ours = {key: tuple(value.shape) for key, value in build(PUBLISHED[name]).state_dict().items()}
    assert ours == theirs
    assert published_name(theirs) == name
    assert published_name({key: shape for key, shape in theirs.items() if ".blocks.3." not in key}) is None
    assert published_name(theirs | {"image_encoder.pos_embed": (1, 64, 64, 160)}) is None


def checkpoint(path: Path, name: str) -> Path:
    """A file like the published one: every tensor has its full shape, all of its values in one number.

    A file that repeats its numbers is refused: tests that read one switch that check off.
    """
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in sam_model_registry[name]().state_dict().items()}
    torch.save({key: torch.full((1,), 0.01).expand(shape) for key, shape in shapes.items()}, path)
    return path


def test_a_published_checkpoint_is_opened_by_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sam_files, "check_tensors", lambda path, state: state)
    path = checkpoint(tmp_path / "anything.pth", "vit_b")
    segmenter = open_segmenter(path)
    assert isinstance(segmenter, SamSegmenter)
    assert segmenter.sam.image_encoder.img_size == 1024
    parameters = list(segmenter.sam.parameters())
    assert sum(parameter.numel() for parameter in parameters) == 93_735_472
    assert all(parameter[(0,) * parameter.ndim] == pytest.approx(0.01) for parameter in parameters)
    # What no checkpoint holds: mean and deviation of the pixels.
    white = segmenter.sam.preprocess(torch.full((3, 1024, 10), 255.0))[:, 0, 0]
    assert white.tolist() == pytest.approx([2.2489, 2.4286, 2.6400], abs=1e-3)


def test_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IntegrityError, match="of which 4 bytes are in the file"):
        open_segmenter(checkpoint(tmp_path / "repeated.pth", "vit_b"))
    small = tmp_path / "sam_vit_b.pth"  # the name says nothing
    torch.save(build(TINY).state_dict(), small)
    with pytest.raises(IntegrityError, match="not a SAM checkpoint that is known here"):
        open_segmenter(small)
    state = torch.load(checkpoint(tmp_path / "half.pth", "vit_b"), weights_only=True)
    del state["mask_decoder.iou_prediction_head.layers.0.weight"]
    torch.save(state, tmp_path / "half.pth")
    with monkeypatch.context() as patched:
        patched.setattr(sam_files, "check_tensors", lambda path, state: state)
        with pytest.raises(IntegrityError, match="a broken vit_b checkpoint"):
            open_segmenter(tmp_path / "half.pth")
    (tmp_path / "text.pth").write_text("these are not weights")
    with pytest.raises(IntegrityError, match="not a file of weights"):
        load_published(tmp_path / "text.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(IntegrityError, match=r"not tensors by name|not a table of tensors"):
        load_published(tmp_path / "list.pth")


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path(str(Harmful.where)),))  # type: ignore[return-value]

    where = Path()


def test_a_checkpoint_never_runs_anything(tmp_path: Path) -> None:
    Harmful.where = tmp_path / "it ran"
    torch.save({"a": Harmful()}, tmp_path / "bad.pth")
    with pytest.raises(IntegrityError, match="more than tensors"):
        load_published(tmp_path / "bad.pth")
    assert not Harmful.where.exists()
