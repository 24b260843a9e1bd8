"""Whatever goes wrong at the door becomes one line on stderr and an exit code; never a traceback.

In: a command that runs. Out: its exit code, 2 or 3 for what the machine refuses, 130 and 143 for those who
stop it. Errors of this program's own making, the ones that nobody foresaw, are not hidden: they pass.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import FrameType

from model.errors import AutoStudioError
from model.program import as_typed

_STOPPED, _ENDED = 130, 143
# What the user typed, rather than what the machine lacks.
_TYPED = (errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL)


@dataclass(slots=True)
class Failure:
    """How a command ended. `interrupted`: Ctrl-C was pressed."""

    code: int = 0
    interrupted: bool = False


class _Ended(BaseException):
    """SIGTERM: everything is left in order, temporary folders are removed."""


@contextlib.contextmanager
def plain_failures() -> Generator[Failure]:
    """Run a command inside; `code` is what to exit with."""
    failure = Failure()
    restore = _watch(failure)
    _prepare_streams()
    try:
        yield failure
        sys.stdout.flush()
    except AutoStudioError as error:
        failure.code = _tell(as_typed(f"error: {error}"), error.exit_code)
    except MemoryError:
        failure.code = _tell("error: out of memory; close other programs, or use --quality fast", 3)
    except KeyboardInterrupt:
        failure.code = _tell("stopped; the same command goes on from here", _STOPPED)
    except _Ended:
        failure.code = _tell("ended; the same command goes on from here", _ENDED)
    except UnicodeError as error:
        failure.code = _tell(
            f"error: found text that is not UTF-8 ({str(error)[:120]}); type names and texts in UTF-8",
            2,
        )
    except OSError as error:
        failure.code = _of_the_system(error)
    except Exception:
        # An extension that is interrupted while it is imported raises an error of its own instead.
        if not failure.interrupted:
            raise
        failure.code = _tell("stopped; the same command goes on from here", _STOPPED)
    finally:
        restore()
    return


def _prepare_streams() -> None:
    """Streams that take whatever is written to them."""
    # Closed ones are None; what is written to them is lost, as was asked for.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    # A terminal that knows only ASCII gets escapes for the rest.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _of_the_system(error: OSError) -> int:
    if isinstance(error, BrokenPipeError) or _stdout_is_closed(error):
        # Whoever read stopped reading; the interpreter must not try again when it ends.
        _discard_stdout()
        return _tell("error: nobody reads stdout any more; what was made is on disk", 3)
    if error.errno == errno.ENOSPC and error.filename is None:
        _discard_stdout()
        return _tell("error: the disk under stdout or the temporary folder is full; free some space", 3)
    what = f"{str(error.filename)[:300]}: " if error.filename else ""
    reason = error.strerror or " ".join(str(error).split())[:300]
    advice = "check the path" if error.errno in _TYPED else "check permissions, disk and temporary folder"
    return _tell(f"error: {what}{reason}; {advice}", 2 if error.errno in _TYPED and error.filename else 3)


def _stdout_is_closed(error: OSError) -> bool:
    return error.errno in (errno.EPIPE, errno.EBADF) and error.filename is None


def _discard_stdout() -> None:
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _tell(line: str, code: int) -> int:
    with contextlib.suppress(OSError, ValueError):  # stderr may be gone too
        sys.stderr.write(" ".join(line.splitlines()) + "\n")
        sys.stderr.flush()
    return code


def _watch(failure: Failure) -> Callable[[], None]:
    """Let SIGTERM unwind the stack, and note Ctrl-C; only the main thread of a program may say so.

    Returns:
        What puts the handlers back.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None

    def end(_number: int, _frame: FrameType | None) -> None:
        raise _Ended

    def interrupt(number: int, frame: FrameType | None) -> None:
        failure.interrupted = True
        signal.default_int_handler(number, frame)

    ended = signal.signal(signal.SIGTERM, end)
    own = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    interrupted = signal.signal(signal.SIGINT, interrupt) if own else None

    def restore() -> None:
        signal.signal(signal.SIGTERM, ended)
        if own:
            signal.signal(signal.SIGINT, interrupted)

    return restore
