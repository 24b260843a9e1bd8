"""What this program is called where it runs: `run.py` in a checkout, `autostudio` where it was installed."""

from __future__ import annotations

import sys
from pathlib import Path

_SCRIPT = "run.py"
_NAMES = {"autostudio": "autostudio", "autostudio.exe": "autostudio", "__main__.py": "python -m autostudio"}


def program_name() -> str:
    """How the command that is running was typed; `run.py` for Python programs."""
    return _NAMES.get(Path(sys.argv[0]).name, _SCRIPT)


def as_typed(text: str) -> str:
    """A message that names commands as `run.py …`, with the name that can be typed here."""
    name = program_name()
    if name == _SCRIPT:
        return text
    return text.replace(f"python {_SCRIPT}", name).replace(_SCRIPT, name)
