"""The documents are true: what they name exists, what is generated is fresh, their stories and Python run.

Their commands are run by `tests/documents/`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from model import cli
from model.page.layout.templates import PAGE_SIZES_MM, template_names
from model.page.values import LINE_KINDS
from model.render.weights import Checkpoint, open_checkpoint
from model.run.plan import check_lettering, read_plan
from model.story.schema import Character, Dialogue, PageFormat, Presence, Story, StoryPage, StoryPanel
from model.studio import Studio
from model.variants import VARIANTS
from scripts import docs
from scripts.starter import captions
from scripts.starter.world import identity, palette
from scripts.starter.world.backgrounds import BACKGROUNDS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "model" / "DESIGN.md")
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(language: str) -> list[tuple[str, str]]:
    """Every block of code of a language: (document, text)."""
    return [
        (document, text)
        for document in DOCUMENTS
        for found, text in BLOCK.findall(text_of(document))
        if found == language
    ]


STORIES = blocks("json")
PYTHON = [
    pytest.param(code, id=f"{document}:{number}")
    for number, (document, code) in enumerate(blocks("python"))
    if "google.colab" not in code and "get_vibe_memory" not in code  # the latter: tests/test_vibes.py
]


@pytest.fixture(scope="module")
def starter() -> Checkpoint:
    return open_checkpoint()


# --- what the documents name


def test_the_readme_is_short() -> None:
    assert README.stat().st_size <= 10_240


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)[)#]", text_of("README.md")))
    linked |= set(re.findall(r"\]\(docs/([\w-]+\.md)[)#]", text_of("CONTRIBUTING.md")))
    assert linked == set(PAGES)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_and_links_lead_somewhere(document: str) -> None:
    text = BLOCK.sub("", text_of(document))
    folders = "model|scripts|tests|examples|docs|autostudio|quantization|download"
    for path in re.findall(rf"`((?:{folders})/[\w./-]*[\w/])`", text):
        assert (ROOT / path).exists(), f"{document}: {path}"
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), f"{document}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{document}: {link}"


def anchors(document: Path) -> set[str]:
    """What the headings of a document are called in links, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def test_pictures_exist_and_have_a_text_and_a_width() -> None:
    pictures = [
        (document, found) for document in DOCUMENTS for found in re.findall(r"<img [^>]*>", text_of(document))
    ]
    assert len(pictures) >= 8
    for document, picture in pictures:
        (source,) = re.findall(r' src="([^"]+)"', picture)
        assert ((ROOT / document).parent / source).is_file(), f"{document}: {source}"
        assert re.search(r' width="\d+"', picture), picture
        assert re.search(r' alt="[^"]{20,}"', picture), picture


def test_every_module_of_the_run_has_its_place() -> None:
    (table,) = re.findall(r"^\| module \| stage \|\n(.*?)\n\n", PAGES["how-it-works.md"], re.DOTALL | re.M)
    named = re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines()))
    there = {path.stem for path in (ROOT / "model" / "run").glob("*.py")} - {"__init__"}
    assert sorted(named) == sorted(there)


def test_every_part_of_the_program_is_described() -> None:
    parts = {
        path.relative_to(ROOT).as_posix() + ("/" if path.is_dir() else "")
        for path in (ROOT / "model").iterdir()
        if path.is_dir() or path.suffix == ".py"
    }
    small = {"__init__", "classic", "vibes", "program", "quiet", "__pycache__"}
    for part in parts:
        assert Path(part).stem in small or f"`{part}`" in PAGES["how-it-works.md"], part


@pytest.mark.parametrize("bench", ["control", "book"])
def test_the_tables_of_figures_have_the_keys_of_the_benches(bench: str) -> None:
    pattern = rf"<!-- figures: {bench} -->\n(.*?)<!-- /figures -->"
    (table,) = re.findall(pattern, PAGES["how-it-works.md"], re.DOTALL)
    keys = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    source = (ROOT / "scripts" / "bench" / f"{bench}.py").read_text(encoding="utf-8")
    assert keys
    for key in keys:
        assert f'"{key}"' in source, key


# --- what is generated


@pytest.mark.parametrize("page", docs.PAGES)
def test_the_generated_parts_are_fresh(page: str) -> None:
    assert docs.refreshed(page, PAGES[page]) == PAGES[page], "stale; run: python -m scripts.docs"


def test_a_stale_part_is_found_and_a_lost_marker_is_named() -> None:
    page = PAGES["stories.md"]
    stale = page.replace("twin tails", "twin tales")
    assert stale != page
    assert docs.refreshed("stories.md", stale) == page
    with pytest.raises(ValueError, match="<!-- words -->"):
        docs.refreshed("stories.md", page.replace("<!-- words -->", ""))


def test_every_command_and_flag_is_in_the_reference() -> None:
    page = PAGES["command-line.md"]
    for command in (*cli.COMMANDS, *cli.MEMORIES):
        assert f"| `{command} " in page
        if command in cli.MEMORIES:
            assert f"\n### {command}\n" in page
    for flag in re.findall(r"--\w+", cli._parser("draw").format_help()):
        assert f"`{flag}" in page or flag == "--help", flag


