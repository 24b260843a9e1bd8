"""The program: a story JSON goes in, a finished comic comes out. Python programs import `autostudio`.

    cli.py, commands/   what was typed             → calls of the door
    studio.py           the door: plan, draw, redraw, choose, export      (start reading here)
    run/                one module a stage of a run, in this order:
      settle, fit       flags                      → Settings, Checkpoint, memory plans
      plan              a story                    → Plan                 (story/, page/)
      recall            what happened before       → prompts              (memory/)
      rehearse, cast    who is in it               → References
      requests          planned panels             → PanelJobs
      accept, draw      jobs                       → pictures, judged and kept   (render/, vision/, memory/)
      choose            what a person decided      → the try that is shown
      finish            pictures and words         → pages, book, run.json           (page/)
    variants.py         the table of models; flags.py, config.py: what can be said of a run
    events.py           what happens in a run, as values; terminal.py shows them

story/, render/, vision/, memory/ and page/ know nothing of each other; they meet in run/.
"""

import importlib
from typing import Any

__version__ = "0.2.0"

# The classes of earlier programs, in model/classic.py; loaded when they are first used.
CLASSIC = (
    "AUTOSTUDIO",
    "AUTOSTUDIOFLUX",
    "AUTOSTUDIOFLUXPlus",
    "AUTOSTUDIOPlus",
    "AUTOSTUDIOXL",
    "AUTOSTUDIOXLPlus",
)


def __getattr__(name: str) -> Any:
    if name not in CLASSIC:
        raise AttributeError(f"module 'model' has no attribute '{name}'")
    # By name: as an import statement it would make the whole run a part of whatever imports `model`.
    return getattr(importlib.import_module("model.classic"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *CLASSIC])
