"""A process that has loaded torch and diffusers once, and forks one child for every command it is sent.

Each child runs `model.cli.main` as `run.py` does, in its own process, folder and limits, and can be killed;
only the four seconds of imports are shared. In: one JSON object a line on stdin (see `Forks` in conftest.py).
Out: two lines a command on stdout, the child's pid and its exit code (-9: killed); then an empty line on
stdin lets it be reaped.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from model.cli import main
from model.render.flux.renderer import FluxRenderer
from model.render.request import PanelRequest


def preload() -> None:
    """Import what a drawing run imports; nothing here runs a torch operation, which would start threads."""
    from diffusers import (  # noqa: F401
        AutoencoderKL,
        DPMSolverMultistepScheduler,
        FlowMatchEulerDiscreteScheduler,
        FluxTransformer2DModel,
        GGUFQuantizationConfig,
    )
    from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5Tokenizer  # noqa: F401

    import model.studio
    import model.vision.clip
    import model.vision.crop  # noqa: F401


def child(job: dict[str, Any]) -> int:
    os.chdir(job["cwd"])
    os.environ.update(job["env"])
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    if job["trace"]:
        trace = os.open(job["trace"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        FluxRenderer.draw = _traced(FluxRenderer.draw, trace)
    if job["largest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest_file"],) * 2)
    try:
        return main(job["words"])
    except SystemExit as leaving:
        return int(leaving.code or 0)


def _traced(draw: Callable[..., Any], trace: int) -> Callable[..., Any]:
    """The real `draw`, that first writes down which panels it was asked for."""

    @functools.wraps(draw)
    def wrapped(self: FluxRenderer, requests: Sequence[PanelRequest], **options: Any) -> Any:
        os.write(trace, "".join(f"{request.key}\n" for request in requests).encode())
        return draw(self, requests, **options)

    return wrapped


def serve() -> None:
    preload()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while line := sys.stdin.readline():
        pid = os.fork()
        if not pid:
            code = 70
            try:
                code = child(json.loads(line))
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()
        # Until it is told so, the pid stays this child's: a late kill must not hit a stranger.
        sys.stdin.readline()
        os.waitpid(pid, 0)


if __name__ == "__main__":
    serve()
