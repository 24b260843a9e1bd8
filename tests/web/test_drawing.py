"""A book is drawn from the page, and the same book from the command line is the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.web.conftest import Client, serving

Tree = dict[str, Any]
ROOT = Path(__file__).parents[2]


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _typed(client: Client, book: str, drawing: Tree) -> Tree:
    """The same book by the command line; its report."""
    place = client.house.workspace
    words = [str(place.books / book / "story.json"), "--library", str(place.library)]
    words += ["--out", str(place.books / book / "book"), "--json"]
    for name, value in drawing.items():
        words += [f"--{name}", str(value)]
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *words], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def _vibe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_MEMORY_PATH", str(tmp_path / "vibe.json"))


@pytest.mark.usefixtures("_vibe")
def test_a_book_is_made_by_choosing_and_correcting(tmp_path: Path, drawing: Tree, story: Tree) -> None:
    with serving(tmp_path / "studio", **drawing) as client:
        book = client.post("/api/books", {"story": story}, 201)["name"]
        opened = client.get(f"/api/books/{book}")
        assert opened["cost"]["panels"] == ["p001_01", "p001_02", "p002_01"]
        assert opened["cost"]["cast"] == ["mika", "ren"]
        done = client.work(kind="draw", book=book)
        assert done["drawn"] >= 7

        # Everything is drawn, and the page shows it.
        opened = client.get(f"/api/books/{book}")
        assert opened["cost"] == {"panels": [], "cast": [], "seconds": 0.0}
        assert opened["card"]["drawn"] == 3
        page = client.get(f"/api/books/{book}/pages/1")
        picture = page["panels"][0]["picture"]
        assert client.ask("GET", f"/api/blobs/{picture}.png").body[:8] == b"\x89PNG\r\n\x1a\n"
        small = client.ask("GET", f"/api/blobs/{picture}.png?w=128")
        assert "immutable" in small.headers["cache-control"]

        # A changed line draws nothing; a moved box one panel.
        line = {"do": "set_line", "panel": "p001_01", "line": 0, "text": "Good morning!"}
        assert client.edit(book, 1, line)["cost"]["panels"] == []
        box = {"do": "set_figure", "panel": "p001_02", "figure": 0, "values": {"box": [0.05, 0.3, 0.3, 0.6]}}
        moved = client.edit(book, 2, box)
        assert moved["cost"]["panels"] == ["p001_02"]
        stale = moved["pages"][0]["panels"][1]
        assert stale["stale"] == "a box moved"
        assert stale["picture"]  # the old one, until it is drawn again
        # What was drawn before is there again when it is undone.
        assert client.post(f"/api/books/{book}/undo", {"base": 3})["cost"]["panels"] == []
        assert client.post(f"/api/books/{book}/redo", {"base": 2})["cost"]["panels"] == ["p001_02"]

        # Only that panel is redrawn, though another is out of date; the newest try is shown.
        before = client.get(f"/api/books/{book}/panels/p001_01/tries")["tries"]
        client.work(kind="redraw", book=book, panel="p001_01", n=1)
        tries = client.get(f"/api/books/{book}/panels/p001_01/tries")["tries"]
        assert len(tries) == len(before) + 1
        assert [one["shown"] for one in tries][-1]
        assert client.get(f"/api/books/{book}")["cost"]["panels"] == ["p001_02"]

        # An earlier try is shown at once, and nothing is drawn.
        chosen = client.post(f"/api/books/{book}/panels/p001_01/choose", {"key": tries[0]["key"]})
        assert chosen["chosen"] == tries[0]["key"]
        shown = client.get(f"/api/books/{book}/pages/1")["panels"][0]["picture"]
        assert shown == tries[0]["picture"]

        # A repair is a try of its own.
        corner = {"kind": "repair", "panel": "p001_01", "box": [0.5, 0.5, 0.4, 0.4], "words": "a hat"}
        client.work(book=book, **corner)
        repaired = client.get(f"/api/books/{book}/panels/p001_01/tries")["tries"][-1]
        assert (repaired["kind"], repaired["shown"]) == ("repair", True)
        client.post(f"/api/books/{book}/panels/p001_01/choose", {"key": tries[0]["key"]})

        # A locked panel keeps its picture, whatever its words say.
        locked = {"do": "set_panel", "panel": "p001_02", "values": {"locked": True, "scene": "sunset"}}
        assert client.edit(book, 3, locked)["cost"]["panels"] == []
        client.work(kind="draw", book=book)
        assert client.get(f"/api/books/{book}/pages/1")["panels"][1]["picture"] == stale["picture"]

        # A panel that moves keeps its picture.
        there = client.get(f"/api/books/{book}/pages/1")["panels"][0]["picture"]
        swap = client.edit(book, 4, {"do": "move_page", "page": 2, "to": 1})
        assert swap["cost"]["panels"] == []
        assert client.get(f"/api/books/{book}/pages/2")["panels"][0]["picture"] == there

        # Approving a candidate costs the panels that used another reference.
        looks = client.get(f"/api/books/{book}/cast")["looks"]
        ren = next(one for one in looks if one["id"] == "ren")
        assert len(ren["candidates"]) == 2
        other = next(one for one in ren["candidates"] if not one["chosen"])
        approved = client.post(f"/api/books/{book}/cast/ren/approve", {"picture": other["picture"]})
        assert approved["approved"]
        assert client.post(f"/api/books/{book}/cast/ren/undo")["picture"] == ren["picture"]

        client.work(kind="export", book=book, formats=["epub", "cbz"])
        forms = {one["form"] for one in client.get(f"/api/books/{book}/files")["files"]}
        assert {"epub", "cbz", "pdf", "png", "html"} <= forms
        reader = client.ask("GET", f"/api/books/{book}/files/index.html")
        assert reader.headers["content-security-policy"].startswith("sandbox allow-scripts;")

        # The command line draws nothing and writes the same files.
        client.work(kind="draw", book=book)
        files = _files(client.house.folder(book))
        report = _typed(client, book, drawing)
        assert report["drawn"] == 0
        assert _files(client.house.folder(book)) == files


def test_a_copy_of_a_book_is_drawn_already(tmp_path: Path, drawing: Tree, story: Tree) -> None:
    with serving(tmp_path / "studio", **drawing) as client:
        book = client.post("/api/books", {"story": story}, 201)["name"]
        client.work(kind="draw", book=book)
        copy = client.post("/api/books", {"copy_of": book}, 201)["name"]
        assert client.get(f"/api/books/{copy}")["cost"]["panels"] == []
        assert client.work(kind="draw", book=copy)["drawn"] == 0


def test_work_waits_goes_on_and_is_called_off(tmp_path: Path, drawing: Tree, story: Tree) -> None:
    with serving(tmp_path / "studio", **drawing) as client:
        book = client.post("/api/books", {"story": story}, 201)["name"]
        client.ask("PUT", "/api/jobs", {"paused": True})
        first = client.post("/api/jobs", {"kind": "draw", "book": book}, 201)["id"]
        second = client.post("/api/jobs", {"kind": "rehearse", "book": book}, 201)["id"]
        third = client.post("/api/jobs", {"kind": "draw", "book": book}, 201)["id"]
        client.ask("PATCH", f"/api/jobs/{second}", {"before": first})
        client.ask("PATCH", f"/api/jobs/{third}", {"state": "cancelled"})
        jobs = client.get("/api/jobs")
        assert jobs["paused"]
        assert [one["id"] for one in jobs["jobs"]] == [second, first, third]
        assert [one["state"] for one in jobs["jobs"]] == ["queued", "queued", "cancelled"]
        client.ask("PUT", "/api/jobs", {"paused": False})
        assert client.wait(second)["state"] == "done"
        assert client.wait(first)["state"] == "done"
        assert client.ask("DELETE", f"/api/jobs/{third}").status == 200
        assert client.ask("DELETE", f"/api/jobs/{third}").status == 404


def test_a_story_that_cannot_be_drawn_fails_in_the_words_of_the_door(
    tmp_path: Path, drawing: Tree, story: Tree
) -> None:
    with serving(tmp_path / "studio", **drawing) as client:
        book = client.post("/api/books", {"story": story}, 201)["name"]
        thin = {"do": "set_page", "page": 1, "frames": [[5, 5, 6, 6], [5, 20, 90, 70]]}
        long = {"do": "set_line", "panel": "p001_01", "line": 0, "text": "Incomprehensibilities galore."}
        client.edit(book, 1, thin, long)
        job = client.post("/api/jobs", {"kind": "draw", "book": book}, 201)["id"]
        done = client.wait(job)
        assert done["state"] == "failed"
        assert "cannot be set legibly" in done["message"]


@pytest.mark.usefixtures("_vibe")
def test_likes_are_kept_and_scored(tmp_path: Path, story: Tree) -> None:
    """With the starter's own encoder, which sees panels and the vibe memory alike."""
    flags = {
        "quality": "fast",
        "num_inference_steps": 2,
        "candidates": 1,
        "upscaler": "none",
        "max_retries": 1,
    }
    story["pages"] = story["pages"][:1]
    with serving(tmp_path / "studio", **flags) as client:
        book = client.post("/api/books", {"story": story}, 201)["name"]
        client.work(kind="draw", book=book)
        one, other = (panel["picture"] for panel in client.get(f"/api/books/{book}/pages/1")["panels"])
        client.post("/api/vibe/opinion", {"picture": one, "liked": True})
        vibe = client.post("/api/vibe/opinion", {"picture": other, "liked": False, "category": "beach"})
        assert (vibe["likes"], vibe["dislikes"]) == (1, 1)
        scores = {row["picture"]: row["score"] for row in client.get(f"/api/books/{book}/scores")["scores"]}
        assert scores[one] > scores[other]
        why = client.get(f"/api/vibe/explain/{one}")
        assert any("that you like" in words for words in why["words"])
        (shown,) = [t for t in client.get(f"/api/books/{book}/panels/p001_01/tries")["tries"] if t["shown"]]
        assert shown["liked"] is True
        kept = client.ask("GET", "/api/vibe/export").body
        assert client.post("/api/vibe/opinion", {"picture": other, "liked": None})["dislikes"] == 0
        assert client.ask("POST", "/api/vibe/import", kept).json["added"] == 1
