"""What `--imatrix` gains: a step's error at a level, without importance and with that of a story.

    python -m scripts.bench.importance --panels 2

In: the starter and two of the example stories. Out: a table, then one JSON line, a list of {level,
importance, error}; `error` is the mean of |level - whole| / |whole| over every fourth call of the
transformer while First Light is drawn. Importance is gathered with other seeds than it is tried on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.commands.quantize_draw import Drawer
from model.config import FIRST_STORY
from model.render.flux.parts import read_transformer
from model.render.weights import STARTER
from model.run.fit import with_gguf
from quantization.convert import convert
from quantization.imatrix import gather, write_importance
from quantization.levels import LEVELS, level_of
from scripts.bench.command import run

OTHER_STORY = FIRST_STORY.with_name("one_umbrella.json")
SEEDS_APART = 1000
EVERY = 4


def gathered(story: Path, panels: int) -> dict[str, Tensor]:
    """Mean squares of what the layers are fed, panels drawn with seeds of their own."""
    drawer = Drawer(STARTER, "cpu", panels, story)
    drawer.requests = [replace(one, seed=one.seed + SEEDS_APART) for one in drawer.requests]
    with gather(drawer.renderer.parts.transformer) as found:
        drawer.draw(None)
    return found


def watched(drawer: Drawer) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """What the transformer is called with while the panels are drawn."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    handle = drawer.renderer.parts.transformer.register_forward_pre_hook(
        lambda module, words, named: calls.append((words, dict(named))), with_kwargs=True
    )
    drawer.draw(None)
    handle.remove()
    return calls[::EVERY]


@torch.inference_mode()
def said(transformer: Any, calls: list[tuple[tuple[Any, ...], dict[str, Any]]]) -> list[Tensor]:
    """Its answers."""
    return [transformer(*words, **named)[0] for words, named in calls]


def main() -> int:
    parser = argparse.ArgumentParser(description="What importance gains.")
    parser.add_argument("--level", action="append", help="this one (default: Q3_K_S and Q2_K)")
    parser.add_argument("--panels", type=int, default=2, help="of each story (default: 2)")
    flags = parser.parse_args()
    drawer = Drawer(STARTER, "cpu", flags.panels)
    calls = watched(drawer)
    wanted = said(drawer.renderer.parts.transformer, calls)
    kinds: dict[str, dict[str, Tensor] | None] = {
        "none": None,
        "this story": gathered(FIRST_STORY, flags.panels),
        "another story": gathered(OTHER_STORY, flags.panels),
    }
    results: list[dict[str, Any]] = []
    print("| level | importance | error of a step |")
    print("| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for level in (
            [level_of(name) for name in flags.level] if flags.level else [LEVELS["Q3_K_S"], LEVELS["Q2_K"]]
        ):
            for kind, importance in kinds.items():
                file = Path(folder) / "importance.safetensors"
                if importance is not None:
                    write_importance(file, importance)
                matter = None if importance is None else file
                made = convert(
                    drawer.transformer, Path(folder) / "made.gguf", level, imatrix=matter, device="cpu"
                )
                transformer = read_transformer(with_gguf(drawer.checkpoint, made.path), dtype=torch.float32)
                errors = [
                    float((found - right).norm() / right.norm())
                    for found, right in zip(said(transformer.eval(), calls), wanted, strict=True)
                ]
                results.append({"level": level.name, "importance": kind, "error": sum(errors) / len(errors)})
                print(f"| {level.name} | {kind} | {results[-1]['error']:.5f} |", flush=True)
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
