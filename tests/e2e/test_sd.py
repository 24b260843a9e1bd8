"""The example story on each Stable Diffusion, from the command line: load, rehearse, draw, look, bind.

The checkpoints are tiny and untrained, in the layouts people download; the eyes are the starter's.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from model.config import FIRST_STORY
from model.render.weights import STARTER
from tests.render.sd_checkpoints import sd_folder

CAST, PANELS = 3, 7  # of the story
EYES = (
    "--detector", str(STARTER / "detector"), "--segmenter", str(STARTER / "segmenter"), "--max_retries", "0",
)  # fmt: skip


@pytest.mark.parametrize(
    ("row", "flags"),
    [
        ("sd15", ("--lora", "inks.safetensors:0.6")),
        ("sd15plus", ()),
        ("sdxl", ("--lora", "inks.safetensors:0.6")),
        ("sdxlplus", ("--scheduler", "dpm")),
    ],
)
def test_the_example_story_becomes_a_book(
    desk: Any,
    tmp_path_factory: pytest.TempPathFactory,
    row: str,
    flags: tuple[str, ...],
) -> None:
    folder = sd_folder(tmp_path_factory, row)
    stem = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_q"
    state = {f"{stem}.lora_A.weight": torch.ones(1, 16), f"{stem}.lora_B.weight": torch.ones(16, 1)}
    save_file(state, desk.folder / "inks.safetensors")
    done = desk.run(FIRST_STORY, "--model", str(folder), *EYES, *flags)
    assert done.code == 0, done.err
    assert done.report["drawn"] == CAST + PANELS
    files = desk.files("first-light")
    assert {"pages/page_001.png", "pages/page_002.png", "panels/p001_01.png", "book.pdf"} <= set(files)
    told = desk.record("first-light")
    assert told["config"]["variant"] == row
    assert told["config"]["scheduler"] == ("dpm" if "dpm" in flags else "euler")
    assert all(panel["found"] is not None for panel in told["panels"])
    assert all(region["reference"] for panel in told["panels"] for region in panel["request"]["regions"])
    again = desk.run(FIRST_STORY, "--model", str(folder), *EYES, *flags)
    assert again.code == 0, again.err
    assert again.report["drawn"] == 0
    assert desk.files("first-light") == files


def test_flows_samplers_are_refused_before_anything_is_loaded(desk: Any, story: Any) -> None:
    done = desk.run(desk.write(story()), "--model", "sd15", "--scheduler", "flow_match")
    assert done.code == 2
    assert "use euler, ddim or dpm" in done.err
    assert not (desk.folder / "outputs").exists()
