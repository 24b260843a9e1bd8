"""Remembering in a run: earlier panels and stories change prompts, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from model.memory.chronicle.chronicle import Chronicle
from model.memory.chronicle.memories import by_hand
from model.memory.store.library import Library
from model.memory.store.words import count_tokens
from model.render.weights import Checkpoint, open_checkpoint
from model.run.leave import Remembered, keep
from model.run.plan import read_plan
from model.run.recall import remember
from model.story.plan import Plan
from tests.chance import examples

EXAMPLES = Path(__file__).parents[2] / "examples"
STARTER = open_checkpoint()
LARGE = replace(STARTER, words=None, region_tokens=128)
CAST = {
    "mika": {
        "name": "Mika",
        "aliases": ["Mimi"],
        "description": "girl with long silver hair, yellow hoodie, glasses",
        "variants": {"winter": "girl with long silver hair, red scarf"},
    },
    "ren": {"name": "Ren", "description": "boy with red hair, hat"},
}
LOST = "girl with long silver hair, yellow hoodie"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as library:
        yield library


def plan(folder: Path, title: str, *panels: dict[str, Any], cast: dict[str, Any] = CAST) -> Plan:
    path = folder / "story.json"
    story = {"version": 1, "title": title, "characters": cast, "pages": [{"panels": list(panels)}]}
    path.write_text(json.dumps(story), encoding="utf-8")
    return read_plan(path, seed=0, shapes=STARTER.shapes)


def panel(*who: str, remember: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    characters = [
        {"id": name.split("/")[0], **({"variant": "winter"} if "/" in name else {})} for name in who
    ]
    return {"scene": "beach", "characters": characters, "remember": list(remember), **fields}


def prompts(remembered: Remembered) -> list[list[str]]:
    return [[figure.prompt for figure in panel.figures] for panel in remembered.plan.panels]


def run(library: Library, plan: Plan, checkpoint: Checkpoint = STARTER) -> Remembered:
    chronicle = Chronicle(library)
    remembered = remember(plan, chronicle, checkpoint)
    keep(remembered, chronicle, accepted={panel.id for panel in plan.panels})
    return remembered


def test_a_fact_changes_the_prompts_of_later_panels(library: Library, tmp_path: Path) -> None:
    told = plan(
        tmp_path,
        "One",
        panel("mika", remember=("Mimi lost her glasses",)),
        panel("ren", "mika"),
        panel("mika/winter", remember=("She cut her hair",)),
        panel("mika"),
    )
    remembered = remember(told, Chronicle(library), STARTER)
    assert prompts(remembered) == [
        [f"{LOST}, glasses"],
        ["boy with red hair, hat", LOST],
        ["girl with long silver hair, red scarf"],
        ["girl with short silver hair, yellow hoodie"],
    ]
    assert remembered.notes[0] == (
        f"p001_02: Mika is drawn as remembered (p001_01: Mimi lost her glasses): {LOST}"
    )
    assert [replace(panel, figures=()) for panel in remembered.plan.panels] == [
        replace(panel, figures=()) for panel in told.panels
    ]


def test_a_remembered_look_joins_the_cast_and_speaks(library: Library, tmp_path: Path) -> None:
    lost, says = ("Mika lost her glasses",), [{"speaker": "mika", "text": "Where are they?"}]
    told = plan(
        tmp_path,
        "One",
        panel("mika", remember=lost),
        panel("mika", dialogue=says),
        panel("ren", "mika", remember=("Mika found her glasses",)),
        panel("mika"),
    )
    remembered = remember(told, Chronicle(library), STARTER).plan
    *written, changed = remembered.cast
    assert tuple(written) == told.cast
    mika = next(member for member in told.cast if member.key == "mika")
    assert changed == replace(mika, key=changed.key, prompt=LOST)
    assert changed.written == "mika" != changed.key
    cast = [[figure.character for figure in panel.figures] for panel in remembered.panels]
    assert cast == [["mika"], [changed.key], ["ren", changed.key], ["mika"]]
    (line,) = list(remembered.panels)[1].lines
    assert line.speaker == changed.key
    picture = tmp_path / "mika.png"
    Image.new("RGB", (64, 64), "red").save(picture)
    own = {**CAST, "mika": {**CAST["mika"], "references": [picture.name]}}
    told = plan(tmp_path, "Two", panel("mika", remember=lost), panel("mika"), cast=own)
    remembered = remember(told, Chronicle(library), STARTER).plan
    assert remembered.cast == told.cast
    assert [[figure.prompt for figure in panel.figures] for panel in remembered.panels][1] == [LOST]


def test_action_and_expression_stay_and_a_panels_own_description_wins(
    library: Library, tmp_path: Path
) -> None:
    who = {"id": "mika", "expression": "smiling", "action": "cleaning her glasses"}
    told = plan(
        tmp_path,
        "One",
        panel("mika", remember=("Mika lost her glasses",)),
        panel(characters=[who]),
        panel(characters=[{"id": "mika", "description": "girl with glasses"}]),
    )
    assert prompts(remember(told, Chronicle(library), STARTER))[1:] == [
        [f"{LOST}, smiling, cleaning her glasses"],
        ["girl with glasses"],
    ]


def test_a_second_chapter_recalls_the_first_and_the_first_never_the_second(
    library: Library, tmp_path: Path
) -> None:
    one = plan(tmp_path, "One", panel("mika", remember=("She lost her glasses",)), panel("mika"))
    two = plan(tmp_path, "Two", panel("mika", "ren"), panel("ren", remember=("Ren lost his hat",)))
    first = run(library, one)
    second = run(library, two)
    assert prompts(second) == [[LOST, "boy with red hair, hat"], ["boy with red hair, hat"]]
    assert run(library, one) == first
    assert run(library, two) == second
    three = plan(tmp_path, "Three", panel("ren", "mika"))
    assert prompts(run(library, three)) == [["boy with red hair", LOST]]


def test_what_is_added_by_hand_is_remembered_at_once_or_after_a_story(
    library: Library, tmp_path: Path
) -> None:
    one = plan(tmp_path, "One", panel("mika"))
    run(library, one)
    Chronicle(library).keep(by_hand("Mika lost her hoodie", after="one"))
    assert prompts(remember(one, Chronicle(library), STARTER)) == prompts(run(library, one))
    assert prompts(run(library, one)) == [[f"{LOST}, glasses"]]
    Chronicle(library).keep(by_hand("Mika lost her glasses", next_session=True))
    assert prompts(run(library, one)) == [[LOST]]
    two = plan(tmp_path, "Two", panel("mika"))
    assert prompts(run(library, two)) == [["girl with long silver hair"]]


@pytest.mark.parametrize("name", ["first_light", "one_umbrella", "the_last_dumpling"])
def test_the_examples_are_drawn_from_the_same_prompts_with_and_without_a_chronicle(
    library: Library, name: str
) -> None:
    told = read_plan(EXAMPLES / f"{name}.json", seed=0, shapes=STARTER.shapes)
    for _ in range(2):
        remembered = run(library, told)
        assert remembered.plan == told
        assert remembered.notes == ()


@settings(max_examples=examples(25), deadline=None)
@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from(["mika", "ren"])), st.text(max_size=30)), min_size=1, max_size=4
    )
)
def test_a_story_without_remember_is_never_changed_by_itself(
    tmp_path_factory: pytest.TempPathFactory, panels: list[tuple[set[str], str]]
) -> None:
    folder = tmp_path_factory.mktemp("plain")
    captions = [
        "".join(c for c in caption if c.isprintable() and not "\ud800" <= c <= "\udfff")
        for _, caption in panels
    ]
    told = plan(
        folder,
        "One",
        *(panel(*sorted(who), caption=text) for (who, _), text in zip(panels, captions, strict=True)),
    )
    with Library.open(folder / "library") as library:
        for checkpoint in (STARTER, LARGE, LARGE):
            assert run(library, told, checkpoint).plan == told


# --- what comes to mind, where there is room


FEAR = 'Ren is afraid of the sea, (always) "was".'


def test_a_large_model_is_told_what_concerns_the_scene(library: Library, tmp_path: Path) -> None:
    one = plan(
        tmp_path, "One", panel("mika", remember=(FEAR, "The kite is red")), panel("ren", scene="kitchen")
    )
    assert prompts(run(library, one, LARGE)) == [[f"{LOST}, glasses"], ["boy with red hair, hat"]]
    two = plan(
        tmp_path,
        "Two",
        panel("mika", "ren", scene="the sea"),
        panel("mika", scene="kitchen"),
        panel("mika", characters=[{"id": "mika", "description": "girl"}], scene="by the sea"),
    )
    recalled = remember(two, Chronicle(library), LARGE)
    assert prompts(recalled) == [
        [f"{LOST}, glasses, remembers Ren is afraid of the sea always was", "boy with red hair, hat"],
        [f"{LOST}, glasses"],
        ["girl, remembers Ren is afraid of the sea always was"],
    ]
    assert "p001_01: Mika remembers: Ren is afraid of the sea always was" in recalled.notes
    assert prompts(remember(two, Chronicle(library), STARTER))[0] == [
        f"{LOST}, glasses",
        "boy with red hair, hat",
    ]


def test_facts_of_the_same_story_come_to_mind_too(library: Library, tmp_path: Path) -> None:
    one = plan(
        tmp_path, "One", panel("mika", remember=(FEAR, "Mika told Ren that the key is under the sea")),
        panel("ren", scene="the sea"), panel("mika", scene="the sea"),
    )  # fmt: skip
    found = prompts(remember(one, Chronicle(library), LARGE))
    assert found[1] == ["boy with red hair, hat, remembers Mika told Ren that the key is under the sea"]
    assert "afraid" in found[2][0]


@pytest.mark.parametrize("limit", [8, 24, 32, 40, 64, 128])
def test_recalled_words_stay_within_the_tokens_of_a_figure(
    library: Library, tmp_path: Path, limit: int
) -> None:
    facts = tuple(
        f"The sea took {thing} from Mika."
        for thing in ("a shoe", "a kite", "an old letter", "a boat", "a drum")
    )
    run(library, plan(tmp_path, "One", panel("mika", remember=facts)), LARGE)
    two = plan(tmp_path, "Two", panel("mika", scene="the sea"))
    ((prompt,),) = prompts(remember(two, Chronicle(library), replace(LARGE, region_tokens=limit)))
    assert prompt.startswith(f"{LOST}, glasses")
    if prompt != f"{LOST}, glasses":
        assert count_tokens(prompt) <= limit
        assert 1 <= prompt.count("remembers") <= 4


# --- what is kept


def test_only_panels_of_the_book_are_kept_and_the_line_says_why(library: Library, tmp_path: Path) -> None:
    told = plan(
        tmp_path,
        "One",
        panel("mika", remember=("Mika lost her glasses",), caption="A wave."),
        panel("ren"),
        panel("mika"),
        panel(scene=""),
    )
    chronicle = Chronicle(library)
    remembered = remember(told, chronicle, STARTER)
    line = keep(remembered, chronicle, accepted={"p001_02"}, refused={"p001_01"})
    assert line == (
        "chronicle: 2 stored; of refused panels only the facts: p001_01; not stored, no picture: p001_03; "
        "nothing to remember: p001_04"
    )
    kept = {memory.key: [passage.text for passage in memory.passages] for memory in chronicle.memories()}
    assert kept == {"one/p001_01": ["Mika lost her glasses"], "one/p001_02": ["beach: Ren"]}
    again = keep(remembered, chronicle, accepted={"p001_01", "p001_02"})
    assert again.startswith("chronicle: 1 replaced; 1 there already; not stored, no picture: p001_03")


def test_a_thought_is_known_to_its_thinker_and_a_line_to_all_who_are_there(
    library: Library, tmp_path: Path
) -> None:
    lines = [
        {"speaker": "mika", "text": "I hid the key.", "kind": "thought"},
        {"speaker": "mika", "text": "What key?"},
    ]
    run(library, plan(tmp_path, "One", panel("mika", "ren", dialogue=lines), panel("ren")))
    chronicle = Chronicle(library)
    assert {passage.text for memory in chronicle.memories(who="ren") for passage in memory.passages} == {
        "What key?", "beach: Mika; Ren", "beach: Ren",
    }  # fmt: skip
    assert chronicle.recall("who hid the key", who="mimi")[0].text == "I hid the key."


def test_somebody_without_a_name_is_nobody_in_another_story(library: Library, tmp_path: Path) -> None:
    cast = {
        "1": {"description": "girl with glasses"},
        "2": {"name": "a man", "description": "a man with a hat"},
    }
    told = panel("1", "2", remember=("1 lost her glasses", "A man lost his hat"))
    run(library, plan(tmp_path, "One", told, cast=cast))
    two = run(library, plan(tmp_path, "Two", panel("1", "2"), cast=cast))
    assert prompts(two) == [["girl with glasses", "a man with a hat"]]
