"""The bench of a whole Flux panel: it grows blocks, draws all ways, and its figures belong together."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from model.render.gguf.layers import keep_packed
from scripts.bench import flux_full, random_flux
from scripts.bench.flux_full import PLAIN, ROWS, expected, main
from scripts.bench.random_flux import FULL, TRUE, Scale, grown, opened, quantize, write

TINY = Scale(
    name="tiny", heads=1, double=2, single=3, side=128, text=16, prompt=6, region=4, t5=(64, 3), clip=(64, 1),
    eye=(72, 1, 28), vae=4, dtype=torch.float32,
)  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="a process's peak of memory is read from /proc")
def test_every_level_has_every_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(flux_full.SCALES, "small", TINY)
    flags = ("--scale", "small", "--device", "cpu", "--steps", "2", "--turns", "1")
    assert main([*flags, "--level", FULL, "--level", "Q8_0"]) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])
    write(tmp_path, TINY)
    dev = opened(tmp_path, "flux-dev")
    expected_of = {what: expected(TINY, dev, what) for what in (PLAIN, *ROWS)}
    assert [(row["level"], row["what"]) for row in rows] == [
        (level, what) for level in (FULL, "Q8_0") for what in (PLAIN, *ROWS)
    ]
    for row in rows:
        assert row["seconds"] == pytest.approx(row["before"] + row["steps"] + row["after"])
        # One turn: its ratio is that of its seconds, and its peak holds at least torch and the weights.
        (plain,) = (one for one in rows if (one["level"], one["what"]) == (row["level"], PLAIN))
        assert row["ratio"] == pytest.approx(row["seconds"] / plain["seconds"])
        assert row["expected"] == pytest.approx(expected_of[row["what"]])
        assert 0.15 < row["peak"] < psutil.virtual_memory().total / 1e9
        assert row["predicted"] == 0


def test_blocks_are_copied_with_memory_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, TINY)
    for file in (None, quantize(tmp_path, "Q8_0")):
        parts = grown(opened(tmp_path, "flux-dev", file), TINY, torch.float32)
        transformer = parts.transformer
        assert len(transformer.transformer_blocks) == 2
        assert len(transformer.single_transformer_blocks) == 3
        assert len(parts.t5.encoder.block) == 3
        one, other = (block.attn.to_q.weight for block in transformer.transformer_blocks)
        assert one.data_ptr() != other.data_ptr()
        assert torch.equal(torch.Tensor(one), torch.Tensor(other))
        # Copies are packed as the first is, and can be kept so.
        assert keep_packed(transformer) == 0
        packed = [name for name, _ in transformer.named_buffers() if name.endswith("packed")]
        assert len(packed) == (0 if file is None else 2 * 14 + 3 * 6)


def test_what_is_expected_at_true_size(tmp_path: Path) -> None:
    write(tmp_path, TINY)
    dev, kontext = (opened(tmp_path, row) for row in ("flux-dev", "flux-kontext"))
    ratios = [expected(TRUE, dev, what) for what in ROWS]
    alone, words, references, refined = ratios
    assert alone < words < 1 < refined < references
    assert references == pytest.approx(1.29, abs=0.01)
    assert expected(TRUE, replace(kontext, reference=512), ROWS[2]) == pytest.approx(1.46, abs=0.01)
    assert random_flux.SMALL.width * 4 == TRUE.width
