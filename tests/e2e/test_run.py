"""A whole run, from the story file to the book, in processes of its own."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from model import cli
from model.memory.panels.cache import PanelCache
from model.memory.store.library import Library
from model.render.flux.renderer import FluxRenderer

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torchvision", "diffusers", "transformers", "open_clip")
SECOND_RUN_SECONDS = 6.0  # of processor time, whatever else the machine does
CAST, PANELS = 2, 3  # of the story

Story = Callable[[], dict[str, Any]]


@pytest.fixture(scope="session")
def story(story: Story) -> Story:
    """The story with an id of its own, so that versions of it in other files are the same story."""
    return lambda: {"id": "two-friends", **story()}


@pytest.fixture(scope="module")
def book(desk_in: Any, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A desk on which the story has been drawn once, through run.py, with nothing preloaded."""
    desk = desk_in(tmp_path_factory.mktemp("book"))
    path = desk.write(story())
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), str(path), *desk.flags],
        cwd=desk.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Loading weights" not in done.stderr, "chatter of a library"
    report = json.loads(done.stdout)
    assert report.pop("seconds") > 0
    assert report == {
        "title": "Two Friends",
        "out": "outputs/two-friends",
        "pages": 2,
        "panels": PANELS,
        "drawn": CAST + PANELS,
        "cached": 0,
        "refused": 0,
        "failed": 0,
    }
    return desk


def keys(desk: Any, out: str) -> dict[str, str]:
    return {panel["id"]: panel["key"] for panel in desk.record(out)["panels"]}


# --- the book


def test_a_run_writes_the_book(book: Any) -> None:
    assert sorted(book.files("two-friends")) == [
        "book.cbz",
        "book.pdf",
        "index.html",
        "pages/page_001.png",
        "pages/page_002.png",
        "panels/p001_01.png",
        "panels/p001_02.png",
        "panels/p002_01.png",
        "run.json",
    ]


def test_the_files_are_what_they_are_called(book: Any) -> None:
    files = book.files("two-friends")
    assert files["book.pdf"].startswith(b"%PDF-")
    assert b'<title dir="ltr">Two Friends' in files["index.html"]
    for name in (name for name in files if name.endswith(".png")):
        with Image.open(io.BytesIO(files[name])) as picture:
            picture.load()
    with zipfile.ZipFile(io.BytesIO(files["book.cbz"])) as archive:
        assert archive.testzip() is None
        pictures = [name for name in archive.namelist() if name.endswith(".png")]
        assert [archive.read(name) for name in pictures] == [
            files["pages/page_001.png"],
            files["pages/page_002.png"],
        ]
        assert pictures == sorted(pictures)
        about = ElementTree.fromstring(archive.read("ComicInfo.xml"))
    assert about.findtext("Title") == "Two Friends"
    assert about.findtext("PageCount") == "2"
    assert about.findtext("Manga") == "No"


def test_run_json_tells_how_the_book_was_made(book: Any, tiny: Path) -> None:
    record = book.record("two-friends")
    assert record["config"] | {"seed": 0, "steps": 2, "scheduler": "restart"} == record["config"]
    manifest = json.loads((tiny / "manifest.json").read_text())
    assert record["weights"]["files"] == {name: file["sha256"] for name, file in manifest["files"].items()}
    assert [panel["id"] for panel in record["panels"]] == ["p001_01", "p001_02", "p002_01"]
    for panel in record["panels"]:
        assert panel["attempts"] == 1
        assert panel["cached"] is False
        assert panel["seconds"] > 0
        assert panel["failure"] == ""
        assert panel["seed"] == panel["request"]["seed"]
    assert [set(panel["boxes"]) for panel in record["panels"]] == [{"mika"}, {"mika", "ren"}, set()]
    assert {"plan", "load", "draw", "commit", "pages"} <= set(record["seconds"])
    for member in record["cast"].values():
        assert member["source"] == "rehearsal"
        assert len(member["candidates"]) == len(member["similarities"]) == 1
    # The panels' references are the cast's pictures.
    first = record["panels"][0]["request"]["regions"][0]
    assert first["reference"] == record["cast"]["mika"]["picture"]


