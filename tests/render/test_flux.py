"""The Flux renderer on a tiny checkpoint: what is computed how often, what each part of a request changes,
and that a plain panel is what diffusers' own FluxPipeline draws."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline
from PIL import Image, ImageDraw
from torch import nn

from model.errors import ConfigError
from model.geometry import Box
from model.render.flux.renderer import FluxRenderer, square_picture
from model.render.request import PanelRequest, Region, Sampling
from model.render.schedulers import NAMES, make_scheduler
from model.render.weights import open_checkpoint
from tests.render.plain import plain_pipeline

# diffusers' DPM-Solver hands a tensor to numpy in the old way; nothing here can change that.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIDE = 128  # 4 × 4 cells: the architecture draws any size, and a small one is fast
STEPS = 3
BATCHED = 2 / 255  # rounding that depends on the size of a batch, seen through 8 bits
CHANGED = 0.05  # of 255, mean: what counts as another picture


def picture(colour: str, size: tuple[int, int] = (90, 140)) -> bytes:
    drawn = Image.new("RGB", size, "white")
    ImageDraw.Draw(drawn).ellipse((10, 10, size[0] - 10, size[1] - 10), fill=colour)
    data = io.BytesIO()
    drawn.save(data, "PNG")
    return data.getvalue()


PICTURES = {hashlib.sha256(data).hexdigest(): data for data in (picture("red"), picture("blue", (200, 60)))}
RED, BLUE = PICTURES

LEFT = Region(box=Box(0.0, 0.0, 0.5, 1.0), prompt="girl with red hair")
RIGHT = Region(box=Box(0.5, 0.0, 0.5, 1.0), prompt="boy with blue hair, hoodie, waving")
PLAIN = PanelRequest(
    weights="0" * 64,
    width=SIDE,
    height=SIDE,
    prompt="colour comic, one character, beach",
    negative="",
    regions=(),
    seed=7,
    sampling=Sampling(steps=STEPS, guidance=1.0),
)
NEGATIVE = "ink manga, two characters, sunset"  # as long as the prompt: FluxPipeline asks for that
PAIR = replace(PLAIN, regions=(LEFT, RIGHT))
GUIDED = replace(PAIR, sampling=Sampling(steps=STEPS, guidance=2.5))


@pytest.fixture(scope="module")
def renderer(tiny: Path) -> FluxRenderer:
    return FluxRenderer(open_checkpoint(tiny), load_reference=PICTURES.__getitem__)


@pytest.fixture
def fresh(tiny: Path) -> FluxRenderer:
    """A renderer that has encoded nothing yet."""
    return FluxRenderer(open_checkpoint(tiny), load_reference=PICTURES.__getitem__)


class Calls(list[dict[str, Any]]):
    """The keyword arguments of each call of a module, while it is watched."""

    def watch(self, module: nn.Module) -> Any:
        return module.register_forward_hook(
            lambda _module, args, kwargs, _out: self.append({"args": args, **kwargs}), with_kwargs=True
        )


@pytest.fixture
def transformer_calls(renderer: FluxRenderer) -> Iterator[Calls]:
    calls = Calls()
    handle = calls.watch(renderer.parts.transformer)
    yield calls
    handle.remove()


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference of two pictures, 0 to 255."""
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())


def draw(renderer: FluxRenderer, *requests: PanelRequest) -> tuple[Image.Image, ...]:
    return renderer.draw(requests)


def sampled(request: PanelRequest, **changes: Any) -> PanelRequest:
    return replace(request, sampling=replace(request.sampling, **changes))


# --- the renderer is Flux


