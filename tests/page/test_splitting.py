"""Splitting: speeches part between sentences, near the middle, and lose nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.page.balloons.splitting import split_line
from model.page.type.emphasis import plain
from model.page.values import Line


@pytest.mark.parametrize(
    ("text", "halves"),
    [
        ("It is late. We should go home.", ("It is late.", "We should go home.")),
        ("When he comes, we will be gone", ("When he comes,", "we will be gone")),
        ("one two three four", ("one two", "three four")),
        ("もう夜だ。家に帰ろう。", ("もう夜だ。", "家に帰ろう。")),
        ("He said “Go!” And we went.", ("He said “Go!”", "And we went.")),
    ],
)
def test_a_line_is_parted_where_one_breathes(text: str, halves: tuple[str, str]) -> None:
    parts = split_line(Line(text=text, kind="whisper"))
    assert parts is not None
    assert (parts[0].text, parts[1].text) == halves
    assert parts[0].kind == parts[1].kind == "whisper"


def test_what_has_no_place_to_part_stays_whole() -> None:
    assert split_line(Line(text="Donaudampfschifffahrt")) is None
    assert split_line(Line(text="**all of it**")) is None


@given(
    st.lists(
        st.sampled_from(["so", "*now*", "**then", "there**", "why?", "No.", "and,"]), min_size=1, max_size=12
    )
)
def test_nothing_is_lost_and_no_mark_is_torn(words: list[str]) -> None:
    line = Line(text=" ".join(words))
    parts = split_line(line)
    if parts is not None:
        joined = " ".join(plain(part.text) for part in parts)
        assert joined.replace(" ", "") == plain(line.text).replace(" ", "")