def test_a_panel_carries_its_request(book: Any) -> None:
    for panel in book.record("two-friends")["panels"]:
        with Image.open(io.BytesIO(book.files("two-friends")[f"panels/{panel['id']}.png"])) as picture:
            facts, parameters = picture.info["autostudio"], picture.info["parameters"]
            assert picture.size == (panel["request"]["width"], panel["request"]["height"])
        assert hashlib.sha256(facts.encode()).hexdigest() == panel["key"]
        assert f"Seed: {panel['seed']}" in parameters


# --- again


def test_a_finished_book_is_exported_without_drawing(book: Any) -> None:
    before = book.files("two-friends")
    done = book.forks.run("export", "outputs/two-friends", "--json", cwd=book.folder)
    assert done.code == 0, done.err
    # The pages are those of the run, byte for byte, so none is set again.
    assert (done.report["set_anew"], done.report["stale"]) == ([], [])
    assert book.files("two-friends") == before
    done = book.forks.run("export", "outputs/two-friends", "--format", "epub", "--out", "e", cwd=book.folder)
    assert done.code == 0, done.err
    assert [path.name for path in (book.folder / "e").iterdir()] == ["book.epub"]


def test_a_second_run_draws_nothing_changes_nothing_and_loads_no_torch(book: Any) -> None:
    before = book.files("two-friends")
    begun = os.times()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "run.py"), "story.json", *book.flags],
        cwd=book.folder,
        capture_output=True,
        text=True,
    )
    ended = os.times()
    spent = ended.children_user + ended.children_system - begun.children_user - begun.children_system
    assert spent < SECOND_RUN_SECONDS
    report = json.loads(done.stdout)
    assert (done.returncode, report["drawn"], report["cached"]) == (0, 0, PANELS)
    assert book.files("two-friends") == before
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "PIL.Image" in imported, "the list of imports was read"
    assert not imported & set(HEAVY)


def test_with_another_seed_every_panel_differs(book: Any) -> None:
    done = book.run("story.json", "--seed", "1", "--out", "outputs/seed")
    assert (done.code, done.report["drawn"]) == (0, CAST + PANELS), done.err
    assert not set(keys(book, "seed").values()) & set(keys(book, "two-friends").values())
    for name in ("p001_01", "p001_02", "p002_01"):
        mine, other = (book.files(out)[f"panels/{name}.png"] for out in ("seed", "two-friends"))
        assert Image.open(io.BytesIO(mine)).tobytes() != Image.open(io.BytesIO(other)).tobytes()


def test_a_changed_action_draws_exactly_that_panel(book: Any, story: Story) -> None:
    changed = story()
    changed["pages"][0]["panels"][1]["characters"][1]["action"] = "standing"
    path = book.write(changed, "action.json")
    done = book.run(path, "--out", "outputs/action")
    assert (done.code, done.report["drawn"], done.report["cached"]) == (0, 1, PANELS - 1), done.err
    before, after = keys(book, "two-friends"), keys(book, "action")
    assert {name for name in before if before[name] != after[name]} == {"p001_02"}


def test_changed_dialogue_draws_nothing_and_letters_the_page_again(book: Any, story: Story) -> None:
    changed = story()
    changed["pages"][0]["panels"][0]["dialogue"][0]["text"] = "Good morning, good morning!"
    path = book.write(changed, "said.json")
    done = book.run(path, "--out", "outputs/said")
    assert (done.code, done.report["drawn"]) == (0, 0), done.err
    before, after = book.files("two-friends"), book.files("said")
    assert before["pages/page_001.png"] != after["pages/page_001.png"]
    assert before["pages/page_002.png"] == after["pages/page_002.png"]
    assert all(before[name] == after[name] for name in before if name.startswith("panels/"))


