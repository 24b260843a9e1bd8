"""Files: absent or complete, whatever happens; resumed to the same bytes; broken ones are refused at once."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from model.cli import main
from model.errors import ConfigError, StorageError
from quantization import convert as convert_module
from quantization import writing
from quantization.convert import convert
from quantization.gguf_source import GgufSource
from quantization.kquants import encode
from quantization.levels import LEVELS, TYPES
from quantization.rules import Planned
from quantization.sources import open_source, read_tensor
from quantization.writing import gguf_header, write_gguf
from tests.chance import examples

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve matrices under Flux's names."""
    path = tmp_path_factory.mktemp("source") / "flux.safetensors"
    random = torch.Generator().manual_seed(0)
    save_file(
        {f"double_blocks.{i}.img_mlp.0.weight": torch.randn(64, 512, generator=random) for i in range(12)},
        path,
    )
    return path


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted conversion."""
    out = tmp_path_factory.mktemp("whole") / "out.gguf"
    convert(source, out, LEVELS["Q4_K_S"])
    return out


def test_stopped_anywhere_the_output_is_absent_and_goes_on(
    source: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.gguf"
    encoded: list[Any] = []

    def counting(values: Any, *words: Any, **options: Any) -> Any:
        encoded.append(values)
        return encode(values, *words, **options)

    monkeypatch.setattr(convert_module, "encode", counting)

    def stop_at(number: int) -> Any:
        seen: list[str] = []

        def report(name: str, done: int, total: int) -> None:
            seen.append(name)
            if len(seen) == number:
                raise KeyboardInterrupt

        return report

    for number in (1, 5, 9):
        with pytest.raises(KeyboardInterrupt):
            convert(source, out, LEVELS["Q4_K_S"], report=stop_at(number))
        assert not out.exists()
    encoded.clear()
    made = convert(source, out, LEVELS["Q4_K_S"])
    assert made.resumed == 8  # the ninth was written, but is made again: it was the last
    assert len(encoded) == 12 - 8
    assert out.read_bytes() == whole.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]


@given(length=st.integers(0, 30_000), garbage=st.binary(max_size=64))
@settings(max_examples=examples(15), deadline=None)
def test_whatever_an_interruption_left_the_bytes_are_the_same(
    source: Path, whole: Path, length: int, garbage: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.gguf"
        data = whole.read_bytes()
        length = min(len(data), length * 8)
        # The tensor under way when the power went may hold anything.
        kept = data[: max(0, length - len(garbage))]
        # Before the first block of the disk was written, there is nothing or zeros.
        written = kept + (garbage if len(kept) >= 4 else bytes(len(garbage)))
        (Path(folder) / ".out.gguf.partial").write_bytes(written)
        convert(source, out, LEVELS["Q4_K_S"])
        assert out.read_bytes() == whole.read_bytes()


def test_another_job_does_not_go_on_with_this_ones_file(source: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    (tmp_path / ".out.gguf.partial").write_bytes(whole.read_bytes()[:-100])
    made = convert(source, out, LEVELS["Q5_K_S"])
    assert made.resumed == 0
    assert GgufSource(out).metadata["autostudio.level"] == "Q5_K_S"


def test_killed_the_output_is_absent_or_complete(source: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from quantization.convert import convert\nfrom quantization.levels import LEVELS\n"
        "def report(*_):\n    print(flush=True)\n    time.sleep(0.05)\n"
        "convert(Path(sys.argv[1]), Path(sys.argv[2]), LEVELS['Q4_K_S'], report=report)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(source), str(out)], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        for _ in range(4):
            process.stdout.readline()
        process.kill()
    assert not out.exists()
    assert (tmp_path / ".out.gguf.partial").exists()
    assert convert(source, out, LEVELS["Q4_K_S"]).resumed >= 3
    assert out.read_bytes() == whole.read_bytes()


def test_a_full_disk_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    tensor = Planned(name="a", parts=("a",), shape=(4, 256), type=TYPES["F16"])
    with pytest.raises(StorageError, match="free some space"):
        write_gguf(tmp_path / "out.gguf", {}, [tensor], lambda _: torch.zeros(2048, dtype=torch.uint8), print)


@given(
    fields=st.dictionaries(
        st.text("abc.", min_size=1),
        st.booleans()
        | st.integers(-(2**31), 2**32 - 1)
        | st.floats(width=32, allow_nan=False)
        | st.text()
        | st.lists(st.integers(0, 9))
        | st.lists(st.text(max_size=4), min_size=1),
    ),
    shapes=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), max_size=5),
)
@settings(max_examples=examples(60), deadline=None)
def test_headers_are_read_back_as_they_were_written(fields: dict[str, Any], shapes: list[list[int]]) -> None:
    tensors = [
        Planned(name=f"t{number}", parts=(), shape=tuple(shape), type=TYPES["F16"])
        for number, shape in enumerate(shapes)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "header.gguf"
        path.write_bytes(gguf_header(fields, tensors) + bytes(5 * 9**4 * 2 + 5 * 32))
        source = GgufSource(path)
        reader = gguf.GGUFReader(path)
    assert source.metadata == fields
    assert source.shapes == {tensor.name: tensor.shape for tensor in tensors}
    assert {t.name: tuple(reversed(t.shape.tolist())) for t in reader.tensors} == source.shapes


def refused(path: Path) -> str:
    """Why; and it must be said at once."""
    begun = time.process_time()
    with pytest.raises(ConfigError) as error:
        open_source(path)
    assert time.process_time() - begun < 1
    assert "\n" not in str(error.value)
    return str(error.value)


def test_broken_safetensors_are_refused(source: Path, tmp_path: Path) -> None:
    data = source.read_bytes()
    path = tmp_path / "broken.safetensors"
    (length,) = struct.unpack("<Q", data[:8])

    def header(facts: Any) -> bytes:
        text = json.dumps(facts).encode()
        return struct.pack("<Q", len(text)) + text

    for broken, words in (
        (b"", "claims"),
        (data[:100], "claims"),
        (data[:-1], "claims bytes"),
        (struct.pack("<Q", 2**63) + data[8:], "claims"),
        (data[:8] + b"x" * length, "not a safetensors header"),
        (header({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}), "claims bytes"),
        (
            header({"a": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}) + bytes(4),
            "claims bytes",
        ),
        (header({"a": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}}) + bytes(8), "expected one of"),
        (header([1]), "not a safetensors header"),
        (b"[" * 100_000, "claims"),
        (struct.pack("<Q", 90_000) + b"[" * 90_000, "not a safetensors header"),
    ):
        path.write_bytes(broken)
        assert words in refused(path), broken[:40]


def test_broken_gguf_files_are_refused(whole: Path, tmp_path: Path) -> None:
    path, good = tmp_path / "broken.gguf", whole.read_bytes()

    def start(version: int, tensors: int, fields: int) -> bytes:
        return b"GGUF" + struct.pack("<IQQ", version, tensors, fields)

    name = struct.pack("<Q", 1) + b"a"
    for broken, words in (
        (b"GGML" + good[4:], "expected b'GGUF'"),
        (good[:9], "claims"),
        (good[:300], "claims"),
        (good[:-40_000], "cut off"),
        (start(1, 0, 0), "version 1"),
        (start(3, 2**60, 0), "entries"),
        (start(3, 0, 2**60), "entries"),
        (start(3, 0, 1) + struct.pack("<Q", 2**62) + bytes(64), "claims"),
        (start(3, 0, 1) + name + struct.pack("<IIQ", 9, 8, 2**61) + bytes(64), "entries"),
        (start(3, 0, 1) + name + struct.pack("<IIQ", 9, 9, 2) + bytes(64), "not known"),
        (start(3, 0, 1) + name + struct.pack("<I", 99) + bytes(64), "not known"),
        (start(3, 1, 0) + name + struct.pack("<IQIQ", 1, 256, 77, 0) + bytes(64), "type number 77"),
        (start(3, 1, 0) + name + struct.pack("<IQIQ", 1, 2**63, 0, 0) + bytes(64), "claims sides"),
        (start(3, 1, 0) + name + struct.pack("<IQIQ", 1, 1, 0, 2**62) + bytes(64), "cut off"),
        (start(3, 1, 0) + name + struct.pack("<IQIQ", 1, 100, 12, 0) + bytes(64), "cannot hold"),
        (start(3, 1, 0) + name + struct.pack("<I", 2**31) + bytes(64), "dimensions"),
    ):
        path.write_bytes(broken)
        assert words in refused(path), broken[:60]


def test_header_bombs_cost_neither_time_nor_memory(tmp_path: Path) -> None:
    """Files as large as they claim, of nothing: sparse, so that they cost no disk."""

    def sparse(name: str, start: bytes, size: int) -> Path:
        path = tmp_path / name
        with path.open("wb") as file:
            file.write(start)
            file.truncate(size)
        return path

    empty = struct.pack("<Q", 1) + b"a" + struct.pack("<II", 9, 8)
    bombs = (
        sparse(
            "strings.gguf", b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + empty + struct.pack("<Q", 2**28), 2**33
        ),
        sparse("fields.gguf", b"GGUF" + struct.pack("<IQQ", 3, 0, 2**27), 2**33),
        sparse("tensors.gguf", b"GGUF" + struct.pack("<IQQ", 3, 2**27, 0), 2**33),
        sparse("long.gguf", b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**32), 2**33),
        sparse("header.safetensors", struct.pack("<Q", 90_000_000) + b"{", 2**33),
        sparse("nested.safetensors", struct.pack("<Q", 16_000_000) + b"[" * 16_000_000, 2**33),
    )
    for path in bombs:
        tracemalloc.start()
        refused(path)
        assert tracemalloc.get_traced_memory()[1] < 200e6, path.name
        tracemalloc.stop()
        assert main(["quantize", str(path), "--level", "Q8_0", "-o", str(tmp_path / "out.gguf")]) == 2


@given(place=st.integers(0, 1500), byte=st.integers(0, 255), kind=st.sampled_from(["gguf", "safetensors"]))
@settings(max_examples=examples(150), deadline=None)
def test_any_damage_to_a_header_is_refused_or_harmless(
    source: Path, whole: Path, place: int, byte: int, kind: str
) -> None:
    data = bytearray((whole if kind == "gguf" else source).read_bytes())
    data[place % len(data)] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"damaged.{kind}"
        path.write_bytes(data)
        try:
            opened = open_source(path)
            for name in list(opened.shapes)[:2]:
                read_tensor(opened, name)
        except ConfigError:
            pass


def test_pickles_and_folders_without_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").write_bytes(b"\x80\x04.")
    assert "pickle" in refused(tmp_path / "model.ckpt")
    assert "no weights" in refused(tmp_path)
    (tmp_path / "a.safetensors").touch()
    (tmp_path / "b.safetensors").touch()
    assert "2 files of weights and no index" in refused(tmp_path)
    (tmp_path / "x.safetensors.index.json").write_text('{"weight_map": {"a": "gone.safetensors"}}')
    assert "gone.safetensors" in refused(tmp_path)
    (tmp_path / "x.safetensors.index.json").write_text('{"weight_map": 3}')
    assert "not an index" in refused(tmp_path)


PEAK = """
import json, sys
from pathlib import Path
from quantization.convert import convert
from quantization.levels import LEVELS
def peak():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status["VmHWM"].split()[0]) * 1024
before = peak()
made = convert(Path(sys.argv[1]), Path(sys.argv[2]), LEVELS[sys.argv[3]], device="cpu")
print(json.dumps({"added": peak() - before, "weights": made.weights}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_memory_grows_with_the_largest_tensor_not_with_the_file(tmp_path: Path) -> None:
    side, number = 4096, 10
    size = 2 * side * side  # bytes of each, as bfloat16: 32 MiB
    header = json.dumps(
        {
            f"double_blocks.{i}.img_mlp.0.weight": {
                "dtype": "BF16",
                "shape": [side, side],
                "data_offsets": [i * size, (i + 1) * size],
            }
            for i in range(number)
        }
    ).encode()
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + number * size)  # zeros that take no disk
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path), str(tmp_path / "out.gguf"), "Q4_0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(done.stdout)
    assert facts["weights"] == number * side * side
    assert facts["added"] <= 2 * size + 64e6, (
        facts
    )  # of 500 MB beside the tensors, torch's import took the rest


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(value: float, tmp_path: Path) -> None:
    name = "double_blocks.0.img_mlp.0.weight"
    save_file({name: torch.full((2, 256), value)}, tmp_path / "bad.safetensors")
    with pytest.raises(ConfigError, match=name):
        convert(tmp_path / "bad.safetensors", tmp_path / "out.gguf", LEVELS["Q4_K_S"])
    assert not (tmp_path / "out.gguf").exists()
