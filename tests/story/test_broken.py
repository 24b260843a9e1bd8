"""Every way we know of to break a story is refused: a StoryError of one line, at once, naming the place."""

from __future__ import annotations

import json
import os
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from model.errors import StoryError
from model.story.schema import load_story

SECONDS = 15.0  # of processor time; what is quadratic takes minutes
MEGABYTES = 250


def good() -> dict[str, Any]:
    return {
        "version": 1,
        "title": "Good",
        "characters": {
            "mika": {"name": "Mika", "description": "girl", "variants": {"winter": "girl, scarf"}}
        },
        "pages": [
            {"panels": [{"scene": "beach", "characters": [{"id": "mika", "box": [0.1, 0.1, 0.4, 0.8]}]}]}
        ],
    }


def with_panel(**fields: Any) -> dict[str, Any]:
    story = good()
    story["pages"][0]["panels"][0].update(fields)
    return story


def with_figure(**fields: Any) -> dict[str, Any]:
    story = good()
    story["pages"][0]["panels"][0]["characters"][0].update(fields)
    return story


def with_reference(name: str) -> dict[str, Any]:
    story = good()
    story["characters"]["mika"]["references"] = [name]
    return story


def turn(**fields: Any) -> dict[str, Any]:
    base = {"size": [512, 512], "objects": [["girl", [10, 10, 200, 400], 1]], "background": "beach"}
    return {"dialogue 1": {"turn 1": base | fields}}


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels to speak of."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


BOX = "pages[0].panels[0].characters[0].box"
REFERENCE = "characters.mika.references[0]"

# name: (what stands in the file, fragments of the message)
TEXTS: dict[str, tuple[bytes | str | Callable[[], str], tuple[str, ...]]] = {
    "not json": ('{"title": "x",\n  oops', ("line 2, column 3", "not JSON")),
    "cut off": (json.dumps(good())[:-9], ("line 1", "not JSON")),
    "empty": ("", ("empty file",)),
    "only spaces": (" \n\t ", ("empty file",)),
    "not utf-8": (b'{"title":\n "caf\xe9"}', ("line 2", "not UTF-8", "save it again")),
    "utf-16": ("{}".encode("utf-16"), ("not UTF-8",)),
    "nan": ('{"pages": [{"panels": [{"seed": NaN}]}]}', ("pages[0].panels[0].seed", "NaN", "finite")),
    "infinity": ('{"title": -Infinity}', ("at title", "-Infinity", "finite")),
    "float overflow": ('{"title": 1e999}', ("at title", "1e999", "finite")),
    "huge integer": ('{"title": "x", "version": 1' + "0" * 5000 + "}", ("at version", "5001 digits")),
    "duplicate key": ('{"pages": [{"panels": [], "panels": []}]}', ("pages[0].panels", "twice")),
    "deep lists": ("[" * 10_000 + "]" * 10_000, ("32 levels", "brackets")),
    "deep unclosed": ("[" * 100_000, ("32 levels",)),
    "brackets only": ("[" * 8_000_000, ("200000",)),
    "deep objects": ('{"a":' * 10_000 + "1" + "}" * 10_000, ("32 levels",)),
    "deep but parsed": ('{"pages":' + "[" * 100 + "]" * 100 + "}", ("pages[0][0]", "32 levels")),
    "too large": (lambda: " " * (9 * 2**20), ("8 MB", "split")),
    "many values": (lambda: "[" + "[]," * 2_500_000 + "[]]", ("200000",)),
    "too many to draw": (
        lambda: '{"title": "x", "pages": [' + "{}," * 90_000 + "{}]}",
        ("at pages[0]", 'add "panels"'),
    ),
    "lone surrogate": ('{"title": "\\ud800"}', ("at title", "U+D800", "delete")),
    "control character": ('{"title": "a\\u0000b"}', ("at title", "U+0000")),
    "control in key": ('{"a\\u0007": 1}', ("a key of the top", "U+0007")),
}

