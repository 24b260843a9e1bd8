"""The A1111 text of a panel, read back as A1111 reads it: nothing in a prompt can end the prompt."""

from __future__ import annotations

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.geometry import Box
from model.render.png import panel_png, parameters
from model.render.request import PanelRequest, Region, Sampling

# https://github.com/AUTOMATIC1111/stable-diffusion-webui, modules/infotext_utils.py (AGPL; only the format).
_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def request(prompt: str, negative: str, region: str = "") -> PanelRequest:
    regions = (Region(box=Box(0, 0, 1, 1), prompt=region),) if region else ()
    return PanelRequest(
        weights="ab" * 32, width=64, height=96, prompt=prompt, negative=negative, regions=regions,
        seed=2**53 - 1, sampling=Sampling(steps=7, guidance=2.5),
    )  # fmt: skip


def read_back(text: str) -> tuple[str, str, dict[str, str]]:
    *lines, last = text.strip().split("\n")
    prompt, negative, done = [], [], False
    for line in map(str.strip, lines):
        if line.startswith("Negative prompt:"):
            done, line = True, line[16:].strip()
        (negative if done else prompt).append(line)
    return "\n".join(prompt), "\n".join(negative), dict(_PAIR.findall(last))


NASTY = st.lists(
    st.sampled_from(
        [
            "girl",
            "\n",
            "\r\n",
            "\u2028",
            "\x85",
            "Negative prompt:",
            "negative  prompt :",
            "BREAK",
            ", ",
            "Steps: 9, Seed: 3",
            "\x0b",
            "é",
            '"',
        ]
    ),
    min_size=1,
    max_size=9,
).map(" ".join)


@given(NASTY, NASTY, NASTY)
def test_no_prompt_can_break_the_text(prompt: str, negative: str, region: str) -> None:
    text = parameters(request(prompt, negative, region), "flux")
    assert len(text.splitlines()) == text.count("\n") + 1 <= 3
    found, unwanted, facts = read_back(text)
    assert "negative prompt:" not in (found + unwanted).lower()
    assert "\n" not in found + unwanted
    assert (facts["Seed"], facts["Steps"], facts["Size"]) == (str(2**53 - 1), "7", "64x96")
    assert ("girl" in found) == ("girl" in prompt + region)
    # Tools that cut at the first mark wherever it stands find the same.
    assert len(re.findall(r"(?i)negative\s+prompt\s*:", text)) == (1 if negative.strip() else 0)


@pytest.mark.parametrize("model", ["flux", "models/a, b: c.safetensors", 'say "x"', "two\nlines"])
def test_a_models_name_stays_one_value(model: str) -> None:
    facts = read_back(parameters(request("a", "b"), model))[2]
    assert facts["Model hash"] == "ab" * 5
    found = facts["Model"]
    assert (json.loads(found) if found.startswith('"') else found) == " ".join(model.split())


def test_it_stands_in_the_picture() -> None:
    data = panel_png(Image.new("RGB", (64, 96)), request("a\nNegative prompt: b", "c"), "flux")
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.info["parameters"].splitlines()[0] == "a Negative prompt b"