def test_a_shorter_story_leaves_no_old_pages_and_a_new_title_is_recorded(book: Any, story: Story) -> None:
    changed = story()
    path = book.write(changed, "long.json")
    assert book.run(path, "--out", "outputs/short").code == 0
    del changed["pages"][1]
    book.write(changed, "long.json")
    assert book.run(path, "--out", "outputs/short").code == 0
    files = book.files("short")
    assert [name for name in files if name.startswith("p")] == [
        "pages/page_001.png",
        "panels/p001_01.png",
        "panels/p001_02.png",
    ]
    changed["title"] = "One Page"
    book.write(changed, "long.json")
    assert book.run(path, "--out", "outputs/short").code == 0
    assert book.record("short")["title"] == "One Page"


# --- what stories may ask for


def test_a_story_read_from_right_to_left_says_so(book: Any, story: Story) -> None:
    path = book.write({**story(), "reading_direction": "rtl"}, "rtl.json")
    done = book.run(path, "--out", "outputs/rtl")
    # Where one stands alone nothing moves; two change sides, so that the first to speak is on the right.
    assert (done.code, done.report["drawn"]) == (0, 1), done.err
    assert keys(book, "rtl")["p001_01"] == keys(book, "two-friends")["p001_01"]
    files = book.files("rtl")
    with zipfile.ZipFile(io.BytesIO(files["book.cbz"])) as archive:
        about = ElementTree.fromstring(archive.read("ComicInfo.xml"))
    assert about.findtext("Manga") == "YesAndRightToLeft"
    assert b'data-direction="rtl"' in files["index.html"]
    assert files["pages/page_001.png"] != book.files("two-friends")["pages/page_001.png"]


def test_the_users_own_picture_is_the_reference(book: Any, story: Story) -> None:
    told = story()
    told["characters"]["mika"]["references"] = ["mika.png"]
    path = book.write(told, "own.json")
    Image.new("RGB", (40, 60), "red").save(book.folder / "mika.png")
    data = (book.folder / "mika.png").read_bytes()
    done = book.run(path, "--out", "outputs/own")
    assert (done.code, done.report["drawn"]) == (0, 2), done.err  # the two panels that Mika is in
    mika = book.record("own")["cast"]["mika"]
    assert (mika["source"], mika["picture"]) == ("story", hashlib.sha256(data).hexdigest())
    first = keys(book, "own")
    Image.new("RGB", (40, 60), "blue").save(book.folder / "mika.png")
    assert book.run(path, "--out", "outputs/own").report["drawn"] == 2
    second = keys(book, "own")
    assert {name for name in first if first[name] != second[name]} == {"p001_01", "p001_02"}


def test_words_that_the_model_does_not_know_are_noted(book: Any, story: Story) -> None:
    told = story()
    told["pages"][1]["panels"][0]["scene"] = "submarine at sunset"
    done = book.run(book.write(told, "words.json"), "--out", "outputs/words")
    assert done.code == 0, done.err
    (note,) = (note for note in book.record("words")["notes"] if "does not know" in note)
    assert "submarine" in note
    assert "sunset" not in note
    assert f"note: {note}" in done.err


# --- the other commands


def test_cast_rehearses_and_stops(book: Any) -> None:
    done = book.run("cast", "story.json", "--out", "outputs/cast")
    assert (done.code, done.report["drawn"]) == (0, 0), done.err
    assert sorted(book.files("cast")) == ["cast/mika.png", "cast/ren.png"]
    blobs = {
        member["picture"]: f"cast/{name}.png" for name, member in book.record("two-friends")["cast"].items()
    }
    for blob, name in blobs.items():
        assert hashlib.sha256(book.files("cast")[name]).hexdigest() == blob


def test_layout_draws_the_plan_and_opens_no_library(desk: Any, story: Story) -> None:
    done = desk.run("layout", desk.write(story()))
    assert (done.code, done.report["drawn"]) == (0, 0), done.err
    assert sorted(desk.files("two-friends")) == ["layout/page_001.png", "layout/page_002.png"]
    assert not (desk.folder / "outputs" / "library").exists()


def test_several_stories_share_the_models_and_the_library(book: Any, story: Story) -> None:
    other = story()
    other |= {"id": "two-friends-again", "title": "Two Friends Again"}
    other["pages"][1]["panels"][0]["scene"] = "night city"
    done = book.run("story.json", book.write(other, "again.json"))
    assert done.code == 0, done.err
    first, second = map(json.loads, done.out.splitlines())
    assert (first["out"], first["drawn"]) == ("outputs/two-friends", 0)
    assert (second["out"], second["drawn"]) == ("outputs/two-friends-again", 1)


