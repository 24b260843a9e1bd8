"""Stories as programs write them: nulls, empty texts, camera words, Markdown, the Flux fork's definitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.errors import StoryError
from model.story.schema import Character, Dialogue, Presence, Story, StoryPage, StoryPanel, load_story
from model.story.tidying import SHOTS, shot_of

KAI = {"name": "Kai", "description": "boy, green hair"}


def written(folder: Path, story: object) -> Path:
    path = folder / "story.json"
    path.write_text(story if isinstance(story, str) else json.dumps(story), encoding="utf-8")
    return path


def story(**panel: Any) -> dict[str, Any]:
    return {"version": 1, "title": "Lunch", "characters": {"kai": KAI}, "pages": [{"panels": [panel]}]}


@pytest.mark.parametrize("nothing", [None, ""])
def test_every_optional_field_may_be_null_or_empty(nothing: object, tmp_path: Path) -> None:
    """Of every object of the schema, each field in turn and all at once, against the story without them."""

    def with_nothing(base: dict[str, Any], model: Any) -> dict[str, Any]:
        free = {name for name, field in model.model_fields.items() if not field.is_required()} - {"version"}
        return base | dict.fromkeys(free - base.keys(), nothing)

    who, line = {"id": "kai"}, {"text": "Noon."}
    plain = story(characters=[who], dialogue=[line])
    full = with_nothing(plain, Story)
    full["characters"] = {"kai": with_nothing(KAI, Character)}
    panel = with_nothing(
        {"characters": [with_nothing(who, Presence)], "dialogue": [with_nothing(line, Dialogue)]}, StoryPanel
    )
    full["pages"] = [with_nothing({"panels": [panel]}, StoryPage)]
    found, expected = load_story(written(tmp_path, full)), load_story(written(tmp_path, plain))
    if nothing == "":
        assert found.style == ""  # no style at all, as it was
        expected = expected.model_copy(update={"style": ""})
    assert found.model_dump() == expected.model_dump()
    assert found.notes == ()


def test_lists_may_hold_nulls(tmp_path: Path) -> None:
    tree = story(dialogue=[None, {"text": "A."}], remember=["", None, "b"], characters=[None])
    tree["characters"] = {"kai": {**KAI, "aliases": [None, "K"], "references": [None, ""]}}
    found = load_story(written(tmp_path, tree))
    assert [line.text for line in found.pages[0].panels[0].dialogue] == ["A."]
    assert found.pages[0].panels[0].remember == ("b",)
    assert found.characters["kai"].aliases == ("K",)


@pytest.mark.parametrize("place", ["title", "pages", "id", "text"])
def test_what_is_needed_may_not(place: str, tmp_path: Path) -> None:
    tree = story(characters=[{"id": "kai"}], dialogue=[{"text": "A."}])
    panel = tree["pages"][0]["panels"][0]
    {"id": panel["characters"][0], "text": panel["dialogue"][0]}.get(place, tree)[place] = None
    with pytest.raises(StoryError, match=rf"{place}.*null"):
        load_story(written(tmp_path, tree))


@pytest.mark.parametrize(
    ("word", "shot"),
    [
        ("bust", "medium"),
        ("full", "wide"),
        ("long", "wide"),
        ("extreme close-up", "close-up"),
        ("over the shoulder", "medium"),
        ("two-shot", "medium"),
        ("establishing", "wide"),
        ("Establishing Shot", "wide"),
        ("EXTREME_CLOSE_UP", "close-up"),
        ("Over-the-shoulder shot", "medium"),
        ("bird's-eye view", "wide"),
        ("bird’s eye", "wide"),
        ("full-body", "wide"),
        ("close up", "close-up"),
        ("Medium", "medium"),
        ("medium close-up", "medium"),
        ("POV", "medium"),
        ("ECU", "close-up"),
        ("headshot", "close-up"),
    ],
)
def test_camera_words_are_the_nearest_shot_and_noted(word: str, shot: str, tmp_path: Path) -> None:
    found = load_story(written(tmp_path, story(shot=word)))
    assert found.pages[0].panels[0].shot == shot
    assert found.notes == (f'pages[0].panels[0].shot: "{word}" is drawn as "{shot}"',)


def test_the_schemas_own_words_are_not_noted_and_others_refused(tmp_path: Path) -> None:
    for shot in SHOTS:
        assert load_story(written(tmp_path, story(shot=shot))).notes == ()
        assert shot_of(shot) == shot
    with pytest.raises(StoryError, match=r'shot: found "sideways", expected "wide", "medium" or "close-up"'):
        load_story(written(tmp_path, story(shot="sideways")))


GOOD = json.dumps(story(scene="x"), indent=1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"```json\n{GOOD}\n```", r"line 1, column 1: found a line of Markdown .*take away the lines"),
        (f"```\n{GOOD}\n```\n", "line 1, column 1: found a line of Markdown"),
        (
            f"Here is your story:\n\n```json\n{GOOD}\n```\nEnjoy!",
            "line 3, column 1: found a line of Markdown",
        ),
        (f"Sure! {GOOD}", r"words before the story \(Sure! .*take away what stands before its {"),
        (GOOD.replace('"title"', '// the title\n"title"'), r"found a comment \(// the.*take it away"),
        (GOOD.replace('"title"', '/* x */ "title"'), "found a comment"),
        (GOOD.replace('"title"', '# x\n "title"'), "found a comment"),
        (GOOD + "\n// end", "found a comment"),
        (
            '{"title": "x", "pages": [],}',
            "found a comma after the last entry.*take that comma away, before the }",
        ),
        ('{"title": "x", "pages": [{"panels": [{}], } ,\n ]}', "found a comma after the last entry"),
        ('{"title": "x", "pages": [1, 2, ]}', r"comma after the last entry.*before the \]"),
        ("{'title': 'x'}", "found the quotation mark '.*straight double"),
        ("{“title”: “x”}", "found the quotation mark “"),
    ],
)
def test_what_is_no_json_is_told_with_what_to_take_away(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(StoryError, match=told) as caught:
        load_story(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def fork(definition: object) -> dict[str, Any]:
    turn = {"size": [768, 1024], "caption": "ink", "objects": [["arms crossed", [320, 160, 340, 580], "1"]]}
    return {"river": {"character_definitions": {"1": definition}, "turn 1": turn | {"background": "beach"}}}


@pytest.mark.parametrize(
    ("definition", "name", "description"),
    [
        (
            {"name": "Ada", "core_features": "woman, grey braid", "priority": "high"},
            "Ada",
            "woman, grey braid",
        ),
        (
            {"name": "Ada", "core_features": ["woman", "grey braid"], "priority": 1},
            "Ada",
            "woman, grey braid",
        ),
        (
            {"core_features": "woman", "description": "grey braid", "name": None},
            "arms crossed",
            "grey braid, woman",
        ),
        ({"name": "Ada", "core_features": ""}, "Ada", "Ada"),
        ("woman", "arms crossed", "woman"),
    ],
)
def test_the_flux_forks_definitions_are_read(
    definition: object, name: str, description: str, tmp_path: Path
) -> None:
    found = load_story(written(tmp_path, fork(definition)))
    assert (found.characters["1"].name, found.characters["1"].description) == (name, description)
    told = any("priority" in note for note in found.notes)
    assert told == (isinstance(definition, dict) and "priority" in definition)


@pytest.mark.parametrize(
    "definition", [None, 3, [], {}, {"name": 3}, {"core_features": {"a": 1}}, {"core_features": [1]}]
)
def test_what_defines_nobody_is_refused(definition: object, tmp_path: Path) -> None:
    with pytest.raises(StoryError, match=r"character_definitions\.1.*core_features"):
        load_story(written(tmp_path, fork(definition)))


@pytest.mark.parametrize("key", ["size", "objects", "background", "caption", "negative"])
@pytest.mark.parametrize("nothing", [None, ""])
def test_a_turns_keys_may_be_null_or_empty(key: str, nothing: object, tmp_path: Path) -> None:
    tree = fork("woman")
    tree["river"]["turn 1"][key] = nothing
    tree |= {"title": nothing, "style": nothing}
    assert load_story(written(tmp_path, tree)).pages[0].panels