@pytest.mark.parametrize("size", [(SIDE, SIDE), (2 * SIDE, SIDE)])
@pytest.mark.parametrize("guidance", [1.0, 2.5])
def test_a_plain_panel_is_what_flux_pipeline_draws(
    renderer: FluxRenderer, size: tuple[int, int], guidance: float
) -> None:
    parts = renderer.parts
    request = sampled(replace(PLAIN, width=size[0], height=size[1], negative=NEGATIVE), guidance=guidance)
    pipeline = plain_pipeline(renderer.parts)

    def encoded(prompt: str) -> Any:
        spoken = renderer.checkpoint.normalised(prompt)
        text = parts.t5(parts.t5_tokenizer(spoken, return_tensors="pt").input_ids)[0]
        return text, parts.clip(parts.clip_tokenizer(spoken, return_tensors="pt").input_ids).pooler_output

    with torch.inference_mode():
        (text, pooled), (against, against_pooled) = encoded(request.prompt), encoded(request.negative)
        rows, columns = size[1] // 16, size[0] // 16
        noise = torch.randn(1, 16, rows, columns, generator=torch.Generator().manual_seed(request.seed))
        result: Any = pipeline(
            prompt_embeds=text,
            pooled_prompt_embeds=pooled,
            negative_prompt_embeds=against,
            negative_pooled_prompt_embeds=against_pooled,
            true_cfg_scale=guidance,
            # FluxPipeline's own packing, not ours.
            latents=FluxPipeline._pack_latents(noise, 1, 16, rows, columns),
            num_inference_steps=STEPS,
            width=size[0],
            height=size[1],
        )
    theirs, (ours,) = result.images[0], draw(renderer, request)
    levels = np.abs(np.asarray(ours, np.int16) - np.asarray(theirs, np.int16))
    assert ours.size == size
    assert np.asarray(ours).std() > 5, "a picture, not one grey"
    assert (levels <= 1).mean() > 0.99
    assert levels.max() <= 4


# --- what is computed, and how often


def test_each_prompt_and_reference_is_encoded_once_a_run(fresh: FluxRenderer) -> None:
    t5, clip, vae = Calls(), Calls(), Calls()
    t5.watch(fresh.parts.t5)
    clip.watch(fresh.parts.clip)
    vae.watch(fresh.parts.vae.encoder)
    told = replace(GUIDED, regions=(replace(LEFT, reference=RED), replace(RIGHT, reference=BLUE)))
    for seed in (1, 2):
        draw(fresh, replace(told, seed=seed), replace(told, seed=seed + 10))
    # The global prompt, the empty negative, and two regions, for T5; only the first two for CLIP.
    assert (len(t5), len(clip), len(vae)) == (4, 2, 2)
    draw(fresh, replace(told, prompt="ink manga", seed=3))
    assert (len(t5), len(clip), len(vae)) == (5, 3, 2)
    # Spoken alike, encoded once: this vocabulary has no capitals and no commas.
    draw(fresh, replace(told, prompt="Ink, manga!", seed=3))
    assert (len(t5), len(clip), len(vae)) == (5, 3, 2)


def test_text_is_trimmed_to_its_own_tokens(renderer: FluxRenderer, transformer_calls: Calls) -> None:
    draw(renderer, replace(PLAIN, prompt="beach"))
    assert transformer_calls[0]["encoder_hidden_states"].shape[1] == 2  # the word and the end of text
    transformer_calls.clear()
    draw(renderer, sampled(replace(PLAIN, prompt="colour comic beach sunset"), max_sequence_length=3))
    assert transformer_calls[0]["encoder_hidden_states"].shape[1] == 3


@pytest.mark.parametrize(("guidance", "rows"), [(1.0, 3), (2.5, 6), (0.0, 6)])
def test_a_batch_is_one_call_a_step_and_guidance_doubles_its_rows(
    renderer: FluxRenderer, transformer_calls: Calls, guidance: float, rows: int
) -> None:
    request = sampled(PAIR, guidance=guidance)
    steps: list[tuple[int, int]] = []
    renderer.draw(
        [replace(request, seed=seed) for seed in range(3)], on_step=lambda done, of: steps.append((done, of))
    )
    assert [len(call["hidden_states"]) for call in transformer_calls] == [rows] * STEPS
    assert steps == [(done, STEPS) for done in range(1, STEPS + 1)]


