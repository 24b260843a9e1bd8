"""Single files of Stable Diffusion: they draw what the folder draws, and the published settings are the real
ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from model.errors import IntegrityError
from model.render.published import open_published, recognise
from model.render.sd.renderer import SDRenderer
from model.render.sd.single import PUBLISHED
from model.variants import VARIANTS
from tests.render.ldm_names import open_clip_state, unet_state, vae_state
from tests.render.sd_checkpoints import (
    ADAPTERS,
    CAST,
    OLD_ARRAYS,
    PICTURES,
    draw,
    open_sd,
    sampled,
    sd_folder,
)

pytestmark = OLD_ARRAYS

LEVELS, LAYERS = 2, 1  # of the tiny UNet


def write_single(factory: pytest.TempPathFactory, place: Path, family: str) -> Path:
    """A tiny checkpoint as one file, with what is in no such file beside it."""
    folder = sd_folder(factory, family)
    beside = [path.name for path in folder.iterdir() if path.name.startswith(("tokenizer", "scheduler"))]
    for name in (*beside, ADAPTERS[family][0].split("/")[0]):
        (place / name).symlink_to(folder / name)
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):  # their settings, not their weights
        if (folder / name).is_dir():
            (place / name).mkdir()
            (place / name / "config.json").write_bytes((folder / name / "config.json").read_bytes())
    parts = open_sd(factory, family).parts
    state = unet_state(UNet2DConditionModel.from_pretrained(folder / "unet"), levels=LEVELS, layers=LAYERS)
    state |= vae_state(parts.vae)
    words = parts.encoders[0][1].state_dict().items()
    stem = "conditioner.embedders.0" if family == "sdxl" else "cond_stage_model"
    state |= {f"{stem}.transformer.text_model.{name}": value.contiguous() for name, value in words}
    if family == "sdxl":
        state |= open_clip_state(parts.encoders[1][1], "conditioner.embedders.1.model.")
    save_file(state, place / "comic.safetensors")
    return place / "comic.safetensors"


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_single_file_draws_what_its_folder_draws(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, family: str
) -> None:
    single = write_single(tmp_path_factory, tmp_path, family)
    assert recognise(single) == family
    checkpoint = open_published(VARIANTS[family], single)
    renderer = SDRenderer(checkpoint, load_reference=PICTURES.__getitem__)
    request = sampled(CAST, guidance=4.0, steps=2)
    assert draw(renderer, request).tobytes() == draw(open_sd(tmp_path_factory, family), request).tobytes()


@pytest.mark.parametrize(("family", "hole"), [("sd15", "input_blocks.1"), ("sdxl", "resblocks.1.mlp")])
def test_a_file_with_holes_is_refused(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, family: str, hole: str
) -> None:
    single = write_single(tmp_path_factory, tmp_path, family)
    save_file({name: one for name, one in load_file(single).items() if hole not in name}, single)
    checkpoint = open_published(VARIANTS[family], single)
    with pytest.raises(IntegrityError, match=f"not a whole {family} checkpoint"):
        SDRenderer(checkpoint, load_reference=PICTURES.__getitem__)


@pytest.mark.parametrize(
    ("family", "part", "count"),
    [("sd15", "unet", 859_520_964), ("sd15", "vae", 83_653_863), ("sdxl", "unet", 2_567_463_684)],
)
def test_the_settings_are_those_of_the_published_models(family: str, part: str, count: int) -> None:
    """By the numbers of weights that their makers name."""
    classes: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}
    with torch.device("meta"):
        model = classes[part].from_config(PUBLISHED[family][part])
    assert sum(value.numel() for value in model.parameters()) == count
