"""A run with an upscaler: large panels on the page, drawn ones in the library, nothing done twice."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from model.files import sha256_of
from model.memory.panels.cache import PanelCache
from model.memory.store.library import Library

Story = Callable[[], dict[str, Any]]
PANELS = 3


@pytest.fixture(scope="module")
def upscaler(plain_upscaler: Callable[[int], Path]) -> Path:
    return plain_upscaler(4)


@pytest.fixture(scope="module")
def large(desk_in: Any, story: Story, upscaler: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A desk on which the story has been drawn and enlarged once."""
    desk = desk_in(tmp_path_factory.mktemp("large"))
    desk.write(story())
    done = desk.run("story.json", "--upscaler", upscaler)
    assert done.code == 0, done.err
    assert done.report["failed"] == 0
    return desk


def panels(desk: Any) -> dict[str, Image.Image]:
    found = {name: data for name, data in desk.files("two-friends").items() if name.startswith("panels/")}
    return {name: Image.open(io.BytesIO(data)) for name, data in found.items()}


def test_panels_are_large_and_carry_their_request(large: Any, upscaler: Path) -> None:
    record = large.record("two-friends")
    assert record["weights"]["upscaler"] == sha256_of(upscaler)
    assert record["config"]["upscaler"] == str(upscaler)
    assert "enlarge" in record["seconds"]
    pictures = panels(large)
    assert len(pictures) == PANELS
    with Library.open(large.folder / "outputs" / "library") as library:
        cache = PanelCache(library)
        for panel in record["panels"]:
            picture, request = pictures[f"panels/{panel['id']}.png"], panel["request"]
            assert picture.size == (4 * request["width"], 4 * request["height"])
            assert max(picture.size) >= 1024
            assert hashlib.sha256(picture.info["autostudio"].encode()).hexdigest() == panel["key"]
            drawn = cache.get(panel["key"])
            assert drawn is not None
            with Image.open(io.BytesIO(library.load(drawn.blob))) as small:
                assert small.size == (request["width"], request["height"])
                # Each pixel is repeated, so the small picture is in the large one.
                nearest = small.resize(picture.size, Image.Resampling.NEAREST)
                assert _distance(nearest, picture) <= 1


def test_a_second_run_enlarges_nothing_and_changes_nothing(large: Any, upscaler: Path) -> None:
    before = large.files("two-friends")
    done = large.run("story.json", "--upscaler", upscaler)
    assert (done.code, done.report["drawn"]) == (0, 0)
    assert "enlarge:" not in done.err
    assert large.files("two-friends") == before


def test_without_an_upscaler_the_drawn_panels_are_set_and_back_again(large: Any, upscaler: Path) -> None:
    before = large.files("two-friends")
    done = large.run("story.json", "--upscaler", "none")
    assert (done.code, done.report["drawn"]) == (0, 0)
    assert all(max(picture.size) < 1024 for picture in panels(large).values())
    assert large.record("two-friends")["weights"]["upscaler"] == ""
    done = large.run("story.json", "--upscaler", upscaler)
    assert (done.code, done.report["drawn"]) == (0, 0)
    assert "enlarge:" not in done.err
    after = large.files("two-friends")
    assert {name: data for name, data in after.items() if name != "run.json"} == {
        name: data for name, data in before.items() if name != "run.json"
    }


def test_a_file_that_is_no_upscaler_exits_3_and_what_was_drawn_stays(large: Any, tmp_path: Path) -> None:
    path = tmp_path / "4x.safetensors"
    path.write_bytes(b"<html>not found</html>")
    done = large.run("story.json", "--upscaler", path)
    assert done.code == 3
    assert done.err.splitlines()[-1].startswith(f"error: {path}: not a weights file")
    assert "Traceback" not in done.err


def test_an_upscaler_that_is_not_there_exits_2(large: Any) -> None:
    done = large.run("story.json", "--upscaler", "nowhere.pth")
    assert done.code == 2
    assert "error: --upscaler: nowhere.pth is no file" in done.err


def _distance(first: Image.Image, second: Image.Image) -> int:
    difference = ImageChops.difference(first.convert("RGB"), second.convert("RGB"))
    return max(level for level, count in enumerate(difference.convert("L").histogram()) if count)
