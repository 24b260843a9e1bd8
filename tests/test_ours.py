"""Nothing is deleted or replaced but what the program made."""

from __future__ import annotations

import ast
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from download.catalog import Source
from download.fetch import Fetcher
from download.hub import Hub
from model.errors import IntegrityError, StorageError, WeightsMissing
from model.memory.store.library import Library
from model.memory.vibe.pictures import Album
from model.ours import is_ours, leftovers, remove_ours, set_aside
from model.page.export.book import export_book
from model.page.values import Book, PageArt, PanelArt
from tests.download.conftest import hub  # noqa: F401
from tests.download.fake_hub import FakeHub

ROOT = Path(__file__).parents[1]

# Every call of the program that takes a file away or puts one in another's place, and what it touches.
TAKEN_AWAY = {
    "download/fetch.py _receive": "bytes that have not the digest they are named by",
    "download/fetch.py _finish": "a whole blob moves into its snapshot, where links cannot be made",
    "download/fetch.py _link": "a link of the cache that leads nowhere",
    "download/fetch.py start_anew": "an unfinished blob",
    "model/files.py replacing": "its own temporary file, which takes the name that was asked for",
    "model/memory/panels/eviction.py _remove_blobs": "blobs, named by their digest",
    "model/memory/panels/full.py make_way": "blobs that eviction would remove, named by their digest",
    "model/memory/store/library.py _create": "its own draft, whose first bytes were looked at",
    "model/memory/vibe/pictures.py keep_only": "pictures named by the digest of their bytes",
    "model/memory/vibe/store.py _replace": "temporary files by their exact name; the backup",
    "model/ours.py remove_ours": "files that say they are ours",
    "model/ours.py set_aside": "a file of somebody else gets a free name",
    "model/web/shelving.py _put": "the folder that this call made, when its story could not be written",
    "quantization/writing.py write_gguf": "its own partial file, whose first bytes were looked at",
}


def test_every_call_that_takes_a_file_away_is_on_the_list() -> None:
    found: set[str] = set()
    files = [path for room in ("model", "download", "quantization") for path in (ROOT / room).rglob("*.py")]
    for path in files:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                calls = [one for one in ast.walk(function) if isinstance(one, ast.Call)]
                if any(_takes_away(call) for call in calls):
                    found.add(f"{path.relative_to(ROOT).as_posix()} {function.name}")
    assert found == set(TAKEN_AWAY)


def _takes_away(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    # `replace` with two arguments is of texts.
    moved = name in ("replace", "rename", "renames", "move") and len(call.args) == 1 and not call.keywords
    return moved or name in ("unlink", "rmtree", "rmdir", "remove_tree", "removedirs", "truncate_file")


# --- books


def a_book(folder: Path, pages: int, title: str = "Tea") -> Book:
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), "red").save(folder / "drawn.png")
    panel = PanelArt(id="p001_01", picture=folder / "drawn.png", alt="a red square")
    page = PageArt(number=1, template="auto", panels=(panel,))
    return Book(
        title=title,
        language="en",
        reading_direction="ltr",
        page_size="b5",
        pages=tuple(replace(page, number=number + 1) for number in range(pages)),
    )


FORMS = ("png", "pdf", "cbz", "html", "epub", "webtoon", "layers")


def test_a_shorter_book_removes_its_own_pages_and_strips_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "book"
    export_book(a_book(tmp_path, 6), out, 40, FORMS)
    mine = {out / "pages" / "page_099.png": "photo", out / "webtoon" / "strip_099.jpg": "photo"}
    mine |= {out / "pages" / name: "photo" for name in ("page_7.png", "cover.png", "page_098.jpg")}
    for path in mine:
        Image.new("RGB", (8, 8), "blue").save(path)
    before = {path: path.read_bytes() for path in mine}
    (out / "pages" / "page_097.png").symlink_to(out / "pages" / "page_001.png")
    (out / "pages" / "page_096.png").mkdir()
    strips = len(list((out / "webtoon").glob("strip_00*.jpg")))
    export_book(a_book(tmp_path, 1), out, 40, FORMS)
    assert {path: path.read_bytes() for path in mine} == before
    assert (out / "pages" / "page_097.png").is_symlink()
    assert (out / "pages" / "page_096.png").is_dir()
    assert not (out / "pages" / "page_002.png").exists()
    assert len(list((out / "webtoon").glob("strip_00*.jpg"))) < strips


def test_what_is_written_says_whose_it_is(tmp_path: Path) -> None:
    for path in export_book(a_book(tmp_path, 1), tmp_path / "book", 40, FORMS).files:
        if path.parent.parent.name != "layers":  # those are never removed, nor is anything in their place
            assert is_ours(path), path


@pytest.mark.parametrize("name", ["index.html", "book.pdf", "book.cbz", "book.epub", "pages/page_001.png"])
def test_a_strangers_file_in_the_place_of_a_book_is_kept(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "book"
    path = out / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"somebody's own " * 99)
    export_book(a_book(tmp_path, 1), out, 40, FORMS)
    aside = path.with_name(f"{path.stem}.kept-1{path.suffix}")
    assert aside.read_bytes() == b"somebody's own " * 99
    assert aside.name in caplog.text
    # Once: from now on it is ours.
    export_book(a_book(tmp_path, 1, title="Coffee"), out, 40, FORMS)
    assert len(list(out.rglob("*.kept-*"))) == 1


