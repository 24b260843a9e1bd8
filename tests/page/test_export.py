"""Export: the files a book becomes open, agree with each other, and repeat byte for byte."""

import io
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from model.errors import ConfigError, StorageError, StoryError
from model.page.export.book import export_book, lettering_notes
from model.page.values import Book, Line

DPI = 60
# The schema itself (github.com/anansi-project/comicinfo, schema/v2.0/ComicInfo.xsd), where somebody has it.
# It is not among the project's own files; what it asks for is checked without it, too.
SCHEMA = os.environ.get("COMICINFO_XSD", "")
ELEMENTS = [
    "Title", "Series", "Number", "Count", "Volume", "AlternateSeries", "AlternateNumber", "AlternateCount",
    "Summary", "Notes", "Year", "Month", "Day", "Writer", "Penciller", "Inker", "Colorist", "Letterer",
    "CoverArtist", "Editor", "Publisher", "Imprint", "Genre", "Web", "PageCount", "LanguageISO", "Format",
    "BlackAndWhite", "Manga", "Characters", "Teams", "Locations", "ScanInformation", "StoryArc",
    "SeriesGroup", "AgeRating", "Pages", "CommunityRating",
]  # fmt: skip
# What version 2.0 of the ComicInfo schema asks for: these elements, in this order, some of them of a kind.
KINDS = {
    "PageCount": r"\d+",
    "BlackAndWhite": "Unknown|No|Yes",
    "Manga": "Unknown|No|Yes|YesAndRightToLeft",
}
PAGE_KINDS = {
    "Image": r"\d+",
    "Type": "(Front|Inner|Back)Cover|Roundup|Story|Advertisement|Editorial|Letters|Preview|Other|Deleted",
    "DoublePage": "true|false",
    "ImageSize": r"\d+",
    "Key": ".*",
    "Bookmark": ".*",
    "ImageWidth": r"\d+",
    "ImageHeight": r"\d+",
}


def check_comic_info(root: ElementTree.Element) -> None:
    """Whether the document is one that the schema allows."""
    tags = [element.tag for element in root]
    assert root.tag == "ComicInfo"
    assert tags == sorted(set(tags), key=ELEMENTS.index)
    for element in root:
        if element.tag != "Pages":
            assert not element.attrib
            assert re.fullmatch(KINDS.get(element.tag, ".*"), element.text or "", re.DOTALL), element.tag
    for page in root.iterfind("Pages/*"):
        assert page.tag == "Page"
        assert "Image" in page.attrib
        for name, value in page.attrib.items():
            assert re.fullmatch(PAGE_KINDS[name], value), name


@pytest.mark.parametrize("pages", [1, 3])
def test_a_book_becomes_pages_pdf_archive_and_reader(
    book: Callable[..., Book], tmp_path: Path, pages: int
) -> None:
    files = export_book(book(pages=pages, panels=2), tmp_path / "out", dpi=DPI).files
    names = [file.relative_to(tmp_path / "out").as_posix() for file in files]
    assert names == [f"pages/page_{n:03d}.png" for n in range(1, pages + 1)] + [
        "book.pdf",
        "book.cbz",
        "index.html",
    ]
    assert (tmp_path / "out/book.pdf").read_bytes().count(b"/Type /Page\n") == pages
    with zipfile.ZipFile(tmp_path / "out/book.cbz") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["ComicInfo.xml", *(f"page_{n:03d}.png" for n in range(1, pages + 1))]


@pytest.mark.parametrize(("direction", "manga"), [("ltr", "No"), ("rtl", "YesAndRightToLeft")])
def test_comic_info_is_what_the_schema_allows(
    book: Callable[..., Book], tmp_path: Path, direction: str, manga: str
) -> None:
    export_book(book(pages=2, panels=1, direction=direction, language="ja"), tmp_path, dpi=DPI)
    with zipfile.ZipFile(tmp_path / "book.cbz") as archive:
        root = ElementTree.fromstring(archive.read("ComicInfo.xml"))
        check_comic_info(root)
        assert root.findtext("Title") == "First <Light> & more"
        assert root.findtext("PageCount") == "2"
        assert root.findtext("LanguageISO") == "ja"
        assert root.findtext("Characters") == "Mika, Taro"
        assert root.findtext("BlackAndWhite") == "No"
        assert root.findtext("Manga") == manga
        for index, page in enumerate(root.iter("Page")):
            stored = archive.read(f"page_{index + 1:03d}.png")
            assert page.get("Image") == str(index)
            assert page.get("ImageSize") == str(len(stored))
            with Image.open(io.BytesIO(stored)) as picture:
                assert (page.get("ImageWidth"), page.get("ImageHeight")) == tuple(map(str, picture.size))


