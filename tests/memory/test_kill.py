"""Two processes that remember everything there is to remember, killed eight times: what was told is there."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from model.memory.characters.database import Characters
from model.memory.characters.sightings import Sightings
from model.memory.chronicle.chronicle import Chronicle
from model.memory.panels.cache import PanelCache
from model.memory.store.library import Library
from model.memory.vibe.memory import VibeMemory
from model.memory.vibe.parsing import parse

ROOT = Path(__file__).parents[2]
KILLS = 8  # of two processes each
KINDS = ("like", "seen", "chosen", "memory", "panel")

# Adds a like, a sighting, a choice, a memory (again with other words) and a panel, over and over, and tells
# of each only after it is kept.
WRITER = """
import sys
from pathlib import Path
import numpy as np
from model.memory.characters.looks import Look
from model.memory.characters.database import Characters
from model.memory.chronicle.chronicle import Chronicle
from model.memory.store.library import Library
from model.memory.chronicle.memories import NewMemory, Passage
from model.memory.panels.cache import Embedding, NewPanel, PanelCache
from model.memory.characters.sightings import NewSighting, Sightings
from model.memory.vibe.memory import VibeMemory

def told(kind, name):
    print(kind, name, flush=True)

folder, writer = Path(sys.argv[1]), sys.argv[2]
library, vibe = Library.open(folder / "library"), VibeMemory(folder / "vibe.json")
characters, sightings, chronicle, cache = (
    make(library) for make in (Characters, Sightings, Chronicle, PanelCache)
)
one = characters.introduce(Look(name=writer))
number = 0
while True:
    name = f"{writer}.{number}"
    vector = np.random.default_rng(number).normal(size=64)
    vibe.add_like(vector, source=name)
    told("like", name)
    place = Embedding(space="s", vector=vector.astype(np.float16))
    sightings.add([NewSighting(character=one.id, crop=name, panel="p", place="", similarity=0.5, quality=0.5,
                               embedding=place)])
    told("seen", name)
    characters.choose(one.id, [name], "sighting", "approved")
    told("chosen", name)
    for text in ("first", "second"):
        passage = Passage(kind="fact", text=f"The {text} kite of {name}.", known_by=("Mika",))
        chronicle.keep(NewMemory(key=name, passages=(passage,), present=("Mika",), story=writer))
        told("memory", f"{name}/{text}")
    cache.add(NewPanel(key=name, picture=name.encode() * 3000, prompt=name, params={"number": number}))
    told("panel", name)
    number += 1
"""


def kill_two(folder: Path, turn: int, moments: random.Random) -> list[str]:
    """Start two writers, kill both in the middle of their work; returns the lines that they finished."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), f"{turn}-{name}"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in range(2)
    ]
    firsts = ["", ""]
    if turn:  # both are at work, however slow the machine is; in the first turn they may still be starting
        firsts = [_until_told(writer, KINDS[-1]) for writer in writers]
    time.sleep(moments.uniform(0.0, 0.4))
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
    lines: list[str] = []
    for writer, first in zip(writers, firsts, strict=True):
        assert writer.stdout is not None
        assert writer.stderr is not None
        with writer:  # closes its pipes
            # Not communicate(): it would miss what readline has already taken from the pipe.
            output, errors = writer.stdout.read(), writer.stderr.read()
            writer.wait()
        assert writer.returncode == -signal.SIGKILL, errors
        # A line cut off by the kill was not told to anyone.
        lines += [line for line in (first + output).splitlines(keepends=True) if line.endswith("\n")]
    return [line.rstrip("\n") for line in lines]


def _until_told(writer: subprocess.Popen[str], kind: str) -> str:
    """What a writer tells until it has told of one of this kind."""
    lines = ""
    assert writer.stdout is not None
    line = ""
    while not line.startswith(kind):
        line = writer.stdout.readline()
        assert line, "the writer ended by itself"
        lines += line
    return lines


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL to send")
def test_nothing_that_was_told_is_lost_over_kill_9(tmp_path: Path) -> None:
    moments = random.Random(9)
    told: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for turn in range(KILLS):
        for line in kill_two(tmp_path, turn, moments):
            kind, name = line.split()
            told[kind].append(name)
        if told["like"]:  # every time the file opens
            likes = VibeMemory(tmp_path / "vibe.json").memories
            assert set(told["like"]) <= {one.fact("source") for one in likes}
    for kind, names in told.items():
        assert len(names) >= 2 * (KILLS - 1), f"too few of kind {kind} to tell anything: {names}"
    _check_likes(tmp_path, told["like"])
    with Library.open(tmp_path / "library") as library:
        _check_characters(library, told["seen"], told["chosen"])
        _check_memories(library, told["memory"])
        _check_panels(library, told["panel"])
        assert library.rows("PRAGMA integrity_check")[0][0] == "ok"
        assert library.rows("PRAGMA foreign_key_check") == []


def _check_likes(folder: Path, told: Sequence[str]) -> None:
    vibe = VibeMemory(folder / "vibe.json")
    assert len(vibe.memories) <= len(told) + 2 * KILLS, "at most one unacknowledged like a writer"
    parse((folder / "vibe.json.bak").read_text(), "bak")
    vibe.add_like([0.1] * 64)
    left = {file.name for file in folder.iterdir()} - {"library"}
    assert left == {"vibe.json", "vibe.json.bak", "vibe.json.lock"}, "what killed writers left is swept up"


def _check_characters(library: Library, seen: Sequence[str], chosen: Sequence[str]) -> None:
    assert set(seen) <= {row["crop"] for row in library.rows("SELECT crop FROM sightings")}
    assert Sightings(library).without_vector("s") == ()
    characters = Characters(library)
    versions = [version for one in characters.all() for version in characters.versions(one.id)]
    assert set(chosen) <= {picture for version in versions for picture in version.pictures}


def _check_memories(library: Library, told: Sequence[str]) -> None:
    kept = {memory.key: memory.passages for memory in Chronicle(library).memories(who="mika")}
    latest = dict(name.split("/") for name in told)
    for key, text in latest.items():
        # One memory a key; the second words may have been kept just before they could be told.
        (passage,) = kept[key]
        assert passage.text in {f"The {text} kite of {key}.", f"The second kite of {key}."}
    found = library.rows("SELECT count(*) FROM passage_words")[0][0]
    assert found == len(kept) == library.rows("SELECT count(*) FROM passages")[0][0]


def _check_panels(library: Library, told: Sequence[str]) -> None:
    cache = PanelCache(library)
    assert set(told) <= set(cache.keys())
    for key in told:
        found = cache.get(key)
        assert found is not None
        assert library.load(found.blob) == key.encode() * 3000
    # Nor does any row point at nothing: the blob is written first.
    for row in library.rows("SELECT blob FROM panels"):
        assert hashlib.sha256(library.load(row["blob"])).hexdigest() == row["blob"]
