"""A step with GGUF weights beside a step with whole ones: ours and diffusers' default, in one run.

    python -m scripts.bench.gguf_layers                 # the starter at every level
    python -m scripts.bench.gguf_layers --width 768     # a random Flux of that width, which K levels can hold

(The starter's rows are too short for K levels, which leave most of it in half precision: there the second is
the one that tells.)

In: the starter's weights, or random ones. Out: a table, then one JSON line, a list of {level, way, ratio,
seconds, difference}; `ratio` is a step's time over that of the same numbers as plain layers, `difference` the
largest one of the results. Ways take turns, and the fastest of each counts: what the machine does beside it
slows all.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import FluxTransformer2DModel, GGUFQuantizationConfig

from model.render.gguf.layers import keep_packed
from quantization.convert import convert
from quantization.levels import LEVELS
from scripts.bench.command import run

STARTER = Path(__file__).resolve().parents[2] / "model" / "starter" / "transformer"
QUANTIZED = tuple(name for name in LEVELS if name != "F16")
SEED = 3


def load(path: Path, config: Path) -> Any:
    """The transformer of a GGUF file with diffusers' own layers."""
    model: Any = FluxTransformer2DModel.from_single_file(
        str(path),
        config=str(config),
        local_files_only=True,
        quantization_config=GGUFQuantizationConfig(compute_dtype=torch.float32),
        torch_dtype=torch.float32,
    )
    return model.eval()


def ways(path: Path, config: Path) -> dict[str, Any]:
    """The same weights, five times."""
    found = {name: load(path, config) for name in ("whole", "diffusers", "packed", "half", "hot")}
    found["whole"].dequantize()
    total = keep_packed(found["hot"], hot=2**62)
    keep_packed(found["packed"])
    keep_packed(found["half"], hot=total // 2)
    return found


def random_flux(width: int, folder: Path) -> None:
    """A Flux of two blocks of each kind, in diffusers' layout."""
    torch.manual_seed(SEED)
    FluxTransformer2DModel(
        num_layers=2,
        num_single_layers=2,
        num_attention_heads=width // 64,
        attention_head_dim=64,
        joint_attention_dim=256,
        pooled_projection_dim=256,
        axes_dims_rope=(16, 24, 24),
    ).save_pretrained(folder)


def step(model: Any, side: int) -> Callable[[], torch.Tensor]:
    """One call on fixed noise: a picture of side × side tokens, eight of text."""
    random = torch.Generator().manual_seed(SEED)
    config = model.config
    ids = torch.stack(
        torch.meshgrid(torch.zeros(1), torch.arange(float(side)), torch.arange(float(side)), indexing="ij"),
        -1,
    )
    inputs = {
        "hidden_states": torch.randn(2, side * side, config.in_channels, generator=random),
        "encoder_hidden_states": torch.randn(2, 8, config.joint_attention_dim, generator=random),
        "pooled_projections": torch.randn(2, config.pooled_projection_dim, generator=random),
        "timestep": torch.full((2,), 0.5),
        "guidance": torch.full((2,), 3.0) if config.guidance_embeds else None,
        "img_ids": ids.reshape(-1, 3),
        "txt_ids": torch.zeros(8, 3),
    }
    return lambda: model(**inputs, return_dict=False)[0]


@torch.inference_mode()
def compare(level: str, path: Path, config: Path, *, side: int, turns: int) -> list[dict[str, Any]]:
    """Every way at one level."""
    steps = {name: step(model, side) for name, model in ways(path, config).items()}
    wanted = steps["whole"]()
    seconds = dict.fromkeys(steps, float("inf"))
    for _ in range(turns):
        for name, work in steps.items():
            begun = time.perf_counter()
            work()
            seconds[name] = min(seconds[name], time.perf_counter() - begun)
    return [
        {
            "level": level,
            "way": name,
            "ratio": round(seconds[name] / seconds["whole"], 3),
            "seconds": round(seconds[name], 4),
            "difference": float((work() - wanted).abs().max()),
        }
        for name, work in steps.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Step time with GGUF weights, ours and diffusers'.")
    parser.add_argument("--level", action="append", choices=QUANTIZED, help="this one (default: all)")
    parser.add_argument("--width", type=int, help="of a random Flux (default: the starter)")
    parser.add_argument("--side", type=int, default=8, help="tokens of the picture's side (default: 8)")
    parser.add_argument("--turns", type=int, default=12, help="of which the fastest counts (default: 12)")
    flags = parser.parse_args()
    results: list[dict[str, Any]] = []
    print("| level | way | over whole weights | s | largest difference |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        source = STARTER
        if flags.width:
            source = Path(folder) / "transformer"
            random_flux(flags.width, source)
        for level in flags.level or QUANTIZED:
            path = Path(folder) / f"{level}.gguf"
            convert(source, path, LEVELS[level])
            for row in compare(level, path, source, side=flags.side, turns=flags.turns):
                results.append(row)
                print(
                    f"| {level} | {row['way']} | {row['ratio']:.2f} | {row['seconds']:.4f} | "
                    f"{row['difference']:.1e} |",
                    flush=True,
                )
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
