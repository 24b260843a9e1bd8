"""Bidi: lines stand in the order that Unicode's algorithm gives them, as a second implementation says too."""

import io
import random
import re
import shutil
import subprocess
import unicodedata
import zipfile
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bidi import get_display
from hypothesis import given, settings
from hypothesis import strategies as st

from model.geometry import Box
from model.page.balloons.hand import Hand
from model.page.balloons.lettering import letter_panel
from model.page.export.book import export_book
from model.page.export.sheet import WHOLE
from model.page.plane import Rect
from model.page.type.emphasis import plain
from model.page.type.faces import Run, house_faces
from model.page.type.typesetting import SetLine, set_in_box, set_in_oval
from model.page.type.unicode import levels, visual_order
from model.page.values import Book, Line, PageArt, PanelArt

FACES = house_faces("DejaVu Sans")
LETTERS = "אבגדהושת ابتسمر abcXYZ 0123456789 ٠١٢٣ .,:;!?-+/%$()[]{}«»<>\"'…–#&°"
WORDS = (
    "שלום", "עולם", "(כמעט)", "12.50", 'ש"ח', "Cappuccino", "7:45", "*ממש*", "**הוגן**,", "Wi-Fi", "[3/4]",
    "50%",
    "مرحبا", "«الغرفة", "204»", "*ليلى*:", "10:15،", "+5", "A1", "-7", "C++", "(مجاني)؟", "$9", "www.x.org",
)  # fmt: skip
FIGURE = Box(0.3, 0.4, 0.4, 0.6)


def shown(runs: tuple[Run, ...]) -> str:
    """The characters of a line from left to right, as their glyphs stand."""
    found = ""
    for run in runs:
        order = sorted(range(len(run.text)), reverse=run.leftwards)
        found += "".join(run.text[index] for index in order)
    return found


def reference(paragraph: str, lines: list[str], base: str) -> list[str]:
    """Lines of a paragraph from left to right by the other implementation.

    It resolves whole paragraphs only, so each line's levels are read out of its account of the paragraph.
    """
    told = str(get_display(paragraph, base_dir=base, debug=True))
    by_byte = [int(level) for level in re.findall(r"Level\(\s*(\d+)", told.partition("levels: [")[2])]
    coded = [len(character.encode()) for character in paragraph]
    starts = [sum(coded[:index]) for index in range(len(coded))]
    found: list[str] = []
    at = 0
    for line in lines:
        at = paragraph.index(line, at)
        its = [by_byte[starts[index]] for index in range(at, at + len(line))]
        # Rule L2, written once more: from the highest level down, turn what is at least so high.
        order = list(range(len(line)))
        for level in range(max(its), 0, -1):
            for match in re.finditer("1+", "".join("1" if its[index] >= level else "0" for index in order)):
                order[match.start() : match.end()] = order[match.start() : match.end()][::-1]
        found.append("".join(line[index] for index in order))
        at += len(line)
    return found


def test_the_order_of_thousands_of_lines_is_that_of_another_implementation() -> None:
    chance = random.Random(14)
    for _ in range(4000):
        text = "".join(chance.choices(LETTERS, k=chance.randint(1, 40))).strip()
        for base in "LR":
            found = levels(text, base=base == "R") or (0,) * len(text)
            assert "".join(text[index] for index in visual_order(found)) == get_display(text, base_dir=base)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=12),
    st.sampled_from(["he", "ar", "en"]),
    st.floats(70, 260),
)
def test_broken_lines_keep_the_order_of_their_paragraph(
    words: list[str], language: str, width: float
) -> None:
    text = " ".join(words)
    paragraph = plain(text)
    for setter in (set_in_oval, set_in_box):
        for setting in setter(text, "regular", 8.0, FACES, (width, 400.0), language)[:2]:
            lines = [row.text for row in setting.lines]
            if any(line.endswith("-") for line in lines) or " ".join(lines) != paragraph:
                continue  # a word was broken, and the other implementation knows no hyphens
            base = "L" if language == "en" else "R"
            runs = [FACES.line(row.text, row.styles, row.levels) for row in setting.lines]
            assert [shown(of_line) for of_line in runs] == reference(paragraph, lines, base)


def test_brackets_are_mirrored_and_arabic_joins_across_emphasis() -> None:
    (line,) = set_in_box("(אב)", "regular", 8.0, FACES, (100, 40), "he")[0].lines
    (run,) = FACES.line(line.text, line.styles, line.levels)
    bracket = run.face.typeface.unicharToGlyph(ord("("))
    assert run.glyphs[0] == bracket  # on the left stands what closes, drawn as what opens
    assert run.sources[0] == 3
    joined = FACES.line("بسم", ("regular",) * 3, (1, 1, 1))[0].glyphs
    marked = FACES.line("بسم", ("regular", "bold", "bold"), (1, 1, 1))
    assert marked[-1].glyphs[0] == joined[-1]


