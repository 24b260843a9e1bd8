"""Books on the shelf, edits, revisions, pages: what a person does, through the server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.page.export.sheet import lay_out
from model.run.bind import lettered
from model.run.plan import read_plan
from tests.web.conftest import Client, serving

Tree = dict[str, Any]


def _line(text: str, line: int = 0) -> Tree:
    return {"do": "set_line", "panel": "p001_01", "line": line, "text": text}


def _file(client: Client, book: str) -> Tree:
    return json.loads((client.house.workspace.books / book / "story.json").read_text())


def test_a_book_from_an_example_is_on_the_shelf(client: Client) -> None:
    card = client.post("/api/books", {"example": "first_light"}, 201)
    shelf = client.get("/api/shelf")
    assert [one["name"] for one in shelf["books"]] == [card["name"]] == ["first-light"]
    assert card["panels"] == 7
    # Two books of one title are two, and have their own memories.
    other = client.post("/api/books", {"example": "first_light"}, 201)
    assert other["name"] == "first-light-2"
    assert _file(client, "first-light-2")["id"] == "first-light-2"


def test_a_file_in_either_dialect_becomes_a_book(client: Client) -> None:
    told = {
        "dialogue": {
            "turn 1": {
                "size": [512, 512],
                "objects": [["a girl with red hair", [10, 60, 200, 400], "1"]],
                "background": "beach",
                "caption": "a girl on a beach",
                "negative": "",
            }
        }
    }
    card = client.ask("POST", "/api/books/upload?name=told.json", json.dumps(told).encode()).json
    assert card["panels"] == 1
    assert _file(client, card["name"])["pages"][0]["panels"][0]["characters"]
    refused = client.ask("POST", "/api/books/upload?name=told.json", b'{"title": 3}')
    assert refused.status == 422
    assert refused.json["kind"] == "story"
    assert "told.json: at title: found 3, expected" in refused.json["error"]


def test_to_the_bin_and_back(client: Client, book: str) -> None:
    entry = client._done(client.ask("DELETE", f"/api/books/{book}"), 200)["entry"]
    assert client.get("/api/shelf")["books"] == []
    client.get(f"/api/books/{book}", 404)
    assert client.post(f"/api/bin/{entry}/restore")["name"] == book
    assert client.get(f"/api/books/{book}")["card"]["title"] == "Two Friends"
    client.post(f"/api/bin/{entry}/restore", status=404)


def test_a_copy_and_another_title(client: Client, book: str) -> None:
    copy = client.post("/api/books", {"copy_of": book}, 201)
    renamed = client.ask("PATCH", f"/api/books/{copy['name']}", {"title": "Three Friends"}).json
    assert renamed["title"] == "Three Friends"
    assert renamed["name"] == copy["name"]
    assert client.get(f"/api/books/{book}")["card"]["title"] == "Two Friends"


def test_an_edit_is_in_the_file_when_it_is_answered(client: Client, book: str) -> None:
    done = client.edit(book, 1, _line("Hello there!"))
    assert done["revision"] == 2
    assert _file(client, book)["pages"][0]["panels"][0]["dialogue"][0]["text"] == "Hello there!"
    assert [page["number"] for page in done["pages"]] == [1]
    balloons = done["pages"][0]["panels"][0]["balloons"]
    assert [one["text"] for one in balloons if one["line"] == 0] == ["Hello there!"]
    assert done["can_undo"] == "p001_01: changed line 1"


def test_a_wrong_edit_changes_nothing_and_says_why(client: Client, book: str) -> None:
    before = _file(client, book)
    told = client.edit(book, 1, _line("fine"), _line("x", line=9), status=422)
    assert told == {
        "error": "p001_01: line 10 is not there; there are 2; load the book again",
        "kind": "story",
    }
    nobody = {"do": "set_line", "panel": "p001_01", "line": 0, "speaker": "nobody"}
    assert "a known character" in client.edit(book, 1, nobody, status=422)["error"]
    assert client.edit(book, 1, nobody, status=422)["kind"] == "story"
    assert _file(client, book) == before
    assert client.get(f"/api/books/{book}")["revision"] == 1


def test_a_story_that_no_page_can_be_made_of_is_not_kept(client: Client, book: str) -> None:
    flat = {"do": "set_page", "page": 1, "frames": [[5, 5, 90, 4], [5, 20, 90, 70]]}
    assert "too small for a panel" in client.edit(book, 1, flat, status=422)["error"]
    assert client.get(f"/api/books/{book}")["revision"] == 1


def test_an_edit_of_an_old_revision_is_refused_with_both_versions(client: Client, book: str) -> None:
    client.edit(book, 1, _line("Mine"))
    told = client.edit(book, 1, _line("Yours"), status=409)
    assert told["revision"] == 2
    assert told["theirs"]["pages"][0]["panels"][0]["dialogue"][0]["text"] == "Mine"
    assert told["yours"]["pages"][0]["panels"][0]["dialogue"][0]["text"] == "Yours"
    kept = client.edit(book, 2, {"do": "replace_story", "story": told["yours"]})
    assert kept["story"]["pages"][0]["panels"][0]["dialogue"][0]["text"] == "Yours"


def test_undo_and_redo_over_a_restart(tmp_path: Path, story: Tree) -> None:
    with serving(tmp_path / "studio") as client:
        book = client.post("/api/books", {"story": story}, 201)["name"]
        for number in range(5):
            client.edit(book, number + 1, _line(f"Line {number}"))
    with serving(tmp_path / "studio") as client:
        revision = client.get(f"/api/books/{book}")["revision"]
        assert revision == 6
        for _ in range(5):
            revision = client.post(f"/api/books/{book}/undo", {"base": revision})["revision"]
        assert revision == 1
        assert _file(client, book)["pages"][0]["panels"][0]["dialogue"][0]["text"] == "Hello!"
        # There is nothing before the first.
        assert client.post(f"/api/books/{book}/undo", {"base": 1})["revision"] == 1
        again = client.post(f"/api/books/{book}/redo", {"base": 1})
        assert again["story"]["pages"][0]["panels"][0]["dialogue"][0]["text"] == "Line 0"
        assert again["can_redo"] == "p001_01: changed line 1"
        assert client.post(f"/api/books/{book}/revert/6", {"base": 2})["revision"] == 6


def test_what_somebody_wrote_into_the_file_is_an_edit_of_theirs(client: Client, book: str) -> None:
    path = client.house.workspace.books / book / "story.json"
    told = json.loads(path.read_text())
    told["title"] = "By Hand"
    path.write_text(json.dumps(told))
    found = client.get(f"/api/books/{book}")
    assert found["revision"] == 2
    assert found["can_undo"] == "changed in its file"
    client.edit(book, 1, _line("x"), status=409)
    path.write_text("{")
    assert "story.json" in client.get(f"/api/books/{book}", 422)["error"]
    assert client.get("/api/shelf")["books"][0]["broken"]


def test_killed_between_library_and_file_the_edit_is_kept(tmp_path: Path, story: Tree) -> None:
    with serving(tmp_path / "studio") as client:
        book = client.post("/api/books", {"story": story}, 201)["name"]
        before = (client.house.workspace.books / book / "story.json").read_bytes()
        client.edit(book, 1, _line("Kept"))
        # As a kill leaves it: the revision is in the library, the file is the one before.
        client.house.books.revisions.wrote(book, 1)
        (client.house.workspace.books / book / "story.json").write_bytes(before)
    with serving(tmp_path / "studio") as client:
        assert client.get(f"/api/books/{book}")["revision"] == 2
        assert _file(client, book)["pages"][0]["panels"][0]["dialogue"][0]["text"] == "Kept"


def test_the_page_is_the_one_that_is_printed(client: Client, book: str) -> None:
    view = client.get(f"/api/books/{book}/pages/1")
    plan = read_plan(
        client.house.workspace.books / book / "story.json", seed=0, shapes=client.house.outline(book).shapes
    )
    printed = lettered(plan, {}, {})
    sheet = lay_out(printed, printed.pages[0])
    assert (view["width"], view["height"]) == (sheet.width, sheet.height)
    for shown, panel in zip(view["panels"], sheet.panels, strict=True):
        assert shown["frame"]["width"] == panel.frame.width
        assert [one["x"] for one in shown["balloons"]] == [one.rect.x for one in panel.balloons]
        assert all(one["words"] and one["shapes"] for one in shown["balloons"])
    assert {one["line"] for one in view["panels"][0]["balloons"]} == {-1, 0, 1}


def test_a_preview_keeps_nothing(client: Client, book: str) -> None:
    shown = client.post(
        f"/api/books/{book}/preview", {"base": 1, "edits": [_line("Only a thought")], "pages": [1]}
    )
    assert any(one["text"] == "Only a thought" for one in shown["pages"][0]["panels"][0]["balloons"])
    assert client.get(f"/api/books/{book}")["revision"] == 1


def test_a_text_without_room_is_kept_and_said_on_its_page(client: Client, book: str) -> None:
    # A strip of paper that no letters fit.
    thin = {"do": "set_page", "page": 1, "frames": [[5, 5, 6, 6], [5, 20, 90, 70]]}
    done = client.edit(book, 1, thin, _line("Incomprehensibilities notwithstanding, unquestionably."))
    assert "cannot be set legibly" in done["pages"][0]["error"]
    assert done["pages"][0]["panels"][0]["balloons"] == []
    assert client.get(f"/api/books/{book}")["revision"] == 2


@pytest.mark.parametrize(
    "edits",
    [
        [{"do": "move_balloon", "panel": "p001_01", "line": 0, "at": [0.25, 0.75]}],
        [{"do": "add_line", "panel": "p001_02", "line": 1, "text": "Yes.", "speaker": "mika"}],
        [{"do": "move_line", "panel": "p001_01", "line": 0, "to": 1}],
        [{"do": "remove_line", "panel": "p001_02", "line": 0}],
        [{"do": "set_panel", "panel": "p001_01", "values": {"scene": "night", "seed": 0, "locked": True}}],
        [{"do": "set_figure", "panel": "p001_02", "figure": 1, "values": {"box": [0.5, 0.2, 0.4, 0.7]}}],
        [{"do": "add_figure", "panel": "p002_01", "id": "ren", "box": [0.1, 0.1, 0.3, 0.8]}],
        [{"do": "remove_figure", "panel": "p001_02", "figure": 0}],
        [{"do": "add_panel", "page": 1, "index": 0, "values": {"scene": "sky"}}],
        [{"do": "remove_panel", "panel": "p001_01"}],
        [{"do": "remove_panel", "panel": "p002_01"}],
        [{"do": "move_panel", "panel": "p001_01", "page": 2, "index": 1}],
        [{"do": "split_panel", "panel": "p001_01", "line": 1}],
        [{"do": "merge_panels", "panel": "p001_01"}],
        [{"do": "add_page", "page": 2}],
        [{"do": "remove_page", "page": 2}],
        [{"do": "move_page", "page": 2, "to": 1}],
        [{"do": "split_page", "page": 1, "index": 1}],
        [{"do": "merge_pages", "page": 1}],
        [{"do": "set_page", "page": 1, "template": "strip"}],
        [{"do": "set_page", "page": 1, "frames": [[5, 5, 90, 40], [5, 50, 90, 40]]}],
        [{"do": "set_character", "id": "hana", "values": {"name": "Hana", "description": "a girl"}}],
        [{"do": "remove_character", "id": "ren"}],
        [{"do": "set_variant", "id": "mika", "variant": "winter", "words": "girl in a coat"}],
        [{"do": "set_story", "values": {"title": "Other", "reading_direction": "rtl", "style": ""}}],
    ],
    ids=lambda edits: edits[0]["do"],
)
def test_every_edit_makes_a_story_and_can_be_undone(client: Client, book: str, edits: list[Tree]) -> None:
    before = _file(client, book)
    done = client.edit(book, 1, *edits)
    assert done["revision"] == 2
    assert _file(client, book) != before
    assert not any(page["error"] for page in done["pages"])
    for page in range(1, len(done["story"]["pages"]) + 1):
        client.get(f"/api/books/{book}/pages/{page}")
    back = client.post(f"/api/books/{book}/undo", {"base": 2})
    assert back["story"] == before


def test_a_page_that_no_longer_fits_its_template_takes_another_and_says_so(client: Client, book: str) -> None:
    client.edit(book, 1, {"do": "set_page", "page": 1, "template": "inset"})
    four = [{"do": "add_panel", "page": 1, "index": 0} for _ in range(3)]
    done = client.edit(book, 2, *four)
    assert any("inset does not hold 5 panels" in note for note in done["notes"])


def test_find_and_replace_over_a_book(client: Client, book: str) -> None:
    hits = client.get("/api/search?q=BEACH")["hits"]
    assert [one["panel"] for one in hits] == ["p001_01", "p001_02"]
    wanted = {"base": 1, "find": "beach", "replace": "harbour", "where": ["prompts"]}
    shown = client.post(f"/api/books/{book}/replace", wanted)
    assert [one["text"] for one in shown["hits"]] == ["harbour", "harbour"]
    assert client.get(f"/api/books/{book}")["revision"] == 1
    done = client.post(f"/api/books/{book}/replace", wanted | {"preview": False})
    assert done["edited"]["revision"] == 2
    assert client.get("/api/search?q=beach")["hits"] == []


def test_a_fact_is_written_into_the_story(client: Client, book: str) -> None:
    client.post(
        f"/api/books/{book}/chronicle", {"panel": "p001_02", "base": 1, "text": "Mika lost her glasses"}
    )
    assert _file(client, book)["pages"][0]["panels"][1]["remember"] == ["Mika lost her glasses"]
    known = client.post(f"/api/books/{book}/chronicle", {"text": "Ren can swim", "present": ["Ren"]})
    (memory,) = known["memories"]
    assert memory["text"] == "Ren can swim"
    left = client._done(client.ask("DELETE", f"/api/books/{book}/chronicle/{memory['id']}"), 200)
    assert left["memories"] == []


def test_settings_of_a_book(client: Client, book: str) -> None:
    path = f"/api/books/{book}/settings"
    told = client._done(client.ask("PATCH", path, {"values": {"quality": "fast", "max_retries": 2}}), 200)
    assert told["settings"] == {"quality": "fast", "max_retries": 2}
    assert client.ask("PATCH", path, {"values": {"quality": "none"}}).status == 422
    assert client.ask("PATCH", path, {"values": {"no_such": 1}}).status == 422
    told = client._done(client.ask("PATCH", path, {"values": {"quality": None}}), 200)
    assert told["settings"] == {"max_retries": 2}


def test_nothing_of_this_needs_torch(client: Client, tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from model.web.app import application; "
        "from model.web.state import House; from model.web.workspace import Workspace; "
        "from model.web.views import book_view, one_page; from model.web.shelving import new_book; "
        "from model.web.schemas import NewBook; from model.web.casting import cast_view; "
        f"house = House(Workspace(Path({str(tmp_path / 'own')!r})), {{}}); application(house); "
        "name = new_book(house, NewBook(example='first_light')); book_view(house, name); "
        "one_page(house, name, 1); cast_view(house, name); house.close(); "
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
