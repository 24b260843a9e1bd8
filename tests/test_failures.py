"""No traceback at the door: closed and full outputs, ASCII, signals, bad paths, devices, odd bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX shells, signals and devices")


def run(
    folder: Path, *words: str | bytes, shell: str = "", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    typed = [sys.executable, str(ROOT / "run.py"), *words]
    if shell:
        typed = ["bash", "-c", shell, "bash", *typed]  # "$@" is the command
    return subprocess.run(
        typed,
        cwd=folder,
        capture_output=True,
        timeout=120,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
    )


LIST = ("download", "--list", "--json")
CASES: dict[str, tuple[tuple[str | bytes, ...], str, dict[str, str], tuple[int, ...]]] = {
    "stdout full": (LIST, '"$@" > /dev/full', {}, (3,)),
    "stdout closed": (LIST, '"$@" >&-', {}, (0, 3)),
    "reader gone": (LIST, '"$@" | true; exit "${PIPESTATUS[0]}"', {}, (0, 3)),
    "ascii": (("download", "--list"), "", {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}, (0,)),
    "long path": (("layout", "x" * 5000 + ".json"), "", {}, (2,)),
    "long library": (("panels", "list", "--library", "x" * 300), "", {}, (2, 3)),
    "library is a device": (("panels", "list", "--library", "/dev/null"), "", {}, (2, 3)),
    "memory of no end": (("vibe", "stats", "--memory", "/dev/zero"), "", {}, (3,)),
    "memory is the root": (("vibe", "stats"), "", {"VIBE_MEMORY_PATH": "/"}, (2,)),
    "memory is a folder": (("vibe", "stats", "--memory", "."), "", {}, (2,)),
    "bytes": ((b"layout", b"\xff\xfe.json"), "", {}, (2,)),
    "bytes as a flag": ((b"vibe", b"stats", b"--profile", b"\xff"), "", {}, (2, 3)),
    "no such home": (("download", "--list"), "", {"HF_HOME": "/proc/nowhere"}, (0,)),
}


@pytest.mark.parametrize("name", CASES)
def test_one_line_and_a_code(name: str, tmp_path: Path) -> None:
    words, shell, environment, codes = CASES[name]
    done = run(tmp_path, *words, shell=shell, **environment)
    said = done.stderr.decode("utf-8", "replace")
    assert b"Traceback" not in done.stderr, said
    assert done.returncode in codes, (done.returncode, said)
    if done.returncode:
        assert len([line for line in said.splitlines() if line.startswith("error:")]) <= 1
        assert "Exception ignored" not in said


def test_no_temporary_folder(tmp_path: Path) -> None:
    code = (
        "import sys, tempfile\ntempfile._candidate_tempdir_list = lambda: []\n"
        "from model.failures import plain_failures\n"
        "with plain_failures() as failure:\n    tempfile.mkdtemp()\nsys.exit(failure.code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode in (2, 3)
    assert "Traceback" not in done.stderr
    assert "No usable temporary directory" in done.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_whoever_stops_it_gets_a_code_and_no_temporary_folder_stays(
    sent: signal.Signals, tmp_path: Path
) -> None:
    code = (
        "import sys, tempfile, time\nfrom model.failures import plain_failures\n"
        "with plain_failures() as failure, tempfile.TemporaryDirectory(dir='.', prefix='autostudio-'):\n"
        "    print('here', flush=True)\n    time.sleep(60)\nsys.exit(failure.code)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "here\n"
    child.send_signal(sent)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 128 + sent
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("after", [0.12, 0.2, 0.3])
def test_ctrl_c_in_the_first_moments(after: float, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), "layout"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    time.sleep(after)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    # Python itself is not to be reached before it runs the first line.
    if "Traceback" in said:
        assert "run.py" not in said
    else:
        assert child.returncode in (130, -signal.SIGINT)


def test_repairing_a_garbled_memory_takes_time_by_its_length() -> None:
    from model.memory.vibe.salvage import salvage

    def seconds(count: int, piece: str) -> float:
        text = '{"liked": [' + piece * count
        start = time.process_time()
        salvage(text)
        return time.process_time() - start

    for piece in ("[", '{"a":', "[[1,", '{"embedding": [1.0, ', '["', "[1,2,[", '{"b": "'):
        assert seconds(40_000, piece) < 20 * max(seconds(10_000, piece), 0.05), piece
