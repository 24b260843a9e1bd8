"""The Stable Diffusion renderer on tiny checkpoints in the published layouts: it is Stable Diffusion, what
each part of a request changes, and that a batch, a repetition and a single panel agree."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler

from model.errors import ConfigError, IntegrityError
from model.files import BlobId
from model.geometry import Box
from model.render.published import open_published
from model.render.request import PanelRequest, Style
from model.render.sd.renderer import SDRenderer
from model.variants import VARIANTS
from tests.render.sd_checkpoints import (
    ADAPTERS,
    BLUE,
    CAST,
    LEFT,
    OLD_ARRAYS,
    PAIR,
    PICTURES,
    PLAIN,
    RED,
    RIGHT,
    SIDE,
    STEPS,
    difference,
    draw,
    open_sd,
    sampled,
    sd_folder,
    stock,
)

pytestmark = OLD_ARRAYS

BATCHED = 2 / 255  # rounding that depends on the size of a batch, seen through 8 bits
CHANGED = 0.05  # of 255, mean: what counts as another picture
SCHEDULERS: dict[str, Any] = {
    "euler": EulerDiscreteScheduler,
    "ddim": DDIMScheduler,
    "dpm": DPMSolverMultistepScheduler,
}


GUIDED = sampled(CAST, guidance=4.0)


@pytest.fixture
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SDRenderer]:
    """A renderer for a row of the variants' table, loaded once."""
    return functools.partial(open_sd, tmp_path_factory)


@pytest.fixture(params=["sd15", "sdxlplus"])
def renderer(request: pytest.FixtureRequest, opened: Callable[[str], SDRenderer]) -> SDRenderer:
    return opened(request.param)


# --- the renderer is Stable Diffusion


@pytest.mark.parametrize(
    ("row", "scheduler", "guidance", "negative", "size"),
    [
        ("sd15", "euler", 1.0, "", (SIDE, SIDE)),
        ("sd15", "dpm", 4.0, "sunset", (SIDE, SIDE)),
        ("sd15", "ddim", 4.0, "", (2 * SIDE, SIDE)),
        ("sdxl", "euler", 4.0, "", (SIDE, 2 * SIDE)),
        ("sdxl", "dpm", 4.0, "sunset", (SIDE, SIDE)),
    ],
)
def test_a_plain_panel_is_what_diffusers_draws(
    opened: Callable[[str], SDRenderer],
    tmp_path_factory: pytest.TempPathFactory,
    row: str,
    scheduler: str,
    guidance: float,
    negative: str,
    size: tuple[int, int],
) -> None:
    pipeline = stock(row, sd_folder(tmp_path_factory, row))
    pipeline.scheduler = SCHEDULERS[scheduler].from_config(pipeline.scheduler.config)
    request = sampled(
        replace(PLAIN, width=size[0], height=size[1], negative=negative),
        guidance=guidance,
        scheduler=scheduler,
    )
    shape = (1, 4, size[1] // 8, size[0] // 8)
    result = pipeline(
        prompt=request.prompt,
        negative_prompt=negative or None,
        guidance_scale=guidance,
        latents=torch.randn(shape, generator=torch.Generator().manual_seed(request.seed)),
        num_inference_steps=STEPS,
        width=size[0],
        height=size[1],
    )
    theirs, ours = result.images[0], draw(opened(row), request)
    levels = np.abs(np.asarray(ours, np.int16) - np.asarray(theirs, np.int16))
    assert ours.size == size
    assert np.asarray(ours).std() > 5, "a picture, not one grey"
    assert (levels <= 1).mean() > 0.99
    assert levels.max() <= 4


def test_other_families_samplers_are_refused(opened: Callable[[str], SDRenderer]) -> None:
    for name in ("flow_match", "heun"):
        with pytest.raises(ConfigError, match="--scheduler"):
            draw(opened("sd15"), sampled(PLAIN, scheduler=name))


# --- the same pixels, however they are asked for


def test_a_batch_draws_what_single_panels_would_be(renderer: SDRenderer) -> None:
    requests = [
        PLAIN,
        CAST,
        replace(PAIR, seed=9, regions=(replace(LEFT, reference=RED),), background="sunset"),
        # Longer than a window of 75 tokens: the others are padded, and must not see it.
        replace(PLAIN, seed=3, prompt="beach, " * 60, negative="sunset", regions=(RIGHT, LEFT)),
    ]
    for guidance in (1.0, 4.0):
        batch = [sampled(request, guidance=guidance) for request in requests]
        for request, drawn in zip(batch, renderer.draw(batch), strict=True):
            assert difference(drawn, draw(renderer, request)) / 255 < BATCHED


def test_the_same_request_gives_the_same_bytes(renderer: SDRenderer) -> None:
    one = draw(renderer, GUIDED)
    draw(renderer, PLAIN)
    assert draw(renderer, GUIDED).tobytes() == one.tobytes()
    assert (one.mode, one.size) == ("RGB", (SIDE, SIDE))


# --- what decides the pixels


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PLAIN, replace(PLAIN, seed=8)),
        (PLAIN, replace(PLAIN, prompt="comic, sunset")),
        (GUIDED, replace(GUIDED, negative="red hair")),
        (PLAIN, PAIR),
        (PAIR, replace(PAIR, background="sunset", regions=(LEFT,))),
        (PAIR, replace(PAIR, regions=(LEFT,))),
        (PAIR, replace(PAIR, regions=(LEFT, replace(RIGHT, prompt="girl with silver hair")))),
        (PAIR, replace(PAIR, regions=(LEFT, replace(RIGHT, box=Box(0.5, 0.5, 0.5, 0.5))))),
        (PAIR, replace(PAIR, regions=(LEFT, replace(RIGHT, reference=BLUE)))),
        (CAST, replace(CAST, regions=(CAST.regions[0], replace(RIGHT, reference=RED)))),
        (CAST, sampled(CAST, reference_scale=0.5)),
        (CAST, sampled(CAST, masked=False)),
        (PAIR, sampled(PAIR, refine_steps=STEPS - 1)),
        (PAIR, sampled(PAIR, scheduler="dpm")),
        (PAIR, sampled(PAIR, guidance=4.0)),
        (PLAIN, replace(PLAIN, style=Style(picture=BlobId(RED), weight=1.0))),
        (replace(PLAIN, prompt="beach, " * 60), replace(PLAIN, prompt="beach, " * 60 + "red")),
    ],
)  # fmt: skip
def test_a_changed_request_changes_the_picture(
    opened: Callable[[str], SDRenderer], before: PanelRequest, after: PanelRequest
) -> None:
    renderer = opened("sd15")
    assert difference(draw(renderer, before), draw(renderer, after)) > CHANGED


