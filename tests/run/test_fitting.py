"""`--gguf`: what is here is found by its header, what suits is taken, what is missing is said; another file,
other keys."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.config import WeightsFile
from model.errors import ConfigError, WeightsMissing
from model.render.weights import STARTER, open_checkpoint
from model.run import fit as fitting
from model.run.fit import files_of, find_gguf, measured_errors, plan_line, plans_of, weights_file, with_gguf
from model.run.settle import settle
from model.variants import VARIANTS
from quantization.levels import LEVELS
from quantization.plans import GB, Machine
from quantization.rules import Planned
from quantization.sizes import FULL, MODELS
from quantization.writing import gguf_header

ROOMY = Machine(kind="cpu", free=16 * GB, host=16 * GB)
OWN = STARTER / "transformer" / "flux-q8_0.gguf"


def write_level(path: Path, level: str, *, values: int = 256) -> Path:
    """A small GGUF file with one weight at a level and one bias."""
    weight = Planned(name="w", parts=("w",), shape=(4, values), type=LEVELS[level].type)
    data = gguf_header({}, [weight])
    path.write_bytes(data + bytes(weight.type.bytes_of(weight.shape) + 64))
    return path


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `quantize --report` puts its files, with two levels and what was measured of one."""
    monkeypatch.setattr(fitting, "MADE", tmp_path)
    for level in ("Q4_0", "Q2_K"):
        write_level(tmp_path / f"starter-{level}.gguf", level)
    (tmp_path / "starter-Q5_0.gguf").touch()  # a download that has just begun
    rows = [{"level": "Q4_0", "error": 0.0862}]
    (tmp_path / "starter-report.json").write_text(json.dumps({"levels": rows}))
    return tmp_path


def found(asked: str, machine: Machine = ROOMY, **changes: Any) -> tuple[str, str]:
    """The path of the file that was chosen, empty for none, and what was said."""
    said: list[str] = []
    checkpoint = replace(open_checkpoint(), **changes)
    file = find_gguf(asked, checkpoint, batch=8, device="cpu", say=said.append, machine=machine)
    return str(file.path) if file else "", "\n".join(said)


def test_files_are_found_by_their_headers_and_by_model(made: Path) -> None:
    files = files_of(open_checkpoint())
    assert {level: file.path for level, file in files.items()} == {
        "Q8_0": OWN,
        "Q4_0": made / "starter-Q4_0.gguf",
        "Q2_K": made / "starter-Q2_K.gguf",
    }
    assert all(file.level == level for level, file in files.items())
    assert measured_errors(open_checkpoint()) == {"Q4_0": 0.0862}
    (made / "starter-report.json").write_text("[]")
    with pytest.raises(ConfigError, match="not a report"):
        measured_errors(open_checkpoint())


@pytest.mark.parametrize("name", ["mycomic.gguf", "flux1-dev-Q4_K_M (1).gguf", "flux1-dev-Q8_0.gguf"])
def test_the_same_bytes_get_the_same_memory_plan_whatever_they_are_called(tmp_path: Path, name: str) -> None:
    card = Machine(kind="cuda", free=12 * GB, host=64 * GB)
    named = write_level(tmp_path / "flux1-dev-Q4_K_S.gguf", "Q4_K_S")
    other = Path(shutil.copy(named, tmp_path / name))
    checkpoint = replace(open_checkpoint(), variant=VARIANTS["flux-dev"], shapes=((1024, 1024),))
    first, second = (
        plans_of(replace(settle(), gguf=weights_file(path)), checkpoint, card) for path in (named, other)
    )
    assert first == second
    assert first[0].level == "Q4_K_S"
    assert first[0].fits


def test_a_level_that_is_here_is_taken_and_the_table_shown(made: Path) -> None:
    file, said = found("q4_0")
    assert file == str(made / "starter-Q4_0.gguf")
    assert "0.0862" in said  # measured
    assert "~0.005" in said  # typical
    rows = {line.split()[0] for line in said.splitlines()}
    assert {"full", "Q8_0*", "Q5_1", "Q4_0*", "Q2_K*"} <= rows