def test_every_model_is_in_the_table() -> None:
    for model in {row.model for row in VARIANTS.values()}:
        assert f"`{model}`" in PAGES["models.md"]
    for row in VARIANTS.values():
        assert not row.classic or f"`{row.classic}`" in PAGES["python.md"]


def attribute_words() -> set[str]:
    """Every word of the drawn world that a story can ask for."""
    phrases = [
        *palette.HAIR, *palette.CLOTH, *palette.EYES, *identity.STYLES, *identity.OUTFITS,
        *identity.EXPRESSIONS, *identity.POSES, *BACKGROUNDS,
        *(name for name in identity.ACCESSORIES if name != "none"),
    ]  # fmt: skip
    return {word for phrase in phrases for word in phrase.split()}


def test_every_word_of_the_drawn_world_is_listed() -> None:
    (table,) = re.findall(r"<!-- words -->\n(.*?)<!-- /words -->", PAGES["stories.md"], re.DOTALL)
    listed = set(re.findall(r"[\w-]+", table))
    assert attribute_words() <= listed
    for choices in (*captions.EXPRESSIONS.values(), *captions.BACKGROUNDS.values()):
        for phrase in choices:
            assert phrase in table


def test_the_starter_knows_every_word_of_the_drawn_world(starter: Checkpoint) -> None:
    assert starter.unknown_words(" ".join(sorted(attribute_words() | captions.vocabulary()))) == ()


def test_the_limits_of_the_starter_are_those_of_its_manifest(starter: Checkpoint) -> None:
    limits = " ".join(PAGES["starter.md"].split("## Limits")[1].split("##")[0].split())
    by_aspect = sorted(starter.shapes, key=lambda shape: shape[0] / shape[1])
    for width, height in (by_aspect[0], by_aspect[-1]):
        assert f"{width} × {height}" in limits
    assert f"{starter.global_tokens} tokens" in limits
    assert f"{starter.region_tokens} tokens" in limits


# --- stories


def test_every_key_and_choice_of_a_story_is_explained() -> None:
    text = BLOCK.sub("", PAGES["stories.md"]) + BLOCK.sub("", PAGES["pages-and-lettering.md"])
    models = (Story, StoryPage, PageFormat, Character, StoryPanel, Presence, Dialogue)
    keys = {key for model in models for key in model.model_fields}
    for name in sorted({*keys, *PAGE_SIZES_MM, *template_names(), *LINE_KINDS}):
        assert f"`{name}`" in text, name


def test_the_readmes_story_is_short() -> None:
    (story,) = [text for document, text in STORIES if document == "README.md"]
    assert len(story.splitlines()) <= 20


@pytest.mark.parametrize("text", [text for _, text in STORIES], ids=[document for document, _ in STORIES])
def test_stories_load_and_plan_with_words_that_the_starter_knows(
    text: str, starter: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "my_story.json"
    path.write_text(text, encoding="utf-8")
    plan = read_plan(path, seed=0, shapes=starter.shapes)
    check_lettering(plan)
    assert plan.notes == ()
    assert plan.slug == "snow-day"
    for panel in plan.panels:
        for prompt in (panel.prompt, *(figure.prompt for figure in panel.figures)):
            assert starter.unknown_words(prompt) == (), prompt


# --- Python


QUICK = {
    "num_inference_steps": 1, "candidates": 1, "max_retries": 0, "upscaler": "none", "device": "cpu",
}  # fmt: skip
# Words of a block → what it prints.
PRINTED = {
    "chronicle.recall": "The key is behind the clock.  (0, 0, 0)\n",
    "attempt=0": "7 True\n",
    "Preview": "panels: ",
    "Stopped": "stopped; the same call goes on from here\n",
    "read_record": "2 Snow Day 1\n",
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Path, flux_cache: Path) -> Path:
    """A folder with a story, where a studio draws one step with tiny models."""
    (tmp_path / "my_story.json").write_text(dict(STORIES)["README.md"], encoding="utf-8")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(flux_cache))
    monkeypatch.delenv("VIBE_MEMORY_PATH", raising=False)
    opened = Studio.open.__func__  # type: ignore[attr-defined]

    def open_quickly(cls: type[Studio], **flags: object) -> Studio:
        return opened(cls, **{"model": str(tiny), **QUICK, **flags})

    monkeypatch.setattr(Studio, "open", classmethod(open_quickly))
    return tmp_path


@pytest.mark.parametrize("code", PYTHON)
def test_the_python_of_the_documents_runs(code: str, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "outputs/snow-day" in code:
        with Studio.open() as studio:
            studio.draw(studio.plan("my_story.json"))
    exec(compile(code, "document", "exec"), {})
    printed = capsys.readouterr().out
    for words, expected in PRINTED.items():
        assert words not in code or expected in printed
