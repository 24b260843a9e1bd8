"""A folder to run a document's command in, and what stands in for large models there.

The command is run as it is typed. Story, pictures and weights that it names are made in the folder first;
weights are tiny and untrained, in the layouts their makers publish. Flags that only make it quick are added
where the command does not give them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from model import cli
from scripts.starter.export import write_gguf
from tests.documents.reading import ROOT
from tests.render.flux_checkpoints import bfl, new_transformer
from tests.render.sd_checkpoints import sd_folder

STORY: dict[str, Any] = {
    "version": 1,
    "title": "First Light",
    "characters": {"mika": {"name": "Mika", "description": "girl with red hair, glasses"}},
    "pages": [
        {
            "panels": [
                {
                    "scene": "beach",
                    "characters": [{"id": "mika", "action": "standing"}],
                    "dialogue": [{"speaker": "mika", "text": "Hello!"}],
                },
                {"scene": "sunset", "shot": "wide", "caption": "The end."},
            ]
        }
    ],
}
QUICK = {
    "--device": "cpu", "--num_inference_steps": "1", "--candidates": "1", "--max_retries": "0",
    "--upscaler": "none",
}  # fmt: skip
BLIND = {"--detector": "none", "--segmenter": "none"}
SD_LAYER = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_q"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folder, and the fixtures of the test that works in it."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    request: pytest.FixtureRequest

    def prepare(self) -> None:
        """An empty home: nothing is downloaded, liked or remembered."""
        self.monkeypatch.chdir(self.folder)
        for name in ("HF_HOME", "AUTOSTUDIO_CACHE"):
            self.monkeypatch.setenv(name, str(self.folder / "home" / name.lower()))
        for name in ("VIBE_MEMORY_PATH", "CLIP_MODEL_NAME"):
            self.monkeypatch.delenv(name, raising=False)
        (self.folder / "examples").symlink_to(ROOT / "examples")

    def run(self, words: list[str], *, code: int = 0) -> str:
        """`run.py WORDS`, in this process. Returns what it wrote to stdout."""
        self.capsys.readouterr()
        ended = cli.main(words)
        told = self.capsys.readouterr()
        assert ended == code, told.err
        return told.out

    def help_of(self, words: list[str]) -> str:
        """What `run.py WORDS --help` says."""
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main([*words, "--help"])
        assert left.value.code == 0
        return self.capsys.readouterr().out

    def story(self, name: str = "my_story.json") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(STORY), encoding="utf-8")

    def picture(self, name: str, colour: str = "red") -> bytes:
        """A figure on a transparent ground. Returns its bytes."""
        figure = Image.new("RGBA", (80, 120))
        figure.paste(colour, (20, 20, 50, 110))
        figure.save(self.folder / name)
        return (self.folder / name).read_bytes()

    def quick(self, words: list[str], command: list[str], *, blind: bool) -> list[str]:
        """The words with those flags added that make them quick, are not given, and are the command's."""
        known = self.help_of(command)
        flags = {**QUICK, **(BLIND if blind else {})}
        added = [(flag, value) for flag, value in flags.items() if flag in known and flag not in words]
        return [*words, *(word for pair in added for word in pair)]

    def weights(self, words: list[str]) -> list[str]:
        """The words, once what they name as weights is there; names of Stable Diffusions become folders."""
        made = list(words)
        family = ""
        for flag, value in pairwise(words):
            if flag == "--model":
                family, made[made.index(value)] = self._model(value)
            if flag == "--gguf" and value.endswith(".gguf"):
                self.flux_file(value)
            if flag == "--lora":
                self._lora(value.rpartition(":")[0] or value, family)
        return made

    def flux_file(self, name: str) -> None:
        """A GGUF file or safetensors of a Flux transformer under Black Forest Labs' names."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._flux_cache()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            state = bfl(new_transformer(guidance_embeds=True).state_dict())
        if path.suffix == ".gguf":
            write_gguf(state, path)
        else:
            save_file({key: value.contiguous() for key, value in state.items()}, path)

    def _flux_cache(self) -> None:
        self.monkeypatch.setenv("HF_HOME", str(self.request.getfixturevalue("flux_cache")))

    def _model(self, name: str) -> tuple[str, str]:
        """The family of a model, and what to give as its name."""
        if name.endswith(".gguf"):
            self.flux_file(name)
            return "flux", name
        if name.startswith("flux"):
            self._flux_cache()
            return "flux", name
        if name == "starter":
            return "starter", name
        row = name if name in ("sd15", "sd15plus", "sdxl", "sdxlplus") else "sd15"
        folder = sd_folder(self.request.getfixturevalue("tmp_path_factory"), row)
        if row == name:
            return "sd", str(folder)
        assert row in name, f"which model is {name}?"
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).symlink_to(folder)
        return "sd", name

    def _lora(self, name: str, family: str) -> None:
        width, stem = (16, SD_LAYER) if family == "sd" else (64, "transformer.proj_out")
        state = {f"{stem}.lora_A.weight": torch.ones(1, width), f"{stem}.lora_B.weight": torch.ones(width, 1)}
        save_file(state, self.folder / name)