def test_captions_that_run_leftwards_begin_at_the_right() -> None:
    text = "השעה שבע וארבעים וחמש כמעט, והשמש עוד לא זרחה"
    rows = set_in_box(text, "regular", 8.0, FACES, (90, 100), "he")[0].lines
    ends = {
        round(row.x + sum(run.width for run in FACES.line(row.text, row.styles, row.levels)) * 8.0, 3)
        for row in rows
    }
    assert len(rows) > 1
    assert len(ends) == 1


def book(language: str, *texts: str) -> Book:
    lines = tuple(Line(text=text, speaker=FIGURE) for text in texts[1:])
    panel = PanelArt(id="p001_01", caption=texts[0], lines=lines, figures=(FIGURE,))
    return Book(
        title=plain(texts[0]),
        language=language,
        reading_direction="rtl",
        font="DejaVu Sans",
        pages=(PageArt(number=1, panels=(panel,)),),
    )


TEXTS = {
    "he": ("השעה 7:45 (כמעט).", 'שילמתי 12.50 ש"ח על Cappuccino אחד!', "*ממש* לא **הוגן**, נכון?"),
    "ar": (
        "الساعة 10:15، شارع 42.",
        "وصلت رسالة من *ليلى*: «الغرفة 204، الطابق 3».",
        "هل هذا Wi-Fi (مجاني)؟",
    ),
}


def bare(text: str) -> str:
    """Without white space and the marks of direction that poppler adds."""
    return "".join(one for one in text if not one.isspace() and unicodedata.category(one) != "Cf")


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler is not installed")
@pytest.mark.parametrize("language", TEXTS)
def test_a_pdf_is_read_in_logical_order(tmp_path: Path, language: str) -> None:
    export_book(book(language, *TEXTS[language]), tmp_path, 18, ["pdf"])

    def told(*options: str) -> str:
        command = ["pdftotext", *options, str(tmp_path / "book.pdf"), "-"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    raw = bare(told("-raw"))
    for text in TEXTS[language]:
        assert bare(plain(text)) in raw
    # By their places, poppler moves signs beside numbers; words stay whole.
    plainly = bare(told())
    for word in re.findall(r"\w+", plain(" ".join(TEXTS[language]))):
        assert word in plainly


@pytest.mark.parametrize("language", TEXTS)
def test_svg_epub_and_reader_have_logical_text_and_its_direction(tmp_path: Path, language: str) -> None:
    made = book(language, *TEXTS[language])
    export_book(made, tmp_path, 18, ["layers", "epub", "html"])
    root = ElementTree.parse(tmp_path / "layers/page_001/page.svg").getroot()
    texts = list(root.iter("{http://www.w3.org/2000/svg}text"))
    told = bare("".join(element.text or "" for element in texts))
    for text in TEXTS[language]:
        assert bare(plain(text)) in told
    leftwards = [one for one in texts if re.search(r"[\u0590-\u06ff]", one.text or "")]
    assert all(
        one.get("direction") == "rtl" and one.get("unicode-bidi") == "bidi-override" for one in leftwards
    )
    with zipfile.ZipFile(io.BytesIO((tmp_path / "book.epub").read_bytes())) as archive:
        page = archive.read("book/page_001.xhtml").decode()
    assert 'dir="rtl"' in page
    reader = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert f'<h1 dir="rtl">{plain(TEXTS[language][0])}</h1>' in reader


def test_svg_runs_stand_where_the_drawn_ones_do(tmp_path: Path) -> None:
    made = book("he", *TEXTS["he"])
    export_book(made, tmp_path, 18, ["layers"])
    hand = Hand(faces=FACES, language="he")
    assert letter_panel(made.pages[0].panels[0], Rect(0, 0, 400, 500), WHOLE, "rtl", hand).notes == ()
    root = ElementTree.parse(tmp_path / "layers/page_001/page.svg").getroot()
    texts = [one for one in root.iter("{http://www.w3.org/2000/svg}text") if one.get("textLength")]
    by_line: dict[str, list[tuple[float, float]]] = {}
    for one in texts:
        x, width = float(one.attrib["x"]), float(one.attrib["textLength"])
        left = x - width if one.get("direction") == "rtl" else x
        by_line.setdefault(one.attrib["y"], []).append((left, left + width))
    for spans in by_line.values():
        spans.sort()
        # Stretches of a line lie side by side, without gaps and overlaps.
        assert all(abs(end - start) < 0.05 for (_, end), (start, _) in pairwise(spans))


def test_a_line_without_levels_is_set_as_before() -> None:
    (line,) = set_in_box("Wait here.", "regular", 8.0, FACES, (100, 40), "en")[0].lines
    assert isinstance(line, SetLine)
    assert line.levels == ()
