"""Emphasis: marks become styles, every other asterisk stays, and no letter is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.page.export.book import emphasis_notes
from model.page.type.emphasis import actions, marked, plain, spans
from model.page.values import Book, Line, PageArt, PanelArt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I *said* so", [("I ", "regular"), ("said", "italic"), (" so", "regular")]),
        ("**No!**", [("No!", "bold")]),
        ("***Both***", [("Both", "bold_italic")]),
        ("**so *very* much**", [("so ", "bold"), ("very", "bold_italic"), (" much", "bold")]),
        ("*走れ。*10分だ", [("走れ。", "italic"), ("10分だ", "regular")]),
        ("今*すぐ*行け", [("今", "regular"), ("すぐ", "italic"), ("行け", "regular")]),
    ],
)
def test_marks_become_styles(text: str, expected: list[tuple[str, str]]) -> None:
    assert spans(*marked(text, "regular")) == tuple(expected)


@pytest.mark.parametrize(
    "text",
    ["2 * 3 * 4", "****", "f*ck it, f*ck", "a* b *c", "*", "* note", "snake*case*x", "*_*", "(*^_^*)"],
)
def test_other_asterisks_stay(text: str) -> None:
    assert plain(text) == text


def test_an_escaped_asterisk_is_an_asterisk() -> None:
    assert plain(r"\*sigh\* *now*") == "*sigh* now"


def test_emphasis_in_italics_stands_upright_and_in_bold_it_leans() -> None:
    assert spans(*marked("I *never*", "italic"))[1] == ("never", "regular")
    assert spans(*marked("I **never**", "bold"))[1] == ("never", "bold_italic")


@given(st.text("ab* \\", max_size=30))
def test_no_letter_is_lost(text: str) -> None:
    letters, styles = marked(text, "regular")
    assert len(letters) == len(styles)
    assert letters.replace("*", "") == text.replace("*", "").replace("\\", "") or "\\" in letters
    assert [x for x in letters if x in "ab "] == [x for x in text if x in "ab "]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("*sigh*", ("*sigh*",)),
        ("Well. *sighs* Fine.", ("*sighs*",)),
        ("*cough* *cough*", ("*cough*", "*cough*")),
        ("I *said* so", ()),
        ("*so* tired", ()),
        ("*Never!*", ()),
        ("**no**", ()),
        ("*_* What?", ()),
        (r"\*sigh\*", ()),
    ],
)
def test_what_may_have_been_no_emphasis_is_told(text: str, found: tuple[str, ...]) -> None:
    assert actions(text) == found
    panel = PanelArt(id="p001_01", lines=(Line(text=text),))
    notes = emphasis_notes(Book(title="x", pages=(PageArt(number=1, panels=(panel,)),)))
    assert len(notes) == len(set(found))
    assert all("p001_01" in note and "backslash" in note for note in notes)
