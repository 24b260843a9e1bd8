"""The bench of the drawn world on Stable Diffusion: its ways differ as told, its last line can be read."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from model.files import BlobId
from model.render.request import PanelRequest, Sampling
from scripts.bench.drawer import Way, request_for
from scripts.bench.held_out import Wanted, held_out_panels
from scripts.bench.sd_world import WAYS, main
from tests.render.sd_checkpoints import OLD_ARRAYS, sd_folder

pytestmark = OLD_ARRAYS
BY_NAME = {way.name: way for way in WAYS}


@functools.cache
def pair() -> Wanted:
    """A panel of two people."""
    return next(panel for panel in held_out_panels(12, 39) if len(panel.people) == 2)


def asked(way: Way) -> PanelRequest:
    panel = pair()
    references = {person.key: BlobId(f"picture of {person.key}") for person in panel.people}
    sampling = Sampling(steps=2, guidance=3.0)
    return request_for(
        panel, references, way, weights="w", sampling=sampling, seed=1, background="colour comic, beach"
    )


def test_masks_off_changes_nothing_but_the_masks() -> None:
    for on, off in (
        ("everything on, first draw", "masks off"),
        ("no references", "no references, masks off"),
        ("references for words", "references for words, masks off"),
    ):
        masked, free = asked(BY_NAME[on]), asked(BY_NAME[off])
        assert masked.sampling.masked
        assert not free.sampling.masked
        assert replace(free, sampling=masked.sampling) == masked


def test_references_for_words_say_nothing_of_looks() -> None:
    told, shown = asked(BY_NAME["everything on, first draw"]), asked(BY_NAME["references for words"])
    for region, silent in zip(told.regions, shown.regions, strict=True):
        assert silent.reference == region.reference
        assert "hair" in region.prompt or "tails" in region.prompt or "cut" in region.prompt
        assert silent.prompt.startswith("a character, ")
        assert len(silent.prompt) < len(region.prompt)


def test_text_only_says_everything_in_one_prompt() -> None:
    request = asked(BY_NAME["text only"])
    assert request.regions == ()
    assert request.background == ""
    assert all(region.prompt in request.prompt for region in asked(BY_NAME["no references"]).regions)


def test_the_last_line_tells_of_every_way(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sd_folder(tmp_path_factory, "sd15plus")
    flags = ["--n", "1", "--members", "0", "--steps", "1", "--pairs", "0", "--ways", "0", "1"]
    kept = ["--library", str(tmp_path / "library"), "--sheet", str(tmp_path / "sheet.png")]
    assert main(["--weights", str(folder), *flags, *kept]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(told["ways"]) == ["everything on, first draw", "masks off"]
    assert told["ways"]["masks off"]["background"] in (0.0, 1.0)
    assert (tmp_path / "sheet.png").is_file()
