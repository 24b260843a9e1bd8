"""Upscalers: users' files load as the starter's does, sizes, tiles, colours, what is refused."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from model.errors import IntegrityError, WeightsMissing
from model.render.upscale import Upscaler, open_upscaler, passes

PlainUpscaler = Callable[[int], Path]

LARGER = 64  # longest side asked for where speed matters


def rrdb(
    *, filters: int = 8, growth: int = 32, blocks: int = 1, doublings: int = 2, channels: int = 3
) -> dict[str, Tensor]:
    """A small ESRGAN with random weights, named as in the original release (Wang et al. 2018)."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"model.0": (filters, channels), f"model.1.sub.{blocks}": (filters, filters)}
    for block in range(blocks):
        for dense in (1, 2, 3):
            for number in range(1, 6):
                name = f"model.1.sub.{block}.RDB{dense}.conv{number}.0"
                shapes[name] = (filters if number == 5 else growth, filters + (number - 1) * growth)
    for number in range(doublings):
        shapes[f"model.{3 * number + 3}"] = (filters, filters)
    shapes[f"model.{3 * doublings + 2}"] = (filters, filters)
    shapes[f"model.{3 * doublings + 4}"] = (channels, filters)
    state: dict[str, Tensor] = {}
    for name, (out, into) in shapes.items():
        state[f"{name}.weight"] = torch.randn(out, into, 3, 3, generator=generator) / (9 * into) ** 0.5
        state[f"{name}.bias"] = torch.zeros(out)
    return state


@pytest.fixture(scope="module")
def esrgan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("esrgan") / "4x_small.pth"
    torch.save(rrdb(), path)
    return path


