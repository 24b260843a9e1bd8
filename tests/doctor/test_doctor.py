"""The doctor names what is broken and what mends it, also where torch itself is what is broken."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from download.cache import Shelf
from download.catalog import CATALOG
from model import cli
from model.commands.doctor import examine, findings, machine, packages, probe, stores, weights
from model.commands.doctor.findings import Finding, guarded, pip_words
from model.errors import IntegrityError
from model.memory.panels.cache import NewPanel, PanelCache
from model.memory.store.library import Library
from model.run.vibe import VibeMemory
from quantization.sizes import MODELS

# What a child imports in place of torch and torchvision: as much of them as the doctor asks.
GOOD_TORCH = """
__version__ = "2.15.0+cpu"
class version: cuda = None; hip = None
class cuda:
    is_available = staticmethod(lambda: False)
class backends:
    class mps: is_available = staticmethod(lambda: False)
zeros = lambda *size: 0
"""
GOOD_VISION = """
__version__ = "0.29.2+cpu"
class ops: nms = staticmethod(lambda *told: None)
"""
UNFIT = "raise RuntimeError('operator torchvision::nms does not exist')"
CARD = GOOD_TORCH.replace(
    "is_available = staticmethod(lambda: False)",
    "is_available = staticmethod(lambda: True); device_count = staticmethod(lambda: 1)\n"
    "    mem_get_info = staticmethod(lambda number: (14_000_000_000, 15_000_000_000))\n"
    "    get_device_name = staticmethod(lambda number: 'Tesla T4')\n"
    "    get_device_capability = staticmethod(lambda number: (7, 5))",
    1,
)


@pytest.fixture
def torch_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put packages called torch and torchvision before the real ones, for child processes."""

    def put(torch: str = GOOD_TORCH, vision: str = GOOD_VISION) -> None:
        for name, text in (("torch", torch), ("torchvision", vision)):
            (tmp_path / "packages" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "packages" / name / "__init__.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))

    return put


def states(found: Iterator[Finding]) -> list[str]:
    return [one.state for one in found]


# --- torch


def test_packages_that_do_not_fit_each_other_are_named(torch_is: Callable[..., None]) -> None:
    torch_is(vision=UNFIT)
    (found,) = probe.torch_works(probe.ask())
    assert found.state == "wrong"
    assert "torch 2.15.0+cpu and torchvision do not fit each other" in found.text
    assert "torchvision::nms does not exist" in found.text
    assert found.mend.endswith("--force-reinstall torch==2.15.0 torchvision"), "both in one command"
    assert not found.safe, "which build is right, a person knows"


def test_on_a_colab_the_pair_is_mended(
    torch_is: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch_is(vision=UNFIT)
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
    findings.on_colab.cache_clear()
    (found,) = probe.torch_works(probe.ask())
    findings.on_colab.cache_clear()
    assert found.safe == pip_words("--force-reinstall", "torch==2.15.0", "torchvision")


@pytest.mark.parametrize(
    ("torch", "told"),
    [
        ("raise ImportError('libcudart.so.13: cannot open shared object file')", "libcudart.so.13"),
        ("import os; os._exit(139)", "ends Python with code 139"),
    ],
)
def test_a_torch_that_breaks_breaks_only_the_child(
    torch_is: Callable[..., None], torch: str, told: str
) -> None:
    torch_is(torch=torch)
    probed = probe.ask()
    (found,) = probe.torch_works(probed)
    assert found.state == "wrong"
    assert told in found.text
    assert found.mend.endswith("pip install -r requirements.txt")
    assert not list(probe.device(probed))


def test_a_busy_machine_is_not_taken_for_a_broken_torch(torch_is: Callable[..., None]) -> None:
    torch_is(torch="import time; time.sleep(60)")
    probed = probe.ask(seconds=1)
    (found,) = probe.torch_works(probed)
    assert (found.state, found.safe) == ("note", ())
    assert "no answer within 1 s" in found.text
    assert not list(probe.device(probed))


def test_a_driver_that_does_not_answer_is_named(torch_is: Callable[..., None]) -> None:
    torch_is(torch=GOOD_TORCH + 'import warnings; warnings.warn("Can\'t initialize NVML")')
    probed = probe.ask()
    (found,) = probe.device(probed)
    assert found.state == "wrong"
    assert "the NVIDIA driver does not answer (Can't initialize NVML)" in found.text
    assert "restart" in found.mend
    assert states(probe.torch_works(probed)) == ["ok"]


def test_a_card_is_told_with_its_memory_and_what_fits_it(torch_is: Callable[..., None]) -> None:
    torch_is(torch=CARD)
    probed = probe.ask()
    (found,) = probe.device(probed)
    assert found == findings.ok("device", "cuda:0 Tesla T4, 14.0 of 15.0 GB free, no bfloat16, so float16")
    plans = {one.text.split()[0]: one for one in machine.fits(probed)}
    assert set(plans) == set(MODELS)
    assert plans["starter"].state == "ok"
    assert plans["flux-schnell"].state == "ok"
    assert "float16" in plans["flux-schnell"].text


# --- packages


def _put(folder: Path, name: str, version: str, *needs: str) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    (info / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs)]) + "\n")


