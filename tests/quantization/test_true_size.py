"""Flux at its true width, one block of each kind: half a billion weights are converted within the memory that
is promised, load in diffusers offline, and draw."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import save_file

from quantization.sources import open_source
from tests.quantization.loading import draw, load

ROOT = Path(__file__).parents[2]
CODE = """
import json, sys
from pathlib import Path
from quantization.convert import convert
from quantization.levels import LEVELS
def peak():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status["VmHWM"].split()[0]) * 1024
before = peak()
made = convert(Path(sys.argv[1]), Path(sys.argv[2]), LEVELS["Q4_K_S"], device="cpu")
print(json.dumps({"added": peak() - before, "weights": made.weights, "tensors": made.tensors}))
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_true_flux_converts_loads_and_draws(tmp_path: Path) -> None:
    config = {"num_layers": 1, "num_single_layers": 1, "guidance_embeds": True}
    folder = tmp_path / "transformer"
    folder.mkdir()
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    model = FluxTransformer2DModel(**config).eval()
    torch.set_default_dtype(before)
    model.save_config(folder)
    save_file(model.state_dict(), folder / "diffusion_pytorch_model.safetensors")
    wanted = draw(model.float())
    del model
    out = tmp_path / "flux.gguf"
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(folder), str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(done.stdout)
    assert facts["weights"] > 500e6
    shapes = open_source(out).shapes
    assert shapes["single_blocks.0.linear1.weight"] == (21504, 3072)
    largest = 2 * 21504 * 3072  # bytes, as bfloat16
    # Beside what importing torch takes, half a gigabyte by itself.
    assert facts["added"] <= 2 * largest, facts
    found = draw(load(out, folder))
    assert float((found - wanted).norm() / wanted.norm()) < 0.05
