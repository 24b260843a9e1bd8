"""What the doctor finds: one line each, with what mends it. Knows nothing of what is looked at."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model.errors import AutoStudioError

ROOT = Path(__file__).resolve().parents[3]
REINSTALL = shlex.join((sys.executable, "-m", "pip", "install", "-r", "requirements.txt"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: python, packages, torch, device, disk, weights, library, vibe, encoder, sentences, fonts, plan.
        state: ok; note: works, but could be better; wrong: something will fail.
        text: what was found, and what was expected.
        mend: what a person types or does about it; empty: nothing.
        safe: the same as a command that `--fix` runs: it removes nothing that anybody made, and changes no
            torch outside a Colab; empty: a person decides.
    """

    area: str
    state: Literal["ok", "note", "wrong"]
    text: str
    mend: str = ""
    safe: tuple[str, ...] = ()


def ok(area: str, text: str) -> Finding:
    """As it should be."""
    return Finding(area=area, state="ok", text=text)


def note(area: str, text: str, mend: str = "") -> Finding:
    """Could be better."""
    return Finding(area=area, state="note", text=text, mend=mend)


def wrong(area: str, text: str, mend: str, safe: tuple[str, ...] = ()) -> Finding:
    """Will fail."""
    return Finding(area=area, state="wrong", text=text, mend=mend, safe=safe)


def guarded(area: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a check; one that breaks is a finding itself, and the others still run."""
    try:
        yield from check()
    except ImportError as error:
        missing = f" ({error.name})" if error.name else ""
        yield wrong(area, f"cannot look: {_line(error)}{missing}", REINSTALL)
    except AutoStudioError as error:
        yield wrong(area, _line(error), "see there")
    except OSError as error:
        yield wrong(area, f"cannot look: {_line(error)}", "check the folder's permissions and the disk")
    except Exception as error:  # a package that does not fit may fail in any way; the other checks must run
        yield wrong(area, f"cannot look: {type(error).__name__}: {_line(error)}", REINSTALL)


def pip_words(*words: str) -> tuple[str, ...]:
    """pip of this very Python."""
    return (sys.executable, "-m", "pip", "install", *words)


def pip_command(*words: str) -> str:
    """The same as it is typed."""
    return shlex.join(pip_words(*words))


def run_command(*words: str) -> str:
    """A command of this program as it is typed."""
    return shlex.join(("python", "run.py", *words))


@functools.cache
def on_colab() -> bool:
    """Whether this is a Colab, which brings a torch of its own that fits its driver."""
    import importlib.util
    import os

    if os.environ.get("COLAB_RELEASE_TAG"):
        return True
    try:
        return importlib.util.find_spec("google.colab") is not None
    except (ImportError, ValueError):
        return False


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
