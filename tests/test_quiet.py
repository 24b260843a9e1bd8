"""What is silenced is silenced exactly, and still worth silencing."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from pathlib import Path

import pytest

from model.quiet import CHATTER, Chatter, silence

MODEL = Path(__file__).parents[1] / "model"


def provoked(one: Chatter) -> list[warnings.WarningMessage]:
    """What is shown when the code that earns the warning runs as if for the first time."""
    with warnings.catch_warnings(record=True) as shown:
        sys.modules.pop(one.module, None)
        exec(one.provoke, {})
    return shown


@pytest.mark.parametrize("one", [one for one in CHATTER if one.provoke], ids=lambda one: one.module)
def test_each_one_still_appears_where_it_is_said_to(one: Chatter) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        shown = provoked(one)
    stems = {(item.category, str(item.message)[: len(one.begins)]) for item in shown}
    assert (one.category, one.begins) in stems, f"stale: {one.module} no longer says so; remove it"


@pytest.mark.parametrize("one", [one for one in CHATTER if one.provoke], ids=lambda one: one.module)
def test_each_one_is_silent_once_it_is_filtered(one: Chatter) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        silence(one)
        shown = provoked(one)
    assert not [item for item in shown if str(item.message).startswith(one.begins)]


@pytest.mark.parametrize("one", CHATTER, ids=lambda one: one.module)
def test_nothing_else_is_silenced(one: Chatter) -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        silence(one)
        for category, module, text in (
            (one.category, one.module, one.begins),
            (UserWarning, one.module, one.begins),
            (one.category, one.module + "x", one.begins),
            (one.category, "x" + one.module, one.begins),
            (one.category, one.module, "x" + one.begins),
        ):
            warnings.warn_explicit(text, category, "file.py", 1, module=module)
    assert len(shown) == 4


def test_every_one_says_why_and_is_listed_once() -> None:
    assert len({(one.category, one.module, one.begins) for one in CHATTER}) == len(CHATTER)
    for one in CHATTER:
        assert re.fullmatch(r"[\w.]+", one.module), "one module, no pattern"
        assert one.begins
        assert len(one.why) > 20


def test_no_other_module_silences_warnings_for_the_whole_process() -> None:
    for path in MODEL.rglob("*.py"):
        if path.name == "quiet.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = {
            id(node)
            for block in ast.walk(tree)
            if isinstance(block, ast.With) and "catch_warnings" in ast.dump(block.items[0])
            for node in ast.walk(block)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in ("filterwarnings", "simplefilter"):
                assert id(node) in inside, f"{path}:{node.lineno}: name it in model/quiet.py instead"
