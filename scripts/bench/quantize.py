"""Error and speed of the encoders beside ggml's own, in one run on one machine.

    python -m scripts.bench.quantize                # one thread each
    python -m scripts.bench.quantize --threads 2    # as many on either side
    python -m scripts.bench.quantize --device cuda --rows 65536   # ours there, ggml's on the processor

In: nothing but the starter's weights. Out: a table, then one JSON line, a list of {level, tensor, rmse,
rmse_ggml, mweights_s, mweights_s_ggml}; `tensor` says what was encoded, and "/weighted" that the columns had
importance (the error is weighted then, too). Speeds are the best of several turns, taken in alternation: what
the machine does beside it slows both.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gguf
import numpy as np
import torch
from torch import Tensor

from quantization.gguf_source import GgufSource
from quantization.kquants import encode
from quantization.levels import TYPES, BlockType
from scripts.bench.command import run
from tests.quantization import ggml
from tests.quantization.tensors import DISTRIBUTIONS, STARTER, starter_tensors

LEVELS = ("Q8_0", "Q6_K", "Q5_K", "Q5_0", "Q4_K", "Q4_0", "Q3_K", "Q2_K")
SEED = 7


def measure(
    kind: BlockType,
    tensor: str,
    values: Tensor,
    importance: Tensor | None,
    *,
    turns: int,
    threads: int,
    device: str = "cpu",
) -> dict[str, Any]:
    """Encode with both, and compare."""
    plain = values.numpy()
    matter = None if importance is None else importance.numpy()
    pieces = np.array_split(plain, threads)
    there = values.to(device)

    def ours() -> Tensor:
        # (The bytes come back to main memory, so a device has done its work by then.)
        return encode(there, kind, importance=importance)

    def theirs() -> np.ndarray[Any, Any]:
        if threads == 1:
            return ggml.encode(plain, kind, matter)
        return np.concatenate(list(pool.map(lambda piece: ggml.encode(piece, kind, matter), pieces)))

    with ThreadPoolExecutor(threads) as pool:
        seconds = [(_seconds(ours), _seconds(theirs)) for _ in range(turns)]
        encoded = [ours().numpy(), theirs()]
    errors = [_rmse(data, kind, values, importance) for data in encoded]
    speeds = [values.numel() / 1e6 / min(column) for column in zip(*seconds, strict=True)]
    return {
        "level": kind.name,
        "tensor": tensor if importance is None else f"{tensor}/weighted",
        "rmse": errors[0],
        "rmse_ggml": errors[1],
        "mweights_s": round(speeds[0], 2),
        "mweights_s_ggml": round(speeds[1], 2),
    }


def _seconds(work: Callable[[], object]) -> float:
    """The fastest of three in a row, so that caches hold what this side left, not the other."""
    best = float("inf")
    for _ in range(3):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def _ratio(found: dict[str, Any]) -> float:
    """Of the errors. Both are zero where the weights were of this type before."""
    return found["rmse"] / found["rmse_ggml"] if found["rmse_ggml"] else 1.0


def _rmse(data: np.ndarray[Any, Any], kind: BlockType, values: Tensor, importance: Tensor | None) -> float:
    decoded = gguf.quants.dequantize(data, gguf.GGMLQuantizationType(kind.number))
    squares = (torch.from_numpy(decoded).double() - values.double()).square()
    if importance is not None:
        squares = squares * (importance / importance.mean())
    return float(squares.mean().sqrt())


def main() -> int:
    parser = argparse.ArgumentParser(description="Encoders beside ggml's: error and speed.")
    parser.add_argument("--threads", type=int, default=1, help="on either side (default: 1)")
    parser.add_argument("--device", default="cpu", help="of our encoders (default: cpu)")
    parser.add_argument("--rows", type=int, default=64, help="of 1,024 weights each (default: 64)")
    parser.add_argument("--turns", type=int, default=40, help="of which the fastest counts (default: 40)")
    parser.add_argument("--level", action="append", choices=LEVELS, help="this one (default: all)")
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    importance = torch.rand(1024, generator=torch.Generator().manual_seed(SEED)).square() + 0.025
    subjects: list[tuple[str, Tensor, Tensor | None]] = []
    for name, draw in DISTRIBUTIONS.items():
        values = draw(flags.rows, 1024)
        subjects += [(name, values, None), (name, values, importance)]
    subjects += [(name, values, None) for name, values in starter_tensors(GgufSource(STARTER), most=4)]
    results: list[dict[str, Any]] = []
    print("| level | tensor | rmse | ggml | ratio | M weights/s | ggml | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for level in flags.level or LEVELS:
        for tensor, values, matter in subjects:
            if matter is not None and not TYPES[level].weighted:
                continue
            found = measure(
                TYPES[level],
                tensor,
                values,
                matter,
                turns=flags.turns,
                threads=flags.threads,
                device=flags.device,
            )
            results.append(found)
            print(
                f"| {level} | {found['tensor']} | {found['rmse']:.5f} | {found['rmse_ggml']:.5f} | "
                f"{_ratio(found):.4f} | {found['mweights_s']:.1f} | "
                f"{found['mweights_s_ggml']:.1f} | {found['mweights_s'] / found['mweights_s_ggml']:.2f} |",
                flush=True,
            )
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