@pytest.mark.skipif(
    not (SCHEMA and shutil.which("xmllint")), reason="needs xmllint, and COMICINFO_XSD with the schema's path"
)
@pytest.mark.parametrize("title", ["", "Ärger & <Not> „3“ \x0b"])
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_comic_info_validates_against_the_schema(
    book: Callable[..., Book], tmp_path: Path, direction: str, title: str
) -> None:
    export_book(book(pages=3, panels=2, direction=direction, title=title), tmp_path, dpi=DPI, formats=["cbz"])
    with zipfile.ZipFile(tmp_path / "book.cbz") as archive:
        archive.extract("ComicInfo.xml", tmp_path)
    words = ["xmllint", "--noout", "--schema", SCHEMA, str(tmp_path / "ComicInfo.xml")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "broken",
    [
        "<ComicInfo><Number>1</Number><Title>x</Title></ComicInfo>",
        "<ComicInfo><Manga>Maybe</Manga></ComicInfo>",
        "<ComicInfo><PageCount>many</PageCount></ComicInfo>",
        "<ComicInfo><Colour>red</Colour></ComicInfo>",
        "<ComicInfo><Pages><Page Type='Story'/></Pages></ComicInfo>",
        "<ComicInfo><Pages><Page Image='0' Side='left'/></Pages></ComicInfo>",
    ],
)
def test_what_the_schema_forbids_is_found(broken: str) -> None:
    with pytest.raises((AssertionError, ValueError, KeyError)):
        check_comic_info(ElementTree.fromstring(broken))


def test_the_same_book_is_the_same_bytes_and_is_not_written_twice(
    book: Callable[..., Book], tmp_path: Path
) -> None:
    made = book(pages=2)
    files = export_book(made, tmp_path / "one", dpi=DPI).files
    before = [(file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino) for file in files]
    again = export_book(made, tmp_path / "one", dpi=DPI)
    assert (again.files, again.set_anew) == (files, ())
    assert before == [(file.read_bytes(), file.stat().st_mtime_ns, file.stat().st_ino) for file in files]
    others = export_book(made, tmp_path / "two", dpi=DPI).files
    assert [file.read_bytes() for file in others] == [data for data, _, _ in before]


def test_a_changed_line_changes_its_page_alone(book: Callable[..., Book], tmp_path: Path) -> None:
    made = book(pages=3, panels=2)
    export_book(made, tmp_path, dpi=DPI)
    before = {file.name: file.read_bytes() for file in sorted((tmp_path / "pages").iterdir())}
    panel = made.pages[1].panels[0]
    changed = replace(panel, lines=(Line(text="Something else entirely.", speaker=panel.figures[0]),))
    page = replace(made.pages[1], panels=(changed, made.pages[1].panels[1]))
    done = export_book(replace(made, pages=(made.pages[0], page, made.pages[2])), tmp_path, dpi=DPI)
    assert done.set_anew == (2,)
    after = {file.name: file.read_bytes() for file in sorted((tmp_path / "pages").iterdir())}
    assert [name for name in before if before[name] != after[name]] == ["page_002.png"]


def test_pages_of_a_longer_past_are_removed_and_nothing_else(
    book: Callable[..., Book], tmp_path: Path
) -> None:
    export_book(book(pages=3, panels=1), tmp_path, dpi=DPI)
    (tmp_path / "pages/mine.png").write_bytes(b"mine")
    export_book(book(pages=1, panels=1), tmp_path, dpi=DPI)
    assert sorted(file.name for file in (tmp_path / "pages").iterdir()) == ["mine.png", "page_001.png"]


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes[tag] = dict(attrs)
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_reader_shows_every_page_with_words(book: Callable[..., Book], tmp_path: Path) -> None:
    made = book(pages=3, panels=2, direction="rtl", title='</title><script>alert("x")</script>')
    export_book(made, tmp_path, dpi=DPI)
    source = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert source.count("<script>") == 1
    reader = Reader()
    reader.feed(source)
    assert made.title in reader.text
    assert reader.attributes["body"]["data-direction"] == "rtl"
    assert reader.attributes["html"]["lang"] == "en"
    assert [image["src"] for image in reader.images] == [f"pages/page_{n:03d}.png" for n in (1, 2, 3)]
    for image in reader.images:
        assert (tmp_path / str(image["src"])).is_file()
        assert "Mika & Taro on a beach" in str(image["alt"])
        assert "Second words" in str(image["alt"])
    assert not re.search(r"https?://", source)


