"""The plan: pure, complete, and with every panel's values decided by that panel alone."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.story.identity import slug_of
from model.story.plan import MOST_SEED, Panel, Plan, panel_seed, plan_story
from model.story.schema import StoryPage, load_story

EXAMPLES = Path(__file__).parents[2] / "examples"
SHAPES = ((320, 192), (256, 256), (192, 320))
BOOK: dict[str, Any] = {
    "version": 1,
    "title": "Café d'Été",
    "style": "ink manga",
    "reading_direction": "rtl",
    "page": {"size": "a4", "template": "3-tier"},
    "characters": {
        "ren": {"name": "Ren", "description": "boy, red hair"},
        "mika": {
            "name": "Mika",
            "description": "girl, silver hair",
            "variants": {"winter": "girl, red scarf"},
        },
        "nobody": {"description": "never seen"},
    },
    "pages": [
        {
            "panels": [
                {"scene": "beach", "shot": "wide", "characters": [{"id": "mika", "action": "waving"}]},
                {
                    "scene": "snow",
                    "characters": [{"id": "mika", "variant": "winter", "expression": "sad"}, {"id": "ren"}],
                    "dialogue": [{"speaker": "mika", "text": "Brr."}, {"speaker": "nobody", "text": "Hm?"}],
                    "seed": 5,
                    "remember": ["It snowed"],
                },
            ]
        },
        {"template": "splash", "panels": [{"scene": "sunset", "caption": "The end."}]},
    ],
}


def plan_of(tmp_path: Path, book: object, seed: int = 7) -> Plan:
    path = tmp_path / "book.json"
    path.write_text(json.dumps(book), encoding="utf-8")
    return plan_story(
        load_story(path), seed=seed, aspects=lambda _, page: [1.6] * len(page.panels), shapes=SHAPES
    )


def panel_of(tmp_path: Path, **fields: Any) -> Panel:
    book = {"title": "x", "characters": BOOK["characters"], "pages": [{"panels": [fields]}]}
    return next(plan_of(tmp_path, book).panels)


def test_the_plan_holds_the_whole_book(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, BOOK)
    assert (plan.slug, plan.page_size, plan.reading_direction, plan.notes) == ("café-dété", "a4", "rtl", ())
    assert [(page.number, page.template) for page in plan.pages] == [(1, "3-tier"), (2, "splash")]
    assert [panel.id for panel in plan.panels] == ["p001_01", "p001_02", "p002_01"]
    assert [(m.key, m.name, m.prompt) for m in plan.cast] == [
        ("mika", "Mika", "girl, silver hair"),
        ("mika/winter", "Mika", "girl, red scarf"),
        ("ren", "Ren", "boy, red hair"),
    ]
    first, second, third = plan.panels
    assert first.prompt == "ink manga, one character, wide shot, beach"
    assert second.prompt == "ink manga, two characters, medium shot, snow"
    assert third.prompt == "ink manga, no one, medium shot, sunset"
    assert first.figures[0].prompt == "girl, silver hair, waving"
    assert second.figures[0].prompt == "girl, red scarf, sad"
    assert [line.speaker for line in second.lines] == ["mika/winter", "nobody"]
    assert (second.seed, second.pinned_seed, second.remember) == (5, True, ("It snowed",))
    assert (third.caption, third.figures) == ("The end.", ())
    assert (first.width, first.height) == (320, 192)
    assert second.figures[0].box.x > second.figures[1].box.x, "right to left: who is named first stands right"


def test_frames_come_from_the_template_and_snap_to_shapes(tmp_path: Path) -> None:
    asked: list[tuple[str, int]] = []

    def aspects(template: str, page: StoryPage) -> list[float]:
        asked.append((template, len(page.panels)))
        return [2.2, 0.4][: len(page.panels)]

    path = tmp_path / "book.json"
    path.write_text(json.dumps(BOOK), encoding="utf-8")
    plan = plan_story(load_story(path), seed=1, aspects=aspects, shapes=SHAPES)
    assert asked == [("3-tier", 2), ("splash", 1)]
    assert [(p.width, p.height) for p in plan.panels] == [(320, 192), (192, 320), (320, 192)]


CHANGES: list[dict[str, Any]] = [
    {"scene": "forest"},
    {"shot": "close-up"},
    {"caption": 'a sign "OPEN"'},
    {"prompt": "rain"},
    {"text_in_image": "NIGHT MARKET"},
    {"negative": "blurry"},
    {"dialogue": [{"text": "Hello"}]},
    {"characters": [{"id": "ren", "expression": "angry"}]},
    {"seed": 99},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0)])
def test_changing_one_panel_changes_exactly_that_panel(
    tmp_path: Path, change: dict[str, Any], place: tuple[int, int]
) -> None:
    book = copy.deepcopy(BOOK)
    book["pages"][place[0]]["panels"][place[1]].update(change)
    before, after = plan_of(tmp_path, BOOK), plan_of(tmp_path, book)
    changed = [old.id for old, new in zip(before.panels, after.panels, strict=True) if old != new]
    assert changed == [f"p{place[0] + 1:03}_{place[1] + 1:02}"]


def test_one_seed_one_book_another_seed_another_book(tmp_path: Path) -> None:
    assert plan_of(tmp_path, BOOK) == plan_of(tmp_path, BOOK)
    pairs = zip(plan_of(tmp_path, BOOK, 1).panels, plan_of(tmp_path, BOOK, 2).panels, strict=True)
    assert [old.seed == new.seed for old, new in pairs] == [False, True, False]  # the second is pinned


@given(st.integers(), st.text(st.characters(codec="utf-8"), max_size=12), st.integers(0, 10))
def test_seeds_fit_in_63_bits_and_differ_by_attempt(seed: int, panel: str, attempt: int) -> None:
    value = panel_seed(seed, panel, attempt)
    assert 0 <= value < 2**53
    assert int(float(value)) == value
    assert value == panel_seed(seed, panel, attempt)
    assert value != panel_seed(seed, panel, attempt + 1)
    assert value != panel_seed(seed + 1, panel, attempt)


def test_seeds_never_change_between_versions() -> None:
    assert panel_seed(7, "p001_01") == 3595711907138574
    assert panel_seed(7, "p001_01", 1) != panel_seed(7, "p001_011", 0)


def test_words_reach_the_prompt_verbatim(tmp_path: Path) -> None:
    panel = panel_of(
        tmp_path, scene='street, a sign "OPEN  24h"', text_in_image="NIGHT MARKET", caption="It's 'late'."
    )
    assert panel.words == ("OPEN  24h", "late", "NIGHT MARKET")
    assert all(f'"{words}"' in panel.prompt for words in panel.words)
    assert panel.caption == "It's 'late'."


def test_a_balloon_in_a_caption_is_lettered_unless_it_is_to_be_drawn(tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "caption": "At the gate. Speech bubble 'Who dares enter?'",
        "characters": [{"id": "ren"}],
    }
    panel = panel_of(tmp_path, **fields)
    assert (panel.caption, panel.words) == ("At the gate.", ())
    assert [(line.speaker, line.text, line.kind) for line in panel.lines] == [
        ("ren", "Who dares enter?", "speech")
    ]
    assert "dares" not in panel.prompt
    drawn = panel_of(tmp_path, **fields, draw_text=True)
    assert (drawn.caption, drawn.lines) == ("At the gate.", ())
    assert 'speech bubble with the words "Who dares enter?"' in drawn.prompt


def test_the_teller_is_who_was_named_last(tmp_path: Path) -> None:
    scene = "Ren with a speech bubble 'Hi.' and Mika with a thought bubble 'Oh.'"
    panel = panel_of(tmp_path, scene=scene, characters=[{"id": "mika"}, {"id": "ren"}])
    assert [(line.speaker, line.kind) for line in panel.lines] == [("ren", "speech"), ("mika", "thought")]


def test_overlapping_boxes_are_parted_with_a_note(tmp_path: Path) -> None:
    boxes = [{"id": "mika", "box": [0.1, 0.1, 0.6, 0.8]}, {"id": "ren", "box": [0.3, 0.1, 0.6, 0.8]}]
    book = {"title": "x", "characters": BOOK["characters"], "pages": [{"panels": [{"characters": boxes}]}]}
    plan = plan_of(tmp_path, book)
    assert plan.notes == ("p001_01: boxes overlapped; moved or narrowed those of Mika, Ren",)
    first, second = next(plan.panels).figures
    assert first.box.iou(second.box) < 0.1


HAIR = set(
    [
        "black",
        "brown",
        "blonde",
        "red",
        "orange",
        "pink",
        "purple",
        "blue",
        "teal",
        "green",
        "silver",
        "white",
    ]
)
PLACES = set(
    [
        "plain",
        "classroom",
        "city street",
        "night city",
        "park",
        "beach",
        "bedroom",
        "sunset",
        "forest",
        "speed lines",
        "snow",
        "starry sky",
    ]
)
ACTS = set(
    [
        "neutral",
        "smiling",
        "laughing",
        "angry",
        "sad",
        "surprised",
        "winking",
        "standing",
        "waving",
        "arms up",
        "hands on hips",
        "pointing",
        "arms crossed",
    ]
)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_examples_are_within_what_the_starter_draws(path: Path) -> None:
    plan = plan_story(
        load_story(path), seed=0, aspects=lambda _, page: [1.5] * len(page.panels), shapes=SHAPES
    )
    assert plan.notes == ()
    panels = list(plan.panels)
    assert 4 <= len(panels) <= 8
    assert {panel.scene for panel in panels} <= PLACES
    assert len({panel.shot for panel in panels}) == 3
    assert all(len(panel.figures) <= 3 for panel in panels)
    assert all(panel.lines or panel.caption for panel in panels)
    looks = {member.key: member.prompt for member in plan.cast}
    assert all(any(f"{colour} " in look for colour in HAIR) for look in looks.values())
    for figure in (figure for panel in panels for figure in panel.figures):
        state = figure.prompt.removeprefix(looks[figure.character]).strip(", ").split(", ")
        assert set(state) <= ACTS


def test_the_examples_show_every_kind_of_book() -> None:
    stories = {path.stem: load_story(path) for path in EXAMPLES.glob("*.json")}
    assert slug_of(stories["first_light"].title) == "first-light"
    assert {story.reading_direction for story in stories.values()} == {"ltr", "rtl"}


def test_who_stands_lower_stands_in_front_unless_the_story_places_people(tmp_path: Path) -> None:
    cast = {name: {"description": "girl"} for name in "abc"}
    story = {"title": "x", "characters": cast, "pages": [{"panels": [{"scene": "sea", "shot": "wide"}]}]}
    path = tmp_path / "story.json"

    def figures(characters: list[dict[str, Any]]) -> list[tuple[str, float]]:
        story["pages"] = [{"panels": [{"scene": "sea", "shot": "wide", "characters": characters}]}]
        path.write_text(json.dumps(story), encoding="utf-8")
        plan = plan_story(
            load_story(path), seed=0, aspects=lambda _, page: [0.6] * len(page.panels), shapes=SHAPES
        )
        return [(figure.character, figure.box.bottom) for figure in next(plan.panels).figures]

    found = figures([{"id": name} for name in "abc"])
    assert [name for name, _ in found] == ["a", "c", "b"]
    assert found[2][1] > found[0][1] + 0.2
    placed = [{"id": "a", "box": [0.1, 0.5, 0.4, 0.5]}, {"id": "b", "box": [0.5, 0.1, 0.4, 0.5]}]
    assert [name for name, _ in figures(placed)] == ["a", "b"]


def test_seeds_of_more_than_53_bits_are_kept_and_noted(tmp_path: Path) -> None:
    def planned(seed: int, own: int) -> Plan:
        story = {"title": "x", "pages": [{"panels": [{"scene": "sea", "seed": own}]}]}
        return plan_of(tmp_path, story, seed=seed)

    assert planned(MOST_SEED, MOST_SEED).notes == ()
    plan = planned(MOST_SEED + 1, MOST_SEED + 2)
    assert [panel.seed for panel in plan.panels] == [MOST_SEED + 2]
    assert [note.partition(" has")[0] for note in plan.notes] == [
        f"the run's seed {MOST_SEED + 1}",
        f"p001_01: seed {MOST_SEED + 2}",
    ]
