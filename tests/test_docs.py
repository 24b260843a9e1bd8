"""The documents are true: what they name exists, what they list is complete, what they tell to type works."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import Image

from model import cli
from model.commands import export, quantize
from model.memory.characters.database import Characters
from model.memory.characters.looks import Candidate, Look
from model.memory.characters.sightings import NewSighting, Sightings
from model.memory.panels.books import bind_book
from model.memory.panels.cache import Embedding, NewPanel, PanelCache
from model.memory.panels.index import export_index
from model.memory.store.library import Library
from model.page.layout.templates import PAGE_SIZES_MM, template_names
from model.page.values import LINE_KINDS
from model.render.weights import Checkpoint, open_checkpoint
from model.run.keep import book_of
from model.run.plan import read_plan
from model.story.schema import Character, Dialogue, PageFormat, Presence, Story, StoryPage, StoryPanel
from quantization.levels import LEVELS
from scripts import docs
from scripts.starter import captions
from scripts.starter.world import identity, palette
from scripts.starter.world.backgrounds import BACKGROUNDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCUMENTS = ("README.md", "CHANGELOG.md", "model/DESIGN.md", "COLAB_SETUP.md", "GGUF_GUIDE.md")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
STORIES = [text for language, text in BLOCKS if language == "json"]
COMMANDS = [
    line.split("#")[0].strip()
    for language, text in BLOCKS
    if language == "bash"
    for line in text.splitlines()
    if line.split("#")[0].strip()
]

# Commands that draw or install, and where another test runs them: (file, words that stand in it).
RUN_ELSEWHERE = {
    "scripts/quickstart": ("tests/test_house.py", "quickstart(checkout)"),
    "scripts/check": (".ci/run", "scripts/check"),
    "scripts/check -k library": (".ci/run", 'scripts/check" "$@"'),
    "python run.py my_story.json": ("tests/e2e/test_run.py", "def test_a_run_writes_the_book"),
    "python run.py my_story.json --quality high_quality --seed 7 --json": (
        "tests/e2e/test_run.py",
        '"--seed", "1"',
    ),
    "python run.py my_story.json --inject_every 15 --inject similar": (
        "tests/e2e/test_panels.py",
        '"--inject_every"',
    ),
    "python run.py my_story.json --vibe_settings quality --vibe_guidance": (
        "tests/e2e/test_judged.py",
        '"--vibe_guidance"',
    ),
    "python run.py my_story.json --gguf Q8_0": ("tests/e2e/test_gguf.py", '"--gguf", "Q4_0"'),
    "python run.py my_story.json --gguf auto": ("tests/e2e/test_gguf.py", '"--gguf", "auto"'),
    "python run.py download sdxlplus": ("tests/download/test_command.py", "def test_a_set_comes_once"),
    "python run.py download flux-schnell --gguf Q4_K_S": (
        "tests/download/test_command.py",
        '"flux-schnell", "--gguf"',
    ),
    "python run.py download grounding-dino sam clip": (
        "tests/download/test_command.py",
        "def test_every_name_of_the_readme_is_one",
    ),
    "python run.py doctor": ("tests/doctor/test_doctor.py", 'cli.main(["doctor"])'),
    "python run.py doctor --fix": ("tests/doctor/test_doctor.py", '"doctor", "--fix"'),
    "python run.py doctor --deep": ("tests/doctor/test_doctor.py", '"doctor", "--deep"'),
    "scripts/setup_models.sh small": ("tests/download/test_command.py", "def test_the_script"),
    "python run.py my_story.json --model flux --model_variant schnell": (
        "tests/e2e/test_variants.py",
        '"--model_variant", "schnell"',
    ),
    "python run.py my_story.json --model fluxplus": (
        "tests/e2e/test_variants.py",
        "FLUX.1-Kontext-dev",
    ),
    "python run.py my_story.json --model flux1-dev-Q8_0.gguf --lora comic.safetensors:0.8 "
    "--reference_scale 0.7": ("tests/e2e/test_variants.py", '"--lora"'),
    "python run.py my_story.json --model sdxlplus --scheduler dpm": (
        "tests/e2e/test_sd.py",
        '("sdxlplus", ("--scheduler", "dpm"))',
    ),
    "python run.py my_story.json --model my_models/comic_sd15 --lora inks.safetensors:0.6": (
        "tests/e2e/test_sd.py",
        '("sd15", ("--lora", "inks.safetensors:0.6"))',
    ),
    "python run.py cast my_story.json": ("tests/e2e/test_run.py", "def test_cast_rehearses_and_stops"),
}


@pytest.fixture(scope="module")
def starter() -> Checkpoint:
    return open_checkpoint()


# --- the tree


def tree() -> dict[str, str]:
    """Path → purpose of every entry of the README's tree; folders end in a slash."""
    (text,) = (text for language, text in BLOCKS if language == "text" and ".ci/" in text)
    entries: dict[str, str] = {}
    parents: list[str] = []
    for line in text.splitlines():
        match = re.fullmatch(r"( *)(\S+) {2,}(\S.*)", line)
        assert match, f"no entry with a purpose: {line!r}"
        depth = len(match[1]) // 2
        path = "".join(parents[:depth]) + match[2]
        assert path not in entries, path
        entries[path] = match[3]
        parents[depth:] = [match[2]]
    return entries


