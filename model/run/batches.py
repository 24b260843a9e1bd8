"""Run work in batches on this machine: what is alike together, one bad item without losing the rest.

Generic: items in, results out, in any room's types. Knows nothing of panels or models.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from model.errors import AutoStudioError, OutOfMemory, PanelFailed

Item = TypeVar("Item")
Result = TypeVar("Result")


def batches(
    items: Sequence[Item], *, alike: Callable[[Item], Hashable], most: int
) -> tuple[tuple[Item, ...], ...]:
    """Group items that are alike, in order of first appearance, in batches of at most `most`.

    The batches depend on `items` alone, not on what has been done before, so a run that is started again
    draws the same batches.
    """
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(alike(item), []).append(item)
    return tuple(tuple(group[i : i + most]) for group in groups.values() for i in range(0, len(group), most))


def attempt(
    batch: Sequence[Item], work: Callable[[Sequence[Item]], Sequence[Result]]
) -> tuple[tuple[Result | PanelFailed, ...], bool]:
    """Do a batch; when it fails, do its items one by one, so that one bad panel does not lose the book.

    Returns:
        A result or a PanelFailed for each item, and whether the batch went through as one.
    Raises:
        AutoStudioError: passed on; with a full disk or damaged weights no other panel would fare better.
        OutOfMemory: there is too little for one item alone.
    """
    try:
        return tuple(work(batch)), True
    except AutoStudioError:
        raise
    except Exception as error:
        if len(batch) == 1:
            if isinstance(error, MemoryError):
                raise OutOfMemory("out of memory; close other programs, or use --quality fast") from error
            failure = PanelFailed(f"{type(error).__name__}: {error}")
            failure.__cause__ = error
            return (failure,), False
        alone = [attempt([item], work)[0][0] for item in batch]
        return tuple(alone), False
