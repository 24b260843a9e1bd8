"""The vibe memory with this machine's encoder: from Python, the environment and the command line."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model import cli
from model.errors import WeightsMissing
from model.run import vibe as vibes
from model.run.vibe import VibeMemory

ROOT = Path(__file__).parents[1]
STARTER_WIDTH = 128


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in, with three pictures, and nothing said in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("VIBE_MEMORY_PATH", "CLIP_MODEL_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, colour in (("good", "red"), ("bad", "blue"), ("new", "crimson")):
        Image.new("RGB", (64, 48), colour).save(tmp_path / f"{name}.png")
    vibes._opened.cache_clear()
    yield tmp_path
    vibes._opened.cache_clear()


def typed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    """Run `vibe` with these words and `--json`; the object it prints."""
    assert cli.main(["vibe", *words, "--json"]) == code
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def test_the_python_of_the_documents_runs(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "vibe-memory.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.M)
    exec(code, {})
    assert float(capsys.readouterr().out.split()[0]) > 0
    assert (desk / "outputs" / "vibe_memory.json").is_file()


def test_the_classic_calls(desk: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert vibes.get_memory_stats() == {"liked": 0, "disliked": 0, "available": True}
    assert vibes.add_like_from_image_path("good.png", category="portraits", weight=1.5)
    assert vibes.add_dislike_from_image_path(Path("bad.png"))
    with caplog.at_level(logging.WARNING):
        assert not vibes.add_like_from_image_path("nowhere.png")
    assert "nowhere.png" in caplog.text
    assert vibes.get_memory_stats() == {"liked": 1, "disliked": 1, "available": True}
    memory = vibes.get_vibe_memory()
    assert memory is vibes.get_vibe_memory()
    assert memory.score("new.png") > memory.score("bad.png")
    assert memory.contents.encoder == "starter"
    assert memory.memories[0].vector.size == STARTER_WIDTH
    assert vibes.clear_memory() == 2
    assert vibes.get_memory_stats()["liked"] == 0


def test_one_picture_in_every_form_with_the_starters_encoder(desk: Path) -> None:
    import torch

    picture = Image.effect_noise((70, 50), 90)
    picture.save("grey.png")
    rgb = picture.convert("RGB")
    array = np.asarray(rgb)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1).float() / 255
    memory = VibeMemory("vibe.json")
    expected = memory.embed("grey.png")
    for form in (Path("grey.png"), picture, rgb, picture.convert("RGBA"), array, tensor):
        assert np.abs(memory.embed(form) - expected).max() <= 1e-4


def test_the_environment_names_file_and_encoder(
    desk: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("VIBE_MEMORY_PATH", str(desk / "mine" / "taste.json"))
    assert vibes.add_like_from_image_path("good.png")
    assert (desk / "mine" / "taste.json").is_file()
    assert vibes.vibe_path("noir") == desk / "mine" / "vibe_profiles" / "noir.json"
    monkeypatch.setenv("CLIP_MODEL_NAME", "ViT-L/14")
    with caplog.at_level(logging.WARNING):
        assert vibes.get_memory_stats() == {"liked": 1, "disliked": 0, "available": False}
        assert vibes.get_vibe_memory().score("new.png") == 0.0
        assert vibes.get_vibe_memory().score("good.png") == 0.0
    assert [record.message.count("models/ViT-L-14") for record in caplog.records] == [1]
    with pytest.raises(WeightsMissing, match="CLIP_MODEL_NAME"):
        vibes.get_vibe_memory().add_like("good.png")
    monkeypatch.setenv("CLIP_MODEL_NAME", str(ROOT / "model" / "starter" / "clip"))
    assert vibes.get_vibe_memory().embed("good.png").size == STARTER_WIDTH


def test_a_model_below_models_is_the_default_when_it_is_there(desk: Path) -> None:
    assert vibes.encoder_name() == "starter"
    (desk / "models").mkdir()
    (desk / "models" / "ViT-B-32").symlink_to(ROOT / "model" / "starter" / "clip")
    assert vibes.encoder_name() == "ViT-B/32"
    memory = VibeMemory("vibe.json")
    memory.add_like("good.png")
    assert memory.contents.encoder == "ViT-B/32"
    vibes._loaded.cache_clear()


def test_whether_a_run_is_filtered() -> None:
    assert vibes.is_vibe_memory_enabled(SimpleNamespace(vibe_memory_enabled=True))
    assert not vibes.is_vibe_memory_enabled(SimpleNamespace(vibe_memory_enabled=False, vibe_threshold=0.0))
    assert vibes.is_vibe_memory_enabled(SimpleNamespace(vibe_threshold=0.0))
    assert not vibes.is_vibe_memory_enabled(SimpleNamespace())


# --- the command line


def test_likes_and_dislikes_from_the_command_line(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = typed(capsys, "like", "good.png", "--category", "portraits", "--weight", "1.5")
    assert (answer["added"], answer["total_liked"], answer["total_disliked"]) == (1, 1, 0)
    assert typed(capsys, "dislike", "bad.png")["total_disliked"] == 1
    scores = typed(capsys, "score", "good.png", "bad.png", "new.png")["scores"]
    assert [row["picture"] for row in scores] == ["good.png", "bad.png", "new.png"]
    assert scores[0]["score"] > 0 > scores[1]["score"]
    assert [row["accepted"] for row in scores][:2] == [True, False]
    found = typed(capsys, "explain", "new.png", "--top", "1")
    assert len(found["influences"]) == 1
    assert {"contribution", "similarity", "said", "source"} <= set(found["influences"][0])
    facts = typed(capsys, "stats")
    assert facts["categories"]["portraits"] == {"liked": 1, "disliked": 0}
    assert facts["weight_liked"] == 1.5
    assert typed(capsys, "optimize") == {"before": 2, "after": 2}
    assert typed(capsys, "repair")["needed"] is False
    assert typed(capsys, "analytics", "--out", "taste.png")["picture"] == "taste.png"
    assert (desk / "taste.png").is_file()


def test_files_from_the_command_line(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed(capsys, "like", "good.png")
    typed(capsys, "export", "one.json", "--format", "1")
    typed(capsys, "export", "two.json")
    for word, file in (("import", "one.json"), ("merge", "two.json")):
        answer = typed(capsys, word, file, "--profile", "friend")
        assert answer["imports"][0]["added"] == 1
        assert typed(capsys, word, file, "--profile", "friend")["imports"][0]["added"] == 0
    assert typed(capsys, "profiles")["profiles"] == ["friend"]
    assert typed(capsys, "stats", "--memory", "outputs/vibe_profiles/friend.json")["liked"] == 2
    assert typed(capsys, "clear", "--category", "general")["cleared"] == 1
    assert typed(capsys, "clear")["cleared"] == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("score", "nowhere.png"), 2, "nowhere.png: found no such file"),
        (("like", "notes.txt"), 2, "notes.txt: found a file that is not an image"),
        (("like", "good.png", "--weight", "0"), 2, "weight"),
        (("like", "good.png", "--category", " "), 2, "category"),
        (("explain", "good.png", "bad.png"), 2, "name one"),
        (("import", "nowhere.json"), 2, "no such file"),
        (("import", "notes.txt"), 3, "vibe repair"),
        (("stats", "--memory", "notes.txt"), 3, "vibe repair"),
        (("stats", "--profile", "../x"), 2, "profile"),
        (("stats", "--profile", "x", "--memory", "y"), 2, "use one of them"),
        (("export", "outputs/vibe_memory.json"), 2, "itself"),
    ],
)
def test_one_line_says_what_is_wrong(
    words: tuple[str, ...], code: int, message: str, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk / "notes.txt").write_text("not a picture")
    assert cli.main(["vibe", *words]) == code
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


def test_some_pictures_that_cannot_be_read_are_exit_code_1(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk / "notes.txt").write_text("not a picture")
    answer = typed(capsys, "like", "good.png", "notes.txt", code=1)
    assert (answer["added"], answer["skipped"]) == (1, 1)
    assert cli.main(["vibe", "like", "bad.png", "notes.txt"]) == 1
    out = capsys.readouterr().out
    assert "note: notes.txt" in out
    assert "1 liked" in out


def test_without_an_encoder_the_command_line_says_so(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLIP_MODEL_NAME", "RN50")
    assert cli.main(["vibe", "like", "good.png"]) == 3
    assert "CLIP_MODEL_NAME: no encoder 'RN50'" in capsys.readouterr().err
    answer = typed(capsys, "score", "good.png")
    assert answer["available"] is False
    assert answer["scores"][0] == {"picture": "good.png", "score": 0.0, "accepted": True}


@pytest.mark.parametrize("words", [(), ("frobnicate",), ("like",), ("export", "x", "--format", "3")])
def test_words_that_are_none_exit_2(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["vibe", *words])
    assert left.value.code == 2