def kept() -> set[str]:
    """Paths of every file of the repository; without git, of every file that git would not ignore."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return set(listed.stdout.rstrip("\0").split("\0"))
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()} | {".git"}
    files = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if not ignored & set(path.parts) and path.suffix != ".pyc"}


def test_everything_in_the_tree_exists() -> None:
    for path in tree():
        assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file(), path


def test_the_repository_and_every_opened_folder_are_shown_whole() -> None:
    shown = set(tree())
    parents = {path.rstrip("/").rpartition("/")[0] for path in shown}
    opened = {parent + "/" if parent else "" for parent in parents}
    assert {"", "model/", "scripts/"} <= opened
    for file in kept():
        for folder in filter(file.startswith, opened):
            name, slash, _ = file[len(folder) :].partition("/")
            assert folder + name + slash in shown, f"{folder + name + slash}: add it to the README's tree"


# --- what the documents name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_and_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"`((?:model|scripts|tests|examples)/[\w./-]*[\w/])`", text)
    linked = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert named
    for path in {*named, *linked}:
        assert (ROOT / path).exists(), f"{document}: {path}"


def test_pictures_have_a_text_and_a_width() -> None:
    pictures = re.findall(r"<img [^>]*>", README)
    assert pictures
    for picture in pictures:
        assert re.search(r' width="\d+"', picture), picture
        assert re.search(r' alt="[^"]{20,}"', picture), picture


def test_pictures_exist() -> None:
    sources = re.findall(r'<img src="([^"]+)"', README)
    assert len(sources) >= 3, "the README shows a page of each example"
    for source in sources:
        assert (ROOT / source).is_file(), source


@pytest.mark.parametrize("bench", ["control", "book"])
def test_the_tables_of_figures_have_the_keys_of_the_benches(bench: str) -> None:
    (table,) = re.findall(rf"<!-- figures: {bench} -->\n(.*?)<!-- /figures -->", README, re.DOTALL)
    keys = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    source = (ROOT / "scripts" / "bench" / f"{bench}.py").read_text(encoding="utf-8")
    assert keys
    for key in keys:
        assert f'"{key}"' in source, key


# --- what is generated


def test_the_generated_parts_are_fresh() -> None:
    assert docs.refreshed(README) == README, "stale; run: python -m scripts.docs"


def test_a_stale_part_is_found_and_a_lost_marker_is_named() -> None:
    stale = README.replace("`--seed SEED`", "`--sead SEED`").replace("twin tails", "twin tales")
    assert stale != README
    assert docs.refreshed(stale) == README
    with pytest.raises(ValueError, match="<!-- words -->"):
        docs.refreshed(README.replace("<!-- words -->", ""))


def attribute_words() -> set[str]:
    """Every word of the drawn world that a story can ask for."""
    phrases = [
        *palette.HAIR, *palette.CLOTH, *palette.EYES, *identity.STYLES, *identity.OUTFITS,
        *identity.EXPRESSIONS, *identity.POSES, *BACKGROUNDS,
        *(name for name in identity.ACCESSORIES if name != "none"),
    ]  # fmt: skip
    return {word for phrase in phrases for word in phrase.split()}


def test_the_readme_lists_every_word_of_the_drawn_world() -> None:
    (table,) = re.findall(r"<!-- words -->\n(.*?)<!-- /words -->", README, re.DOTALL)
    listed = set(re.findall(r"[\w-]+", table))
    assert attribute_words() <= listed
    for choices in (*captions.EXPRESSIONS.values(), *captions.BACKGROUNDS.values()):
        for phrase in choices:
            assert phrase in table


def test_the_starter_knows_every_word_of_the_drawn_world(starter: Checkpoint) -> None:
    assert starter.unknown_words(" ".join(sorted(attribute_words() | captions.vocabulary()))) == ()


def test_the_limits_of_the_starter_are_those_of_its_manifest(starter: Checkpoint) -> None:
    limits = " ".join(README.split("## The starter")[1].split("##")[0].split())
    by_aspect = sorted(starter.shapes, key=lambda shape: shape[0] / shape[1])
    for width, height in (by_aspect[0], by_aspect[-1]):
        assert f"{width} × {height}" in limits
    assert f"{starter.global_tokens} tokens" in limits
    assert f"{starter.region_tokens} tokens" in limits


# --- stories


def test_every_key_and_choice_of_a_story_is_explained() -> None:
    section = README.split("## Writing a story")[1].split("\n## ")[0].split("```")[-1]
    models = (Story, StoryPage, PageFormat, Character, StoryPanel, Presence, Dialogue)
    keys = {key for model in models for key in model.model_fields}
    for name in sorted({*keys, *PAGE_SIZES_MM, *template_names(), *LINE_KINDS}):
        assert f"`{name}`" in section, name


@pytest.mark.parametrize("text", STORIES)
def test_stories_load_and_plan_with_words_that_the_starter_knows(
    text: str, starter: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "my_story.json"
    path.write_text(text, encoding="utf-8")
    plan = read_plan(path, seed=0, shapes=starter.shapes)
    assert plan.notes == ()
    assert plan.slug == "snow-day"
    for panel in plan.panels:
        for prompt in (panel.prompt, *(figure.prompt for figure in panel.figures)):
            assert starter.unknown_words(prompt) == (), prompt


# --- commands


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(command)
    if command in RUN_ELSEWHERE:
        file, piece = RUN_ELSEWHERE[command]
        assert piece in (ROOT / file).read_text(encoding="utf-8"), f"{file} no longer runs: {command}"
        if words[:2] == ["python", "run.py"] and words[2] not in cli.MEMORIES:
            _parse(words[2:])
    elif words == ["python", "run.py", "--help"]:
        with pytest.raises(SystemExit) as left:
            cli.main(["--help"])
        assert left.value.code == 0
    elif words[:3] == ["python", "run.py", "layout"]:
        (tmp_path / "my_story.json").write_text(STORIES[0], encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        assert cli.main([*words[2:], "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert (tmp_path / report["out"] / "layout" / "page_001.png").is_file()
    elif words[:2] == ["python", "run.py"] and words[2] in REMEMBERING:
        REMEMBERING[words[2]](words[2:], tmp_path, monkeypatch, capsys)
    elif words[:4] == ["python", "-m", "pip", "install"]:
        extras = PROJECT["optional-dependencies"]["text"]
        assert words[4:] == [Requirement(line).name for line in extras]
    elif words == ["python", "run.py", "download", "--list"]:
        assert cli.main(words[2:]) == 0
        assert "flux-schnell" in capsys.readouterr().out
    elif words[:3] == ["python", "run.py", "quantize"]:
        flags = quantize.parser().parse_args(words[3:])
        assert flags.level in LEVELS
        assert (ROOT / flags.source).exists()
    elif words[:2] == ["python", "-m"]:
        _help_of(words[2], words[3:], monkeypatch, capsys)
    else:
        pytest.fail(f"no test runs `{command}`: run it here, or name the test that does in RUN_ELSEWHERE")


def test_the_chronicles_python_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = [text for language, text in BLOCKS if language == "python" and "chronicle.recall" in text]
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == "The key is behind the clock.  (0, 0, 0)\n"


def test_no_command_is_listed_that_the_readme_does_not_have() -> None:
    assert set(RUN_ELSEWHERE) <= set(COMMANDS)


def _parse(words: list[str]) -> argparse.Namespace:
    """The words of a drawing command, as run.py takes them; exits on a flag that is not one."""
    command = words[0] if words[0] in cli.COMMANDS else "draw"
    return cli._parser(command).parse_args(words[words[0] in cli.COMMANDS :])


def _vibe(
    words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command runs in a folder with the pictures and files that it names, and a memory to start from."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("VIBE_MEMORY_PATH", raising=False)
    monkeypatch.delenv("CLIP_MODEL_NAME", raising=False)
    for number, name in enumerate(("good.png", "bad.png", "new.png")):
        Image.effect_noise((64, 64), 20 + 90 * number).convert("RGB").save(folder / name)
    assert cli.main(["vibe", "like", "good.png", "--category", "portraits"]) == 0
    assert cli.main(["vibe", "dislike", "bad.png"]) == 0
    assert cli.main(["vibe", "export", "friend.json"]) == 0
    capsys.readouterr()
    assert cli.main(words if "--json" in words else [*words, "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out.splitlines()[-1]), dict)
    for word in words:
        assert not word.endswith((".png", ".json")) or (folder / word).is_file(), word


def _characters(
    words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command, in a library that knows Mika, two candidates and a sighting of her."""
    monkeypatch.chdir(folder)
    for name, colour in (("mika.png", "red"), ("side.png", "blue"), ("coat.png", "green")):
        figure = Image.new("RGBA", (80, 120))
        figure.paste(colour, (20, 20, 50, 110))
        figure.save(folder / name)
    with Library.open(folder / "outputs" / "library") as library:
        drawn = [library.store((folder / name).read_bytes()) for name in ("mika.png", "side.png")]
        candidates = [Candidate(picture=picture, similarity=0.5) for picture in drawn]
        look = Look(name="Mika", description="girl with red hair")
        mika = Characters(library).rehearsed(look, story="one", picture=drawn[0], candidates=candidates)
        seen = NewSighting(
            character=mika.id, crop=drawn[1], panel="key", place="one p001_01", similarity=0.9, quality=0.9
        )
        Sightings(library).add([seen])
    assert cli.main(words) == 0
    assert "Mika" in capsys.readouterr().out
    for word in words:
        assert word != "look" or sorted(path.name for path in (folder / word).iterdir()) == [
            "candidate_1.png",
            "candidate_2.png",
            "reference_1.png",
        ]


