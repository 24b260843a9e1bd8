"""EPUB 3, fixed layout: every page a picture under its own words, to be read aloud, searched and copied.

In: the pages of a book. Out: a file, the same bytes for the same book and date. Page progression follows the
reading direction. Words lie where their balloons are, in reading order, unseen above the picture.
"""

from __future__ import annotations

import io
import uuid
import zipfile
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from model.files import replacing
from model.ours import MARK
from model.page.export.cbz import entry, printable
from model.page.export.press import Press
from model.page.export.sheet import Sheet, SheetPanel
from model.page.type.unicode import text_direction
from model.page.values import Book

_QUALITY = 90  # of the pages' JPEG coding
_UNDATED = datetime(1980, 1, 1, tzinfo=UTC)

_CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="book/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
_STYLE = """@charset "utf-8";
html, body { margin: 0; padding: 0; }
body { position: relative; overflow: hidden; background: #fff; }
img { position: absolute; left: 0; top: 0; width: 100%; height: 100%; }
section { position: absolute; margin: 0; }
p { position: absolute; margin: 0; overflow: hidden; color: transparent; line-height: 1.15;
  text-align: center; font-family: sans-serif; }
p.scene { left: 0; top: 0; width: 100%; height: 1.3em; font-size: 12px; }
"""


def write_epub(path: Path, press: Press, modified: datetime | None) -> None:
    """The book as an EPUB."""
    book = press.book
    with replacing(path, keep_same=True) as file, zipfile.ZipFile(file, "w") as archive:
        archive.comment = MARK.encode()
        # Must come first and uncompressed, so that the file's kind stands at a fixed place.
        archive.writestr(entry("mimetype"), "application/epub+zip")
        _add(archive, "META-INF/container.xml", _CONTAINER)
        _add(archive, "book/style.css", _STYLE)
        _add(archive, "book/package.opf", _package(book, modified or _UNDATED))
        _add(archive, "book/nav.xhtml", _contents(book))
        for index, page in enumerate(book.pages):
            picture = press.picture(index)
            coded = io.BytesIO()
            picture.save(coded, "JPEG", quality=_QUALITY, subsampling=0)
            archive.writestr(entry(f"book/{_name(page.number)}.jpg"), coded.getvalue())
            text = _page(book, press.sheet(index), picture.size, worded=press.worded)
            _add(archive, f"book/{_name(page.number)}.xhtml", text)


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    archive.writestr(entry(name, deflated=True), text.encode())


def _name(number: int) -> str:
    return f"page_{number:03d}"


