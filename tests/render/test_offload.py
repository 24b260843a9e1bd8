"""Plans are kept: networks take turns, encoders go and come back, and full memory finds a smaller plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from model.errors import OutOfMemory
from model.geometry import Box
from model.render.flux.renderer import FluxRenderer
from model.render.offload import FALLS, OnPreview, OnStep, PlannedRenderer
from model.render.request import PanelRequest, Region, Sampling
from model.render.weights import Checkpoint, open_checkpoint
from quantization.plans import GB, Canvas, Machine, MemoryPlan, predict
from quantization.sizes import FULL, MODELS

CANVAS = Canvas(width=256, height=256, batch=4)


def plan(*, level: str = FULL, free: int = 4 * GB, **choices: Any) -> MemoryPlan:
    machine = Machine(kind="cpu", free=free, host=free)
    return predict(MODELS["starter"], machine, CANVAS, level=level, **choices)


def request(checkpoint: Checkpoint, prompt: str) -> PanelRequest:
    return PanelRequest(
        weights=checkpoint.fingerprint,
        width=checkpoint.shapes[0][0],
        height=checkpoint.shapes[0][1],
        prompt=prompt,
        negative="",
        regions=(Region(box=Box(x=0.1, y=0.1, width=0.4, height=0.8), prompt="girl with red hair"),),
        seed=4,
        sampling=Sampling(steps=2, guidance=3.0),
    )


def no_reference(sha256: str) -> bytes:
    raise AssertionError(sha256)


@pytest.fixture(scope="module")
def checkpoint(tiny: Path) -> Checkpoint:
    return open_checkpoint(tiny)


@pytest.fixture(scope="module")
def requests(checkpoint: Checkpoint) -> tuple[PanelRequest, PanelRequest]:
    return request(checkpoint, "colour comic, beach"), request(checkpoint, "colour comic, forest")


@pytest.fixture(scope="module")
def wanted(checkpoint: Checkpoint, requests: tuple[PanelRequest, ...]) -> list[bytes]:
    """What is drawn when everything stays in memory, unpacked."""
    plain = FluxRenderer(checkpoint, load_reference=no_reference)
    return [plain.draw([one])[0].tobytes() for one in requests]


def size(network: Any) -> int:
    return sum(values.numel() for values in network.parameters())


def kinds(network: Any) -> set[str]:
    return {type(module).__name__ for module in network.modules()}


def test_a_tight_plan_draws_the_same_pictures_with_less_in_memory(
    checkpoint: Checkpoint, requests: tuple[PanelRequest, ...], wanted: list[bytes]
) -> None:
    tight = replace(plan(level="Q8_0", free=100_000_000), hot=0)
    assert not tight.stays
    renderer = FluxRenderer(checkpoint, load_reference=no_reference, plan=tight)
    before = size(renderer.parts.t5)
    for one, pixels in zip(requests, wanted, strict=True):
        assert renderer.draw([one])[0].tobytes() == pixels
        assert size(renderer.parts.t5) == 0  # let go of
    renderer.parts.t5(torch.ones(1, 3, dtype=torch.long))
    assert size(renderer.parts.t5) == before
    assert "PackedLinear" in kinds(renderer.parts.transformer)
    assert "GGUFLinear" not in kinds(renderer.parts.transformer)


def test_where_there_is_room_encoders_stay_and_every_layer_is_unpacked(
    checkpoint: Checkpoint, requests: tuple[PanelRequest, ...], wanted: list[bytes]
) -> None:
    ample = plan(level="Q8_0")
    assert ample.stays
    renderer = FluxRenderer(checkpoint, load_reference=no_reference, plan=ample)
    assert renderer.draw([requests[0]])[0].tobytes() == wanted[0]
    assert size(renderer.parts.t5) > 0
    assert not kinds(renderer.parts.transformer) & {"PackedLinear", "GGUFLinear"}


@pytest.mark.parametrize("level", [FULL, "Q8_0"])
@pytest.mark.parametrize("offload", ["model", "group", "sequential"])
def test_offloading_changes_no_pixel(
    offload: str, level: str, checkpoint: Checkpoint, requests: tuple[PanelRequest, ...], wanted: list[bytes]
) -> None:
    """On a CPU nothing is gained by it, but the same hooks run."""
    chosen = replace(plan(level=level), offload=offload, stays=False, hot=0)
    renderer = FluxRenderer(checkpoint, load_reference=no_reference, plan=chosen)
    assert [renderer.draw([one])[0].tobytes() for one in requests] == wanted


def test_tiles_are_smaller_than_the_picture(
    checkpoint: Checkpoint, requests: tuple[PanelRequest, ...]
) -> None:
    renderer = FluxRenderer(checkpoint, load_reference=no_reference, plan=plan(tiling=True))
    vae = renderer.parts.vae
    assert vae.use_tiling
    assert vae.use_slicing
    assert vae.tile_sample_min_size <= 512
    assert renderer.draw([requests[0], requests[0]])[0].size == (requests[0].width, requests[0].height)


class Full:
    """A renderer on a device that holds so many pictures at once."""

    def __init__(self, most: int) -> None:
        self.most = most

    def prefetch(self, requests: Sequence[PanelRequest]) -> None:
        """It reads no prompts."""

    def draw(
        self,
        requests: Sequence[PanelRequest],
        *,
        on_step: OnStep | None = None,
        on_preview: OnPreview | None = None,
        preview_every: int = 0,
    ) -> tuple[Image.Image, ...]:
        if len(requests) > self.most:
            raise OutOfMemory("cpu is out of memory")
        if on_step:
            on_step(1, 1)
        return tuple(Image.new("RGB", (8, 8), (one.seed, 0, 0)) for one in requests)


def plans(*batches: int) -> list[MemoryPlan]:
    machine = Machine(kind="cpu", free=GB, host=GB)
    return [
        predict(MODELS["starter"], machine, Canvas(width=256, height=256, batch=batch)) for batch in batches
    ]


@pytest.mark.parametrize(("most", "fell"), [(8, 0), (4, 1), (2, 2)])
def test_out_of_memory_falls_to_the_next_smaller_plan_and_says_so(most: int, fell: int) -> None:
    said: list[str] = []
    steps: list[tuple[int, int]] = []
    renderer = PlannedRenderer(plans(8, 4, 2, 1), lambda plan: Full(most), said.append)
    pictures = renderer.draw(
        [request(open_checkpoint(), "beach")] * 8, on_step=lambda *step: steps.append(step)
    )
    assert len(pictures) == 8
    assert renderer.plan.batch == min(8, most)
    assert len(said) == fell
    assert all("smaller plan" in line and f"batch {8 >> n}" in line for n, line in enumerate(said, 1))
    assert [one["because"] for one in renderer.record["given_up"]] == ["cpu is out of memory"] * fell
    assert steps[-1][0] == steps[-1][1]


def test_two_falls_are_enough_and_the_last_plan_is_the_end() -> None:
    renderer = PlannedRenderer(plans(8, 4, 2, 1), lambda plan: Full(1), lambda line: None)
    with pytest.raises(OutOfMemory):
        renderer.draw([request(open_checkpoint(), "beach")] * 8)
    assert len(renderer.given_up) == FALLS
    alone = PlannedRenderer(plans(8), lambda plan: Full(1), lambda line: None)
    with pytest.raises(OutOfMemory):
        alone.draw([request(open_checkpoint(), "beach")] * 8)
    assert not alone.given_up


def test_a_renderer_that_does_not_fit_is_loaded_by_a_smaller_plan() -> None:
    def make(plan: MemoryPlan) -> Full:
        if plan.batch == 8:
            raise OutOfMemory("too large")
        return Full(8)

    renderer = PlannedRenderer(plans(8, 4), make, lambda line: None)
    renderer.load()
    assert renderer.plan.batch == 4
    assert renderer.record["given_up"][0]["because"] == "too large"
