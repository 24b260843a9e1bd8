"""Flux dev, schnell and Kontext on tiny checkpoints in the official layouts: each part of a request reaches
the picture where it should and nowhere else, and a plain panel is what diffusers' own pipeline draws."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FluxPipeline
from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder
from PIL import Image, ImageDraw
from transformers import SiglipImageProcessor, SiglipVisionConfig, SiglipVisionModel

from model.files import BlobId
from model.geometry import Box
from model.render.flux.conditions import square_picture
from model.render.flux.redux import Redux
from model.render.flux.renderer import FluxRenderer
from model.render.published import open_published
from model.render.request import PanelRequest, Region, Sampling
from model.variants import QUALITIES, VARIANTS
from tests.render.flux_checkpoints import TOKENS
from tests.render.plain import plain_pipeline

SIDE = 64  # 4 × 4 cells of 16 pixels
STEPS = 3
CHANGED = 0.05  # of 255, mean: what counts as another picture
ROWS = ("flux-dev", "flux-schnell", "flux-kontext")


def picture(colour: str, size: tuple[int, int] = (30, 60)) -> bytes:
    drawn = Image.new("RGB", size, "white")
    ImageDraw.Draw(drawn).ellipse((3, 3, size[0] - 3, size[1] - 3), fill=colour)
    data = io.BytesIO()
    drawn.save(data, "PNG")
    return data.getvalue()


PICTURES = {hashlib.sha256(data).hexdigest(): data for data in (picture("red"), picture("blue", (40, 40)))}
RED, BLUE = PICTURES
LEFT = Region(box=Box(0.0, 0.0, 0.5, 1.0), prompt="girl red hair", reference=BlobId(RED))
RIGHT = Region(box=Box(0.5, 0.0, 0.5, 1.0), prompt="boy blue hair hoodie", reference=BlobId(RED))
PAIR = PanelRequest(
    weights="0" * 64, width=SIDE, height=SIDE, prompt="comic beach", negative="", regions=(LEFT, RIGHT),
    seed=7, sampling=Sampling(steps=STEPS, guidance=3.5),
)  # fmt: skip
WORDS = replace(PAIR, regions=(LEFT, replace(RIGHT, prompt="girl silver hair hoodie")))
FACE = replace(PAIR, regions=(LEFT, replace(RIGHT, reference=BLUE)))
UNSHOWN = replace(PAIR, regions=tuple(replace(region, reference="") for region in PAIR.regions))


@pytest.fixture(scope="module")
def renderers(flux_cache: Path) -> Callable[[str], FluxRenderer]:
    loaded: dict[str, FluxRenderer] = {}

    def of(row: str) -> FluxRenderer:
        if row not in loaded:
            with pytest.MonkeyPatch.context() as environment:
                environment.setenv("HF_HOME", str(flux_cache))
                checkpoint = open_published(VARIANTS[row], hashed=False)
            loaded[row] = FluxRenderer(checkpoint, load_reference=PICTURES.__getitem__)
        return loaded[row]

    return of


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())


def sampled(request: PanelRequest, **changes: Any) -> PanelRequest:
    return replace(request, sampling=replace(request.sampling, **changes))


def first_block(renderer: FluxRenderer, request: PanelRequest) -> tuple[torch.Tensor, torch.Tensor]:
    """Text and image tokens after the first joint block: the image has carried no words around yet."""
    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    block = renderer.parts.transformer.transformer_blocks[0]
    handle = block.register_forward_hook(lambda _module, _args, out: found.append((out[0][0], out[1][0])))
    renderer.draw([sampled(request, steps=1)])
    handle.remove()
    return found[0]


def moved(one: torch.Tensor, other: torch.Tensor) -> list[bool]:
    return ((one - other).abs().amax(-1) > 1e-5).tolist()


IN_BOX_2 = [column >= 2 for _ in range(4) for column in range(4)]


# --- control


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("changed", [WORDS, FACE], ids=["words", "reference"])
def test_what_is_said_of_character_2_reaches_box_2_and_nothing_else(
    renderers: Callable[[str], FluxRenderer], row: str, changed: PanelRequest
) -> None:
    renderer = renderers(row)
    (text, image), (text_after, image_after) = (first_block(renderer, one) for one in (PAIR, changed))
    assert moved(image, image_after)[:16] == IN_BOX_2
    own = len(RIGHT.prompt.split()) + 1 + (TOKENS if row != "flux-kontext" else 0)
    changes = moved(text, text_after)
    assert not any(changes[:-own]), "neither the global prompt nor the other character reads it"
    assert any(changes[-own:])
    assert difference(*renderer.draw([PAIR]), *renderer.draw([changed])) > CHANGED


@pytest.mark.parametrize("row", ROWS)
def test_references_of_scale_0_are_none_bit_for_bit(
    renderers: Callable[[str], FluxRenderer], row: str
) -> None:
    renderer = renderers(row)
    (off,), (none,), (on,) = (
        renderer.draw([request]) for request in (sampled(PAIR, reference_scale=0.0), UNSHOWN, PAIR)
    )
    assert off.tobytes() == none.tobytes()
    assert difference(on, none) > CHANGED


@pytest.mark.parametrize("row", ["flux-dev", "flux-kontext"])
def test_a_small_scale_is_nearly_none_and_a_scale_near_1_nearly_all(
    renderers: Callable[[str], FluxRenderer], row: str
) -> None:
    renderer = renderers(row)
    none, faint, half, nearly, full = (
        first_block(renderer, sampled(PAIR, reference_scale=scale))[1][:16]
        for scale in (0.0, 1e-6, 0.5, 1 - 1e-6, 1.0)
    )
    assert (faint - none).abs().max() < 1e-4
    assert (nearly - full).abs().max() < 1e-4
    assert (half - none).abs().max() > 1e-3
    assert (half - full).abs().max() > 1e-3


@pytest.mark.parametrize("row", ROWS)
def test_refining_changes_the_tail_only(renderers: Callable[[str], FluxRenderer], row: str) -> None:
    renderer = renderers(row)
    told: list[list[tuple[int, ...]]] = []
    steps: list[torch.Tensor] = []

    def watch(_module: Any, _args: Any, kwargs: dict[str, Any], out: Any) -> None:
        told[-1].append(tuple(kwargs["encoder_hidden_states"].shape))
        steps.append(out[0])

    handle = renderer.parts.transformer.register_forward_hook(watch, with_kwargs=True)
    for refine in (0, 1):
        told.append([])
        renderer.draw([sampled(PAIR, refine_steps=refine)])
    handle.remove()
    bound, refined = told
    assert bound[:-1] == refined[:-1]
    assert bound[-1][1] > refined[-1][1] == len(PAIR.prompt.split()) + 1
    before, after = steps[:STEPS], steps[STEPS:]
    assert [torch.equal(one, other) for one, other in zip(before[:-1], after[:-1], strict=True)] == [True] * 2
    cells = (SIDE // 16) ** 2
    assert not torch.equal(before[-1][:, :cells], after[-1][:, :cells])


# --- the table


def test_each_row_takes_guidance_in_its_own_way(renderers: Callable[[str], FluxRenderer]) -> None:
    calls: dict[str, list[dict[str, Any]]] = {row: [] for row in ROWS}
    for row in ROWS:
        renderer = renderers(row)
        handle = renderer.parts.transformer.register_forward_hook(
            lambda _module, _args, kwargs, _out, row=row: calls[row].append(kwargs), with_kwargs=True
        )
        renderer.draw([sampled(PAIR, steps=1)])
        handle.remove()
    assert [len(calls[row][0]["hidden_states"]) for row in ROWS] == [1, 1, 1], "no untold half"
    assert calls["flux-dev"][0]["guidance"].tolist() == [3.5]
    assert calls["flux-kontext"][0]["guidance"].tolist() == [3.5]
    assert calls["flux-schnell"][0]["guidance"] is None


@pytest.mark.parametrize("row", ["flux-dev", "flux-schnell"])
def test_a_plain_panel_is_what_flux_pipeline_draws(
    renderers: Callable[[str], FluxRenderer], row: str
) -> None:
    """Guidance embedding and the shift of time by resolution included."""
    renderer = renderers(row)
    parts = renderer.parts
    request = replace(PAIR, regions=(), width=96)
    pipeline = plain_pipeline(renderer.parts)
    with torch.inference_mode():
        text = parts.t5(parts.t5_tokenizer(request.prompt, return_tensors="pt").input_ids)[0]
        pooled = parts.clip(parts.clip_tokenizer(request.prompt, return_tensors="pt").input_ids).pooler_output
        noise = torch.randn(1, 16, 8, 12, generator=torch.Generator().manual_seed(request.seed))
        result: Any = pipeline(
            prompt_embeds=text,
            pooled_prompt_embeds=pooled,
            guidance_scale=3.5,
            latents=FluxPipeline._pack_latents(noise, 1, 16, 8, 12),
            num_inference_steps=STEPS,
            width=96,
            height=SIDE,
        )
    levels = np.abs(
        np.asarray(renderer.draw([request])[0], np.int16) - np.asarray(result.images[0], np.int16)
    )
    assert np.asarray(result.images[0]).std() > 5, "a picture, not one grey"
    assert (levels <= 1).mean() > 0.99
    assert levels.max() <= 4


def test_kontext_numbers_the_references_by_their_first_position(
    renderers: Callable[[str], FluxRenderer],
) -> None:
    renderer = renderers("flux-kontext")
    calls: list[dict[str, Any]] = []
    handle = renderer.parts.transformer.register_forward_hook(
        lambda _module, _args, kwargs, _out: calls.append(kwargs), with_kwargs=True
    )
    renderer.draw([sampled(FACE, steps=1)])
    handle.remove()
    ids = calls[0]["img_ids"]
    cells, each = (SIDE // 16) ** 2, (renderer.checkpoint.reference // 16) ** 2
    assert ids[:, 0].tolist() == [0] * cells + [1] * each + [2] * each
    assert calls[0]["hidden_states"].shape[1] == cells + 2 * each


# --- Redux


def test_redux_of_the_published_size_makes_729_tokens_of_one_picture() -> None:
    eye = SiglipVisionModel(
        SiglipVisionConfig(
            hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
            image_size=384, patch_size=14,
        )
    )  # fmt: skip
    embedder = ReduxImageEncoder(redux_dim=8, txt_in_features=16)
    redux = Redux(eye.eval(), embedder, SiglipImageProcessor(size={"height": 384, "width": 384}))
    with torch.inference_mode():
        tokens = redux.encode(square_picture(Image.open(io.BytesIO(PICTURES[RED])), redux.side))
    assert redux.tokens == 729
    assert tokens.shape == (729, 16)


def test_each_character_is_encoded_once_and_by_itself(renderers: Callable[[str], FluxRenderer]) -> None:
    renderer = renderers("flux-dev")
    redux: Any = renderer.parts.redux
    renderer._conditioner._references.clear()
    seen: list[int] = []
    handle = redux.eye.register_forward_hook(
        lambda _module, _args, kwargs, _out: seen.append(len(kwargs["pixel_values"])), with_kwargs=True
    )
    calls: list[torch.Tensor] = []
    other = renderer.parts.transformer.register_forward_hook(
        lambda _module, _args, kwargs, _out: calls.append(kwargs["encoder_hidden_states"]), with_kwargs=True
    )
    renderer.draw([sampled(FACE, steps=1), sampled(replace(FACE, seed=8), steps=1)])
    handle.remove()
    other.remove()
    assert seen == [1, 1]
    with torch.inference_mode():
        expected = [
            redux.encode(square_picture(Image.open(io.BytesIO(PICTURES[one])), redux.side))
            for one in (RED, BLUE)
        ]
    text = calls[0][0]
    words = max(len(region.prompt.split()) for region in FACE.regions) + 1
    behind = len(FACE.prompt.split()) + 1
    for states in expected:
        torch.testing.assert_close(text[behind + words : behind + words + TOKENS], states)
        behind += words + TOKENS


# --- presets


@pytest.mark.parametrize("row", VARIANTS)
def test_every_row_of_the_table_has_its_presets(row: str) -> None:
    assert set(VARIANTS[row].presets) == set(QUALITIES)


def test_the_defaults_are_those_of_the_makers() -> None:
    balanced = {row: one.presets["balanced"] for row, one in VARIANTS.items()}
    named = {row: (one.steps, one.refine_steps, one.guidance) for row, one in balanced.items()}
    assert named["flux-dev"] == (20, 10, 3.5)
    assert named["flux-schnell"] == (4, 4, 1.0)
    assert VARIANTS["flux-schnell"].global_tokens == 256
    for row in ("sd15", "sd15plus", "sdxl", "sdxlplus"):
        assert named[row][:2] == (30, 10)
