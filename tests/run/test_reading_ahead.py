"""A book's prompts are read in one go, each once, and the text encoders are let go of once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPTextModel, CLIPTextModelWithProjection, T5EncoderModel

from model.render.flux import renderer as flux
from model.render.offload import TEXT, Turns
from model.run import models
from model.studio import Report, Studio
from quantization.plans import MemoryPlan
from tests.render.sd_checkpoints import OLD_ARRAYS, sd_folder

EXAMPLE = Path(__file__).parents[2] / "examples" / "first_light.json"


class Read:
    """What the text encoders did."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.came = self.loaded = 0
        self.prompts: Counter[tuple[str, tuple[int, ...]]] = Counter()
        came, read = Turns._come, flux.read_text

        def come(turns: Turns, stage: str) -> None:
            self.came += stage == TEXT
            came(turns, stage)

        def load(*args: Any, **how: Any) -> Any:
            self.loaded += 1
            return read(*args, **how)

        patch.setattr(Turns, "_come", come)
        patch.setattr(flux, "read_text", load)
        for kind in (T5EncoderModel, CLIPTextModel, CLIPTextModelWithProjection):
            patch.setattr(kind, "forward", self._counted(kind.__name__, kind.forward))

    def _counted(self, name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        def run(encoder: Any, ids: torch.Tensor | None = None, **kwargs: Any) -> Any:
            given = ids if ids is not None else kwargs.pop("input_ids")
            self.prompts[name, tuple(given.flatten().tolist())] += 1
            return forward(encoder, given, **kwargs)

        return run


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    """By a plan for too little memory: encoders and transformer take turns."""
    plans_of = models.plans_of

    def tight(*args: Any) -> list[MemoryPlan]:
        return [replace(plan, stays=False, together=False, hot=0) for plan in plans_of(*args)]

    monkeypatch.setattr(models, "plans_of", tight)
    return Read(monkeypatch)


def drawn(story: Path, tiny: Path, folder: Path) -> Report:
    flags = {"steps": 2, "refine_steps": 0, "upscaler": "none", "library": folder / "library"}
    with Studio.open(model=tiny, out=folder / "book", **flags) as studio:
        return studio.draw(studio.plan(story)).report


def test_a_book_is_read_in_one_go(read: Read, tiny: Path, tmp_path: Path) -> None:
    report = drawn(EXAMPLE, tiny, tmp_path)
    assert report.failed == 0
    assert report.drawn > report.panels, "the cast was rehearsed, too"
    assert read.came == 1
    assert read.loaded == 0, "they were there when the run began, and never came back"
    assert read.prompts
    assert set(read.prompts.values()) == {1}


@OLD_ARRAYS
@pytest.mark.parametrize("row", ["sd15", "sdxl"])
def test_so_is_one_that_stable_diffusion_draws(
    read: Read, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, row: str
) -> None:
    assert drawn(EXAMPLE, sd_folder(tmp_path_factory, row), tmp_path).failed == 0
    assert read.came == 1
    assert read.prompts
    assert set(read.prompts.values()) == {1}


def test_what_is_drawn_already_is_not_read_again(read: Read, tiny: Path, tmp_path: Path) -> None:
    story = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    path = tmp_path / "story.json"
    path.write_text(json.dumps(story))
    drawn(path, tiny, tmp_path)
    read.prompts.clear()
    read.came = 0
    story["pages"][0]["panels"][0]["scene"] = "forest at night"
    path.write_text(json.dumps(story))
    assert drawn(path, tiny, tmp_path).drawn == 1
    assert read.came == 1
    # One panel: its prompt and the empty negative one, by both encoders, and those of its figures by T5.
    figures = len(story["pages"][0]["panels"][0].get("characters", ()))
    assert sum(read.prompts.values()) == 4 + figures
