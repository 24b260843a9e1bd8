"""The documents are true: what they name exists, what they list is complete, what they tell to type works."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from model.page.layout.templates import PAGE_SIZES_MM, template_names
from model.page.values import LINE_KINDS
from model.render.weights import Checkpoint, open_checkpoint
from model.run.plan import read_plan
from model.story.schema import Character, Dialogue, PageFormat, Presence, Story, StoryPage, StoryPanel
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


# --- Python


def test_the_chronicles_python_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = [text for language, text in BLOCKS if language == "python" and "chronicle.recall" in text]
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == "The key is behind the clock.  (0, 0, 0)\n"
