"""`run.py download` as it is typed: a process of its own that knows the hub from its environment alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from download.catalog import CATALOG, named
from model import cli
from model.commands import download
from tests.download.fake_hub import fill

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "setup_models.sh"


@pytest.fixture
def shelves(hub: Any) -> Any:
    """The hub with everything that sd15plus and flux-schnell as GGUF need, small."""
    fill(hub, (*CATALOG["sd15plus"].at(None), *CATALOG["flux-schnell"].at("Q4_K_S")))
    return hub


def run(hub: Any, home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))
    }
    return subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "download", *words],
        env={**kept, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), **environment},
        capture_output=True,
        text=True,
    )


def test_a_set_comes_once_and_is_then_here(shelves: Any, tmp_path: Path) -> None:
    first = run(shelves, tmp_path, "sd15plus", "--json")
    assert first.returncode == 0, first.stderr
    (facts,) = json.loads(first.stdout)["sets"]
    assert facts["received"] == facts["bytes"] > 0
    assert "licence creativeml-openrail-m" in first.stderr
    assert "GB to come, " in first.stderr
    assert Path(facts["repositories"][0]["folder"], "unet", "config.json").is_file()
    assert str(tmp_path / "hub") in facts["repositories"][0]["folder"]
    shelves.asked.clear()
    listed = run(shelves, tmp_path, "--list")
    assert "here     sd15plus" in listed.stdout
    assert "partial  sd15 " in listed.stdout, "they share all but the adapter"
    assert "missing  flux-dev" in listed.stdout
    told = run(shelves, tmp_path, "sd15", "--list").stdout
    assert "here     https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5" in told
    assert "missing  models/ip-adapter_sd15.safetensors" in told
    offline = run(shelves, tmp_path, "sd15plus", HF_HUB_OFFLINE="1")
    assert offline.returncode == 0
    assert "here, checked" in offline.stderr
    assert not shelves.asked


def test_a_gated_set_needs_a_token_and_says_where(shelves: Any, tmp_path: Path) -> None:
    refused = run(shelves, tmp_path, "flux-schnell", "--gguf", "q4_k_s")
    assert refused.returncode == 3
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("error: ")]
    assert "https://huggingface.co/black-forest-labs/FLUX.1-schnell" in line
    assert not shelves.bodies()
    shelves.tokens["hf_mine"] = set(shelves.gated)
    done = run(shelves, tmp_path, "flux-schnell", "--gguf", "q4_k_s", "--json", HF_TOKEN="hf_mine")
    assert done.returncode == 0, done.stderr
    files = [name for part in json.loads(done.stdout)["sets"][0]["repositories"] for name in part["files"]]
    assert "flux1-schnell-Q4_K_S.gguf" in files
    assert "text_encoder_2/model-00001-of-00001.safetensors" in files
    assert "transformer/config.json" in files
    assert not [name for name in files if name.startswith("transformer/diffusion")], (
        "the GGUF is instead of it"
    )
    assert "here     flux-schnell --gguf Q4_K_S" in run(shelves, tmp_path, "--list").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("starter",), "download: the starter comes with the project"),
        (("flux-def",), "download: 'flux-def' is unknown; use one of flux-dev, "),
        (("flux-dev", "--gguf", "Q9"), "--gguf: flux-dev has no 'Q9'; use one of F16, Q8_0"),
        (("sdxl", "--gguf", "Q8_0"), "--gguf: sdxl has no GGUF files; those have: flux-dev"),
        ((), "download: no name given; use one of flux-dev"),
    ],
)
def test_what_cannot_be_meant_exits_2(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["download", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {told}")
    assert said.count("\n") == 1


def test_every_name_of_the_documents_is_one() -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python run\.py download (.*?)(?:#|$)", page, re.MULTILINE)
    assert commands
    for words in commands:
        flags = download.parser().parse_args(words.split())
        for name in flags.names:
            assert named(name).at(flags.gguf)


def test_the_script_names_sets_that_are_there(tmp_path: Path) -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    fetched = re.findall(r"fetch ((?:[a-z][\w-]*[ ])+)(?:--gguf (\w+))?", text)
    assert len(fetched) >= 5
    for names, level in fetched:
        for name in names.split():
            assert named(name).at(level or None)
    done = _script(tmp_path, "eyes", "--list", "--json")
    assert done.returncode == 0, done.stderr
    assert [one["name"] for one in json.loads(done.stdout)["sets"]] == ["grounding-dino", "sam", "clip"]
    unknown = _script(tmp_path, "everything")
    assert unknown.returncode == 2
    assert "use small, sdxl, flux, eyes or all" in unknown.stderr


def _script(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A copy of the script, away from a .venv that the checkout may have, with this Python first on PATH."""
    files = {
        "bin/python": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n',
        "scripts/setup_models.sh": SCRIPT.read_text(encoding="utf-8"),
        "run.py": f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from model.cli import main\nsys.exit(main())\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    environment = {**os.environ, "HF_HOME": str(folder), "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    script = str(folder / "scripts" / "setup_models.sh")
    return subprocess.run([script, *words], env=environment, capture_output=True, text=True)