def _chronicle(
    words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command, in a library where the first one of the README was given before."""
    monkeypatch.chdir(folder)
    fact = "Mika lost her glasses."
    assert cli.main(["chronicle", "add", fact, "--who", "Mika", "--told", "Ren"]) == 0
    capsys.readouterr()
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert ("there already" if words[1] == "add" else "added/" if words[1] == "forget" else fact) in said


def _panels(
    words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command, in a library of two panels that look alike, one of them in a book; one lies around."""
    monkeypatch.chdir(folder)
    for name, colour in (("good.png", "red"), ("other.png", "darkred")):
        Image.new("RGB", (64, 64), colour).save(folder / name)
    with Library.open(folder / "outputs" / "library") as library:
        for key, name, place in (("4f1c" * 16, "good.png", (1, 0)), ("07" * 32, "other.png", (0.9, 0.1))):
            embedding = Embedding(space="s", vector=np.array(place, np.float16))
            data = (folder / name).read_bytes()
            PanelCache(library).add(
                NewPanel(key=key, picture=data, prompt=name, params={}, embedding=embedding)
            )
        bind_book(library, book_of(folder / "outputs" / "first-light"), [library.store(data)])
        if "import" in words:
            export_index(library, folder / "shared")
    facts = {"diversity": {"window": 8, "level": 0.6, "similarity": {"p002_04": 0.7}}}
    (folder / "outputs" / "first-light").mkdir()
    (folder / "outputs" / "first-light" / "run.json").write_text(json.dumps(facts))
    assert cli.main(words) == 0
    assert PANELS[words[1]] in capsys.readouterr().out


def _export(
    words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The words are understood; tests/book/ and tests/page/test_outputs.py run every form."""
    flags = export.parser().parse_args(words[1:])
    assert flags.run == Path("outputs/first-light")


PANELS = {
    "list": "4f1c4f1c4f1c",
    "similar": "070707070707",
    "pin": "pinned 4f1c4f1c4f1c",
    "gc": "0 panels evicted",
    "books": "1 pictures",
    "forget": "1 pictures",
    "diversity": "+0.700  alike  p002_04",
    "export": "2 panels",
    "import": "0 panels added, 2 known already",
}
REMEMBERING = {
    "panels": _panels,
    "vibe": _vibe,
    "characters": _characters,
    "chronicle": _chronicle,
    "export": _export,
}


def _help_of(
    module: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command's parser takes the words, and its help names every flag among them; nothing is run."""
    main = importlib.import_module(module).main
    monkeypatch.setattr(sys, "argv", [module, *words, "--help"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    flags = re.findall(r"--\w+", capsys.readouterr().out)
    for word in words:
        assert not word.startswith("--") or word in flags, f"{module} has no {word}"
