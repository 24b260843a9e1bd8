"""A quiet console: third-party chatter that a user cannot act on, silenced by exact category and module.

In: nothing. Out: filters in `warnings`, quiet levels for the libraries' own logs. Nothing is silenced
globally: a warning of another category, or from another module, is shown. tests/test_quiet.py provokes each
one of the list, so that a stale one shows. Knows no library; names are strings.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Chatter:
    """One warning that is not shown.

    Attributes:
        category: exactly; module: exactly, the one that the warning is laid to.
        begins: its first words.
        why: what causes it, and why nobody here can act on it.
        provoke: Python that makes it appear; empty where only another machine can.
    """

    category: type[Warning]
    module: str
    begins: str
    why: str
    provoke: str = ""


CHATTER = (
    Chatter(
        category=FutureWarning,
        module="timm.models.layers",
        begins="Importing from timm.models.layers is deprecated",
        why="groundingdino-py 0.4.0 imports from where timm 0.x had its layers",
        provoke="import timm.models.layers",
    ),
)


def quieten(*, online: bool = False) -> None:
    """Silence the list, for this process.

    Args:
        online: the command is there to ask the hub; no other may, unless the user's HF_HUB_OFFLINE says so.
    """
    if not online:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for one in CHATTER:
        silence(one)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    # Of pictures that are refused; our own error says it.
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    # One line a request, at a level that is shown; what failed is told by our own errors.
    logging.getLogger("httpx2").setLevel(logging.WARNING)


def silence(one: Chatter) -> None:
    """Put one filter before all others."""
    module = re.escape(one.module) + r"\Z"
    warnings.filterwarnings("ignore", message=re.escape(one.begins), category=one.category, module=module)


@contextlib.contextmanager
def without_fontconfig() -> Iterator[None]:
    """Keep what Fontconfig says of its configuration off stderr; the first look-up in a process reads it.

    It is a C library that writes to the file descriptor. Whatever else is written meanwhile is passed on.
    """
    with contextlib.ExitStack() as stack:
        try:
            kept = os.dup(2)
            stack.callback(os.close, kept)
            said = stack.enter_context(tempfile.TemporaryFile())
            os.dup2(said.fileno(), 2)
        except OSError:  # no stderr, or no place for a file: nothing to keep quiet, or nowhere to do it
            yield
            return
        try:
            yield
        finally:
            os.dup2(kept, 2)
            said.seek(0)
            with contextlib.suppress(OSError):
                os.write(2, b"".join(line for line in said if not line.startswith(b"Fontconfig ")))
