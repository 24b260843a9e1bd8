"""PyTorch files of strangers: nothing in them runs, none grows; each is refused quickly and within 1 GB."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from model.config import DEFAULTS
from model.errors import ConfigError
from model.pickled import check_file, check_tensors
from model.vision.segment import open_segmenter

ROOT = Path(__file__).parents[1]


class Program:
    """What a pickle would run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.path}'",)


def deflated(path: Path) -> None:
    """A table of zeros, as torch saves it, packed: 400 MB in 400 KB."""
    torch.save({"conv.weight": torch.zeros(100_000_000)}, path.with_suffix(".big"))
    with (
        zipfile.ZipFile(path.with_suffix(".big")) as big,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as small,
    ):
        for name in big.namelist():
            small.writestr(name, big.read(name))
    path.with_suffix(".big").unlink()


def saved(state: object, **how: Any) -> Callable[[Path], None]:
    return lambda path: torch.save(state, path, **how)


def _nested(depth: int) -> dict[str, Any]:
    table: dict[str, Any] = {"a": torch.ones(1)}
    for _ in range(depth):
        table = {"a": table}
    return table


HOSTILE: dict[str, Callable[[Path], object]] = {
    "program": lambda path: torch.save({"a": Program(path.with_name("run"))}, path),
    "program, old form": lambda path: torch.save(
        {"a": Program(path.with_name("run"))}, path, _use_new_zipfile_serialization=False
    ),
    "plain pickle": lambda path: path.write_bytes(pickle.dumps(Program(path.with_name("run")))),
    "bytes of a number": lambda path: path.write_bytes(
        b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\xe4\x0bT\x02\x85R."
    ),
    "deflated": deflated,
    "view": saved({"conv.weight": torch.ones(1).expand(100_000, 100_000)}),
    "view, old form": saved(
        {"a.weight": torch.ones(1).expand(100_000, 100_000)}, _use_new_zipfile_serialization=False
    ),
    "shared": saved(
        {f"a.{n}": torch.ones(300_000).view(-1) for n in range(1)}
        | dict.fromkeys(map(str, range(999)), torch.ones(300_000))
    ),
    "keys of numbers": saved({1: torch.ones(1), (2, 3): torch.ones(1)}),
    "keys of bytes": saved({b"params": torch.ones(1)}),
    "a long key": saved({"a" * 10_000: torch.ones(1)}),
    "a list": saved([torch.ones(1)]),
    "a tensor": saved(torch.ones(1)),
    "numbers": saved({"a": 1, "b": [1, 2]}),
    "deep": saved(_nested(200)),
    "many blocks": saved(
        {"body.99999999.weight": torch.ones(3, 3, 3, 3), "body.0.weight": torch.ones(64, 3, 3, 3)}
    ),
    "wide": saved(
        {
            "conv_first.weight": torch.ones(20_000, 3, 1, 1),
            "body.0.rdb1.conv1.weight": torch.ones(4, 4, 3, 3),
            "model.0.weight": torch.ones(20_000, 3, 1, 1),
            "model.1.sub.0.RDB1.conv1.0.weight": torch.ones(4, 4, 3, 3),
        }
    ),
    "cut off": lambda path: path.write_bytes(_whole()[:-200]),
    "noise": lambda path: path.write_bytes(os.urandom(5000)),
    "empty": lambda path: path.write_bytes(b""),
    "a pointer": lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"),
    "a page": lambda path: path.write_bytes(b"<!DOCTYPE html><html></html>"),
}


def _whole() -> bytes:
    import io

    data = io.BytesIO()
    torch.save({"a.weight": torch.ones(9, 9)}, data)
    return data.getvalue()


READERS = {
    "upscaler": "from model.render.upscale import open_upscaler as read",
    "segmenter": "from model.vision.segment import open_segmenter as read",
    "detector": "from model.vision.grounding_original import _read as read",
}
LOOK = """
import resource, sys, time
from pathlib import Path
from model.errors import AutoStudioError
import torch
{reader}

for path in map(Path, sys.argv[1:]):
    before, start, told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time(), "READ"
    try:
        read(path)
    except AutoStudioError as error:
        told = str(error)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(path.stem, grown, time.process_time() - start, repr(told), sep="|", flush=True)
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, write in HOSTILE.items():
            write(folder / f"{name}.pth")
    return folder


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_runs_or_grows_a_strangers_file(reader: str, hostile: Path) -> None:
    """In a fresh process, whose memory and time are measured."""
    files = [str(hostile / f"{name}.pth") for name in HOSTILE]
    code = LOOK.format(reader=READERS[reader])
    done = subprocess.run(
        [sys.executable, "-c", code, *files], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.split("|", 3) for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == list(HOSTILE)
    for name, megabytes, seconds, told in rows:
        assert told != "'READ'", name
        assert "\\n" not in told, name
        assert float(megabytes) < 600, name  # beside what torch itself takes
        assert float(seconds) < 10, name
    assert not (hostile / "run").exists()


@pytest.mark.parametrize("old", [False, True])
def test_tables_of_tensors_are_read_in_both_forms(old: bool, tmp_path: Path) -> None:
    state: dict[str, Any] = {
        "params_ema": {"body.0.weight": torch.arange(9.0).view(3, 3), "body.0.bias": torch.ones(3).half()},
        "other": torch.nn.Parameter(torch.ones(2, 5).t()),  # a view of all its numbers
        "iter": 3,
    }
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=not old)
    check_file(tmp_path / "a.pth")
    found = check_tensors(tmp_path / "a.pth", torch.load(tmp_path / "a.pth", weights_only=True))
    assert torch.equal(found["params_ema"]["body.0.weight"], state["params_ema"]["body.0.weight"])
    assert found["iter"] == 3


class Adder(torch.nn.Module):
    def forward(self, pictures: Tensor, points: Tensor, labels: Tensor) -> Tensor:
        return pictures + 1


def test_torchscript_is_not_run_unless_a_flag_says_so(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Adder()).save(tmp_path / "a.pt")
    with pytest.raises(ConfigError, match="--allow_torchscript") as caught:
        open_segmenter(tmp_path / "a.pt")
    assert caught.value.exit_code == 2
    assert open_segmenter(tmp_path / "a.pt", run_scripts=True) is not None
    from model.cli import _parser

    assert not _parser("draw").parse_args([]).allow_torchscript
    assert _parser("draw").parse_args(["--allow_torchscript"]).allow_torchscript is True
    assert DEFAULTS["allow_torchscript"] is False