def test_without_json_the_command_prints_nothing_on_stdout(book: Any) -> None:
    words = [flag for flag in book.flags if flag != "--json"]
    done = book.forks.run("story.json", *words, cwd=book.folder)
    assert (done.code, done.out) == (0, "")
    assert "outputs/two-friends: 3 panels on 2 pages; 0 pictures drawn, 3 found" in done.err


# --- exit code 2: the story or a flag


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--quality", "nice"), "--quality"),
        (("--model", "gpt"), "--model"),
        (("--num_inference_steps", "0"), "--num_inference_steps"),
        (("--guidance_scale", "nan"), "--guidance_scale"),
        (("--guidance_scale", "inf"), "--guidance_scale"),
        (("--refine_steps", "99"), "--refine_steps"),
        (("--max_sequence_length", "0"), "--max_sequence_length"),
        (("--candidates", "0"), "--candidates"),
        (("--seed", "-1"), "--seed"),
        (("--seed", "1.5"), "--seed"),
        (("--scheduler", "heun"), "--scheduler"),
        (("--device", "tpu"), "--device"),
        (("--frobnicate",), "--frobnicate"),
        (("story.json", "--out", "x"), "--out"),
    ],
)
def test_a_bad_flag_exits_2_and_leaves_nothing(
    desk: Any, story: Story, flags: tuple[str, ...], named: str
) -> None:
    path = desk.write(story())
    done = desk.run(path, *flags)
    assert (done.code, done.out) == (2, "")
    assert named in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    assert list(desk.folder.iterdir()) == [path]


@pytest.mark.parametrize("command", ["draw", "cast", "layout"])
@pytest.mark.parametrize(
    "broken",
    ["not json", '{"version": 1}', '{"version": 1, "title": "T", "pages": [{"panels": [{"scen": "x"}]}]}'],
)
def test_a_bad_story_exits_2_and_leaves_nothing(desk: Any, story: Story, command: str, broken: str) -> None:
    good, bad = desk.write(story()), desk.folder / "bad.json"
    bad.write_text(broken)
    done = desk.run(command, good, bad)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("error: ")
    assert "bad.json" in done.err
    assert sorted(desk.folder.iterdir()) == [bad, good]


def test_a_story_that_is_not_there_exits_2(desk: Any) -> None:
    done = desk.run("nowhere.json")
    assert done.code == 2
    assert "nowhere.json" in done.err
    assert list(desk.folder.iterdir()) == []


# --- exit code 3: what the machine lacks


