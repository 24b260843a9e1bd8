"""The benchmark of the starter: what it asks, how it scores, and that it runs to its last line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from model.files import BlobId
from model.render.request import Sampling
from scripts.bench import starter
from scripts.bench.command import run
from scripts.bench.drawer import EVERYTHING, NO_MASK, NO_REFERENCES, TEXT_ONLY, request_for
from scripts.bench.held_out import APPEARANCES, MEMBERS, Person, Wanted, cast_panels, held_out_panels
from scripts.bench.scores import leaks, panel_figures, recognised
from scripts.starter.contact_sheet import in_rows
from scripts.starter.judge.labels import ATTRIBUTES, Character, Reading

PANELS = held_out_panels(24, 7)
SAMPLING = Sampling(steps=4, guidance=3.0, max_sequence_length=16)


def sees(person: Person, **other: str) -> Character:
    """A judge's reading of somebody, sure of it, and right unless told otherwise."""
    values = {name: getattr(person.identity, name, person.expression) for name in ATTRIBUTES} | other
    chances = {name: {v: float(v == values[name]) for v in ATTRIBUTES[name]} for name in ATTRIBUTES}
    return Character(box=person.box, head=person.box, score=1.0, probabilities=chances, **values)


def reads(panel: Wanted, *characters: Character) -> Reading:
    return Reading(background=panel.place, ink=panel.ink, characters=characters, places={})


def perfect(panel: Wanted) -> Reading:
    return reads(panel, *(sees(person) for person in panel.people))


def test_asks_the_same_every_time_and_other_things_of_other_ranges() -> None:
    again = held_out_panels(24, 7)
    assert again == PANELS
    assert held_out_panels(24, 8) != PANELS


def test_asks_for_every_number_of_characters_shape_and_style() -> None:
    panels = held_out_panels(80, 0)
    assert {len(panel.people) for panel in panels} == {1, 2, 3}
    assert len({(panel.width, panel.height) for panel in panels}) >= 5
    assert {panel.ink for panel in panels} == {True, False}
    assert {panel.shot for panel in panels} == {"wide", "medium", "close-up"}


def test_prompts_say_what_is_measured_and_nothing_of_the_truth_besides() -> None:
    for panel in PANELS:
        assert panel.place in panel.prompt
        for person, prompt in zip(panel.people, panel.region_prompts, strict=True):
            for word in (
                person.identity.hair,
                person.identity.color,
                person.identity.outfit,
                person.expression,
            ):
                assert word in prompt
            assert prompt in panel.whole_prompt


def test_the_cast_is_described_in_passing() -> None:
    cast, panels = cast_panels(5, 3)
    assert len(cast) == MEMBERS
    for member in range(5):
        seen = [person for panel in panels for person in panel.people if person.key == f"s3/m{member}"]
        assert len(seen) == APPEARANCES
        for person in seen:
            who = person.identity
            assert (who.outfit in person.said) != (who.style.split()[-1] in person.said)
            assert who.accessory not in person.said
            assert who.accessory == "none" or who.accessory in person.description


def test_ways_leave_out_what_they_say() -> None:
    panel = next(panel for panel in PANELS if len(panel.people) == 2)
    references = {person.key: BlobId("ab") for person in panel.people}
    made = {
        way.name: request_for(panel, references, way, weights="w", sampling=SAMPLING, seed=1)
        for way in (EVERYTHING, NO_REFERENCES, NO_MASK, TEXT_ONLY)
    }
    whole = made["everything on"]
    assert [region.reference for region in whole.regions] == ["ab", "ab"]
    assert [region.reference for region in made["no references"].regions] == ["", ""]
    assert made["no block mask"] == replace(whole, sampling=replace(SAMPLING, masked=False))
    assert made["text only"].regions == ()
    assert all(prompt in made["text only"].prompt for prompt in panel.region_prompts)


def test_everything_right_scores_one() -> None:
    figures = panel_figures(PANELS, [perfect(panel) for panel in PANELS])
    assert figures.pop("leak") in (0.0, None)
    assert {value for value in figures.values() if value is not None} == {1.0}


def test_whoever_is_not_found_has_everything_wrong() -> None:
    figures = panel_figures(PANELS, [reads(panel) for panel in PANELS])
    assert figures["background"] == 1.0
    for name in ("hair_colour", "hair_style", "accessory", "expression", "box_iou", "count_1"):
        assert figures[name] == 0.0


def test_colours_of_ink_panels_are_not_asked() -> None:
    ink = [panel for panel in PANELS if panel.ink]
    figures = panel_figures(ink, [perfect(panel) for panel in ink])
    assert figures["hair_colour"] is None
    assert figures["hair_style"] == 1.0


def test_the_others_colours_are_leaks() -> None:
    pair = next(
        panel
        for number in range(5)
        for panel in held_out_panels(30, number)
        if len(panel.people) == 2
        and not panel.ink
        and len({c for p in panel.people for c in (p.identity.hair, p.identity.color)}) == 4
    )
    first, second = pair.people
    swapped = sees(first, hair=second.identity.hair)
    assert leaks([pair], [reads(pair, swapped, sees(second))]) == [1.0, 0.0]
    assert leaks([pair], [perfect(pair)]) == [0.0, 0.0]


def test_recognises_whom_it_sees() -> None:
    cast, panels = cast_panels(4, 2)
    names = {f"s2/m{k}": who for k, who in enumerate(cast)}
    members = [f"s2/m{k}" for k in range(4)]
    right = recognised(names, members, panels, [perfect(panel) for panel in panels])
    assert right == [1.0] * (4 * APPEARANCES)
    stranger = replace(panels[0].people[0], identity=cast[9])
    wrong = recognised(names, members, panels[:1], [reads(panels[0], sees(stranger))])
    assert wrong == [0.0]
    assert recognised(names, members, panels[:1], [reads(panels[0])]) == [0.0]


def test_contact_sheets_keep_every_picture_in_order() -> None:
    shades = [
        Image.new("RGB", size, (40 * k, 0, 0)) for k, size in enumerate([(64, 64), (128, 64), (32, 64)])
    ]
    sheet = in_rows(shades, height=64, width=220)
    assert [sheet.getpixel((x, 30)) for x in (10, 80, 10)] == [(0, 0, 0), (40, 0, 0), (0, 0, 0)]
    assert sheet.getpixel((10, 110)) == (80, 0, 0)


def test_runs_to_its_last_line(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With untrained weights: the figures are worthless, and there."""
    arguments = [
        "--n",
        "2",
        "--model",
        str(tiny),
        "--quality",
        "fast",
        "--library",
        str(tmp_path / "library"),
    ]
    assert starter.main(arguments) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(figures) == list(starter.BARS)
    assert len(figures) == 31
    assert figures["megabytes"] > 0
    assert figures["judge_accuracy"] > 0.85
    assert 0 <= figures["box_iou"] < 1


def test_a_range_that_is_not_there_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda: starter.main(["--n", "2", "--seed", "1000001"])) == 2
    assert "found '1000001', expected a whole number from 0 to 1000000" in capsys.readouterr().err
