"""What a book was made from: which story, and how its panels were planned when they were drawn.

In: the story's path and plan. Out: facts for `run.json`, and what in a later plan differs from them.
Lettering is left out on purpose: words may change without a panel being drawn again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model.story.plan import Panel, Plan

_DRAWN = ("size", "prompt", "negative", "figures", "words", "seed")  # what decides a panel's picture


def origin(path: Path, out: Path, plan: Plan, shapes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Facts for `run.json`.

    Args:
        path: the story, kept relative to the book's folder, so that both may move together.
        out: the book's folder.
        plan: as the story alone has it, before anything was remembered.
        shapes: the sizes that the model draws.
    """
    facts = {
        "story": _relative(path.resolve(), out.resolve()),
        "shapes": shapes,
        "planned": {panel.id: _planned(panel) for panel in plan.panels},
    }
    return json.loads(json.dumps(facts))


def story_of(facts: Mapping[str, Any], out: Path) -> Path:
    """Where the story lies, given `run.json` and the folder it stands in."""
    return Path(os.path.normpath(out / facts["story"]))


def differences(facts: Mapping[str, Any], plan: Plan) -> dict[str, tuple[str, ...]]:
    """Panel id → what its picture was not drawn from, as named in _DRAWN; for a new panel all of it."""
    planned: Mapping[str, Any] = facts["planned"]
    found: dict[str, tuple[str, ...]] = {}
    for panel in plan.panels:
        before, now = planned.get(panel.id, {}), json.loads(json.dumps(_planned(panel)))
        differing = tuple(name for name in _DRAWN if before.get(name) != now[name])
        if differing:
            found[panel.id] = differing
    return found


def _planned(panel: Panel) -> dict[str, Any]:
    return {
        "size": (panel.width, panel.height),
        "prompt": panel.prompt,
        "negative": panel.negative,
        "figures": [(figure.character, figure.box.as_tuple(), figure.prompt) for figure in panel.figures],
        "words": panel.words,
        "seed": panel.seed,
    }


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return path.as_posix()
