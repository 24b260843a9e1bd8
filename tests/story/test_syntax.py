"""A1111's prompt syntax: what can be meant is meant, the rest is named with what to use instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.render.weights import open_checkpoint
from model.run.plan import read_plan
from model.story.plan import Plan


def planned(folder: Path, scene: str, **panel: Any) -> Plan:
    path = folder / "story.json"
    people = {"a": {"name": "A", "description": "girl", "variants": {}}}
    tree = {
        "title": "x",
        "style": "",
        "characters": people,
        "pages": [{"panels": [{"scene": scene, **panel}]}],
    }
    path.write_text(json.dumps(tree), encoding="utf-8")
    return read_plan(path, seed=0, shapes=[(256, 256)])


@pytest.mark.parametrize(
    ("scene", "plain", "told"),
    [
        ("a (red:1.3) hat", "a red hat", "its weight is left out"),
        ("a ((red)) hat", "a red hat", "its weight"),
        ("a [red] hat", "a red hat", "its weight"),
        ("((a (red:1.2) hat))", "a red hat", "its weight"),
        ("a [red|blue] hat", "a red hat", "use {a|b}"),
        ("a [cat:dog:0.3] sits", "a dog sits", "use two panels"),
        ("a [cat:dog:0.8] sits", "a cat sits", "use two panels"),
        ("beach BREAK dog", "beach, dog", "a comma"),
        ("beach, <lora:ink:0.8> dog", "beach, dog", "--lora ink.safetensors:0.8"),
        ("<lora:ink> beach", "beach", "--lora ink.safetensors"),
        (r"a sign \(old\)", "a sign (old)", ""),
        ("a girl (Mika) waves", "a girl (Mika) waves", ""),
        ('a sign "[A|B] (x:1.2)"', 'a sign "[A|B] (x:1.2)"', ""),
        ("__nothing__ hat", "nothing hat", "no nothing.txt beside the story"),
    ],
)
def test_each_construct(scene: str, plain: str, told: str, tmp_path: Path) -> None:
    plan = planned(tmp_path, scene)
    (panel,) = plan.panels
    assert panel.prompt == f"no one, medium shot, {plain}"
    assert (told in "\n".join(plan.notes)) if told else plan.notes == ()
    assert all("\n" not in note for note in plan.notes)


def test_wildcards_are_lines_of_files_beside_the_story(tmp_path: Path) -> None:
    (tmp_path / "wildcards").mkdir()
    (tmp_path / "hair.txt").write_text("# comment\nred hair\n\nblue __tone__ hair\n", encoding="utf-8")
    (tmp_path / "wildcards" / "tone.txt").write_text("pale\n", encoding="utf-8")
    (tmp_path.parent / "secret.txt").write_text("no\n")
    found = {planned(tmp_path, f"{'x' * count} __hair__").panels.__next__().prompt for count in range(1, 3)}
    assert found == {
        planned(tmp_path, f"{'x' * count} __hair__").panels.__next__().prompt for count in range(1, 3)
    }
    texts = {word for prompt in found for word in ("red hair", "blue pale hair") if word in prompt}
    assert texts
    assert "__" not in "".join(found)
    assert "no secret" not in planned(tmp_path, "__../secret__").panels.__next__().prompt


def test_figures_and_negatives_too(tmp_path: Path) -> None:
    who = {"id": "a", "action": "(waving:1.2)", "expression": "[smile|frown]"}
    (panel,) = planned(tmp_path, "sea", characters=[who], negative="(blurry:1.4), <lora:x:1>").panels
    assert panel.figures[0].prompt == "girl, smile, waving"
    assert panel.negative == "blurry"


def test_counted_tags_are_words_that_the_starter_knows() -> None:
    starter = open_checkpoint()
    assert starter.normalised("1girl, red hat") == starter.normalised("girl, red hat")
    assert "1girl" not in starter.unknown_words("1girl 2boys")