def test_a_batch_draws_what_single_panels_would_be(renderer: FluxRenderer) -> None:
    requests = [
        PLAIN,
        PAIR,
        replace(PAIR, seed=9, regions=(replace(LEFT, reference=RED),)),
        replace(PLAIN, seed=3, prompt="ink manga, sunset", regions=(RIGHT, LEFT, replace(LEFT, prompt=""))),
    ]
    for guidance in (1.0, 2.5):
        batch = [sampled(request, guidance=guidance) for request in requests]
        together = renderer.draw(batch)
        for request, drawn in zip(batch, together, strict=True):
            (alone,) = draw(renderer, request)
            assert difference(drawn, alone) / 255 < BATCHED


def test_the_same_request_gives_the_same_bytes(fresh: FluxRenderer, renderer: FluxRenderer) -> None:
    request = replace(GUIDED, regions=(replace(LEFT, reference=RED), RIGHT))
    (one,) = draw(renderer, request)
    draw(renderer, PLAIN)
    (again,) = draw(renderer, request)
    (elsewhere,) = draw(fresh, request)
    assert one.tobytes() == again.tobytes() == elsewhere.tobytes()
    assert (one.mode, one.size) == ("RGB", (SIDE, SIDE))


# --- what decides the pixels


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PLAIN, replace(PLAIN, seed=8)),
        (PLAIN, replace(PLAIN, prompt="ink manga, one character, sunset")),
        (GUIDED, replace(GUIDED, negative="red hair")),
        (PLAIN, PAIR),
        (PAIR, replace(PAIR, regions=(LEFT,))),
        (PAIR, replace(PAIR, regions=(LEFT, replace(RIGHT, prompt="girl with silver hair")))),
        (PAIR, replace(PAIR, regions=(LEFT, replace(RIGHT, box=Box(0.5, 0.5, 0.5, 0.5))))),
        (PAIR, replace(PAIR, regions=(LEFT, replace(RIGHT, reference=BLUE)))),
        (PAIR, sampled(PAIR, masked=False)),
        (PAIR, sampled(PAIR, refine_steps=1)),
        (PAIR, sampled(PAIR, steps=STEPS + 1)),
        (PAIR, sampled(PAIR, guidance=2.5)),
    ],
)  # fmt: skip
def test_a_changed_request_changes_the_picture(
    renderer: FluxRenderer, before: PanelRequest, after: PanelRequest
) -> None:
    (one,), (other,) = draw(renderer, before), draw(renderer, after)
    assert difference(one, other) > CHANGED


def test_another_reference_changes_the_picture(renderer: FluxRenderer) -> None:
    one, other = (replace(PAIR, regions=(LEFT, replace(RIGHT, reference=name))) for name in PICTURES)
    assert difference(*draw(renderer, one), *draw(renderer, other)) > CHANGED


def test_without_guidance_the_negative_prompt_is_not_read(renderer: FluxRenderer) -> None:
    (one,), (other,) = draw(renderer, PAIR), draw(renderer, replace(PAIR, negative="red hair"))
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("seed", [0, 2**32, 2**63 - 1, 2**63, 2**64 + 5])
def test_seeds_of_any_size_draw(renderer: FluxRenderer, seed: int) -> None:
    (drawn,) = draw(renderer, replace(PLAIN, seed=seed))
    assert drawn.size == (SIDE, SIDE)


# --- regions: at the first block, before image tokens carry words from place to place


def first_block(renderer: FluxRenderer, request: PanelRequest) -> tuple[torch.Tensor, torch.Tensor]:
    """Text and image tokens after the first joint block of the first step."""
    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    block = renderer.parts.transformer.transformer_blocks[0]
    handle = block.register_forward_hook(lambda _module, _args, out: found.append((out[0][0], out[1][0])))
    draw(renderer, sampled(request, steps=1))
    handle.remove()
    return found[0]