def test_a_retouched_panel_is_kept_and_the_panels_of_an_earlier_story_go(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    from model.run.bind import put

    drawn = PngInfo()
    drawn.add_itxt("autostudio", "{}")
    for name in ("p001_01.png", "p001_02.png"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / name, pnginfo=drawn)
    Image.new("RGB", (8, 8), "blue").save(tmp_path / "p001_03.png")  # saved by a paint program
    retouched = (tmp_path / "p001_03.png").read_bytes()
    put(tmp_path / "p001_03.png", b"autostudio new")
    assert (tmp_path / "p001_03.kept-1.png").read_bytes() == retouched
    Image.new("RGB", (8, 8), "blue").save(tmp_path / "p009_01.png")
    gone = remove_ours(tmp_path, r"p\d{3,}_\d{2,}\.png", {"p001_01.png", "p001_03.png"})
    assert [path.name for path in gone] == ["p001_02.png"]


def test_setting_aside_never_takes_a_name_that_is_taken(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "a.txt").write_text(f"mine {number}")
        set_aside(tmp_path / "a.txt")
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["mine 0", "mine 1", "mine 2"]


# --- memories


def test_clearing_a_vibe_memory_leaves_the_users_pictures(tmp_path: Path) -> None:
    album = Album(tmp_path / "vibe.json")
    kept, gone, other = (album.keep(Image.new("RGB", (9, 9), colour)) for colour in ("red", "blue", "green"))
    photo = album.folder / "holiday.jpg"
    Image.new("RGB", (9, 9)).save(photo)
    lookalike = album.folder / ("0123456789abcdef" + ".jpg")
    lookalike.write_bytes(photo.read_bytes())
    # Another memory beside it, or a copy of this one, that shares the folder by its name.
    (tmp_path / "vibe.json.bak").write_text(json.dumps({"picture": other}))
    album.keep_only({kept})
    assert sorted(path.name for path in album.folder.iterdir()) == sorted(
        [kept, other, photo.name, lookalike.name]
    )
    assert gone not in [path.name for path in album.folder.iterdir()]


def test_leftovers_are_told_by_their_exact_name(tmp_path: Path) -> None:
    ours = ".v[1].json.abcd1234.tmp"
    names = [ours, ".v[1].json.notes.tmp", ".v1.json.abcd1234.tmp", ".v[1].jsonX.abcd1234.tmp"]
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in leftovers(tmp_path / "v[1].json")] == [ours]


def test_a_file_where_a_new_library_is_begun_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "library.db.new").write_text("my notes")
    with pytest.raises(StorageError, match=r"library\.db\.new"):
        Library.open(tmp_path)
    assert (tmp_path / "library.db.new").read_text() == "my notes"
    (tmp_path / "library.db.new").write_bytes(b"SQLite format 3\0" + bytes(50))
    Library.open(tmp_path).close()


# --- the hub


class Lying(FakeHub):
    """A hub whose listing says what it is told to."""


@pytest.mark.parametrize(
    "change",
    [
        {"blobId": "../../victim"},
        {"blobId": "/etc/passwd"},
        {"blobId": "a" * 39},
        {"blobId": "A" * 40},
        {"blobId": 7},
        {"lfs": {"size": 3, "sha256": "../../../victim", "pointerSize": 1}},
        {"lfs": {"size": 3, "sha256": "", "pointerSize": 1}},
        {"rfilename": "../../victim"},
        {"rfilename": "/etc/passwd"},
        {"rfilename": "a/../../victim"},
        {"rfilename": "C:\\victim"},
        {"size": "many"},
        {"size": -1},
        {"size": 1e300},
    ],
)
def test_names_from_the_network_are_digests_before_they_are_paths(
    change: dict[str, object],
    hub: FakeHub,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.download.fake_hub import Handler

    true = Handler._info
    monkeypatch.setattr(
        Handler,
        "_info",
        lambda self, repository: {
            **true(self, repository),
            "siblings": [{**one, **change} for one in true(self, repository)["siblings"]],
        },
    )
    cache = tmp_path / "a" / "b" / "hub"
    victims = [cache / "victim", cache / "models--studio--comic" / "victim", tmp_path / "a" / "b" / "victim"]
    for victim in victims:
        victim.parent.mkdir(parents=True, exist_ok=True)
        victim.write_text("precious")
    source = Source(repository="studio/comic", files=("config.json",), licence="apache-2.0")
    with pytest.raises((IntegrityError, WeightsMissing), match="HF_ENDPOINT"):
        Fetcher(cache, Hub(endpoint=hub.endpoint, pause=lambda _: None)).fetch([source])
    assert [victim.read_text() for victim in victims] == ["precious"] * 3
    assert not list(cache.rglob("blobs/*"))


def test_the_cache_is_linked_without_asking_the_hub_for_names(hub: FakeHub, tmp_path: Path) -> None:  # noqa: F811
    """An `ETag: ../../victim` of a hub is never looked at."""
    source = Source(repository="studio/comic", files=("config.json",), licence="apache-2.0")
    fetched = Fetcher(tmp_path, Hub(endpoint=hub.endpoint)).fetch([source])[0]
    place = fetched.folder / "config.json"
    assert os.readlink(place).startswith("../../blobs/")
    assert hashlib.sha1(b"blob 8\0" + place.read_bytes()).hexdigest() == Path(os.readlink(place)).name
    assert "HEAD" not in {one.method for one in hub.asked}