@pytest.fixture
def damaged(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkpoint, for a test to damage."""
    return shutil.copytree(tiny, tmp_path_factory.mktemp("damaged") / "tiny")


def assert_refused(done: Any, *named: str) -> None:
    last = done.err.splitlines()[-1]
    assert (done.code, done.out) == (3, ""), done.err
    assert last.startswith("error: ")
    assert "Traceback" not in done.err
    for word in named:
        assert word in last


def test_a_damaged_weights_file_is_named(desk: Any, story: Story, damaged: Path) -> None:
    file = damaged / "vae" / "diffusion_pytorch_model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert_refused(desk.run(desk.write(story()), "--model", damaged), str(file), "sha256", "restore")


def test_a_missing_weights_file_is_named(desk: Any, story: Story, damaged: Path) -> None:
    file = damaged / "transformer" / "flux-q8_0.gguf"
    file.unlink()
    assert_refused(desk.run(desk.write(story()), "--model", damaged), str(file), "missing")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"files": {}}', '{"name": "x", "files": [], "drawing": {}}']
)
def test_a_broken_manifest_is_named(desk: Any, story: Story, damaged: Path, text: str) -> None:
    (damaged / "manifest.json").write_text(text)
    done = desk.run(desk.write(story()), "--model", damaged)
    assert_refused(done, str(damaged / "manifest.json"))
    assert not (desk.folder / "outputs").exists()


@pytest.mark.parametrize("flag", ["--out", "--library"])
@pytest.mark.parametrize("place", ["file", "file/below", "/proc/nowhere"])
def test_an_impossible_folder_exits_3(desk: Any, story: Story, flag: str, place: str) -> None:
    (desk.folder / "file").write_text("mine")
    assert_refused(desk.run(desk.write(story()), flag, place), place)
    assert (desk.folder / "file").read_text() == "mine"


@pytest.mark.parametrize("largest_file", [20_000, 100_000])  # too small for the library, for a panel
def test_a_full_disk_exits_3_keeps_earlier_work_and_the_next_run_goes_on(
    desk: Any, story: Story, largest_file: int
) -> None:
    path, library = desk.write(story()), desk.folder / "outputs" / "library"
    assert desk.run("cast", path).report["drawn"] == CAST
    with Library.open(library) as opened:
        before = {key: PanelCache(opened).get(key) for key in PanelCache(opened).keys()}  # noqa: SIM118
    assert_refused(desk.run(path, largest_file=largest_file), "outputs/library")
    with Library.open(library) as opened:
        assert set(PanelCache(opened).keys()) == set(before)
        for record in before.values():
            assert record is not None
            opened.load(record.blob)
    assert [name for name in desk.folder.rglob("*.tmp")] == []
    done = desk.run(path)
    assert (done.code, done.report["drawn"]) == (0, PANELS), done.err


# --- exit code 1: a panel that fails


def test_one_failed_panel_does_not_lose_the_book(
    desk: Any, story: Story, book: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = copy.deepcopy(story())
    told["pages"][0]["panels"][1]["seed"] = 4242
    path = desk.write(told)
    draw = FluxRenderer.draw

    def failing(self: FluxRenderer, requests: Any, **options: Any) -> Any:
        if any(request.seed == 4242 for request in requests):
            raise RuntimeError("the picture came out as noise")
        return draw(self, requests, **options)

    monkeypatch.chdir(desk.folder)
    with monkeypatch.context() as patched:
        patched.setattr(FluxRenderer, "draw", failing)
        code = cli.main([*desk.flags, str(path)])
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (code, report["drawn"], report["failed"]) == (1, CAST + PANELS - 1, 1), printed.err
    assert "the picture came out as noise" in printed.err
    files = desk.files("two-friends")
    assert {"book.pdf", "book.cbz", "index.html", "pages/page_001.png", "pages/page_002.png"} <= set(files)
    assert "panels/p001_02.png" not in files
    failures = {panel["id"]: panel["failure"] for panel in desk.record("two-friends")["panels"]}
    assert failures == {
        "p001_01": "",
        "p001_02": "RuntimeError: the picture came out as noise",
        "p002_01": "",
    }
    # What was not touched by the failure is what a run without it draws.
    assert files["panels/p002_01.png"] == book.files("two-friends")["panels/p002_01.png"]

    done = desk.run(path)
    assert (done.code, done.report["drawn"], done.report["cached"]) == (0, 1, PANELS - 1), done.err
    mended = desk.files("two-friends")
    assert "panels/p001_02.png" in mended
    assert mended["pages/page_001.png"] != files["pages/page_001.png"]
    assert mended["pages/page_002.png"] == files["pages/page_002.png"]
    assert all(panel["failure"] == "" for panel in desk.record("two-friends")["panels"])


def test_a_character_that_cannot_be_rehearsed_is_a_failure_of_the_cast(
    desk: Any, story: Story, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = desk.write(story())
    draw = FluxRenderer.draw

    def failing(self: FluxRenderer, requests: Any, **options: Any) -> Any:
        if any("red hair" in region.prompt for request in requests for region in request.regions):
            raise RuntimeError("no such hair")
        return draw(self, requests, **options)

    monkeypatch.chdir(desk.folder)
    monkeypatch.setattr(FluxRenderer, "draw", failing)
    code = cli.main(["cast", *desk.flags[:-2], str(path)])
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (code, report["drawn"], report["failed"]) == (1, 1, 1), printed.err
    assert "no such hair" in printed.err
    assert sorted(desk.files("two-friends")) == ["cast/ren.png"]
