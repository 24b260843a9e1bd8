"""Breaking: lines end where their language lets them, and show hyphens in scripts that have them."""

import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from model.page.type.faces import house_faces
from model.page.type.hyphenation import break_positions, takes_hyphens
from model.page.type.typesetting import set_in_box, set_in_oval
from model.page.type.unicode import clusters, line_ends

SIZE = 8.0
# JIS X 4051: what may not begin a line, by its classes.
NEVER_FIRST = (
    "’”）〕］｝〉》」』】⦆〙〗»〟)]}"  # closing brackets
    "‐゠–〜～！？‼⁇⁈⁉・：；。．、，"  # hyphens, dividing punctuation, middle dots, full stops, commas
    "ヽヾゝゞ々〻ーぁぃぅぇぉァィゥェォっゃゅょゎゕゖッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ"
    "°′″℃％‰㎜㎏…‥"  # measures, leaders
)
NEVER_LAST = "‘“（〔［｛〈《「『【⦅〘〖«〝([{￥＄£＃€№$"


def rows(text: str, language: str, *, vertical: bool = False, torn: bool = False) -> list[list[str]]:
    """The lines of every setting of a text at many widths."""
    found: list[list[str]] = []
    for room in range(30, 180, 7):
        for setter in (set_in_oval, set_in_box):
            space = (300.0, float(room)) if vertical else (float(room), 400.0)
            settings = setter(
                text, "regular", SIZE, house_faces(), space, language, vertical=vertical, torn=torn
            )
            found += [[row.text for row in setting.lines] for setting in settings]
    return found


@pytest.mark.parametrize("vertical", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "ええ～っ、もう３時なの～？　うそでしょ～！",
        "ちょっと待って〜！今すぐ行くから…。ねえ、聞いてる？「スーパー」は、もう閉まってるよ。",
        "カァー、佐々木さん（たぶん）はキャッチボール・クラブの人だ。",
    ],
)
def test_no_column_begins_or_ends_with_what_may_not(text: str, vertical: bool) -> None:
    for lines in rows(text, "ja", vertical=vertical):
        assert not any(line[0] in NEVER_FIRST for line in lines[1:]), lines
        assert not any(line[-1] in NEVER_LAST for line in lines[:-1]), lines


@trying(max_examples=300, deadline=None)
@given(st.text("あいう漢字カナ" + NEVER_FIRST, min_size=2, max_size=20))
def test_what_may_not_begin_a_line_never_does(text: str) -> None:
    for language in ("ja", "zh"):
        assert not any(text[end] in NEVER_FIRST for end in line_ends(text, language) if text[end] not in "–")


@pytest.mark.parametrize("sign", NEVER_LAST.replace("＃", ""))
def test_what_may_not_end_a_line_never_does(sign: str) -> None:
    assert 2 not in line_ends(f"あ{sign}い", "ja")


KOREAN = "우산을 또 지하철에 두고 내렸다니 大韓民國은 “안녕!”이라고 했다~ㅋㅋ 3시에(정말) 한참을 서 있었다."


def test_korean_breaks_at_spaces_and_particles_stay_with_their_words() -> None:
    for lines in rows(KOREAN, "ko"):
        assert [word for line in lines for word in line.split()] == KOREAN.split()
    spaces = {index + 1 for index, letter in enumerate(KOREAN) if letter == " "}
    assert set(line_ends(KOREAN, "ko")) == spaces
    assert set(line_ends("우산을 또 지하철에 두고 내렸다니", "en")) == {4, 6, 11, 14}


THAI = "วันนี้ฝนตกหนักมากจนเดินกลับบ้านไม่ได้"


def test_thai_breaks_between_words_and_takes_no_hyphen() -> None:
    words = {0, *line_ends(THAI, "th"), len(THAI)}
    assert len(words) > 6
    for lines in rows(THAI, "th", torn=True):
        assert "".join(lines) == THAI
        assert not any(line.endswith("-") for line in lines)
        at = 0
        for line in lines:
            at += len(line)
            # In the narrowest rooms a long word is broken, but never a letter from its marks.
            assert at in words or at in {len("".join(clusters(THAI)[:n])) for n in range(len(clusters(THAI)))}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("והשתדלותכםלהתקדמותכםהמשותפת", "he"),
        ("فسيكفيكهموهوالسميعالعليم", "ar"),
        ("ประชาธิปไตยรัฐธรรมนูญ", "th"),
        ("अंतर्राष्ट्रीयकरणसंस्थान", "hi"),
        ("지하철역광장지하상가연합회", "ko"),
        ("チョコレートケーキセット", "ja"),
    ],
)
def test_scripts_without_hyphens_show_none(text: str, language: str) -> None:
    assert not takes_hyphens(text)
    assert break_positions(text, language) == ()
    for lines in rows(text, language, torn=True):
        assert "-" not in "".join(lines)
        assert "".join(lines) == text


def test_a_soft_hyphen_shows_where_a_line_ends_at_it() -> None:
    found = rows("Unter\u00adneh\u00admer\u00adgeist", "xx")
    split = [lines for lines in found if len(lines) > 1]
    assert split
    assert all("\u00ad" not in "".join(lines) for lines in found)
    assert any(lines[0] in ("Unter-", "Unterneh-", "Unternehmer-") for lines in split)


def test_western_words_end_lines_after_dashes_only() -> None:
    text = "well-known yes—no 1/2 it's e.g. (s)he ?a what?!no AC/DC -5 x-ray"
    ends = [text[:end][-1] for end in line_ends(text, "en")]
    assert set(ends) <= set(" -—/")
    assert text.index("—no") not in line_ends(text, "en")