def test_the_pdf_has_neither_dates_nor_ids(book: Callable[..., Book], tmp_path: Path) -> None:
    export_book(book(), tmp_path, dpi=DPI)
    data = (tmp_path / "book.pdf").read_bytes()
    assert b"CreationDate" not in data
    assert b"/Lang (en)" in data
    assert b"/Direction /L2R" in data
    assert b"ToUnicode" in data


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler is not installed")
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_the_pdfs_text_reads_as_the_pages_do(
    book: Callable[..., Book], tmp_path: Path, direction: str
) -> None:
    made = book(pages=2, panels=3, direction=direction)
    export_book(made, tmp_path, dpi=DPI)
    text = subprocess.run(
        ["pdftotext", "-raw", tmp_path / "book.pdf", "-"],
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    ).stdout
    said = [
        words
        for page in made.pages
        for panel in page.panels
        for words in (*([panel.caption] if panel.caption else []), *(line.text for line in panel.lines))
    ]
    plain, at = " ".join(text.split()), 0
    for words in said:
        at = plain.index(words, at) + len(words)


def test_a_text_that_cannot_be_set_leaves_nothing_behind(book: Callable[..., Book], tmp_path: Path) -> None:
    made = book(pages=2, panels=6)
    panel = replace(made.pages[1].panels[0], lines=(Line(text="far too much " * 900),))
    page = replace(made.pages[1], panels=(panel, *made.pages[1].panels[1:]))
    broken = replace(made, pages=(made.pages[0], page))
    with pytest.raises(StoryError, match="panel p002_01"):
        export_book(broken, tmp_path / "out", dpi=DPI)
    assert not (tmp_path / "out").exists()


def test_other_pictures_set_their_page_anew(
    book: Callable[..., Book], picture: Callable[..., Path], tmp_path: Path
) -> None:
    made = book(pages=2, panels=1)
    export_book(made, tmp_path / "out", 30, ["png"])
    panel = replace(made.pages[1].panels[0], picture=picture(320, 192, "other"))
    same = replace(made, pages=(made.pages[0], replace(made.pages[1], panels=(panel,))))
    assert export_book(same, tmp_path / "out", 30, ["png"]).set_anew == ()  # another name, the same bytes
    picture(300, 300, "other")
    assert export_book(same, tmp_path / "out", 30, ["png"]).set_anew == (2,)


@pytest.mark.parametrize("dpi", [40, 97])
def test_pages_have_the_resolution_that_was_asked_for(
    book: Callable[..., Book], tmp_path: Path, dpi: int
) -> None:
    export_book(book(panels=1, page_size="a4"), tmp_path, dpi, ["png"])
    with Image.open(tmp_path / "pages/page_001.png") as page:
        assert page.size == (round(210 / 25.4 * dpi), round(297 / 25.4 * dpi))
        assert page.info["dpi"] == pytest.approx((dpi, dpi), abs=0.1)


@pytest.mark.parametrize(("formats", "dpi", "named"), [(["gif"], 60, "--format"), (["png"], 17, "--dpi")])
def test_unknown_forms_and_resolutions_are_refused(
    book: Callable[..., Book], tmp_path: Path, formats: list[str], dpi: int, named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        export_book(book(), tmp_path / "out", dpi, formats)
    assert not (tmp_path / "out").exists()


def test_an_unusable_folder_is_a_storage_error(book: Callable[..., Book], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StorageError, match="out"):
        export_book(book(panels=1), tmp_path / "out", dpi=DPI)


def test_a_book_without_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoryError, match="no pages"):
        export_book(Book(title="empty"), tmp_path)


def test_notes_name_what_is_missing(book: Callable[..., Book], tmp_path: Path) -> None:
    made = book(panels=1)
    assert lettering_notes(made) == ()
    assert export_book(made, tmp_path, 30, ["png"]).notes == ()
    panel = replace(made.pages[0].panels[0], caption="\U000e0fff")
    lacking = replace(made, pages=(replace(made.pages[0], panels=(panel,)),))
    (note,) = lettering_notes(lacking)
    assert "U+E0FFF" in note
    # Said each time, and the page is set each time: a typeface may have been installed.
    for _ in range(2):
        done = export_book(lacking, tmp_path, 30, ["png", "pdf"])
        assert (done.notes, done.set_anew) == ((note,), (1,))
    for formats in (["webtoon"], ["webtoon", "png"], ["pdf"], ["pdf"]):
        assert export_book(lacking, tmp_path, 30, formats).notes == (note,)
