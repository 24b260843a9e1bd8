"""Recovers entries from a damaged vibe memory. In: its text, cut off or garbled. Out: the entries that can
still be read."""

from __future__ import annotations

import json
from typing import cast

from model.memory.vibe.entries import Memory
from model.memory.vibe.formats import SIDES
from model.memory.vibe.parsing import CheckFailed, entry_of

_DEEP = 4000  # characters that a nest of brackets costs before it is given up
_LEAST_NUMBERS = 16  # of a plain embedding; shorter lists in a damaged file are indices


def salvage(text: str) -> tuple[Memory, ...]:
    """Every entry that can still be read from a damaged file, in its order.

    The last list's name before an entry says which list it belonged to; entries before any name are left out.
    """
    found: list[Memory] = []
    decoder = json.JSONDecoder()
    side, place = "", 0
    # What is torn is read again from each bracket inside; a garbled file must not make that quadratic.
    left = 8 * len(text) + 4_000_000
    while place < len(text):
        if text[place] == '"':
            name = next((name for name in SIDES if text.startswith(f'"{name}"', place)), "")
            # Inside an entry or under "categories" the word does not open a list of entries.
            opened = text[place + len(name) + 2 : place + len(name) + 12].split() if name else []
            side = name if opened and opened[0].startswith(":") else side
        elif text[place] in "{[" and side:
            try:
                value, end = decoder.raw_decode(text, place)
            except json.JSONDecodeError as error:
                value, end = None, place + 1
                left -= error.pos - place
            except (ValueError, RecursionError):
                value, end = None, place + 1
                left -= _DEEP
            if left < 0:
                break
            memory = _memory_or_none(value, side)
            if memory is not None:
                found.append(memory)
                place = end
                continue
        place += 1
    return tuple(found)


def _memory_or_none(value: object, side: str) -> Memory | None:
    usable = isinstance(value, dict) and "embedding" in value
    if isinstance(value, list):
        numbers = cast("list[object]", value)
        usable = len(numbers) >= _LEAST_NUMBERS and all(isinstance(number, float) for number in numbers)
    if not usable:
        return None
    try:
        return entry_of(cast(object, value), liked=side == "liked")[0]
    except (CheckFailed, ValueError):
        return None
