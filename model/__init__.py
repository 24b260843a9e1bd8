"""AutoStudio: a story JSON goes in, a finished comic comes out.

    cli.py        what was typed            → Settings
    studio.py     the run, in reading order → Report          (start reading here)
      book/       story.json                → Plan            (story/, page/)
      recall/     what happened before      → prompts         (memory/)
      cast/       who is in it              → References      (panels/, vision/, memory/)
      panels/     requests                  → pictures, accepted and kept by key   (render/, vision/, memory/)
      book/       pictures and words        → pages, book, run.json                (page/)
    machine/      what is loaded, and what fits

story/, render/, vision/, memory/, page/ and execution/ know nothing of each other; they meet in the
rooms above.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# The classes of earlier programs, in model/classic.py; importing them is left to whoever asks.
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