def test_absent_old_and_unfitting_packages_are_named(tmp_path: Path) -> None:
    _put(tmp_path, "diffusers", "0.30.0")
    _put(tmp_path, "transformers", "5.23.0", "tokenizers<0.24,>=0.23", "flax; extra == 'flax'")
    _put(tmp_path, "tokenizers", "0.19.1")
    here = packages.Installed([str(tmp_path)])
    found = list(packages.packages(here, ["torch>=2.14", "diffusers>=0.42", "transformers>=5", "gguf>=0.19"]))
    assert [one.state for one in found] == ["wrong", "wrong"]
    assert "torch>=2.14 (absent is here)" not in found[0].text
    assert "torch>=2.14 (absent)" in found[0].text
    assert "diffusers>=0.42 (0.30.0 is here)" in found[0].text
    assert found[0].mend.endswith("install 'torch>=2.14' 'diffusers>=0.42' 'gguf>=0.19'")
    assert found[0].safe == pip_words("diffusers>=0.42", "gguf>=0.19"), "never torch"
    assert "transformers 5.23.0 needs tokenizers<0.24,>=0.23 (0.19.1 is here)" in found[1].text
    assert not found[1].safe


def test_builds_for_different_devices_do_not_fit(tmp_path: Path) -> None:
    _put(tmp_path, "torch", "2.15.0+cu130")
    _put(tmp_path, "torchvision", "0.29.2+cpu", "torch>=2.14")
    (found,) = packages.torch_pair(packages.Installed([str(tmp_path)]))
    assert "torch 2.15.0+cu130 and torchvision 0.29.2+cpu are builds for different devices" in found.text
    assert "torch==2.15.0 torchvision" in found.mend


def test_the_packages_of_this_environment_fit() -> None:
    assert states(packages.packages(packages.Installed(), packages.bounds())) == ["ok"]
    assert states(packages.python()) == ["ok"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModuleNotFoundError("No module named 'numpy'", name="numpy"), "No module named 'numpy'"),
        (IntegrityError("x.db: damaged"), "x.db: damaged"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (AttributeError("module has no attribute x"), "AttributeError"),
    ],
)
def test_a_check_that_breaks_is_a_finding(error: Exception, told: str) -> None:
    def broken() -> Iterator[Finding]:
        raise error
        yield

    (found,) = guarded("area", broken)
    assert found.state == "wrong"
    assert told in found.text
    assert found.mend


# --- weights


def test_the_starter_is_whole_and_damage_is_named(tmp_path: Path) -> None:
    assert states(weights.starter()) == ["ok"]
    copied = tmp_path / "starter"
    shutil.copytree(weights.STARTER, copied)
    (copied / "vae" / "config.json").write_text("{}")
    (copied / "clip" / "model.safetensors").unlink()
    missing, other = weights.starter(copied)
    assert (missing.state, other.state) == ("wrong", "wrong")
    assert "missing: clip/model.safetensors" in missing.text
    assert "vae/config.json" in other.text
    assert other.mend
    assert states(weights.starter(tmp_path)) == ["wrong"]


def test_sets_are_told_as_here_or_as_begun(tmp_path: Path) -> None:
    assert states(weights.downloaded(tmp_path)) == ["note"]
    for source in CATALOG["clip"].sources:
        for name in source.files:
            _place(tmp_path, source.repository, name)
    (found,) = weights.downloaded(tmp_path)
    assert found.state == "ok"
    assert found.text.startswith("clip: here")
    _place(tmp_path, "ybelkada/segment-anything", "readme.md")
    assert states(weights.downloaded(tmp_path)) == ["ok"], "not one of the files that matter"
    _place(tmp_path, "IDEA-Research/grounding-dino-tiny", "config.json")
    _, begun = weights.downloaded(tmp_path)
    assert begun.state == "wrong"
    assert begun.text.startswith("grounding-dino: begun and not whole: 6 files are missing")
    assert begun.mend == "python run.py download grounding-dino"
    _place(tmp_path, "IDEA-Research/grounding-dino-tiny", "model.safetensors", b"short")
    damaged = list(weights.downloaded(tmp_path))[1]
    assert "model.safetensors: not a safetensors file" in damaged.text


