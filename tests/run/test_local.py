"""Batches, and what becomes of the rest of a batch when one item fails."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import AutoStudioError, OutOfMemory, PanelFailed, StorageError
from model.run.batches import attempt, batches

ITEMS = st.lists(st.tuples(st.integers(0, 4), st.integers()))


@given(items=ITEMS, most=st.integers(1, 9))
def test_batches_hold_every_item_once_alike_together_in_order(
    items: list[tuple[int, int]], most: int
) -> None:
    made = batches(items, alike=lambda item: item[0], most=most)
    assert sorted(item for batch in made for item in batch) == sorted(items)
    for batch in made:
        assert 1 <= len(batch) <= most
        assert len({kind for kind, _ in batch}) == 1
    for kind in {kind for kind, _ in items}:
        mine = [batch for batch in made if batch[0][0] == kind]
        assert [item for batch in mine for item in batch] == [item for item in items if item[0] == kind]
        assert all(len(batch) == most for batch in mine[:-1]), "no more batches than needed"
    first = list(dict.fromkeys(kind for kind, _ in items))
    assert list(dict.fromkeys(batch[0][0] for batch in made)) == first


def test_a_batch_that_goes_through_is_done_once() -> None:
    calls: list[Sequence[int]] = []

    def work(items: Sequence[int]) -> list[int]:
        calls.append(items)
        return [item * 2 for item in items]

    assert attempt([1, 2, 3], work) == ((2, 4, 6), True)
    assert calls == [[1, 2, 3]]


@given(count=st.integers(1, 8), bad=st.sets(st.integers(0, 7), min_size=1))
def test_only_the_bad_items_fail(count: int, bad: set[int]) -> None:
    def work(items: Sequence[int]) -> list[int]:
        if broken := bad & set(items):
            raise ValueError(f"no {min(broken)}")
        return [item * 2 for item in items]

    results, whole = attempt(range(count), work)
    assert whole == (not bad & set(range(count)))
    for item, result in enumerate(results):
        if item in bad:
            assert isinstance(result, PanelFailed)
            assert str(result) == f"ValueError: no {item}"
            assert isinstance(result.__cause__, ValueError)
        else:
            assert result == item * 2


@pytest.mark.parametrize("error", [StorageError("the disk is full"), AutoStudioError("of the run")])
def test_errors_that_hit_every_panel_end_the_run(error: AutoStudioError) -> None:
    def work(items: Sequence[int]) -> list[int]:
        raise error

    with pytest.raises(type(error)) as caught:
        attempt([1, 2], work)
    assert caught.value is error


def test_too_little_memory_for_a_batch_is_enough_for_its_items() -> None:
    def work(items: Sequence[int]) -> list[int]:
        if len(items) > 1:
            raise MemoryError
        return list(items)

    assert attempt([1, 2], work) == ((1, 2), False)


def test_too_little_memory_for_one_item_ends_the_run() -> None:
    def work(items: Sequence[int]) -> list[int]:
        raise MemoryError

    with pytest.raises(OutOfMemory):
        attempt([1, 2], work)


def test_an_interruption_is_not_a_failed_panel() -> None:
    def work(items: Sequence[int]) -> list[int]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt([1, 2], work)
