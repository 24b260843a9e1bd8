"""Weights fetched for a job: by a name of the table, never by an address.

In: a set's name, a level. Out: files in the cache, lines on how far it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def fetch(name: str, level: str, say: Callable[[str], None]) -> str:
    """Download a set and check it; one line on what came.

    Raises:
        ConfigError: there is no set of that name. AutoStudioError: see `Fetcher`.
    """
    from download.cache import default_cache
    from download.catalog import named
    from download.fetch import Fetcher
    from download.hub import Hub
    from model.quiet import quieten

    parts = named(name).at(level or None)
    quieten(online=True)
    shown = 0.0

    def report(file: str, done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown > 1.0:
            shown = now
            say(f"{file}: {100 * done // max(1, total)} % of {total / 1e6:,.0f} MB")

    def announce(needed: int, free: int) -> None:
        say(f"{needed / 1e9:.2f} GB to come, {free / 1e9:.0f} GB free")

    for part in parts:
        say(f"{part.repository}: licence {part.licence}, {part.page}")
    fetched = Fetcher(default_cache(), Hub(), report=report, announce=announce).fetch(parts)
    received = sum(one.received for one in fetched)
    return f"{sum(len(one.files) for one in fetched)} files whole, {received / 1e9:.2f} GB came now"
