"""What torch says of itself and of the device, asked in a process of its own: a broken torch breaks only it.

In: nothing. Out: findings, and `Probed` for what fits. Known cases are named: `torchvision::nms does not
exist` (the two packages do not fit), a driver that does not answer (NVML), a build without the device.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from model.commands.doctor.findings import REINSTALL, Finding, note, ok, on_colab, pip_words, wrong
from model.commands.doctor.packages import together

SECONDS = 300
# What the child runs. It ends with one line of JSON, whatever happens before.
QUESTIONS = """
import json, warnings
said = {"devices": [], "warnings": []}
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    try:
        import torch
        said["torch"] = torch.__version__
        said["cuda_build"] = getattr(torch.version, "cuda", None) or getattr(torch.version, "hip", None)
        said["cuda"] = torch.cuda.is_available()
        said["mps"] = torch.backends.mps.is_available()
        for number in range(torch.cuda.device_count() if said["cuda"] else 0):
            free, total = torch.cuda.mem_get_info(number)
            said["devices"].append({"name": torch.cuda.get_device_name(number), "free": free, "total": total,
                                    "bfloat16": torch.cuda.get_device_capability(number)[0] >= 8})
    except BaseException as error:
        said["torch_error"] = f"{type(error).__name__}: {error}"
    if "torch" in said:
        try:
            import torchvision
            said["torchvision"] = torchvision.__version__
            torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
        except BaseException as error:
            said["torchvision_error"] = f"{type(error).__name__}: {error}"
    said["warnings"] = [str(one.message) for one in seen
                        if "NVML" in str(one.message) or "CUDA" in str(one.message)]
print("\\n" + json.dumps(said))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What the child said.

    Attributes:
        torch, torchvision: their versions; None: not to be imported.
        trouble: what went wrong with torch itself; vision_trouble: with torchvision.
        late: it had not answered when the time was up.
        cuda_build: what torch was built for; None: for processors alone.
        kind: cuda, mps or cpu: the best that works.
        devices: name, free and total bytes, bfloat16, of each card.
        warnings: about the driver.
    """

    torch: str | None = None
    torchvision: str | None = None
    trouble: str = ""
    vision_trouble: str = ""
    late: bool = False
    cuda_build: str | None = None
    kind: str = "cpu"
    devices: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = field(default=())


def ask(seconds: float = SECONDS) -> Probed:
    """Ask in a child; never raises for what the child does."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", QUESTIONS],
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**os.environ},
        )
    except subprocess.TimeoutExpired:
        return Probed(trouble=f"no answer within {seconds:.0f} s", late=True)
    try:
        said = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        last = " ".join(done.stderr.split()[-30:])
        return Probed(trouble=f"importing torch ends Python with code {done.returncode}: {last}")
    return Probed(
        torch=said.get("torch"),
        torchvision=said.get("torchvision"),
        trouble=_line(said.get("torch_error", "")),
        vision_trouble=_line(said.get("torchvision_error", "")),
        cuda_build=said.get("cuda_build"),
        kind="cuda" if said.get("cuda") else "mps" if said.get("mps") else "cpu",
        devices=tuple(said["devices"]),
        warnings=tuple(map(_line, said["warnings"])),
    )


def torch_works(probed: Probed) -> Iterator[Finding]:
    """torch, and torchvision with it."""
    if probed.late:
        yield note("torch", f"importing torch: {probed.trouble}; this machine is busy", "try again later")
        return
    if probed.trouble:
        yield wrong("torch", f"torch cannot be imported: {probed.trouble}", REINSTALL)
        return
    if probed.vision_trouble:
        found = f"torch {probed.torch} and torchvision do not fit each other ({probed.vision_trouble})"
        if "torchvision::nms" in probed.vision_trouble:
            found += ": torchvision was built for another torch, and every import that needs it fails"
        # A Colab is thrown away tonight, and its pip has the builds that fit its driver.
        public = (probed.torch or "").partition("+")[0]
        safe = pip_words("--force-reinstall", f"torch=={public}", "torchvision") if on_colab() else ()
        yield wrong("torch", found, together(probed.torch), safe)
        return
    yield ok("torch", f"torch {probed.torch} and torchvision {probed.torchvision} work together")


def device(probed: Probed) -> Iterator[Finding]:
    """What there is to draw on."""
    if probed.trouble:
        return
    for number, card in enumerate(probed.devices):
        free, total = card["free"] / 1e9, card["total"] / 1e9
        kind = "bfloat16" if card["bfloat16"] else "no bfloat16, so float16"
        yield ok("device", f"cuda:{number} {card['name']}, {free:.1f} of {total:.1f} GB free, {kind}")
    if probed.devices:
        return
    nvml = next((one for one in probed.warnings if "NVML" in one), "")
    if nvml:
        yield wrong(
            "device",
            f"the NVIDIA driver does not answer ({nvml}): it was updated without a restart, or this "
            "container has no access to it",
            "restart the machine, or start the container with --gpus all; nvidia-smi must list the card",
        )
    elif probed.warnings:
        yield wrong(
            "device", f"CUDA cannot be used: {probed.warnings[0]}", "update the NVIDIA driver: nvidia-smi"
        )
    elif shutil.which("nvidia-smi") and not probed.cuda_build:
        yield note(
            "device",
            f"nvidia-smi is here, but torch {probed.torch} is built for processors alone",
            "see https://pytorch.org/get-started/locally for the command that installs your card's build",
        )
    elif probed.kind == "mps":
        yield ok("device", "mps: Apple's graphics, which share the machine's memory")
    else:
        yield ok(
            "device", "cpu: no graphics card that torch can use; the starter draws here in seconds a panel"
        )


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
