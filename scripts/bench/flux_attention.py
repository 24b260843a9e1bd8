"""One layer's attention of a Flux panel with two characters: under the block mask, and in pieces.

    python -m scripts.bench.flux_attention [--heads 2]

In: nothing; queries, keys and values are random, as many as a panel of 1024 × 1024 pixels has. Out: a table
for references as Redux tokens and as latents: seconds without any mask, under the mask, and in pieces, the
share of pairs that may meet, and seconds to cut a mask up, once a panel; then one JSON line. Ways take turns,
and the fastest of each counts. On a CPU float32 and the time of its cores, on a card bfloat16.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from model.render.devices import pick_device
from model.render.flux.attention import Pieces, attend, in_pieces
from model.render.sequence import Layout, attention_mask, region_cells
from scripts.bench.command import run
from scripts.bench.flux_full import BOXES, Clock

LAYOUTS = {
    "Redux tokens": Layout(global_text=60, region_text=40, regions=2, rows=64, columns=64, picture=729),
    "latents": Layout(
        global_text=60,
        region_text=40,
        regions=2,
        rows=64,
        columns=64,
        reference_rows=32,
        reference_columns=32,
    ),
}


def mask_of(layout: Layout) -> Tensor:
    boxes = torch.tensor([[box.as_tuple() for box in BOXES]])
    return attention_mask(
        layout,
        region_cells(boxes, layout.rows, layout.columns),
        global_lengths=torch.tensor([layout.global_text]),
        region_lengths=torch.full((1, 2), layout.region_text),
        has_reference=torch.ones(1, 2, dtype=torch.bool),
    )


@torch.inference_mode()
def compare(name: str, *, heads: int, device: str, turns: int) -> dict[str, float | str]:
    """Seconds of every way, by its name."""
    layout, clock = LAYOUTS[name], Clock(device)
    on_cpu = mask_of(layout)
    started = clock.now()
    pieces = in_pieces(on_cpu, device)
    cutting = clock.now() - started
    assert isinstance(pieces, Pieces)
    mask = on_cpu.to(device)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    query, key, value = (
        torch.randn(1, layout.total, heads, 128, device=device, dtype=dtype) for _ in range(3)
    )

    def dense(told: Tensor | None) -> Tensor:
        rows = [one.transpose(1, 2) for one in (query, key, value)]
        return scaled_dot_product_attention(rows[0], rows[1], rows[2], attn_mask=told)

    ways: dict[str, Callable[[], Tensor]] = {
        "open": lambda: dense(None),
        "mask": lambda: dense(mask),
        "pieces": lambda: attend(query, key, value, pieces),
    }
    found = dict.fromkeys(ways, float("inf"))
    for _ in range(turns):
        for way, work in ways.items():
            started = clock.now()
            work()
            found[way] = min(found[way], clock.now() - started)
    return {"references": name, "met": float(on_cpu.float().mean()), "cutting": cutting, **found}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Attention of a Flux panel, under the mask and in pieces.")
    parser.add_argument("--heads", type=int, help="(default: 24, as Flux has; 2 on a CPU)")
    parser.add_argument("--turns", type=int, default=6, help="of which the fastest counts (default: 6)")
    parser.add_argument("--device", default="auto", help="cuda or cpu (default: the best)")
    flags = parser.parse_args(arguments)
    device = pick_device(flags.device)
    heads = flags.heads or (2 if device == "cpu" else 24)
    rows = [compare(name, heads=heads, device=device, turns=flags.turns) for name in LAYOUTS]
    print("| references as | pairs that meet | no mask | mask | pieces | cutting a mask up |")
    print("| --- " * 6 + "|")
    for row in rows:
        print(
            f"| {row['references']} | {row['met']:.0%} | {row['open']:.4f} s | {row['mask']:.4f} s | "
            f"{row['pieces']:.4f} s | {row['cutting']:.3f} s |"
        )
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
