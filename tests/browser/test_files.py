"""The page's own files: types as the server has them, libraries as their packages have them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.studio import types, vendor
from scripts.studio.packages import ensure

SCRIPTS = sorted(path for path in vendor.STATIC.rglob("*.js") if path.parent.name != "vendor")


def test_the_types_are_those_of_the_server() -> None:
    advice = "the server has changed: python -m scripts.studio.types"
    assert types.TARGET.read_text("utf-8") == types.declarations(types.document()), advice


@pytest.mark.browser  # needs the npm packages
def test_the_vendored_files_are_those_of_their_packages() -> None:
    ensure()
    for name, text in vendor.made().items():
        assert (vendor.STATIC / "vendor" / name).read_text("utf-8") == text, (
            f"{name}: python -m scripts.studio.vendor"
        )


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_component_is_short_and_fetches_from_nowhere_else(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 200
    assert not re.search(r"https?://", text)
    for name in re.findall(r'(?:^import .*from |=> import\()"([^"]+)"', text, re.MULTILINE):
        assert (path.parent / name).is_file(), name


def test_no_style_and_no_markup_fetches_from_elsewhere() -> None:
    for path in [*vendor.STATIC.rglob("*.css"), vendor.STATIC / "index.html"]:
        assert not re.search(r"https?://|@import|url\(", path.read_text("utf-8")), path.name