STORIES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "list at top": ([1, 2], ("at the top", "a list of 2", "an object")),
    "text at top": ("story", ("at the top", '"story"')),
    "null at top": (None, ("at the top", "null")),
    "wrong version": (good() | {"version": 2}, ("at version", "found 2", "expected 1")),
    "version as text": (good() | {"version": "1"}, ("at version", '"1"')),
    "version true": (good() | {"version": True}, ("at version", "true")),
    "no title": ({k: v for k, v in good().items() if k != "title"}, ("at the top", 'add "title"')),
    "no pages": ({"title": "x"}, ("at the top", 'add "pages"')),
    "empty pages": (good() | {"pages": []}, ("at pages", "at least 1")),
    "no panels": (good() | {"pages": [{}]}, ("pages[0]", 'add "panels"')),
    "empty panels": (good() | {"pages": [{"panels": []}]}, ("pages[0].panels", "empty list", "at least 1")),
    "unknown key at top": (good() | {"titel": "x"}, ("at the top", '"titel"', 'did you mean "title"?')),
    "unknown key in panel": (with_panel(dialog=[]), ("pages[0].panels[0]", '"dialog"', '"dialogue"?')),
    "unknown key in figure": (with_figure(expresion="x"), ("characters[0]", 'did you mean "expression"?')),
    "unknown key in page": (good() | {"page": {"sise": "b5"}}, ("at page", 'did you mean "size"?')),
    "unknown character": (with_figure(id="mica"), ("characters[0].id", '"mica"', 'did you mean "mika"?')),
    "unknown variant": (with_figure(variant="wintr"), ("characters[0].variant", 'did you mean "winter"?')),
    "unknown speaker": (
        with_panel(dialogue=[{"speaker": "ren", "text": "Hi"}]),
        ("dialogue[0].speaker", '"ren"', "use one of mika"),
    ),
    "box outside": (with_figure(box=[0.5, 0.1, 0.6, 0.8]), (BOX, "[0.5, 0.1, 0.6, 0.8]", "between 0 and 1")),
    "box negative": (with_figure(box=[-0.1, 0.1, 0.6, 0.8]), (BOX, "between 0 and 1")),
    "box in pixels": (with_figure(box=[10, 10, 200, 300]), (BOX, "between 0 and 1")),
    "box of nothing": (with_figure(box=[0.1, 0.1, 0, 0.8]), (BOX, "above 0")),
    "box of three": (with_figure(box=[0.1, 0.1, 0.4]), (BOX,)),
    "box of texts": (with_figure(box=["0", 0, 1, 1]), (f"{BOX}[0]", "a number")),
    "box as text": (with_figure(box="left"), (BOX, '"left"', "a list")),
    "wrong type": (with_panel(scene=7), ("pages[0].panels[0].scene", "found 7", "a text")),
    "wrong choice": (with_panel(shot="near"), (".shot", '"near"', '"wide", "medium" or "close-up"')),
    "flag as text": (with_panel(draw_text="yes"), (".draw_text", '"yes"', "true or false")),
    "seed as text": (with_panel(seed="1"), (".seed", '"1"', "a whole number")),
    "seed negative": (with_panel(seed=-1), (".seed", "found -1", "at least 0")),
    "seed too large": (with_panel(seed=2**63), (".seed", "less than")),
    "characters a list": (good() | {"characters": []}, ("at characters", "empty list", "an object")),
    "bad id": (good() | {"characters": {"a b": {}}}, ("characters.a b", "letters, digits")),
    "wrong size": (good() | {"page": {"size": "a5"}}, ("page.size", '"a5"', '"b5"')),
    "10,000 panels on a page": (
        good() | {"pages": [{"panels": [{}] * 10_000}]},
        ("pages[0].panels", "at most 12"),
    ),
    "10,000 panels": (
        good() | {"pages": [{"panels": [{}] * 10}] * 1_000},
        ("at pages", "10000 panels", "2000"),
    ),
    "10,000 pages": (good() | {"pages": [{"panels": [{}]}] * 10_000}, ("at pages", "at most 2000")),
    "nine figures": (with_panel(characters=[{"id": "mika"}] * 9), ("panels[0].characters", "at most 8")),
    "endless text": (with_panel(scene="x" * 100_000), (".scene", "at most 4000 characters")),
    "reference missing": (with_reference("no.png"), (REFERENCE, '"no.png"', "no file")),
    "reference a folder": (with_reference("folder"), (REFERENCE, "no file")),
    "reference no image": (with_reference("story.json"), (REFERENCE, "not an image", "PNG")),
    "reference above": (with_reference("../out.png"), (REFERENCE, "out of the story's folder")),
    "reference absolute": (with_reference("/etc/hostname"), (REFERENCE, "out of the story's folder")),
    "reference link out": (with_reference("link.png"), (REFERENCE, "out of the story's folder")),
    "reference 60,000": (with_reference("bomb.png"), (REFERENCE, "3600000000 pixels", "64 megapixels")),
    "reference 10,000": (with_reference("large.png"), (REFERENCE, "64 megapixels")),
    "reference 8,001": (with_reference("just.png"), (REFERENCE, "8001 x 8000 pixels", "64 megapixels")),
    "reference cut off": (with_reference("cut.png"), (REFERENCE, "cut off", "save it again")),
    "reference link loop": (with_reference("loop.png"), (REFERENCE,)),
    "dialect objects": (turn(objects={}), ("dialogue 1.turn 1.objects", "an object", "[text, box, id]")),
    "dialect entry": (turn(objects=[["girl", [1, 2, 3, 4]]]), ("turn 1.objects[0]", "a list of 2")),
    "dialect box": (turn(objects=[["girl", [1, 2, 3], 1]]), ("objects[0][1]", "[x, y, width, height]")),
    "dialect empty box": (turn(objects=[["girl", [1, 2, 0, 4], 1]]), ("objects[0][1]", "above 0")),
    "dialect id": (turn(objects=[["girl", [1, 2, 3, 4], "a/b"]]), ("objects[0][2]", "an id such as")),
    "dialect size": (turn(size=[512]), ("turn 1.size", "[height, width]")),
    "dialect size zero": (turn(size=[0, 512]), ("turn 1.size", "[height, width]")),
    "dialect text": (turn(background=3), ("turn 1.background", "found 3", "a text")),
    "dialect crowd": (
        turn(objects=[["girl", [1, 2, 3, 4], i + 1] for i in range(9)]),
        ("turn 1.objects", "at most 8"),
    ),
    "dialect twice": ({"d": {"turn 1": {}, "turn 01": {}}}, ("turn 1 twice",)),
    "dialect definitions": (
        {"d": {"turn 1": {}, "character_definitions": {"1": 5}}},
        ("d.character_definitions.1", "found 5"),
    ),
    "dialect title": (turn() | {"title": 4}, ("at title", "found 4", "a text")),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "story"
    home.mkdir()
    (home / "folder").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "out.png")
    (home / "link.png").symlink_to(tmp_path / "out.png")
    (home / "loop.png").symlink_to(home / "loop.png")
    (home / "bomb.png").write_bytes(png_header(60_000, 60_000))
    (home / "large.png").write_bytes(png_header(10_000, 10_000))
    (home / "just.png").write_bytes(png_header(8_001, 8_000))
    (home / "cut.png").write_bytes(png_header(64, 64)[:20])
    return home


