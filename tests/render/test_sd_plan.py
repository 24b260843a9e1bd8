"""Stable Diffusion under a memory plan: whatever waits in main memory, the pictures are the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.render.published import open_published
from model.render.sd.renderer import SDRenderer
from model.variants import VARIANTS
from quantization.plans import GB, Canvas, Machine, predict
from quantization.sizes import MODELS
from tests.render.sd_checkpoints import CAST, OLD_ARRAYS, PICTURES, draw, open_sd, sampled, sd_folder

pytestmark = OLD_ARRAYS


@pytest.mark.parametrize("offload", ["model", "group", "sequential"])
def test_what_comes_and_goes_draws_the_same(tmp_path_factory: pytest.TempPathFactory, offload: str) -> None:
    machine = Machine(kind="cpu", free=4 * GB, host=4 * GB)
    ample = predict(MODELS["sd15"], machine, Canvas(width=64, height=64, batch=1))
    plan = replace(ample, offload=offload, tiling=False, stays=False, text="device")
    request = sampled(CAST, guidance=4.0, steps=2)
    renderer = SDRenderer(
        open_published(VARIANTS["sd15"], sd_folder(tmp_path_factory, "sd15")),
        load_reference=PICTURES.__getitem__,
        plan=plan,
    )
    assert draw(renderer, request).tobytes() == draw(open_sd(tmp_path_factory, "sd15"), request).tobytes()