def test_a_level_that_is_missing_falls_back_and_says_so(made: Path) -> None:
    file, said = found("Q5_0")
    assert file == str(made / "starter-Q4_0.gguf")  # the nearest in bits
    assert "Q5_0 is not here" in said
    assert "run.py quantize" in said
    file, said = found("Q4_K_S", name="unheard", folder=made / "empty")
    assert file == ""
    assert "own weights" in said
    flux = {"name": "flux-dev", "variant": VARIANTS["flux-dev"], "folder": made / "empty"}
    assert "run.py download flux-dev --gguf Q4_K_S" in found("Q4_K_S", **flux)[1]


def test_auto_takes_the_best_of_what_fits_and_names_a_better_one(made: Path) -> None:
    assert found("auto")[0] == str(OWN)
    flux: dict[str, Any] = {
        "name": "flux-dev",
        "variant": VARIANTS["flux-dev"],
        "folder": made,
        "shapes": ((1024, 1024),),
    }
    (made / "transformer").mkdir()
    for level in ("Q8_0", "Q4_K_S"):
        write_level(made / "transformer" / f"{level.lower()}.gguf", level)
    card = Machine(kind="cuda", free=12 * GB, host=64 * GB)
    file, said = found("auto", card, **flux)
    assert file.endswith("q4_k_s.gguf")
    assert "Q6_K would suit this machine best" in said
    assert found("auto", replace(card, free=24 * GB), **flux)[0].endswith("q8_0.gguf")


def test_what_is_no_level_and_no_file_is_refused(made: Path) -> None:
    damaged = made / "damaged.gguf"
    damaged.write_bytes(OWN.read_bytes()[:-1000])
    for asked, words in (
        ("Q9_9", "no level"),
        ("gone.gguf", "no such file"),
        (str(damaged), "cut off"),
        (str(made / "starter-report.json"), "not safetensors"),
    ):
        with pytest.raises(ConfigError, match=words):
            found(asked)
    with pytest.raises(ConfigError, match="not drawn from GGUF"):
        found("auto", variant=VARIANTS["sd15"], name="sd15")


def test_python_may_name_a_level_as_the_command_line_does() -> None:
    assert settle(gguf="Q8_0").gguf == WeightsFile(path=OWN, level="Q8_0")
    assert settle(gguf="auto").gguf == WeightsFile(path=OWN, level="Q8_0")
    assert settle(gguf=str(OWN)).gguf == WeightsFile(path=OWN, level="Q8_0")
    assert settle().gguf is None


def test_another_file_is_another_fingerprint_and_the_own_one_is_none(made: Path) -> None:
    checkpoint = open_checkpoint()
    assert with_gguf(checkpoint, OWN) is checkpoint
    others = [with_gguf(checkpoint, made / f"starter-{level}.gguf") for level in ("Q4_0", "Q2_K")]
    assert len({checkpoint.fingerprint, *(other.fingerprint for other in others)}) == 3
    assert others[0].part("transformer") == made / "starter-Q4_0.gguf"
    assert others[0].parts["transformer_config"] == STARTER / "transformer" / "config.json"
    with pytest.raises(WeightsMissing):
        with_gguf(checkpoint, made / "gone.gguf")


def test_plans_are_for_the_weights_that_are_drawn_with(made: Path) -> None:
    checkpoint = open_checkpoint()
    roomy = plans_of(settle(), checkpoint, ROOMY)
    assert roomy[0].level == FULL  # unpacked once
    tight = replace(ROOMY, free=110_000_000, host=110_000_000)
    small = plans_of(settle(), checkpoint, tight)
    assert small[0].batch < roomy[0].batch
    assert small[-1].level == "Q8_0"  # the smallest stays packed
    named = plans_of(settle(gguf=str(made / "starter-Q4_0.gguf")), checkpoint, tight)
    assert {plan.level for plan in named} <= {FULL, "Q4_0"}
    nothing = replace(ROOMY, free=1_000_000, host=1_000_000)
    assert "may run out" in plan_line(plans_of(settle(), checkpoint, nothing)[0], nothing, "starter")


def test_every_variant_has_sizes() -> None:
    for name, variant in VARIANTS.items():
        assert variant.sizes in MODELS.values(), name
