"""`run.py studio`: the page in the browser, where a book is made by choosing and correcting.

In: parsed flags. Out: a server, its address on a line of its own, an exit code. Loads no model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from model.errors import PackageMissing
from model.flags import FLAGS, add_flag
from model.program import as_typed

PORT = 7860
_OWN = ("workspace", "host", "port", "no_open", "frame_of", "allow_host")


def parser() -> argparse.ArgumentParser:
    """The parser of `run.py studio`."""
    top = argparse.ArgumentParser(
        prog=as_typed("run.py studio"),
        description="Open a page in the browser where books are made. All of it stays on this machine.",
        allow_abbrev=False,
    )
    top.add_argument(
        "--workspace",
        type=Path,
        default=Path("studio"),
        metavar="DIR",
        help="where books lie (default: studio)",
    )
    top.add_argument(
        "--host",
        default="127.0.0.1",
        help="where to listen (default: 127.0.0.1, this machine only); any other needs the token that is in "
        "the address that is printed",
    )
    top.add_argument("--port", type=int, default=PORT, help=f"0: any free one (default: {PORT})")
    top.add_argument("--no_open", action="store_true", help="do not open the browser")
    top.add_argument(
        "--frame_of",
        default="",
        metavar="ORIGIN",
        help="a page that may show this one in a frame, as Colab's does",
    )
    top.add_argument(
        "--allow_host",
        action="append",
        default=[],
        metavar="NAME",
        help="a proxy before this server, by its name, or *.NAME; may be given several times",
    )
    group = top.add_argument_group("how books are drawn, unless a book says otherwise")
    for flag in FLAGS:
        if flag.name not in ("out", "library"):
            add_flag(group, flag)
    return top


def run(flags: argparse.Namespace) -> int:
    """Serve until stopped.

    Raises:
        PackageMissing: FastAPI or uvicorn is not here.
        ConfigError: see `serve`.
    """
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise PackageMissing(
            f"the studio needs {error.name}, which is not installed; run pip install 'autostudio[web]'"
        ) from error
    from model.flags import checked
    from model.web.serve import serve

    said = {name: value for name, value in vars(flags).items() if name not in _OWN and value is not None}
    checked(said)
    return serve(
        flags.workspace,
        host=flags.host,
        port=flags.port,
        browser=not flags.no_open,
        flags=said,
        framing=flags.frame_of or "'none'",
        proxies=flags.allow_host,
    )
