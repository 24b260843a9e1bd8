"""The image encoder, with a random open_clip model of one layer saved as a real one would be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from model.errors import IntegrityError, WeightsMissing
from model.vision.clip import ImageEncoder, on_square
from scripts.starter.text import pair_tokenizer
from tests.chance import examples

SIDE, WIDTH = 32, 16
SAME = 1e-5  # rounding that depends on the batch
OTHER = 1e-3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    tokenizer = pair_tokenizer(["red hair blue dress", "silver hair yellow hoodie glasses"])
    tokenizer.save_pretrained(folder / "tokenizer")
    config = {
        "embed_dim": WIDTH,
        "vision_cfg": {"image_size": SIDE, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {
            "context_length": 12, "vocab_size": len(tokenizer), "width": 32, "heads": 2, "layers": 1,
        },
    }  # fmt: skip
    torch.manual_seed(0)
    model = open_clip.CLIP(**config)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors"
    )
    preprocess = {"size": SIDE, "mean": [0.5] * 3, "std": [0.5] * 3}
    text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
    (folder / "open_clip_config.json").write_text(text)
    return folder


@pytest.fixture(scope="module")
def encoder(folder: Path) -> ImageEncoder:
    return ImageEncoder(folder)


def noise(seed: int, width: int = 40, height: int = 40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8))


def distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.abs(first - second).max())


@pytest.mark.parametrize("corner", [(0, 0), (0, 186), (26, 0), (26, 186)])
def test_a_mark_at_the_edge_of_a_tall_picture_is_seen(encoder: ImageEncoder, corner: tuple[int, int]) -> None:
    plain = Image.new("RGB", (40, 200), "gray")
    marked = plain.copy()
    ImageDraw.Draw(marked).rectangle((*corner, corner[0] + 13, corner[1] + 13), fill="red")
    first, second = encoder.encode_images([plain, marked])
    assert distance(first, second) > OTHER


@given(st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=examples(40), deadline=None)
def test_squares_hold_the_whole_picture_in_the_middle_of_white(width: int, height: int) -> None:
    longest = max(width, height)
    square = np.asarray(on_square(Image.new("RGB", (width, height), "black"), longest))
    assert square.shape == (longest, longest, 3)
    assert int((square == 0).all(2).sum()) == width * height
    rows, columns = np.flatnonzero((square == 0).any((1, 2))), np.flatnonzero((square == 0).any((0, 2)))
    assert abs(rows[0] - (longest - 1 - rows[-1])) <= 1
    assert abs(columns[0] - (longest - 1 - columns[-1])) <= 1


def test_one_visible_picture_has_one_vector_in_every_mode(encoder: ImageEncoder) -> None:
    grey = noise(1, 30, 50).convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    modes = [grey.convert(mode) for mode in ("RGB", "RGBA", "LA", "P", "CMYK")]
    vectors = encoder.encode_images([grey, deep, *modes])
    for vector in vectors[1:]:
        assert distance(vectors[0], vector) < SAME


def test_what_is_transparent_is_white_whatever_lies_under_it(encoder: ImageEncoder) -> None:
    figure = Image.new("RGBA", (40, 60), (255, 0, 0, 0))
    ImageDraw.Draw(figure).ellipse((5, 5, 30, 50), fill=(0, 80, 200, 255))
    other = Image.new("RGBA", (40, 60), (0, 255, 0, 0))
    other.paste(figure, mask=figure.getchannel("A"))
    paper = Image.new("RGB", (40, 60), "white")
    paper.paste(figure, mask=figure.getchannel("A"))
    first, second, third = encoder.encode_images([figure, other, paper])
    assert distance(first, third) < SAME
    assert distance(second, third) < SAME


def test_vectors_have_length_one_and_keep_their_order(encoder: ImageEncoder) -> None:
    pictures = [noise(seed, 20 + seed, 40) for seed in range(40)]  # more than one batch
    together = encoder.encode_images(pictures)
    assert together.shape == (40, WIDTH)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=SAME)
    for index in (0, 31, 32, 39):
        assert distance(together[index], encoder.encode_images([pictures[index]])[0]) < SAME
    gaps = np.abs(together[:, None] - together[None]).max(2) + np.eye(40)
    assert gaps.min() > OTHER


def test_texts_are_vectors_of_the_same_space(encoder: ImageEncoder) -> None:
    texts = ["red hair", "blue dress", "silver hair " * 20]
    vectors = encoder.encode_texts(texts)
    assert vectors.shape == (3, WIDTH)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=SAME)
    assert distance(vectors[1], encoder.encode_texts(texts[1:2])[0]) < SAME
    assert distance(vectors[0], vectors[1]) > OTHER


def test_nothing_gives_nothing(encoder: ImageEncoder) -> None:
    assert encoder.encode_images([]).shape == (0, WIDTH)
    assert encoder.encode_texts([]).shape == (0, WIDTH)


def test_the_space_is_named_by_its_weights(folder: Path, encoder: ImageEncoder, tmp_path: Path) -> None:
    assert ImageEncoder(folder).space == encoder.space
    assert len(encoder.space) == 16
    (tmp_path / "open_clip_config.json").write_bytes((folder / "open_clip_config.json").read_bytes())
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    other = {name: value.half().contiguous() for name, value in open_clip.CLIP(**config).state_dict().items()}
    save_file(other, tmp_path / "model.safetensors")
    loaded = ImageEncoder(tmp_path, tokenizer=folder / "tokenizer")  # half precision is read too
    assert loaded.space != encoder.space
    assert distance(loaded.encode_images([noise(0)]), encoder.encode_images([noise(0)])) > OTHER
    assert loaded.encode_texts(["red hair"]).shape == (1, WIDTH)


def test_open_clip_itself_reads_the_same_folder(folder: Path, encoder: ImageEncoder) -> None:
    model: Any = open_clip.create_model(f"local-dir:{folder}")
    model.eval()
    square = torch.from_numpy(np.array(on_square(noise(3), SIDE))).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        vector = model.encode_image(square, normalize=True).numpy()
    assert distance(vector, encoder.encode_images([noise(3)])) < SAME


def test_what_is_missing_or_broken_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"model\.safetensors"):
        ImageEncoder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(WeightsMissing, match=r"open_clip_config\.json"):
        ImageEncoder(tmp_path)
    (tmp_path / "open_clip_config.json").write_text('{"model_cfg": {}}')
    with pytest.raises(IntegrityError, match="not an open_clip config"):
        ImageEncoder(tmp_path)
    (tmp_path / "open_clip_config.json").write_bytes((folder / "open_clip_config.json").read_bytes())
    with pytest.raises(IntegrityError, match="does not hold the model"):
        ImageEncoder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(WeightsMissing, match="tokenizer"):
        ImageEncoder(tmp_path).encode_texts(["red hair"])


def test_a_picture_without_pixels_is_refused(encoder: ImageEncoder) -> None:
    with pytest.raises(ValueError, match="0 × 5"):
        encoder.encode_images([Image.new("RGB", (0, 5))])
