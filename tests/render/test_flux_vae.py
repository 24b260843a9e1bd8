"""Flux's VAE as one file, under the names of its makers: it draws what the folder draws, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from model.errors import IntegrityError
from model.geometry import Box
from model.render.flux.renderer import FluxRenderer
from model.render.flux.vae import read_vae, sizes_of
from model.render.published import open_published
from model.render.request import PanelRequest, Region, Sampling
from model.variants import VARIANTS
from tests.render.flux_checkpoints import REPOSITORIES, in_cache
from tests.render.ldm_names import vae_state

KONTEXT = VARIANTS["flux-kontext"]
PANEL = PanelRequest(
    weights="0" * 64, width=64, height=64, prompt="comic beach", negative="", seed=3,
    regions=(Region(box=Box(0.0, 0.0, 0.5, 1.0), prompt="girl with red hair"),),
    sampling=Sampling(steps=1, guidance=3.5),
)  # fmt: skip


@pytest.fixture(scope="module")
def vae() -> Any:
    """Of Flux's four levels, as narrow as its norms allow."""
    kind: Any = AutoencoderKL
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return kind(
            block_out_channels=(32, 32, 64, 64), down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=16,
            sample_size=64, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False,
            use_post_quant_conv=False,
        )  # fmt: skip


@pytest.fixture
def folder(flux_cache: Path, tmp_path: Path) -> Path:
    """Kontext without its VAE."""
    for path in in_cache(flux_cache, REPOSITORIES["flux-kontext"]).iterdir():
        if path.name != "vae":
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


def drawn(folder: Path) -> tuple[bytes, bytes]:
    """A panel, and how the checkpoint sees it."""
    renderer = FluxRenderer(open_published(KONTEXT, folder), load_reference={}.__getitem__)
    (panel,) = renderer.draw([PANEL])
    with torch.inference_mode():
        seen = renderer._encode(panel)
    return panel.tobytes(), seen.numpy().tobytes()


def test_one_file_draws_what_the_folder_draws(folder: Path, vae: Any) -> None:
    vae.save_pretrained(folder / "vae")
    wanted = drawn(folder)
    for path in (folder / "vae").iterdir():
        path.unlink()
    (folder / "vae").rmdir()
    save_file(vae_state(vae, ""), folder / "ae.safetensors")
    assert open_published(KONTEXT, folder, hashed=False).part("vae") == folder / "ae.safetensors"
    assert drawn(folder) == wanted


def test_sizes_are_read_off_the_tensors(vae: Any) -> None:
    assert sizes_of(vae_state(vae, "")) == {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in vae.config.items()
        if name in sizes_of(vae_state(vae, ""))
    }


def test_what_is_no_whole_vae_is_refused(vae: Any, tmp_path: Path) -> None:
    file = tmp_path / "ae.safetensors"
    save_file(vae_state(vae, ""), file)
    whole = load_file(file)
    for hole in ("decoder.mid.attn_1", "encoder.down.0.block.0.conv1.weight", "decoder.conv_in"):
        save_file({name: value for name, value in whole.items() if not name.startswith(hole)}, file)
        with pytest.raises(IntegrityError, match=r"ae.safetensors: not a whole VAE \("):
            read_vae(file, torch.float32)
    file.write_bytes(b"<html>")
    with pytest.raises(IntegrityError, match="not safetensors"):
        read_vae(file, torch.float32)
