"""`run.py quantize --report`: levels are made, drawn with and compared; fewer bits are never better."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import gguf
import pytest
from PIL import Image

from model import cli
from model.commands.quantize_report import FAMILIES, Measured, grid, levels_of, report, table
from model.config import FIRST_STORY
from model.files import sha256_of
from model.render.weights import STARTER, open_checkpoint
from quantization.convert import convert, weight_error
from quantization.gguf_source import GgufSource
from quantization.imatrix import read_importance
from quantization.levels import LEVELS
from quantization.sources import read_tensor


def test_a_level_is_made_drawn_and_told(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["quantize", str(tiny), "--report", "--level", "q4_0", "--panels", "1", "-o", str(tmp_path)]
    assert cli.main([*words, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["levels"]
    assert row["level"] == "Q4_0"
    assert 5 < row["bits"] < 12  # as the file is: in so small a model much stays in half precision
    assert 0.03 < row["error"] < 0.1
    assert 5 < row["psnr"] < 60
    assert 0 < row["ssim"] < 1
    assert 0 <= row["distance"] < 1  # so small a CLIP may not tell them apart in five digits
    name = open_checkpoint(tiny).name
    file = tmp_path / f"{name}-Q4_0.gguf"
    assert file.stat().st_size == row["bytes"]
    own = next(tiny.glob("transformer/*.gguf"))
    assert weight_error(own, file, LEVELS["Q4_0"]) == pytest.approx(row["error"], abs=1e-6)
    assert "Q4_0" in (tmp_path / f"{name}-report.md").read_text(encoding="utf-8")
    facts = json.loads((tmp_path / f"{name}-report.json").read_text(encoding="utf-8"))
    assert facts["levels"] == [row]
    with Image.open(tmp_path / f"{name}-report.png") as opened:
        assert opened.size[0] > 300


def test_a_story_says_what_matters(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = tmp_path / "beach.json"
    story.write_text(
        json.dumps({"version": 1, "title": "Beach", "pages": [{"panels": [{"scene": "beach"}]}]})
    )
    out = tmp_path / "made" / "tiny.gguf"
    words = ["quantize", str(tiny), "--level", "q2_k", "-o", str(out), "--imatrix", str(story), "--json"]
    assert cli.main(words) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["unweighted"] == 0
    (importance,) = out.parent.glob("beach-*.imatrix.safetensors")
    assert GgufSource(out).metadata["autostudio.imatrix.sha256"] == sha256_of(importance)
    # Weighted by what this story feeds the layers, the error where it matters is less than without.
    plain = convert(next(tiny.glob("transformer/*.gguf")), tmp_path / "plain.gguf", LEVELS["Q2_K"]).path
    matter = read_importance(importance)
    own = GgufSource(next(tiny.glob("transformer/*.gguf")))
    weighted = [name for name, kind in kinds(out).items() if kind == "Q2_K"]
    assert weighted
    for name in weighted:
        values = read_tensor(own, name).float()
        errors = [
            float(((read_tensor(GgufSource(file), name) - values).square() * matter[name]).sum())
            for file in (out, plain)
        ]
        assert errors[0] < errors[1], name
    # By the same command it is not drawn again.
    assert cli.main(words) == 0
    assert "gathered before" in capsys.readouterr().err


def kinds(file: Path) -> dict[str, str]:
    return {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(file).tensors}


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    for words in (
        [],
        ["--level", "Q4_0"],
        ["--report", "--panels", "0"],
        ["--level", "Q4_0", "-o", str(tmp_path / "x.gguf"), "--imatrix", str(FIRST_STORY)],
        ["--report", "--level", "Q8_0", "--imatrix", str(FIRST_STORY)],
        ["--level", "Q4_K", "-o", str(tmp_path / "x.gguf"), "--imatrix", str(tmp_path / "no_story.json")],
        ["--report", "--level", "Q9"],
    ):
        assert cli.main(["quantize", str(STARTER), *words]) == 2


def test_every_level_is_in_one_family_and_fewer_bits_come_later() -> None:
    assert sorted(name for family in FAMILIES for name in family) == sorted(LEVELS)
    for family in FAMILIES:
        bits = [LEVELS[name].type.bits for name in family]
        assert bits == sorted(bits, reverse=True)
    assert [level.name for level in levels_of("q4_k")] == ["Q4_K_S"]
    assert len(levels_of(None)) == len(LEVELS)


def row(level: str, bits: float, psnr: float) -> Measured:
    return Measured(
        level=level, bytes=10**6, bits=bits, fallen_back=0, error=0.01, psnr=psnr, ssim=0.9, distance=0.1
    )


def test_the_table_is_in_the_order_of_bits_a_part_a_family() -> None:
    lines = table([row("Q4_0", 4.6, 20), row("Q2_K", 9, 18), row("Q8_0", 8.6, float("inf"))]).splitlines()
    names = [line.split("|")[1].strip() for line in lines if line.startswith("| Q")]
    assert names == ["Q8_0", "Q4_0", "Q2_K"]
    assert "| same |" in lines[2]
    assert lines.count("") == 1  # between the families


def test_the_grid_has_a_row_a_panel_and_a_column_a_level() -> None:
    shown = {
        name: [Image.new("RGB", (320, 160), colour), Image.new("RGB", (160, 160), colour)]
        for name, colour in (("source", "red"), ("Q4_0", "blue"))
    }
    sheet = grid(shown)
    assert sheet.getpixel((100, 100)) == (255, 0, 0)
    assert sheet.getpixel((sheet.width - 100, 100)) == (0, 0, 255)
    assert sheet.getpixel((100, sheet.height - 50)) == (255, 0, 0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fewer_bits_are_worse_weights_and_worse_pictures(tmp_path: Path) -> None:
    rows = report(STARTER, tmp_path, levels=levels_of(None), panels=3, device="cpu", say=lambda line: None)
    for family in FAMILIES:
        found = sorted((one for one in rows if one.level in family), key=lambda one: -one.bits)
        # (The starter is Q8_0 itself.)
        assert [one.level for one in found] == [name for name in family if name != "F16"]
        errors = [one.error for one in found]
        assert errors == sorted(errors)
        pictures = [one.psnr for one in found]
        # Three panels: where two levels lie within half a decibel, chance decides.
        assert all(later <= earlier + 0.5 for earlier, later in itertools.pairwise(pictures))