def _package(book: Book, modified: datetime) -> str:
    """The package document: what the book is, which files it has, in which order they are read."""
    # The same book keeps its identity when a line is changed; `modified` tells the versions apart.
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"autostudio {book.language} {book.title}")
    rtl = book.reading_direction == "rtl"
    items: list[str] = []
    spine: list[str] = []
    for index, page in enumerate(book.pages):
        name = _name(page.number)
        cover = ' properties="cover-image"' if index == 0 else ""
        items.append(f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml"/>')
        items.append(f'<item id="{name}_art" href="{name}.jpg" media-type="image/jpeg"{cover}/>')
        # The first page stands alone where the first right-hand page of its direction is.
        side = "left" if (index % 2 == 0) == rtl else "right"
        spine.append(f'<itemref idref="{name}" properties="page-spread-{side}"/>')
    newline = "\n"
    return f"""<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="{book.language}"
 dir="{text_direction(book.language)}" prefix="rendition: http://www.idpf.org/vocab/rendition/# schema: http://schema.org/">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{identity}</dc:identifier>
<dc:title>{_text(book.title)}</dc:title>
<dc:language>{book.language}</dc:language>
<meta property="dcterms:modified">{modified.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</meta>
<meta property="rendition:layout">pre-paginated</meta>
<meta property="rendition:orientation">auto</meta>
<meta property="rendition:spread">landscape</meta>
<meta property="schema:accessMode">visual</meta>
<meta property="schema:accessMode">textual</meta>
<meta property="schema:accessModeSufficient">visual</meta>
<meta property="schema:accessModeSufficient">textual</meta>
<meta property="schema:accessibilityFeature">alternativeText</meta>
<meta property="schema:accessibilityFeature">readingOrder</meta>
<meta property="schema:accessibilityFeature">tableOfContents</meta>
<meta property="schema:accessibilityHazard">none</meta>
<meta property="schema:accessibilitySummary">Every panel is described, and its words are text.</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="style" href="style.css" media-type="text/css"/>
{newline.join(items)}
</manifest>
<spine page-progression-direction="{book.reading_direction}">
{newline.join(spine)}
</spine>
</package>
"""


def _contents(book: Book) -> str:
    """The navigation document."""
    pages = [(_name(page.number), page.number) for page in book.pages]
    links = "\n".join(f'<li><a href="{name}.xhtml">Page {number}</a></li>' for name, number in pages)
    listed = "\n".join(f'<li><a href="{name}.xhtml">{number}</a></li>' for name, number in pages)
    body = f"""<nav epub:type="toc" id="toc"><h1>{_text(book.title)}</h1>
<ol>
{links}
</ol></nav>
<nav epub:type="page-list" hidden="hidden">
<ol>
{listed}
</ol></nav>
<nav epub:type="landmarks" hidden="hidden">
<ol><li><a epub:type="bodymatter" href="{pages[0][0]}.xhtml">{_text(book.title)}</a></li></ol></nav>"""
    return _xhtml(book, book.title, "", body)


def _page(book: Book, sheet: Sheet, size: tuple[int, int], *, worded: bool) -> str:
    """One page: the picture, then what it shows and says, panel by panel."""
    scale = size[0] / sheet.width
    panels = "\n".join(
        _panel(panel, order, scale, worded=worded) for order, panel in enumerate(sheet.panels, start=1)
    )
    head = (
        f'<meta name="viewport" content="width={size[0]}, height={size[1]}"/>\n'
        '<link rel="stylesheet" type="text/css" href="style.css"/>'
    )
    # The sections say all there is to say, so the picture itself needs no words.
    picture = f'<img src="{_name(sheet.number)}.jpg" width="{size[0]}" height="{size[1]}" alt=""/>'
    return _xhtml(book, f"{book.title}, page {sheet.number}", head, f"{picture}\n{panels}")


def _panel(panel: SheetPanel, order: int, scale: float, *, worded: bool) -> str:
    frame = panel.frame
    told = panel.art.alt.strip() or panel.art.scene.strip()
    said = [f'<p class="scene">{_text(told)}</p>'] if told else []
    if worded:
        for balloon in panel.balloons:
            rect = balloon.rect
            place = _place(rect.x - frame.x, rect.y - frame.y, rect.width, rect.height, scale)
            style = f"{place}; font-size: {balloon.size * scale:.1f}px"
            said.append(f'<p class="{balloon.kind}" style="{style}">{_text(balloon.text)}</p>')
    place = _place(frame.x, frame.y, frame.width, frame.height, scale)
    inside = "\n".join(said)
    return f'<section aria-label="Panel {order}" style="{place}">\n{inside}\n</section>'


def _place(x: float, y: float, width: float, height: float, scale: float) -> str:
    sides = (("left", x), ("top", y), ("width", width), ("height", height))
    return "; ".join(f"{name}: {value * scale:.1f}px" for name, value in sides)


def _xhtml(book: Book, title: str, head: str, body: str) -> str:
    return f"""<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"
 lang="{book.language}" xml:lang="{book.language}" dir="{text_direction(book.language)}">
<head>
<title>{_text(title)}</title>
{head}
</head>
<body>
{body}
</body>
</html>
"""


def _text(text: str) -> str:
    return escape(printable(text))