def refused(path: Path) -> str:
    started = time.process_time()
    with pytest.raises(StoryError) as caught:
        load_story(path)
    assert time.process_time() - started < SECONDS
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    assert "expected" in message
    assert ";" in message, "says what to do"
    assert len(message) < 700 + len(str(path))
    message.encode()
    return message


@pytest.mark.parametrize("name", TEXTS)
def test_broken_file_is_refused(folder: Path, name: str) -> None:
    content, fragments = TEXTS[name]
    text = content() if callable(content) else content
    path = folder / "story.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    message = refused(path)
    for fragment in fragments:
        assert fragment in message


@pytest.mark.parametrize("name", STORIES)
def test_broken_story_is_refused(folder: Path, name: str) -> None:
    story, fragments = STORIES[name]
    path = folder / "story.json"
    path.write_text(json.dumps(story), encoding="utf-8")
    message = refused(path)
    for fragment in fragments:
        assert fragment in message


def test_what_is_no_file_is_refused(folder: Path) -> None:
    assert "no such file" in refused(folder / "nowhere.json")
    assert "a folder" in refused(folder)
    os.mkfifo(folder / "pipe.json")
    assert "a pipe" in refused(folder / "pipe.json")
    with pytest.raises(StoryError, match="unreadable"):
        load_story(folder / ("x" * 400))


@pytest.mark.parametrize("name", ["deep unclosed", "too large", "many values"])
def test_refusal_takes_little_memory(folder: Path, name: str) -> None:
    content, _ = TEXTS[name]
    path = folder / "story.json"
    path.write_text(content() if callable(content) else str(content))
    tracemalloc.start()
    try:
        with pytest.raises(StoryError):
            load_story(path)
        assert tracemalloc.get_traced_memory()[1] < MEGABYTES * 2**20
    finally:
        tracemalloc.stop()


def test_nothing_is_left_behind(folder: Path) -> None:
    path = folder / "story.json"
    path.write_text(json.dumps(with_reference("bomb.png")))
    before = sorted(folder.rglob("*"))
    refused(path)
    assert sorted(folder.rglob("*")) == before


def test_the_good_story_is_good(folder: Path) -> None:
    Image.new("RGB", (8, 8)).save(folder / "mika.png")
    path = folder / "story.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(with_reference("mika.png")).encode())
    story = load_story(path)
    assert story.reference_paths("mika") == (folder / "mika.png",)
    assert story.notes == ()
