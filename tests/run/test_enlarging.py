"""Accepted panels become large once, keep their facts, and are found again."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from model.errors import ConfigError, WeightsMissing
from model.files import BlobId, sha256_of
from model.memory.panels.cache import PanelCache
from model.memory.store.library import Library
from model.render.png import panel_png
from model.render.request import PanelRequest, Sampling
from model.run.enlarge import enlarge_all, enlarged_key
from model.run.models import Models
from model.studio import Studio

COLOURS = ("#c02020", "#20c020", "#2020c0")
SIZES = ((32, 32), (48, 24), (32, 32))


@pytest.fixture(scope="module")
def doubler(plain_upscaler: Callable[[int], Path]) -> Path:
    return plain_upscaler(2)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def drawn(library: Library) -> list[BlobId]:
    """Three drawn panels, as the run keeps them."""
    blobs: list[BlobId] = []
    for seed, (colour, size) in enumerate(zip(COLOURS, SIZES, strict=True)):
        sampling = Sampling(steps=1, guidance=1.0)
        request = PanelRequest(
            weights="0" * 64, width=size[0], height=size[1], prompt="a × b", negative="", regions=(),
            seed=seed, sampling=sampling,
        )  # fmt: skip
        blobs.append(library.store(panel_png(Image.new("RGB", size, colour), request, "test")))
    return blobs


def enlarged(library: Library, drawn: list[BlobId], tiny: Path, upscaler: str) -> tuple[list[BlobId], Models]:
    opened = Studio.open(model=tiny, upscaler=upscaler, device="cpu", library=library.folder)
    with opened as studio, studio.running() as context:
        models = context.models
        made = enlarge_all(drawn, context)
    return [made[blob] for blob in drawn] if made else [], models


def opened(library: Library, blob: BlobId) -> Image.Image:
    return Image.open(io.BytesIO(library.load(blob)))


def test_panels_become_large_and_keep_their_facts(
    library: Library, drawn: list[BlobId], tiny: Path, doubler: Path
) -> None:
    large, _ = enlarged(library, drawn, tiny, str(doubler))
    for before, after, colour in zip(drawn, large, COLOURS, strict=True):
        small, picture = opened(library, before), opened(library, after)
        assert max(picture.size) == 1024 or picture.size == (1536, 768)
        assert picture.getpixel((5, 5)) == Image.new("RGB", (1, 1), colour).getpixel((0, 0))
        assert picture.info == small.info
        assert set(small.info) == {"parameters", "autostudio"}


def test_a_second_run_enlarges_nothing_and_loads_nothing(
    library: Library, drawn: list[BlobId], tiny: Path, doubler: Path
) -> None:
    first, models = enlarged(library, drawn[:2], tiny, str(doubler))
    assert "upscaler" in vars(models)
    assert len(PanelCache(library)) == 2
    again, models = enlarged(library, drawn[:2], tiny, str(doubler))
    assert again == first
    assert "upscaler" not in vars(models)
    more, _ = enlarged(library, drawn, tiny, str(doubler))
    assert more[:2] == first
    assert len(PanelCache(library)) == 3


def test_another_upscaler_makes_other_pictures(
    library: Library, drawn: list[BlobId], tiny: Path, doubler: Path, plain_upscaler: Callable[[int], Path]
) -> None:
    fourfold = plain_upscaler(4)
    first, _ = enlarged(library, drawn, tiny, str(doubler))
    second, models = enlarged(library, drawn, tiny, str(fourfold))
    assert "upscaler" in vars(models)
    assert len(first) == len(second) == len(drawn)
    keys = {enlarged_key(blob, sha256_of(path), 1024) for blob in drawn for path in (doubler, fourfold)}
    assert set(PanelCache(library).keys()) == keys


def test_none_enlarges_nothing(library: Library, drawn: list[BlobId], tiny: Path) -> None:
    assert enlarged(library, drawn, tiny, "none")[0] == []
    assert len(PanelCache(library)) == 0


def test_a_damaged_enlargement_is_made_again(
    library: Library, drawn: list[BlobId], tiny: Path, doubler: Path
) -> None:
    (first, *_), _ = enlarged(library, drawn, tiny, str(doubler))
    library.blob_path(first).write_bytes(b"damaged")
    (again, *_), _ = enlarged(library, drawn, tiny, str(doubler))
    assert again == first
    assert opened(library, again).width == 1024


def test_an_upscaler_that_is_not_there_is_refused_before_the_run(tmp_path: Path) -> None:
    missing = tmp_path / "4x.pth"
    with pytest.raises(ConfigError, match=r"--upscaler: .*4x\.pth is no file; use starter, none"):
        Studio.open(upscaler=missing)


def test_an_upscaler_that_vanishes_is_named(
    library: Library, drawn: list[BlobId], tiny: Path, tmp_path: Path
) -> None:
    path = tmp_path / "2x.safetensors"
    path.touch()
    opened = Studio.open(model=tiny, upscaler=path, device="cpu", library=library.folder)
    path.unlink()
    missing = pytest.raises(WeightsMissing, match=r"2x\.safetensors: no such file")
    with opened as studio, studio.running() as context, missing:
        enlarge_all(drawn, context)
