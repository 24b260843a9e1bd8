"""Vertical: columns keep every character, numbers share a square, dashes lie along the column."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.page.type.columns import hang, length
from model.page.type.faces import house_faces
from model.page.type.typesetting import set_in_box, set_in_oval
from model.page.type.vertical import cells

SIZE = 8.0
KANA = st.text("あいうえおかきくけこ漢字東京、。！？ーっゃ「」…0123ABab ", min_size=1, max_size=40)


@settings(deadline=None)
@given(KANA)
def test_cells_keep_every_character_in_order(text: str) -> None:
    assert "".join(cell.text for cell in cells(text)) == text
    assert all(text.startswith(cell.text, cell.start) for cell in cells(text))


@pytest.mark.parametrize(
    ("text", "together", "turned"),
    [
        ("10分", ["10"], []),
        ("本当！？", ["！？"], []),
        ("待って!!", ["!!"], []),
        ("ノート", [], ["ー"]),
        ("あ……い―", [], ["…", "…", "―"]),
        ("「え」", [], ["「", "」"]),
        ("1999年", [], ["1999"]),
        ("Wi-Fiが", [], ["Wi-Fi"]),
        ("OKだ", [], []),
    ],
)
def test_what_shares_a_square_and_what_is_turned(text: str, together: list[str], turned: list[str]) -> None:
    assert [cell.text for cell in cells(text) if cell.together] == together
    assert [cell.text for cell in cells(text) if cell.turned] == turned


def test_a_full_stop_moves_to_the_upper_right() -> None:
    stop = cells("た。")[1]
    assert stop.dx > 0.3
    assert stop.dy < -0.3


def test_every_upright_cell_is_a_square_and_glyphs_stand_in_their_cells() -> None:
    faces = house_faces()
    text = "夜10時、海！？"
    styles = ("regular",) * len(text)
    assert length(text, styles, faces) == pytest.approx(len(cells(text)))
    for index, hung in enumerate(hang(text, styles, faces)):
        for _, y, angle in hung.places:
            assert angle == 0.0
            assert -0.2 <= y - index <= 1.2


@settings(deadline=None)
@given(KANA.filter(str.strip), st.floats(40, 200), st.floats(60, 200))
def test_columns_stay_inside_their_body_and_lose_nothing(text: str, width: float, height: float) -> None:
    faces = house_faces()
    for setter in (set_in_oval, set_in_box):
        for setting in setter(text, "regular", SIZE, faces, (width, height), "ja", vertical=True):
            assert setting.width <= width + 1e-6
            assert setting.height <= height + 1e-6
            letters = "".join(line.text for line in setting.lines).replace(" ", "")
            assert letters.replace("-", "") == text.replace(" ", "")
            columns = [line.x for line in setting.lines]
            assert columns == sorted(columns, reverse=True)
            for line in setting.lines:
                assert line.vertical
                assert abs(line.x) + SIZE / 2 <= setting.width / 2 + 0.3 * SIZE
                bottom = line.baseline + length(line.text, line.styles, faces) * SIZE
                assert line.baseline >= -1e-6
                assert bottom <= setting.height + 1e-6


def test_no_column_begins_with_a_full_stop_or_a_small_kana() -> None:
    text = "ちょっと待って、今すぐ行くから。ねえ、聞いてる！？"
    for height in range(40, 130, 6):
        for setting in set_in_box(
            text, "regular", SIZE, house_faces(), (200.0, float(height)), "ja", vertical=True
        ):
            for line in setting.lines:
                assert not line.text.startswith(("、", "。", "っ", "ょ", "！", "？"))