def moved(one: torch.Tensor, other: torch.Tensor) -> list[bool]:
    """Which tokens differ."""
    return ((one - other).abs().amax(-1) > 1e-5).tolist()


def test_a_regions_words_reach_its_own_box_and_nothing_else(renderer: FluxRenderer) -> None:
    # Prompts of one length, so that tokens stay in their places.
    other = replace(PAIR, regions=(LEFT, replace(RIGHT, prompt="girl with silver hair, hoodie, waving")))
    (text, image), (text_after, image_after) = first_block(renderer, PAIR), first_block(renderer, other)
    assert len(text) == len(text_after)
    cells = [[column >= 2 for column in range(4)] for _ in range(4)]
    assert moved(image, image_after) == [cell for row in cells for cell in row]
    changed = moved(text, text_after)
    words = max(len(region.prompt.split()) for region in PAIR.regions) + 1
    assert not any(changed[:-words]), "neither the global prompt nor the other region reads these words"
    assert any(changed[-words:])


def test_unmasked_a_regions_words_reach_everything(renderer: FluxRenderer) -> None:
    other = replace(PAIR, regions=(LEFT, replace(RIGHT, prompt="girl with silver hair, hoodie, waving")))
    (_, image), (_, after) = (
        first_block(renderer, sampled(request, masked=False)) for request in (PAIR, other)
    )
    assert all(moved(image, after))


def test_a_reference_reaches_its_own_box_and_nothing_else(renderer: FluxRenderer) -> None:
    one, other = (replace(PAIR, regions=(LEFT, replace(RIGHT, reference=name))) for name in PICTURES)
    (text, image), (text_after, image_after) = first_block(renderer, one), first_block(renderer, other)
    cells = [[column >= 2 for column in range(4)] for _ in range(4)]
    assert moved(image, image_after)[:16] == [cell for row in cells for cell in row]
    words = max(len(region.prompt.split()) for region in PAIR.regions) + 1
    assert not any(moved(text, text_after)[:-words])


def test_the_later_region_owns_the_overlap(renderer: FluxRenderer) -> None:
    behind = replace(LEFT, box=Box(0.0, 0.0, 1.0, 1.0))
    covered = replace(PAIR, regions=(behind, RIGHT))
    other = replace(PAIR, regions=(replace(behind, prompt="girl with blue hair"), RIGHT))
    found = moved(first_block(renderer, covered)[1], first_block(renderer, other)[1])
    assert found == [column < 2 for _ in range(4) for column in range(4)]


def test_a_region_without_reference_stands_beside_one_with(renderer: FluxRenderer) -> None:
    mixed = replace(PAIR, regions=(replace(LEFT, reference=RED), RIGHT))
    without = draw(renderer, PAIR)[0]
    assert difference(draw(renderer, mixed)[0], without) > CHANGED
    # The empty place of the second reference is not attended to: it moves no cell of the second box.
    before, after = first_block(renderer, PAIR)[1], first_block(renderer, mixed)[1]
    assert moved(before, after[:16]) == [column < 2 for _ in range(4) for column in range(4)]


# --- refine steps


def test_refining_all_steps_is_drawing_without_regions(renderer: FluxRenderer) -> None:
    for request in (PAIR, GUIDED):
        (refined,) = draw(renderer, sampled(request, refine_steps=STEPS))
        (free,) = draw(renderer, replace(request, regions=()))
        assert refined.tobytes() == free.tobytes()


