"""Faces: widths add up, what is missing is named, nothing is drawn as a box."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import skia
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import StoryError
from model.files import sha256_of
from model.page.type.emphasis import STYLES
from model.page.type.faces import Faces, font, house_faces
from model.page.type.fontfiles import typeface_of
from model.page.type.missing import glyph_names, missing_note
from model.page.type.typefaces import fallbacks, family

NOBODY_HAS = "\U000e0fff"  # an unassigned code point: no typeface can know it


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, categories=["L", "N", "P", "Zs"])))
def test_runs_draw_as_wide_as_they_measure(text: str) -> None:
    faces = house_faces()
    for style in STYLES:
        runs = faces.runs(text, style)
        assert "".join(run.text for run in runs) == text
        for run in runs:
            assert len(run.glyphs) == len(run.places)
            plainly = sum(font(run, 9.0).getWidths(run.glyphs)) / 9.0
            # Kerning takes or gives a little, nothing else does.
            assert run.width == pytest.approx(plainly, rel=0.15, abs=0.15)


def test_letters_are_kerned_and_marks_stand_on_their_letters() -> None:
    faces = house_faces("DejaVu Sans")
    assert faces.width("AVAVAV", "regular") < 3 * (faces.width("A", "regular") + faces.width("V", "regular"))
    assert faces.width("e\u0301", "regular") == pytest.approx(faces.width("e", "regular"))


def test_arabic_is_joined_and_hebrew_runs_leftwards() -> None:
    faces = house_faces("DejaVu Sans")
    (alone,) = faces.runs("\u0628", "regular")
    (joined,) = faces.runs("\u0628\u0628\u0628", "regular")
    assert alone.glyphs[0] not in joined.glyphs[1:2]
    hebrew = faces.runs("\u05d0\u05d1 ab", "regular")
    assert [run.text for run in hebrew] == ["ab", "\u05d0\u05d1 "]


def test_a_style_that_a_font_lacks_is_made_from_one_it_has() -> None:
    folder = Path(find_spec("matplotlib").origin).parent / "mpl-data/fonts/ttf"  # pyright: ignore
    faces = house_faces(str(folder / "DejaVuSansMono.ttf"))
    faces_of = {style: faces.runs("a", style)[0].face for style in STYLES}
    assert not faces_of["regular"].leans
    assert faces_of["bold_italic"].leans
    assert faces_of["bold_italic"].thickened
    assert faces.name.startswith("DejaVuSansMono+")


def test_a_font_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(StoryError, match='the font "No Such Sans"'):
        house_faces("No Such Sans")
    with pytest.raises(StoryError, match=r"absent\.ttf is not there"):
        house_faces("absent.ttf")


def test_missing_characters_are_named_and_never_boxes() -> None:
    faces = house_faces()
    assert faces.missing(f"a{NOBODY_HAS}b{NOBODY_HAS}") == (NOBODY_HAS,)
    assert "".join(run.text for run in faces.runs(f"a{NOBODY_HAS}", "regular")) == "a?"
    assert glyph_names((NOBODY_HAS,)) == "unnamed character (U+E0FFF)"
    assert glyph_names(("é",)) == "LATIN SMALL LETTER E WITH ACUTE (U+00E9)"


def test_every_drawn_glyph_exists() -> None:
    for run in house_faces().runs("Ça alors ! ☺ → Żółć Ω Ж", "regular"):
        assert isinstance(run.face.typeface, skia.Typeface)
        for character in run.text.replace(" ", ""):
            assert run.face.typeface.unicharToGlyph(ord(character)) != 0


def test_an_ideograph_is_itself_in_a_pdf_and_no_radical() -> None:
    (run,) = house_faces().runs("走", "regular")
    assert run.face.typeface.unicharToGlyph(ord("走")) == run.glyphs[0] != 0
    # U+2F9B looks the same; were it in the typeface, a PDF would name the glyph after it.
    assert run.face.typeface.unicharToGlyph(0x2F9B) == 0


def test_marks_and_emoji_sequences_are_missed_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a machine whose system has no typefaces at all.
    monkeypatch.setattr("model.page.type.faces.system_face", lambda *_: None)
    faces = Faces(family("DejaVu Sans"), fallbacks())
    parents = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert faces.missing(f"Us: {parents}!") == (parents,)
    assert "".join(run.text for run in faces.runs(f"Us: {parents}!", "regular")) == "Us: ?!"
    mark = "\U0001e8d0"  # a mark of a script that DejaVu has nothing of
    assert faces.missing(f"a{mark}") == (mark,)
    assert "".join(run.text for run in faces.runs(f"a{mark}b", "regular")) == "a?b"
    assert faces.missing("e\u0301 שָׁ") == ()


def test_a_note_says_which_typeface_to_install() -> None:
    thai = missing_note(("ก", "ข"))
    assert thai.startswith(
        "no typeface here has THAI CHARACTER KO KAI (U+0E01), THAI CHARACTER KHO KHAI (U+0E02)"
    )
    assert "Noto Sans Thai" in thai
    assert "apt install fonts-noto-core" in thai
    assert "fonts-noto-cjk" in missing_note(("한", "字"))
    assert "fonts-noto-color-emoji" in missing_note(("\U0001f468\u200d\U0001f469",))
    assert "and 4 more" in missing_note(tuple("กขฃคฅฆงจฉช"))


def test_looking_for_a_typeface_says_nothing_on_stderr() -> None:
    # A process of its own: Fontconfig speaks once, when it reads its configuration.
    look = "from model.page.type.face import system_face; print(system_face('\\u0e01', 'regular') is None)"
    found = subprocess.run(
        [sys.executable, "-c", look],
        env={**os.environ, "FONTCONFIG_FILE": "/nowhere/fonts.conf"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stderr == ""
    assert found.stdout.strip() in ("True", "False")


def test_what_is_made_of_a_font_is_kept_by_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOSTUDIO_CACHE", str(tmp_path))
    font = fallbacks()[-1]
    typeface_of.cache_clear()
    first = typeface_of(font)
    (kept,) = (tmp_path / "fonts").iterdir()
    assert sha256_of(font) in kept.name
    written = kept.stat().st_mtime_ns
    typeface_of.cache_clear()
    again = typeface_of(font)
    assert kept.stat().st_mtime_ns == written
    for face in (first, again):
        assert face.unicharToGlyph(ord("走")) != 0
        assert face.unicharToGlyph(0x2F9B) == 0
        assert face.countGlyphs() == skia.FontMgr.New_Custom_Empty().makeFromFile(str(font)).countGlyphs()
    kept.write_bytes(b"no font")
    typeface_of.cache_clear()
    assert typeface_of(font).unicharToGlyph(ord("走")) == first.unicharToGlyph(ord("走"))
    monkeypatch.setenv("AUTOSTUDIO_CACHE", str(font / "no folder"))
    typeface_of.cache_clear()
    assert typeface_of(font).unicharToGlyph(ord("走")) == first.unicharToGlyph(ord("走"))


def test_joiners_and_selectors_are_nothing_to_miss() -> None:
    assert house_faces().missing("a\u200db\ufe0f \u00a0") == ()