def test_without_guidance_the_negative_prompt_is_not_read(renderer: SDRenderer) -> None:
    assert draw(renderer, PAIR).tobytes() == draw(renderer, replace(PAIR, negative="red hair")).tobytes()


def test_a_background_reaches_no_box(opened: Callable[[str], SDRenderer]) -> None:
    # The boxes leave no cell to it.
    renderer = opened("sd15")
    assert draw(renderer, PAIR).tobytes() == draw(renderer, replace(PAIR, background="sunset")).tobytes()


def test_scale_0_is_no_reference_bit_for_bit(renderer: SDRenderer) -> None:
    for request in (CAST, GUIDED):
        bare = replace(request, regions=PAIR.regions)
        drawn = draw(renderer, sampled(request, reference_scale=0.0))
        assert drawn.tobytes() == draw(renderer, bare).tobytes()
        assert difference(draw(renderer, request), drawn) > CHANGED


@pytest.mark.parametrize("seed", [0, 2**63, 2**64 + 5])
def test_seeds_of_any_size_draw(opened: Callable[[str], SDRenderer], seed: int) -> None:
    assert draw(opened("sd15"), replace(PLAIN, seed=seed)).size == (SIDE, SIDE)


# --- refine steps


def test_refining_all_steps_is_drawing_without_regions(renderer: SDRenderer) -> None:
    refined = draw(renderer, sampled(GUIDED, refine_steps=STEPS))
    assert refined.tobytes() == draw(renderer, replace(GUIDED, regions=())).tobytes()


def test_refine_steps_change_the_tail_only(renderer: SDRenderer) -> None:
    steps, refined = 6, 2
    runs: list[list[torch.Tensor]] = []
    for count in (0, refined):
        seen: list[torch.Tensor] = []
        handle = renderer.parts.unet.register_forward_pre_hook(
            lambda _module, args, kept=seen: kept.append(args[0].clone())
        )
        draw(renderer, sampled(GUIDED, steps=steps, refine_steps=count))
        handle.remove()
        runs.append(seen)
    same = [torch.equal(one, other) for one, other in zip(*runs, strict=True)]
    # What the UNet is shown first differs one step after the first refined one.
    assert same == [True] * (steps - refined + 1) + [False] * (refined - 1)


# --- loading


def test_an_adapter_of_another_kind_is_refused(
    opened: Callable[[str], SDRenderer], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = sd_folder(tmp_path_factory, "sdxl")
    stranger = open_published(VARIANTS["sd15"], sd_folder(tmp_path_factory, "sd15"))
    wrong = replace(
        stranger,
        manifest=False,
        parts={**stranger.parts, "ip_adapter": folder / ADAPTERS["sdxl"][0]},
    )
    with pytest.raises(IntegrityError, match="no IP-Adapter for this checkpoint"):
        SDRenderer(wrong, load_reference=PICTURES.__getitem__)