def test_a_wrong_byte_in_the_middle_is_found_by_reading_every_byte(
    tmp_path: Path,
    torch_is: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch_is()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIBE_MEMORY_PATH", str(tmp_path / "vibe.json"))
    monkeypatch.setattr(weights, "default_cache", lambda: tmp_path / "hub")
    for source in CATALOG["clip"].sources:
        for name in source.files:
            _place(tmp_path / "hub", source.repository, name)
    held = next((tmp_path / "hub").rglob("*.safetensors"))
    data = held.read_bytes()
    blob = tmp_path / hashlib.sha256(data).hexdigest()  # named as the hub's cache names what it fetched
    blob.write_bytes(data)
    held.unlink()
    held.symlink_to(blob)
    assert cli.main(["doctor", "--deep"]) == 0
    assert "each file with its digest" in capsys.readouterr().out
    blob.write_bytes(data[:-1] + b"1")
    assert cli.main(["doctor"]) == 0
    assert "--deep reads every byte" in capsys.readouterr().out
    assert cli.main(["doctor", "--deep"]) == 3
    told = capsys.readouterr().out
    assert f"{held.name}: its bytes are not those of its digest" in told
    assert "→ python run.py download clip" in told


def _place(cache: Path, repository: str, name: str, data: bytes | None = None) -> None:
    header = b'{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    whole = len(header).to_bytes(8, "little") + header + b"0" if name.endswith(".safetensors") else b"{}"
    shelf = Shelf(cache, repository)
    path = shelf.snapshot("a" * 40) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(whole if data is None else data)
    shelf.remember("main", "a" * 40)


# --- what is kept


def test_a_library_is_sound_or_told(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    assert states(stores.library(folder)) == ["ok"]
    assert not folder.exists(), "looking makes nothing"
    with Library.open(folder) as library:
        PanelCache(library).add(
            NewPanel(key="4f" * 32, picture=b"a picture", prompt="", params={}, embedding=None)
        )
        (blob,) = (folder / "blobs").glob("*/*")
    assert states(stores.library(folder)) == ["ok"]
    blob.unlink()
    (lost,) = stores.library(folder)
    assert "sound, but 1 of its 1 pictures are gone" in lost.text
    connection = sqlite3.connect(folder / "library.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = bytearray((folder / "library.db").read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    (folder / "library.db").write_bytes(bytes(data))
    (found,) = stores.library(folder)
    assert found.state == "wrong"
    assert "damaged" in found.text or "cannot be read" in found.text


def test_a_damaged_vibe_memory_is_mended_by_fix(
    tmp_path: Path,
    torch_is: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch_is()
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "vibe.json"
    monkeypatch.setenv("VIBE_MEMORY_PATH", str(path))
    memory = VibeMemory(path)
    for number in range(3):
        memory.add_like(np.eye(8, dtype=np.float32)[number])
    path.write_bytes(path.read_bytes()[:-40])
    assert cli.main(["doctor", "--json"]) == 3
    facts = json.loads(capsys.readouterr().out)
    assert not facts["ok"]
    (found,) = [one for one in facts["findings"] if one["state"] == "wrong"]
    assert (found["area"], found["mend"]) == ("vibe", "python run.py vibe repair")
    assert "its .bak is there" in found["text"]
    assert cli.main(["doctor", "--fix", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["ok"]
    assert [one["code"] for one in facts["fixed"]] == [0]


def test_an_encoder_that_is_not_here_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLIP_MODEL_NAME", raising=False)
    assert states(stores.encoder()) == ["ok"]
    monkeypatch.setenv("CLIP_MODEL_NAME", "ViT-L/14")
    (found,) = stores.encoder()
    assert found.state == "wrong"
    assert "ViT-L-14" in found.text
    assert states(stores.sentences())[0] in ("ok", "note")
    assert states(stores.fonts())[0] in ("ok", "note")


# --- all of it


def test_a_person_reads_a_line_a_finding_and_what_to_type(
    tmp_path: Path,
    torch_is: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch_is(vision=UNFIT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIBE_MEMORY_PATH", str(tmp_path / "vibe.json"))
    assert cli.main(["doctor"]) == 3
    told = capsys.readouterr().out
    assert "wrong torch     torch 2.15.0+cpu and torchvision do not fit" in told
    assert "→ " in told.partition("wrong torch")[2].splitlines()[1]
    assert told.endswith("1 wrong\n")


def test_the_real_torch_of_this_environment_works(tmp_path: Path) -> None:
    found = [one for one in examine(tmp_path / "library") if one.area in ("torch", "device", "plan")]
    assert {one.state for one in found if one.area in ("torch", "device")} == {"ok"}
    assert any(one.text.startswith("starter at 256²") for one in found)
