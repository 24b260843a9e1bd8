"""Prompts are read once while there is room, prefetched ones with the first that is missing."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from model.render.text_cache import TextCache

PROMPTS = st.lists(st.text("abc", max_size=3))


class Book:
    """Reads a prompt as a list of that many letters, and notes what it read."""

    def __init__(self, most: int) -> None:
        self.read: list[str] = []
        self.readings: TextCache[str, list[str]] = TextCache(
            self._read, lambda states: 10 + len(states), most=most
        )

    def _read(self, prompt: str) -> list[str]:
        self.read.append(prompt)
        return list(prompt)


def test_what_is_foreseen_is_read_with_the_first_that_is_missing() -> None:
    book = Book(1000)
    book.readings.prefetch(["b", "a"])
    assert book.read == []
    assert book.readings.of("c") == ["c"]
    assert book.read == ["c", "b", "a"]
    book.readings.prefetch(["a", "d"])
    assert book.readings.of("b") == ["b"]
    assert book.read == ["c", "b", "a"], "nothing was missing"
    book.readings.of("d")
    assert book.read == ["c", "b", "a", "d"]


def test_what_has_no_room_waits_for_the_next_miss() -> None:
    book = Book(33)
    book.readings.prefetch("abcdef")
    book.readings.of("a")
    assert book.read == list("abc")
    for prompt in "bcdef":
        book.readings.of(prompt)
    assert book.read == list("abcdef"), "each once"
    book.readings.of("a")
    assert book.read == list("abcdefa"), "what was used is dropped first"


@given(prefetched=PROMPTS, asked=PROMPTS, most=st.integers(1, 80))
def test_the_states_are_the_prompts_own_and_memory_is_bounded(
    prefetched: list[str], asked: list[str], most: int
) -> None:
    book = Book(most)
    book.readings.prefetch(prefetched)
    for prompt in asked:
        assert book.readings.of(prompt) == list(prompt)
        # What is prefetched is not dropped unused: the last of it, and what is asked for, may be too much.
        assert book.readings.bytes <= most + 2 * 13


@given(prefetched=PROMPTS, asked=PROMPTS)
def test_with_room_each_is_read_once(prefetched: list[str], asked: list[str]) -> None:
    book = Book(10**6)
    book.readings.prefetch(prefetched)
    for prompt in asked * 2:
        book.readings.of(prompt)
    assert max(Counter(book.read).values(), default=1) == 1
    if asked:
        assert set(book.read) == {*prefetched, *asked}
