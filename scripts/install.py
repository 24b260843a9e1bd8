"""Installs the pinned packages into the environment of the interpreter that runs this; stdlib only.

    python scripts/install.py [--also REQUIREMENT ...]

Takes the torch that suits the machine: where there is no NVIDIA card, PyTorch's CPU build (some 200 MB) from
its own index if that can be reached, else what the ordinary index has (about 3 GB on Linux). Uses `uv` where
it is installed, else pip. Says which, why, and the size of what it loads. AUTOSTUDIO_TORCH=cpu or =cuda
decides by hand.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CPU_INDEX = os.environ.get("AUTOSTUDIO_TORCH_INDEX", "https://download.pytorch.org/whl/cpu")
CUDA_PART = "# What torch needs for CUDA"  # the last part of requirements.txt
SECONDS = 5.0


def has_nvidia_card() -> bool:
    """Whether the driver knows a card."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    try:
        return subprocess.run([tool, "-L"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def reachable(index: str) -> bool:
    """Whether a package index answers."""
    try:
        with urllib.request.urlopen(f"{index.rstrip('/')}/torch/", timeout=SECONDS):
            return True
    except (OSError, ValueError, urllib.error.URLError):
        return False


def choose_torch() -> tuple[bool, str]:
    """Whether to take the CPU build from its own index, and why, in words."""
    asked = os.environ.get("AUTOSTUDIO_TORCH", "").strip().lower()
    if asked == "cuda" or (not asked and platform.system() == "Darwin"):
        why = "AUTOSTUDIO_TORCH says so" if asked else "on a Mac there is only one"
        return False, f"torch: the ordinary build; {why}"
    if not asked and has_nvidia_card():
        return False, "torch: the CUDA build (about 3 GB), for the NVIDIA card of this machine"
    reason = "AUTOSTUDIO_TORCH says so" if asked else "no NVIDIA card was found"
    if reachable(CPU_INDEX):
        return True, f"torch: the CPU build (about 200 MB); {reason}"
    return False, f"torch: the ordinary build (about 3 GB); {reason}, but {CPU_INDEX} cannot be reached"


def requirements(cpu: bool) -> list[str]:
    """The pins to install; a CPU build needs nothing of CUDA."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if cpu and CUDA_PART in lines:
        lines = lines[: lines.index(CUDA_PART)]
    return [line for line in lines if line.strip() and not line.startswith("#")]


def command(pins: Path, *, cpu: bool) -> list[str]:
    """What installs a file of pins into this environment."""
    extra = ["--extra-index-url", CPU_INDEX] if cpu else []
    uv = shutil.which("uv")
    if uv is not None:
        # Two indexes have torch; of both the pinned version's CPU build is wanted.
        strategy = ["--index-strategy", "unsafe-best-match"] if cpu else []
        return [uv, "pip", "install", "--python", sys.executable, *extra, *strategy, "-r", str(pins)]
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *extra]
    return [*pip, *([] if sys.stderr.isatty() else ["--progress-bar", "off"]), "-r", str(pins)]


def run(words: Sequence[str]) -> int:
    """Run an installer; on a terminal as it is, elsewhere only what it downloads and what goes wrong."""
    if sys.stderr.isatty():
        return subprocess.run(words, stdout=sys.stderr).returncode
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            text = line.strip()
            if text.startswith(("Downloading ", "ERROR", "error", "Installed ")) and ".metadata" not in text:
                sys.stderr.write(f"  {text}\n")
                sys.stderr.flush()
    return process.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description="Install the pinned packages into this environment.")
    parser.add_argument("--also", nargs="*", default=[], metavar="REQUIREMENT", help="further requirements")
    flags = parser.parse_args()
    cpu, why = choose_torch()
    tool = "uv" if shutil.which("uv") else "pip"
    sys.stderr.write(f"{why}\ninstalling with {tool}; the first time takes a few minutes\n")
    pins = Path(sys.prefix) / "pins.txt"
    pins.write_text("\n".join([*requirements(cpu), *flags.also]) + "\n", encoding="utf-8")
    return run(command(pins, cpu=cpu))


if __name__ == "__main__":
    sys.exit(main())
