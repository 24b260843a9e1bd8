"""Fuzzers of what is JSON: the story, run.json, the vibe memory, the index of a cache, flags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from tests.fuzz.harness import JUNK, as_text, damaged, fuzz, reshaped

ROOT = Path(__file__).parents[2]
NATIVE = json.loads((ROOT / "examples" / "first_light.json").read_text(encoding="utf-8"))
SMALL = {
    "version": 1,
    "title": "Small",
    "language": "en",
    "reading_direction": "rtl",
    "style": "ink",
    "page": {"size": "us", "template": "auto"},
    "lettering": {"font": "", "capitals": True, "writing": "auto"},
    "characters": {
        "a": {"name": "A", "aliases": ["B"], "description": "girl", "variants": {"w": "girl, scarf"}}
    },
    "pages": [
        {
            "frames": [[0, 0, 100, 45]],
            "panels": [
                {
                    "scene": "beach",
                    "shot": "bust",
                    "characters": [
                        {"id": "a", "variant": "w", "box": [0.1, 0.1, 0.4, 0.8], "action": "waving"}
                    ],
                    "dialogue": [{"speaker": "a", "text": "It's *late*!", "kind": "shout"}],
                    "caption": "Says 'no', \"NIGHT\"",
                    "remember": ["A lost her hat"],
                    "seed": 5,
                }
            ],
        }
    ],
}
DIALECT = {
    "character_definitions": {"1": {"name": "Ada", "core_features": "woman", "priority": "high"}},
    "d": {
        "turn 1": {
            "size": [768, 1024],
            "objects": [
                ["arms crossed", [320, 160, 340, 580], "1"],
                ["hat", [1, 2, 3, 4], "1-2"],
                ["cat", None, 0],
            ],
            "background": "beach",
            "caption": "small speech bubble 'Who dares enter?'",
            "negative": "None",
        }
    },
}


def test_story(tmp_path: Path) -> None:
    from model.run.plan import read_plan

    path = tmp_path / "story.json"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        read_plan(path, seed=1, shapes=[(256, 256), (384, 192)])

    trees = reshaped([NATIVE, SMALL, SMALL, DIALECT, DIALECT]).map(as_text)
    fuzz("story", trees | damaged([as_text(SMALL), as_text(DIALECT)]), read)


RUN = {
    "version": 2,
    "autostudio": "0.1.0",
    "title": "Small",
    "config": {"seed": 0, "dpi": 40},
    "weights": {"name": "starter"},
    "cast": {
        "a": {"picture": "ab" * 32, "source": "rehearsal", "similarities": [0.5], "candidates": ["ab" * 32]}
    },
    "panels": [
        {
            "id": "p001_01",
            "page": 1,
            "key": "k",
            "seed": 5,
            "picture": "ab" * 32,
            "accepted": True,
            "scores": {"count": 1.0},
            "found": 1,
            "sightings": {"a": {"box": [0.1, 0.1, 0.4, 0.8], "identity": 0.9}},
            "candidates": [{"key": "k", "seed": 5}],
            "request": {},
            "boxes": {"a": [0.1, 0.1, 0.4, 0.8]},
        }
    ],
    "seconds": {"draw": 1.0},
    "notes": ["n"],
    "story": "../story.json",
    "shapes": [[256, 256]],
    "planned": {
        "p001_01": {
            "size": [256, 256],
            "prompt": "x",
            "negative": "",
            "figures": [["a", [0.1, 0.1, 0.4, 0.8], "girl"]],
            "words": [],
            "seed": 5,
        }
    },
}


def test_run_json(tmp_path: Path) -> None:
    """As `export` reads it; every fiftieth that is read is exported, story and pictures too."""
    from PIL import Image

    from model.run.plan import read_plan
    from model.run.record import found_boxes, read_record, story_of
    from model.run.reprint import reprint

    (tmp_path / "story.json").write_bytes(as_text(SMALL))
    plan = read_plan(tmp_path / "story.json", seed=0, shapes=[(256, 256)])
    seen: list[Path] = []
    book = tmp_path / "book"
    (book / "panels").mkdir(parents=True)
    Image.new("RGB", (64, 64), "red").save(book / "panels" / "p001_01.png")

    def read(data: bytes) -> None:
        (book / "run.json").write_bytes(data)
        record = read_record(book)
        seen.append(story_of(record, book))
        record.differences(plan)
        for panel in record.panels:
            found_boxes(panel.sightings)
        if len(seen) % 50 == 1:
            reprint(book, formats=("cbz",), dpi=18)

    fuzz("run.json", reshaped([RUN]).map(as_text) | damaged([as_text(RUN)]), read)


def vibe_files() -> list[Any]:
    import base64

    import numpy as np

    vector = np.linspace(-1, 1, 16).astype("<f2")
    packed = base64.b64encode(vector.tobytes()).decode()
    entry = {
        "embedding": [0.5] * 16,
        "category": "x",
        "weight": 1.5,
        "timestamp": "2026-11-01T00:00:00",
        "source": "a.png",
    }
    return [
        {"liked": [[0.25] * 16, [0.5] * 16], "disliked": [[-0.5] * 16]},
        {
            "liked": [entry, {**entry, "embedding": packed, "picture": "0123456789abcdef.jpg"}],
            "disliked": [{**entry, "timestamp": 1.0}],
            "categories": {"x": {"liked": [0], "disliked": [0]}},
            "statistics": {"generation_count": 3, "average_score": 0.1, "filter_applications": 2},
            "metadata": {
                "version": "2.0",
                "created": "2026-11-01T00:00:00",
                "clip_model": "ViT-B/32",
                "panels": [],
            },
        },
    ]


def test_vibe(tmp_path: Path) -> None:
    """Read, written again, and repaired where it is damaged."""
    from model.memory.vibe.store import Store

    path = tmp_path / "vibe.json"

    def read(data: bytes) -> None:
        for left in tmp_path.iterdir():
            left.unlink()
        path.write_bytes(data)
        store = Store(path)
        store.repair()
        store.changed(lambda contents: contents)

    seeds = vibe_files()
    fuzz("vibe", reshaped(seeds).map(as_text) | damaged([as_text(seed) for seed in seeds]), read)


def test_index(tmp_path: Path) -> None:
    from PIL import Image

    from model.memory.panels.index import import_index
    from model.memory.store.library import Library

    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    entry = {
        "cache_id": "a",
        "image_path": "a.png",
        "prompt": "x",
        "generation_params": {"seed": 1},
        "embedding": [0.1, 0.2],
        "timestamp": "2026-11-21T09:15:00",
    }
    tree = {"version": "1.0", "last_updated": "2026-11-21T10:30:00", "entry_count": 1, "entries": [entry]}
    path = tmp_path / "cache_index.json"
    with Library.open(tmp_path / "library") as library:

        def read(data: bytes) -> None:
            path.write_bytes(data)
            report = import_index(library, path)
            assert all("\n" not in line for line in report.complaints)

        fuzz("index", reshaped([tree]).map(as_text) | damaged([as_text(tree)]), read)


WORDS = st.sampled_from(
    [str(one) for one in JUNK if isinstance(one, str | int | float) and "\0" not in str(one)]
    + [
        "layout",
        "vibe",
        "panels",
        "list",
        "characters",
        "show",
        "export",
        "chronicle",
        "recall",
        "doctor",
        "download",
    ]
    + [
        "--json",
        "--seed",
        "--seed=-1",
        "--num_inference_steps",
        "--guidance-scale=nan",
        "--model",
        "--out",
        "--lora",
    ]
    + [
        "--memory",
        "--profile",
        "like",
        "score",
        "stats",
        "--gguf",
        "--device",
        "--list",
        "-",
        "--",
        "--help",
        "-h",
    ]
    + [
        "story.json",
        "nowhere.json",
        "--library",
        "--candidates=1e9",
        "--vibe_threshold",
        "--format",
        "pdf",
        "--dpi",
    ]
)


def test_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Words as they may be typed, through the door; what would draw is stopped at the door of the studio."""
    from model import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "story.json").write_bytes(as_text(SMALL))
    (tmp_path / "empty.json").write_bytes(b"")

    def read(words: list[str]) -> None:
        try:
            code = cli.main([*words[:1], *words[1:]])
        except SystemExit as stop:  # argparse
            code = stop.code
        said = capsys.readouterr()
        assert code in (0, 1, 2, 3), (code, said.err)
        assert "Traceback" not in said.err

    # What would draw is not typed here: `layout` and a bare `run.py` take the story of the examples.
    heads = st.sampled_from(
        [
            "vibe",
            "panels",
            "characters",
            "chronicle",
            "export",
            "download",
            "quantize",
            "x.json",
            "layout x.json",
        ]
    )
    fuzz(
        "flags",
        st.tuples(heads, st.lists(WORDS, max_size=6)).map(lambda one: [*one[0].split(), *one[1]]),
        read,
    )
