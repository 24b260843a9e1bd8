"""From a file's bytes to a JSON tree that is safe to look at.

In: the path of a file that a stranger wrote. Out: dicts, lists, strings, numbers, with nothing surprising in
them: valid UTF-8, no key twice, no NaN, no endless numbers, no unprintable text, neither deep nor huge.
Every refusal is a `StoryError` of one line. Does not know what a story is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model.errors import StoryError

MAX_BYTES = 8 * 2**20
MAX_DEPTH = 32
MAX_VALUES = 200_000
_MAX_DIGITS = 19  # enough for every 63-bit seed

# What neither a font nor XML can carry: control characters except tab and line feed, halves of surrogate
# pairs, the two non-characters that XML forbids.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class _Refused:
    """Stands in the tree where something unacceptable was read, until its place is known."""

    def __init__(self, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected


def read_json(path: Path) -> object:
    """Read one JSON file.

    Raises:
        StoryError: the file is absent, unreadable, too large, or holds anything but clean JSON.
    """
    return read_json_bytes(_read_bytes(path), path)


def read_json_bytes(data: bytes, path: Path) -> object:
    """The same for bytes that were read already; `path` is what messages call them."""
    try:
        return _parse(path, data)
    except RecursionError:
        raise StoryError(
            f"{path}: found lists or objects nested thousands deep, expected at most {MAX_DEPTH} levels; "
            "remove the extra brackets"
        ) from None


def refusal(path: Path, place: str, found: str, expected: str, advice: str) -> StoryError:
    """Every complaint about a story: where, what was found, what was expected, what to do, on one line."""
    message = f"{path}: at {place}: found {found}, expected {expected}; {advice}"
    return StoryError(_UNPRINTABLE.sub("?", " ".join(message.split())))


def place_of(steps: tuple[str | int, ...]) -> str:
    """`("pages", 0, "panels")` as people write it: `pages[0].panels`. Long places are cut in the middle."""
    if not steps:
        return "the top"
    if len(steps) > 12:
        return f"{place_of(steps[:4])}…{place_of(steps[-2:])}"
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{shorten(step)}" for step in steps)
    return text.removeprefix(".")


def shorten(text: str, limit: int = 60) -> str:
    """`text` on one line, at most `limit` characters, nothing unprintable."""
    line = _UNPRINTABLE.sub("?", " ".join(text[: limit + 1].split()))
    return line if len(text) <= limit else f"{line[: limit - 1]}…"


def describe(value: object) -> str:
    """A JSON value in a few words, never its whole content."""
    if isinstance(value, str):
        return f'"{shorten(value)}"' if value else "an empty text"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        count = len(value)  # pyright: ignore[reportUnknownArgumentType]
        return f"a list of {count}" if count else "an empty list"
    return {None: "null", True: "true", False: "false"}.get(value, repr(value))  # type: ignore[arg-type]


def _parse(path: Path, data: bytes) -> object:
    text = _decode(path, data)
    if not text.strip():
        raise StoryError(
            f"{path}: found an empty file, expected a story in JSON; write one, or take one of examples/"
        )
    # Each value but the first follows a comma or an opening bracket; counting those is cheap, parsing is not.
    if sum(text.count(mark) for mark in ",[{") > MAX_VALUES:
        raise StoryError(
            f"{path}: found more than {MAX_VALUES} values, expected a story of at most {MAX_VALUES}; "
            "split it into several stories"
        )

    def whole(digits: str) -> object:
        return (
            int(digits)
            if len(digits) <= _MAX_DIGITS + 1
            else _Refused(f"a number of {len(digits)} digits", f"at most {_MAX_DIGITS} digits")
        )

    def real(digits: str) -> object:
        value = float(digits)
        return value if math.isfinite(value) else _Refused(shorten(digits, 24), "a finite number")

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(items)
        if len(found) < len(items):
            seen: set[str] = set()
            for key, _ in items:
                if key in seen:
                    found[key] = _Refused("this key twice in one object", "each key once")
                seen.add(key)
        return found

    try:
        tree = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_int=whole,
            parse_float=real,
            parse_constant=lambda name: _Refused(name, "a finite number"),
        )
    except json.JSONDecodeError as error:
        raise _not_json(path, text, error) from None
    _inspect(path, tree)
    return tree


def _not_json(path: Path, text: str, error: json.JSONDecodeError) -> StoryError:
    """What keeps a text from being JSON, and what to take away."""
    line, column = error.lineno, error.colno
    found, advice = f"text that is not JSON ({error.msg})", "correct that line"
    rest = text[error.pos :].lstrip()
    before = text[: error.pos].rstrip()
    fence = re.search(r"^[ \t]*```.*$", text, re.MULTILINE)
    if fence is not None:
        line, column = text.count("\n", 0, fence.start()) + 1, 1
        found = f"a line of Markdown ({shorten(fence.group().strip(), 20)})"
        advice = "take away the lines with ``` and whatever stands outside them"
    elif (rest[:1] in ("}", "]") and before.endswith(",")) or (rest[:1] == "," and "railing" in error.msg):
        found, advice = "a comma after the last entry", f"take that comma away, before the {(rest + '}')[0]}"
    elif rest.startswith(("//", "/*", "#")):
        found, advice = f"a comment ({shorten(rest, 20)})", "take it away; JSON has no comments"
    elif rest[:1] in ("'", "“", "”", "‘", "’"):
        found, advice = f"the quotation mark {rest[:1]}", 'put texts between straight double ones, "'
    elif line == 1 and not before and rest[:1] not in ("{", "["):
        found, advice = f"words before the story ({shorten(rest, 20)})", "take away what stands before its {"
    return StoryError(
        f"{path}: at line {line}, column {column}: found {found}, expected a story in JSON; {advice}"
    )


def _read_bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise StoryError(f"{path}: found a folder, expected a story file; name the .json file inside it")
        if not path.exists():
            raise StoryError(f"{path}: found no such file, expected a story in JSON; check the path")
        if not path.is_file():  # a pipe or a device could keep us waiting for ever
            raise StoryError(
                f"{path}: found a pipe or device, expected a story file; save the story to a file"
            )
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StoryError(
            f"{shorten(str(path), 200)}: found an unreadable file ({reason}), expected a story in JSON; "
            "check the path and its permissions"
        ) from error
    if len(data) > MAX_BYTES:
        raise StoryError(
            f"{path}: found more than {MAX_BYTES // 2**20} MB, expected a story of at most "
            f"{MAX_BYTES // 2**20} MB; split it into several stories"
        )
    return data


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise StoryError(
            f"{path}: at line {line}: found bytes that are not UTF-8, expected a text file in UTF-8; "
            "save it again with UTF-8 encoding"
        ) from None


def _inspect(path: Path, tree: object) -> None:
    """Walk the tree without recursion and refuse the first thing that no story may hold."""
    stack: list[tuple[tuple[str | int, ...], object]] = [((), tree)]
    while stack:
        steps, value = stack.pop()
        if isinstance(value, _Refused):
            raise refusal(path, place_of(steps), value.found, value.expected, "correct it")
        if isinstance(value, str) and (bad := _UNPRINTABLE.search(value)):
            raise _unprintable(path, place_of(steps), bad)
        if isinstance(value, dict | list):
            if len(steps) >= MAX_DEPTH:
                advice = "remove the extra brackets"
                raise refusal(path, place_of(steps), "deeper nesting", f"at most {MAX_DEPTH} levels", advice)
            children = list(_children(value))  # pyright: ignore[reportUnknownArgumentType]
            for step, child in reversed(children):
                if isinstance(step, str) and (bad := _UNPRINTABLE.search(step)):
                    raise _unprintable(path, f"a key of {place_of(steps)}", bad)
                stack.append(((*steps, step), child))


def _children(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str | int, object]]:
    return iter(value.items()) if isinstance(value, dict) else iter(enumerate(value))


def _unprintable(path: Path, place: str, bad: re.Match[str]) -> StoryError:
    found = f"the unprintable character U+{ord(bad.group()):04X}"
    return refusal(path, place, found, "text that can be printed", "delete it")
