"""The example story on each Flux variant, from the command line: load, rehearse, draw, detect, judge, bind.

The checkpoints are tiny and untrained, in the layouts their makers publish; the eyes are the starter's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from model import cli
from model.config import FIRST_STORY
from model.render.weights import STARTER
from scripts.starter.export import write_gguf
from tests.render.flux_checkpoints import bfl, new_transformer

CAST, PANELS = 3, 7
FLAGS = (
    "--device", "cpu", "--json", "--num_inference_steps", "2", "--candidates", "1", "--max_retries", "0",
    "--upscaler", "none", "--detector", str(STARTER / "detector"), "--segmenter", str(STARTER / "segmenter"),
)  # fmt: skip


@pytest.fixture
def desk(flux_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HOME", str(flux_cache))
    monkeypatch.setenv("AUTOSTUDIO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert cli.main([str(FIRST_STORY), *FLAGS, *words]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.parametrize(
    ("words", "row"),
    [
        ((), "flux-dev"),  # downloaded, so it is the default
        (("--model", "flux", "--model_variant", "schnell"), "flux-schnell"),
        (("--model", "black-forest-labs/FLUX.1-Kontext-dev"), "flux-kontext"),
    ],
)
def test_the_example_story_is_drawn_and_judged(
    desk: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], row: str
) -> None:
    report = run(capsys, *words)
    assert (report["panels"], report["drawn"], report["failed"]) == (PANELS, CAST + PANELS, 0)
    record = json.loads((desk / report["out"] / "run.json").read_text())
    assert record["config"]["variant"] == row
    assert {name.split("/")[0] for name in record["weights"]["files"]} >= {"transformer", "vae", "scheduler"}
    assert any(name.startswith("image_embedder/") for name in record["weights"]["files"]) == (
        row != "flux-kontext"
    )
    assert all(panel["found"] is not None for panel in record["panels"])
    shown = [region for panel in record["panels"] for region in panel["request"]["regions"]]
    assert shown
    assert all(region["reference"] for region in shown)
    for panel in record["panels"]:
        with Image.open(desk / report["out"] / "panels" / f"{panel['id']}.png") as picture:
            assert picture.size == (panel["request"]["width"], panel["request"]["height"])
            assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 50, "a picture, not one grey"
    assert (desk / report["out"] / "book.pdf").read_bytes().startswith(b"%PDF-")
    if row == "flux-dev":
        again = run(capsys, *words)
        assert (again["drawn"], again["cached"]) == (0, PANELS)


def test_a_single_file_with_a_lora_draws_another_book(
    desk: Path, flux_cache: Path, capsys: pytest.CaptureFixture[str], story: Callable[[], dict[str, Any]]
) -> None:
    """A GGUF under Black Forest Labs' names; what is not in it comes from the cache."""
    torch.manual_seed(1)
    write_gguf(bfl(new_transformer(guidance_embeds=True).state_dict()), desk / "flux1-dev-Q8_0.gguf")
    save_file(
        {
            "transformer.proj_out.lora_A.weight": torch.randn(2, 64),
            "transformer.proj_out.lora_B.weight": torch.randn(64, 2),
        },
        desk / "comic.safetensors",
    )
    (desk / "story.json").write_text(json.dumps(story()))
    words = ["story.json", *FLAGS, "--model", "flux1-dev-Q8_0.gguf"]
    keys: list[list[str]] = []
    for more in ((), ("--lora", "comic.safetensors:0.8", "--reference_scale", "0.7")):
        assert cli.main([*words, *more, "--detector", "none", "--segmenter", "none"]) == 0
        report = json.loads(capsys.readouterr().out.splitlines()[-1])
        record = json.loads((desk / report["out"] / "run.json").read_text())
        keys.append([panel["key"] for panel in record["panels"]])
        assert report["drawn"] == len(record["cast"]) + len(record["panels"]), (
            "nothing is taken for the other"
        )
    assert not set(keys[0]) & set(keys[1])
    assert record["config"]["adapters"] == [{"path": "comic.safetensors", "weight": 0.8}]


def test_layout_needs_no_weights_to_be_whole(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(desk))
    assert cli.main([str(FIRST_STORY), "--model", "sdxl", "--json"]) == 3
    assert "run.py download sdxl" in capsys.readouterr().err
    assert cli.main(["layout", str(FIRST_STORY), "--model", "sdxl", "--json"]) == 0
