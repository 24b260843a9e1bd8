"""The classic block: a character's memories as lines of text, for use with a chat model.

    Miku's memory log:
    3 days ago, Miku said:
    "I left the door open."

In: what the character recalls, or all it knows, and the time now. Out: text. Knows nothing of the library.
"""

from __future__ import annotations

from collections.abc import Iterable

_UNITS = (("year", 365 * 86400), ("month", 30 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60))


def classic_block(name: str, passages: Iterable[tuple[str, str, float]], now: float) -> str:
    """The block for one character.

    Args:
        name: as it is shown.
        passages: (speaker or "", text, seconds since 1970), in the order to print them.
        now: seconds since 1970.
    """
    lines = [f"{name}'s memory log:"]
    for speaker, text, created in passages:
        one_line = " ".join(text.split())
        if speaker:
            lines += [f"{ago(now - created)}, {speaker} said:", f'"{one_line}"']
        else:
            lines += [f"{ago(now - created)}:", one_line]
    return "\n".join(lines)


def ago(seconds: float) -> str:
    """ "3 days ago": whole units of the largest that fits; "just now" below a minute and for the future."""
    for unit, length in _UNITS:
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
