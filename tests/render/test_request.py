"""Keys: stable, and different whenever anything that decides the pixels differs."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from PIL import Image

from model.files import BlobId
from model.geometry import Box
from model.render.png import panel_png
from model.render.request import PanelRequest, Region, Sampling, Style, canonical

REQUEST = PanelRequest(
    weights="f" * 64,
    width=256,
    height=192,
    prompt='colour comic, one character, the words "NIGHT MARKET"',
    negative="blurry",
    regions=(Region(box=Box(0.1, 0.2, 0.3, 0.4), prompt="girl with red hair", reference=BlobId("a" * 64)),),
    seed=7,
    sampling=Sampling(steps=16, guidance=2.5),
)


def test_the_key_is_stable() -> None:
    assert REQUEST.key == replace(REQUEST).key
    assert len(REQUEST.key) == 64
    assert json.loads(canonical(REQUEST))["regions"][0]["box"] == {
        "x": 0.1,
        "y": 0.2,
        "width": 0.3,
        "height": 0.4,
    }


def test_keys_of_requests_without_a_style_are_those_before_there_were_styles() -> None:
    assert REQUEST.key == "34438a47c17a1a601626b3799a6b316eee941aa0d08ca69a9a0eb07d0f12a29e"
    assert (
        replace(REQUEST, regions=(), negative="", seed=0).key
        == "2a433ed8630921992f24f279ff43619f5fdf0f7f006ff0acc2c64201a1795054"
    )


def test_everything_that_decides_the_pixels_is_in_the_key() -> None:
    region = REQUEST.regions[0]
    others = [
        replace(REQUEST, weights="e" * 64),
        replace(REQUEST, width=192),
        replace(REQUEST, height=256),
        replace(REQUEST, prompt="another"),
        replace(REQUEST, negative=""),
        replace(REQUEST, seed=8),
        replace(REQUEST, regions=()),
        replace(REQUEST, style=Style(picture=BlobId("b" * 64))),
        replace(REQUEST, style=Style(picture=BlobId("c" * 64))),
        replace(REQUEST, style=Style(picture=BlobId("b" * 64), weight=0.25)),
        replace(REQUEST, regions=(region, region)),
        replace(REQUEST, regions=(replace(region, box=Box(0.1, 0.2, 0.3, 0.41)),)),
        replace(REQUEST, regions=(replace(region, prompt="girl with blue hair"),)),
        replace(REQUEST, regions=(replace(region, reference=""),)),
        *(
            replace(REQUEST, sampling=replace(REQUEST.sampling, **change))
            for change in (
                {"steps": 8},
                {"guidance": 3.0},
                {"scheduler": "dpm"},
                {"refine_steps": 1},
                {"max_sequence_length": 8},
                {"masked": False},
            )
        ),
    ]
    keys = {other.key for other in others} | {REQUEST.key}
    assert len(keys) == len(others) + 1


def test_a_png_carries_its_request() -> None:
    data = panel_png(Image.new("RGB", (8, 8), "red"), REQUEST, "starter")
    assert data == panel_png(Image.new("RGB", (8, 8), "red"), REQUEST, "starter")
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.info["autostudio"] == canonical(REQUEST)
        lines = picture.info["parameters"].split("\n")
    assert lines[0].startswith(
        'colour comic, one character, the words "NIGHT MARKET" BREAK girl with red hair'
    )
    assert lines[1] == "Negative prompt: blurry"
    assert "Steps: 16, Sampler: flow_match, CFG scale: 2.5, Seed: 7, Size: 256x192" in lines[2]