def test_only_the_last_steps_are_refined(renderer: FluxRenderer, transformer_calls: Calls) -> None:
    request = replace(PAIR, regions=(replace(LEFT, reference=RED), RIGHT))
    draw(renderer, sampled(request, steps=5))
    bound = list(transformer_calls)
    transformer_calls.clear()
    draw(renderer, sampled(request, steps=5, refine_steps=2))
    lengths = [call["encoder_hidden_states"].shape[1] for call in transformer_calls]
    full, free = lengths[0], lengths[-1]
    assert lengths == [full] * 3 + [free] * 2
    assert full > free
    for before, after in list(zip(bound, transformer_calls, strict=True))[:3]:
        assert torch.equal(before["hidden_states"], after["hidden_states"])
    # The fourth step starts from the same latents too, without reference tokens; then they part.
    cells = (SIDE // 32) ** 2
    latents = [[call["hidden_states"][:, :cells] for call in calls] for calls in (bound, transformer_calls)]
    assert torch.equal(latents[0][3], latents[1][3])
    assert not torch.allclose(latents[0][4], latents[1][4])
    assert transformer_calls[-1]["hidden_states"].shape[1] == cells


# --- schedulers


def test_every_scheduler_draws_and_they_differ_as_they_should(renderer: FluxRenderer) -> None:
    drawn = {name: draw(renderer, sampled(GUIDED, scheduler=name, steps=4))[0] for name in NAMES}
    for name, found in drawn.items():
        assert np.asarray(found).std() > 5, name
    assert drawn["ddim"].tobytes() == drawn["euler"].tobytes()
    assert difference(drawn["dpm"], drawn["euler"]) > CHANGED


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("config", [{"shift": 1.0}, {"shift": 3.0}, {"use_dynamic_shifting": True}])
@pytest.mark.parametrize("steps", [1, 2, 9])
def test_every_scheduler_walks_a_straight_path_to_its_end(
    name: str, config: dict[str, Any], steps: int
) -> None:
    """With the true velocity of a straight path, noise - picture, any flow sampler arrives at the picture."""
    noise = torch.randn(1, 16, 4, generator=torch.Generator().manual_seed(0))
    clean = torch.randn(1, 16, 4, generator=torch.Generator().manual_seed(1))
    full = dict(FlowMatchEulerDiscreteScheduler(**config).config)
    scheduler = make_scheduler(name, full, steps, 64)
    times = scheduler.timesteps
    assert len(times) == steps
    assert (times[1:] < times[:-1]).all()
    assert float(times[0]) > 990
    latents = noise
    for time in times:
        latents = scheduler.step(noise - clean, time, latents, return_dict=False)[0]
    # diffusers' DPM-Solver takes the first noise for sigma 0.999; a thousandth of the way is left at the end.
    torch.testing.assert_close(latents, clean, atol=1e-2 if name == "dpm" else 1e-5, rtol=0)


def test_an_unknown_scheduler_is_refused(renderer: FluxRenderer) -> None:
    with pytest.raises(ConfigError, match="--scheduler"):
        draw(renderer, sampled(PLAIN, scheduler="heun"))


# --- references


@pytest.mark.parametrize("size", [(90, 140), (200, 60), (1, 50), (64, 64)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "LA"])
def test_a_reference_is_padded_never_cropped(size: tuple[int, int], mode: str) -> None:
    square = square_picture(Image.new("RGB", size, "black").convert(mode), 64)
    assert (square.mode, square.size) == ("RGB", (64, 64))
    dark = (np.asarray(square, np.float32) / 255 < 0.5)[..., 0].mean()
    assert dark == pytest.approx(min(size) / max(size), abs=0.04)


def test_transparency_becomes_white() -> None:
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert square_picture(clear, 8).getcolors() == [(64, (255, 255, 255))]


def references(calls: Sequence[dict[str, Any]]) -> torch.Tensor:
    return calls[0]["hidden_states"][:, (SIDE // 32) ** 2 :]


def test_guidance_shows_the_references_to_the_guided_half_alone(
    renderer: FluxRenderer, transformer_calls: Calls
) -> None:
    draw(renderer, replace(GUIDED, regions=(replace(LEFT, reference=RED),)))
    told, untold = references(transformer_calls)
    assert told.abs().max() > 0
    assert untold.abs().max() == 0
    mask = transformer_calls[0]["joint_attention_kwargs"]["attention_mask"]
    image = slice(-len(told) - 16, -len(told))
    assert mask[0, 0, image, -len(told) :].any()
    assert not mask[1, 0, image, -len(told) :].any()
