"""Several processes that create one library at the same moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from model.memory.store.library import Library

ROOT = Path(__file__).parents[2]

# Opens a library whenever it is told one, so that two of these start within microseconds of each other.
OPENER = """
import sys
from pathlib import Path
from model.memory.store.library import Library
print("ready", flush=True)
for line in sys.stdin:
    name, folder = line.split()
    with Library.open(Path(folder)) as library:
        library.store(name.encode())
        with library.writing() as connection:
            connection.execute("INSERT INTO panels VALUES (?, '', 0, '', '{}', NULL, NULL, 0, 0, 0)", (name,))
    print("done", flush=True)
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_that_create_one_library_at_the_same_moment(tmp_path: Path) -> None:
    processes = [start(OPENER) for _ in range(3)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for number in range(10):
            folder = tmp_path / str(number)
            for name, process in enumerate(processes):
                assert process.stdin is not None
                process.stdin.write(f"{name} {folder}\n")
                process.stdin.flush()
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "done\n", process.communicate()[1]
            with Library.open(folder) as library:
                assert [row["key"] for row in library.rows("SELECT key FROM panels ORDER BY key")] == [
                    "0",
                    "1",
                    "2",
                ]
                assert library.rows("PRAGMA journal_mode")[0][0] == "wal"
            assert sorted(os.listdir(folder)) == ["blobs", "library.db", "library.lock"]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
