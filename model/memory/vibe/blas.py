"""One BLAS thread while many small matrices are worked on.

In: nothing. Out: a context in which numpy's linear algebra uses one thread. The matrices of a vibe fit are
small; on a busy machine threads that wait for each other make them up to a thousand times slower.

numpy has no call for this, so the OpenBLAS that its wheels carry is asked by name. Where numpy was built with
another library, nothing is changed: set OMP_NUM_THREADS=1 there.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np

_NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads")


@contextlib.contextmanager
def one_thread() -> Generator[None]:
    """Hold numpy's OpenBLAS to one thread while the body runs. The setting is the whole process's."""
    threads = _threads()
    if threads is None:
        yield
        return
    ask, tell = threads
    before = ask()
    tell(1)
    try:
        yield
    finally:
        tell(before)


@functools.cache
def _threads() -> tuple[Callable[[], int], Callable[[int], object]] | None:
    """The calls that read and set the number of threads, or None when numpy carries no OpenBLAS."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for file in sorted(folder.glob("*openblas*")):
            try:
                library = ctypes.CDLL(str(file))
            except OSError:
                continue
            for name in _NAMES:
                if hasattr(library, name.format("set")) and hasattr(library, name.format("get")):
                    return library[name.format("get")], library[name.format("set")]
    return None
