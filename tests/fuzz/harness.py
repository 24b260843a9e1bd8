"""What every fuzzer shares: inputs made of good ones by damage, and the one rule that a reader has to keep.

A reader either answers, or raises an error of the project whose message fits on one line; it takes seconds
and megabytes, not minutes and gigabytes. `AUTOSTUDIO_FUZZ` says how many inputs each border gets, 60 as a
rule.
"""

from __future__ import annotations

import copy
import json
import os
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.errors import AutoStudioError

INPUTS = int(os.environ.get("AUTOSTUDIO_FUZZ", "60"))
SECONDS, MEGABYTES = 10.0, 1024.0  # of one input, and of all of them together

# Bytes that parsers stumble over: ends of numbers, brackets, marks of formats, halves of characters.
_TOKENS = (
    *(
        b"\x00",
        b"\xff",
        b"\x7f",
        b"\x80",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x80",
    ),
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"NaN", b"1e999", b"-1", b"9" * 40, b"[" * 3000),
    *(
        b"\\ud800",
        b"../../x",
        b"true",
        b"{}",
        b"[]",
        b'""',
        b"0",
        b"\n",
        b"\r\n",
        b"\xff" * 8,
        b"\x01" + b"\0" * 7,
    ),
)
JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**30, 0.5, -0.0, 1e308, 1e-320),
    *(
        float("nan"),
        float("inf"),
        "",
        " ",
        "x",
        "x" * 5000,
        "\ud800",
        "\0",
        "../../victim",
        "/",
        "a/b",
        "\u202e",
    ),
    *([], {}, [[]], [None], {"": None}, [[[[[[[[]]]]]]]], {"a": {"a": {"a": {}}}}, [1, 2, 3, 4], ["x"] * 300),
    *("2026-11-30T00:00:00", "ab" * 32, "ab" * 20, "A" * 64, "1" * 400, "é" * 300, "😀", "con", "NUL."),
)


@dataclass
class Figures:
    """What fuzzing one border came to."""

    inputs: int = 0
    answered: int = 0
    longest: float = 0.0
    told: set[str] = field(default_factory=set)


@st.composite
def damaged(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """A good input with one to six wounds."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(0, len(data))))
        kind = draw(st.sampled_from(("flip", "token", "over", "cut", "drop", "double", "number")))
        if kind == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "token":
            data[at:at] = draw(st.sampled_from(_TOKENS))
        elif kind == "over":
            token = draw(st.sampled_from(_TOKENS))
            data[at : at + len(token)] = token
        elif kind == "cut":
            del data[at:]
        elif kind == "drop":
            del data[at : at + draw(st.integers(1, 40))]
        elif kind == "double":
            piece = data[at : at + draw(st.integers(1, 60))]
            data[at:at] = piece
        elif kind == "number":
            size = draw(st.sampled_from((1, 2, 4, 8)))
            value = draw(st.sampled_from((0, 1, 2**7, 2**8 - 1, 2**15, 2**31, 2**32 - 1, 2**63, 2**64 - 1)))
            data[at : at + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(data)


@st.composite
def reshaped(draw: st.DrawFn, seeds: Sequence[Any]) -> Any:
    """A good JSON tree in which some values are others, are gone, or stand elsewhere."""
    tree = json.loads(json.dumps(draw(st.sampled_from(seeds))))
    for _ in range(draw(st.integers(1, 4))):
        spots = list(_spots(tree))
        if not spots:
            break
        holder, key = spots[draw(st.integers(0, len(spots) - 1))]
        kind = draw(st.sampled_from(("junk", "junk", "gone", "moved", "renamed")))
        if kind == "junk":
            holder[key] = copy.deepcopy(draw(st.sampled_from(JUNK)))
        elif kind == "moved":
            other, name = spots[draw(st.integers(0, len(spots) - 1))]
            holder[key] = json.loads(json.dumps(other[name]))
        elif kind == "gone":
            del holder[key]
        elif isinstance(holder, dict):
            holder[str(draw(st.sampled_from(("", "x", "\ud800", "version", "__proto__", "id"))))] = (
                holder.pop(key)
            )
    return tree


def _spots(tree: Any) -> Any:
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            keys = list(one) if isinstance(one, dict) else range(len(one))
            for key in keys:
                yield one, key
                waiting.append(one[key])


def as_text(tree: Any) -> bytes:
    """A tree as somebody's program may write it, NaN and halves of characters included."""
    return json.dumps(tree, ensure_ascii=True).encode()


def fuzz(border: str, inputs: st.SearchStrategy[Any], read: Callable[[Any], object]) -> Figures:
    """Feed a border; the figures are shown, and kept where AUTOSTUDIO_FUZZ_REPORT says.

    Raises:
        AssertionError: an input took too long or too much, or an error's message is no line.
        Whatever a reader raised that is no error of the project.
    """
    found = Figures()

    @settings(
        max_examples=INPUTS,
        deadline=None,
        database=None,
        derandomize=INPUTS < 5000,  # a check tries the same inputs every time
        suppress_health_check=[check for check in HealthCheck],  # pyright: ignore[reportArgumentType]
    )
    @given(inputs)
    def one(data: Any) -> None:
        found.inputs += 1
        started = time.process_time()
        try:
            read(data)
            found.answered += 1
        except AutoStudioError as error:
            text = str(error)
            assert "\n" not in text, text
            assert 0 < len(text) < 3000, text
            found.told.add(text[:40])
        took = time.process_time() - started
        found.longest = max(found.longest, took)
        assert took < SECONDS

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    one()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MEGABYTES
    line = (
        f"{border}: {found.inputs} inputs, {found.answered} answered, the others refused, "
        f"0 tracebacks, {grown:.0f} MB more, longest {found.longest:.2f} s"
    )
    if report := os.environ.get("AUTOSTUDIO_FUZZ_REPORT"):
        with Path(report).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    return found
