"""Typesetting: every word appears once, in order, inside its body, at whatever length and width."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.page.balloons.hand import Hand
from model.page.type.faces import house_faces
from model.page.type.typesetting import Setting, oval_profile, set_in_box, set_in_oval

SIZE = 8.0
WORDS = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyzäß.,!?'", min_size=1, max_size=14), min_size=1, max_size=60
)


def inside_oval(setting: Setting) -> bool:
    """Whether the letters' corners, capitals' height above and a fifth of an em below, lie in the oval."""
    faces = house_faces()
    for line in setting.lines:
        reach = max(abs(line.x), abs(line.x + faces.width(line.text, setting.style) * setting.size))
        for y in (line.baseline - 0.73 * setting.size, line.baseline + 0.2 * setting.size):
            height = (y - setting.height / 2) / (setting.height / 2)
            if reach > oval_profile(height) * setting.width / 2 + 1e-6:
                return False
    return True


@settings(deadline=None)
@given(WORDS, st.floats(60, 300), st.floats(40, 300))
def test_ovals_hold_their_words(words: list[str], width: float, height: float) -> None:
    for setting in set_in_oval(" ".join(words), "regular", SIZE, house_faces(), (width, height)):
        assert setting.width <= width + 1e-6
        assert setting.height <= height + 1e-6
        assert inside_oval(setting)
        if not any(line.text.endswith("-") for line in setting.lines):
            assert " ".join(line.text for line in setting.lines).split() == words


@settings(deadline=None)
@given(WORDS, st.floats(60, 300))
def test_boxes_hold_their_words(words: list[str], width: float) -> None:
    faces = house_faces()
    for setting in set_in_box(" ".join(words), "italic", SIZE, faces, (width, 400.0)):
        for line in setting.lines:
            assert -setting.width / 2 <= line.x
            assert line.x + faces.width(line.text, "italic") * SIZE <= setting.width / 2 + 1e-6
        assert setting.lines[-1].baseline < setting.height


def test_lines_in_an_oval_are_short_long_short() -> None:
    text = "I have been waiting for you since the sun went down behind the old lighthouse on the hill"
    setting = set_in_oval(text, "regular", SIZE, house_faces(), (200, 200))[0]
    lengths = [house_faces().width(line.text, "regular") for line in setting.lines]
    assert len(lengths) >= 4
    assert max(lengths) not in (lengths[0], lengths[-1])


def test_a_compound_too_long_for_the_panel_is_hyphenated() -> None:
    word = "Donaudampfschifffahrtsgesellschaftskapitän"
    setting = set_in_oval(word, "regular", SIZE, house_faces(), (90, 120))[0]
    texts = [line.text for line in setting.lines]
    assert len(texts) > 1
    assert all(text.endswith("-") for text in texts[:-1])
    assert "".join(text.removesuffix("-") for text in texts) == word


def test_japanese_breaks_between_characters_but_not_before_a_full_stop() -> None:
    text = "夜が明ける前に、海まで走ろう。"
    for width in range(45, 120, 5):
        for setting in set_in_box(text, "regular", SIZE, house_faces(), (float(width), 200.0)):
            texts = [line.text for line in setting.lines]
            # Where no typeface has kana the lines still break as if one had.
            assert "".join(texts) == text
            assert not any(line.startswith(("。", "、")) for line in texts)


def test_no_room_is_no_setting() -> None:
    assert set_in_oval("hello there", "regular", SIZE, house_faces(), (12.0, 12.0)) == []
    assert set_in_oval("   ", "regular", SIZE, house_faces(), (100.0, 100.0)) == []


@pytest.mark.parametrize("text", ["No.", "…", "I", "?!"])
def test_a_word_alone_is_one_line(text: str) -> None:
    assert len(set_in_oval(text, "bold", SIZE, house_faces(), (200, 200))[0].lines) == 1


def test_marks_of_emphasis_are_styles_and_no_asterisks() -> None:
    setting = set_in_oval(
        "I said **never ever** come *here* again", "regular", SIZE, house_faces(), (90, 90)
    )[0]
    letters = "".join(line.text for line in setting.lines)
    styles = [style for line in setting.lines for style in line.styles]
    assert "*" not in letters
    assert len(letters) == len(styles)
    leaning = [letter for letter, style in zip(letters, styles, strict=True) if style == "italic"]
    assert {letter for letter, style in zip(letters, styles, strict=True) if style == "bold"} >= set("nevr")
    assert "".join(leaning).strip() == "here"


def test_long_words_are_broken_as_their_language_does() -> None:
    words = "Die Rechtsschutzversicherungsgesellschaften zahlen nicht"
    setting = set_in_oval(words, "regular", SIZE, house_faces(), (100, 120), "de")[0]
    whole = " ".join(line.text for line in setting.lines)
    assert whole.replace("- ", "") == words
    ends = [line.text[:-1] for line in setting.lines if line.text.endswith("-")]
    assert ends
    assert ends[0].endswith(
        ("rungs", "che", "sche", "schutz", "ver", "si", "ge", "sell", "Rechts", "schaf", "rung")
    )


@pytest.mark.parametrize(
    "text",
    [
        "Où es-tu ? Réponds « vite » !",
        "Me voilà **enfin ?** Oui ; « en face », là. Non : *jamais !*",
        "**Tu viens ? Demain !** Il dit : « Peut-être ! »",
    ],
)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_french_signs_stay_with_their_words(text: str, language: str) -> None:
    written = Hand(faces=house_faces(), language=language).written(text)
    for width in range(40, 120, 4):
        for setting in set_in_box(written, "regular", SIZE, house_faces(), (float(width), 199), language):
            assert not any(line.text[0] in "?!»:;" for line in setting.lines)
            assert not any(line.text[-1] == "«" for line in setting.lines)


def test_french_spaces_before_signs_are_narrow_and_hold() -> None:
    hand = Hand(faces=house_faces(), language="fr-CA")
    assert hand.written("**Enfin ?** « Oui » ; non : *va !*") == (
        "**Enfin\u202f?** «\u00a0Oui\u00a0»\u202f; non\u00a0: *va\u202f!*"
    )
    assert Hand(faces=house_faces()).written("So ? Yes !") == "So ? Yes !"
    assert hand.faces.missing("\u202f\u00a0") == ()
    assert 0 < hand.faces.width("\u202f", "regular") <= hand.faces.width(" ", "regular")
