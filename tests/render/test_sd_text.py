"""Prompts for Stable Diffusion: nothing is cut off, nothing is read twice, and each window is what CLIP would
see."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.render.sd.text import BACK, Prompts, windows
from model.run.settle import settle
from model.variants import VARIANTS, Variant
from tests.render.sd_checkpoints import SECOND, WIDTH, open_sd


@pytest.fixture
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Prompts:
    """Those of a tiny SDXL, which have read nothing yet."""
    return Prompts(open_sd(tmp_path_factory, "sdxlplus").parts.encoders, silent=True, device="cpu")


@pytest.mark.parametrize("row", [row for row in VARIANTS.values() if row.family.startswith("sd")])
def test_the_table_says_what_is_read(prompts: Prompts, row: Variant) -> None:
    """Of a panel's prompt as many tokens as table and settings say, of a figure's all, window by window."""
    limit = settle(model=row.name).max_sequence_length
    assert limit == row.global_tokens
    assert row.region_tokens == prompts._encoders[0][0].model_max_length - 2
    with torch.inference_mode():
        whole, cut = prompts.of("beach " * (limit + 75)), prompts.of("beach " * (limit + 75), limit)
    assert len(whole.states) == 77 * math.ceil((limit + 75) / 75)
    assert len(cut.states) == 77 * math.ceil(limit / 75)


@given(st.lists(st.booleans(), max_size=300), st.integers(BACK, 80))
def test_windows_lose_nothing_and_end_at_commas(commas: list[bool], size: int) -> None:
    tokens = list(range(len(commas)))
    cut = windows(tokens, commas, size)
    assert [token for window in cut for token in window] == tokens
    assert all(len(window) <= size for window in cut)
    assert all(cut[:-1]), "only a prompt without tokens gives an empty window"
    for window in cut[:-1]:
        room = size - len(window)
        assert room < BACK
        assert room == 0 or commas[window[-1]]
        # No later comma would have fitted.
        assert not any(commas[window[-1] + 1 : window[-1] + 1 + room])


def test_a_prompt_has_as_many_windows_as_it_needs(prompts: Prompts) -> None:
    with torch.inference_mode():
        short, full, long = (prompts.of("beach " * count) for count in (3, 75, 76))
        assert [len(one.states) for one in (short, full, long)] == [77, 77, 154]
        assert short.states.shape[1] == WIDTH + SECOND, "both encoders, side by side"
        # The first window does not know that another follows, and SDXL's pooled state is the first window's.
        torch.testing.assert_close(long.states[:77], full.states)
        assert long.pooled is not None
        assert full.pooled is not None
        torch.testing.assert_close(long.pooled, full.pooled)
        torch.testing.assert_close(long.states[77:], prompts.of("beach").states)
        assert len(prompts.of("beach " * 500, limit=75).states) == 77


def test_each_prompt_is_read_once(prompts: Prompts) -> None:
    calls: list[int] = []
    (_, encoder), _ = prompts._encoders
    handle = encoder.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        for _ in range(2):
            for prompt in ("beach", "sunset", ""):
                prompts.of(prompt)
            prompts.against("")
    handle.remove()
    assert len(calls) == 3


def test_an_empty_negative_prompt_is_what_the_checkpoint_was_trained_with(prompts: Prompts) -> None:
    loud = Prompts(prompts._encoders, silent=False, device="cpu")
    with torch.inference_mode():
        silent, spoken = prompts.against(""), loud.against("")
        assert not silent.states.any()
        assert silent.pooled is not None
        assert not silent.pooled.any()
        assert torch.equal(spoken.states, loud.of("").states)
        assert torch.equal(prompts.against("sunset").states, loud.of("sunset").states)