def upscaler(state: dict[str, Tensor], folder: Path) -> Upscaler:
    save_file(state, folder / "model.safetensors")
    return open_upscaler(folder / "model.safetensors")


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    shape = (height, width, 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def distance(first: Image.Image, second: Image.Image) -> int:
    assert first.size == second.size
    return int(np.abs(np.asarray(first, np.int16) - np.asarray(second, np.int16)).max())


# --- users' files


def test_an_esrgan_file_loads_as_pth_and_as_safetensors(esrgan: Path, tmp_path: Path) -> None:
    pickled, safe = open_upscaler(esrgan), upscaler(rrdb(), tmp_path)
    assert (pickled.architecture, pickled.scale) == (safe.architecture, safe.scale) == ("ESRGAN", 4)
    picture = noise(24, 16)
    first, second = pickled.enlarge([picture], LARGER), safe.enlarge([picture], LARGER)
    assert first[0].size == (96, 64)
    assert distance(first[0], second[0]) == 0
    assert np.asarray(first[0]).std() > 1, "the network says nothing"


def test_a_file_may_hold_its_tensors_one_level_down(tmp_path: Path) -> None:
    torch.save({"params_ema": rrdb(doublings=1)}, tmp_path / "model.pth")
    assert open_upscaler(tmp_path / "model.pth").scale == 2


def test_the_network_is_what_spandrel_makes_of_it(esrgan: Path) -> None:
    from spandrel import ImageModelDescriptor, ModelLoader

    picture = noise(20, 12)
    model = ModelLoader().load_from_state_dict(rrdb()).eval()
    assert isinstance(model, ImageModelDescriptor)
    # The border is repeated for eight pixels before, and cut away after.
    wider = np.pad(np.asarray(picture), ((8, 8), (8, 8), (0, 0)), "edge")
    pixels = torch.from_numpy(wider).permute(2, 0, 1)[None].float() / 255
    plain = model(pixels)[0].permute(1, 2, 0).mul(255).round().byte().numpy()[32:-32, 32:-32]
    made = open_upscaler(esrgan).enlarge([picture], 80)[0]
    assert distance(made, Image.fromarray(plain)) <= 4  # bfloat16, where the processor has it


# --- sizes


@given(side=st.integers(1, 3000), scale=st.sampled_from((1, 2, 3, 4, 8)), longest=st.integers(1, 3000))
def test_passes_come_near_the_size_that_is_asked_for(side: int, scale: int, longest: int) -> None:
    times = passes(side, scale, longest)
    assert (times == 0) == (side >= longest)
    if times > 1:
        assert longest / scale**0.5 * 0.999 <= side * scale**times <= longest * scale**0.5 * 1.001
    if scale == 1:
        assert times <= 1


@pytest.mark.parametrize(
    ("scale", "size", "longest", "expected"),
    [
        (4, (32, 32), 128, (128, 128)),
        (4, (48, 24), 128, (192, 96)),
        (2, (32, 16), 128, (128, 64)),  # twice
        (2, (25, 20), 128, (128, 102)),  # twice, and Lanczos
        (1, (32, 32), 128, (128, 128)),  # once, and Lanczos
        (4, (20, 10), 128, (128, 64)),  # once, and Lanczos: nearer than twice
        (4, (100, 50), 128, (256, 128)),  # no more than twice what was asked for
        (4, (128, 30), 128, (128, 30)),  # large enough
    ],
)
def test_pictures_reach_the_size_with_any_factor(
    scale: int, size: tuple[int, int], longest: int, expected: tuple[int, int], plain_upscaler: PlainUpscaler
) -> None:
    picture = noise(*size)
    made = open_upscaler(plain_upscaler(scale)).enlarge([picture], longest)[0]
    assert made.size == expected
    assert made.mode == "RGB"
    if size[0] >= longest:
        assert distance(made, picture) == 0


def test_pictures_of_all_sizes_and_modes_keep_their_order(plain_upscaler: PlainUpscaler) -> None:
    model = open_upscaler(plain_upscaler(4))
    colours = ["#ff0000", "#00ff00", "#0000ff", "#808080", "#ffff00"]
    sizes = [(16, 16), (8, 16), (16, 16), (64, 64), (16, 8)]
    pictures = [Image.new("RGB", size, colour) for size, colour in zip(sizes, colours, strict=True)]
    pictures[0] = pictures[0].convert("RGBA")
    made = model.enlarge(pictures, LARGER)
    assert [picture.size for picture in made] == [(64, 64), (32, 64), (64, 64), (64, 64), (64, 32)]
    for picture, colour in zip(made, colours, strict=True):
        assert distance(picture, Image.new("RGB", picture.size, colour)) <= 1
    assert model.enlarge([], LARGER) == []


# --- the same pixels, however they go through


def test_tiles_are_as_good_as_the_whole(esrgan: Path) -> None:
    model, picture = open_upscaler(esrgan), noise(150, 90)
    whole, tiled = model.enlarge([picture], 600)[0], model.enlarge([picture], 600, side=96)[0]
    assert distance(whole, tiled) <= 1


def test_the_same_twice_and_in_company(esrgan: Path) -> None:
    model, pictures = open_upscaler(esrgan), [noise(40, 40, seed) for seed in range(3)]
    alone, together = model.enlarge(pictures[1:2], 160)[0], model.enlarge(pictures, 160)
    assert distance(alone, model.enlarge(pictures[1:2], 160)[0]) == 0
    assert distance(alone, together[1]) <= 1
    assert distance(together[0], together[1]) > 1


# --- what is refused


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"nowhere\.pth: no such file; expected .* --upscaler") as raised:
        open_upscaler(tmp_path / "nowhere.pth")
    assert raised.value.exit_code == 3


class Evil:
    """A pickle that would run code when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('code in a weights file was run')",)


def broken_files(folder: Path) -> list[tuple[str, bytes]]:
    code = io.BytesIO()
    torch.save({"conv_first.weight": Evil()}, code)
    tensor = io.BytesIO()
    torch.save(torch.zeros(3), tensor)
    stranger = folder / "stranger.safetensors"
    save_file({"some.weight": torch.zeros(3)}, stranger)
    halved = rrdb()
    halved["model.0.weight"] = halved["model.0.weight"][:4]
    save_file(halved, folder / "halved.safetensors")
    grey = folder / "grey.safetensors"
    save_file(rrdb(channels=1), grey)
    return [
        ("code.pth", code.getvalue()),
        ("plain_pickle.pth", pickle.dumps(Evil(), protocol=2)),
        ("tensor.pth", tensor.getvalue()),
        ("text.safetensors", b"<html>not found</html>"),
        ("empty.pth", b""),
        ("cut.safetensors", stranger.read_bytes()[:-4]),
        ("stranger.safetensors", stranger.read_bytes()),
        ("halved.safetensors", (folder / "halved.safetensors").read_bytes()),
        ("grey.safetensors", grey.read_bytes()),
    ]


def test_broken_and_foreign_files_are_refused_without_running_them(tmp_path: Path) -> None:
    for name, data in broken_files(tmp_path):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(IntegrityError) as raised:
            open_upscaler(path)
        text = str(raised.value)
        assert text.startswith(str(path)), name
        assert "\n" not in text
        assert any(word in text for word in ("--upscaler", "download")), text
        assert raised.value.exit_code == 3
