"""Two processes that keep memories, killed again and again: nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model.memory.chronicle import Chronicle
from model.memory.library import Library

ROOT = Path(__file__).parents[2]
KILLS = 4  # of two processes each

# Keeps memories for ever, every third one again with other words, and says each only after it is kept.
WRITER = """
import sys
from pathlib import Path
from model.memory.chronicle import Chronicle
from model.memory.library import Library
from model.memory.memories import NewMemory, Passage
chronicle = Chronicle(Library.open(Path(sys.argv[1])))
number = 0
while True:
    key = f"{sys.argv[2]}/p{number:06}"
    for text in ("first", "second")[: 2 if number % 3 == 0 else 1]:
        passage = Passage(kind="fact", text=f"The {text} kite of {key}.", known_by=("Mika",))
        chronicle.keep(NewMemory(key=key, passages=(passage,), present=("Mika",), story=sys.argv[2]))
        print(key, text, flush=True)
    number += 1
"""


def start(folder: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL to send")
def test_no_acknowledged_memory_is_lost_over_kill_9(tmp_path: Path) -> None:
    moments = random.Random(4)
    told: dict[str, str] = {}
    for turn in range(KILLS):
        writers = [start(tmp_path, f"story-{turn}-{name}") for name in range(2)]
        lines: list[str] = []
        for writer in writers:  # both are at work, however slow the machine is
            assert writer.stdout is not None
            lines.append(writer.stdout.readline())
        time.sleep(moments.uniform(0.0, 0.5))
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            output, _ = writer.communicate()
            assert writer.returncode == -signal.SIGKILL
            # A line cut off by the kill was not told to anyone.
            lines += [line for line in output.splitlines(keepends=True) if line.endswith("\n")]
        told |= dict(line.split() for line in lines)
    assert len(told) >= 2 * KILLS
    with Library.open(tmp_path) as library:
        kept = {memory.key: memory.passages for memory in Chronicle(library).memories(who="mika")}
        for key, text in told.items():
            # One memory a key; the second words may have been kept just before they could be told.
            (passage,) = kept[key]
            assert passage.text in {f"The {text} kite of {key}.", f"The second kite of {key}."}
        found = library.rows("SELECT count(*) FROM passage_words")[0][0]
        assert found == len(kept) == library.rows("SELECT count(*) FROM passages")[0][0]
        assert library.rows("PRAGMA integrity_check")[0][0] == "ok"
        assert library.rows("PRAGMA foreign_key_check") == []
