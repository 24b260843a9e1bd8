"""Imprint: what a page's PNG tells of itself, so that the page need not be set or drawn again.

In: a drawn page, the sheet it was drawn from, the stamp of all that decided it. Out: the file's bytes; and
from such a file stamp, notes and sheet again. The panels' art is not in it: whoever reads it has the page.
"""

from __future__ import annotations

import io
import json
import zlib
from base64 import b85decode, b85encode
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from model.page.export.sheet import Sheet
from model.page.values import PageArt, PanelArt
from model.pictures import OWN, BadPicture, picture_facts

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_PNG_LEVEL = 3  # a third of the default's time for a tenth more bytes
_MOST = 16 << 20  # bytes of an unpacked sheet; a page full of words has some 100,000
_STAMP, _NOTES, _SHEET = "autostudio-page", "autostudio-notes", "autostudio-sheet"


@dataclass(frozen=True, slots=True)
class Imprint:
    """What was read: the stamp, whether the letterer had something to say, the packed sheet."""

    stamp: str
    complete: bool
    packed: str

    def sheet(self, page: PageArt) -> Sheet | None:
        """The sheet that the page was drawn from; None when this cannot be told any more."""
        try:
            unpacking = zlib.decompressobj()
            told = unpacking.decompress(b85decode(self.packed), _MOST)
            if not unpacking.eof:
                return None
            sheet = _adapter().validate_json(told)
        except (ValueError, zlib.error):  # pydantic's complaint is a ValueError
            return None
        if len(sheet.panels) != len(page.panels):
            return None
        panels = zip(sheet.panels, page.panels, strict=True)
        return replace(sheet, panels=tuple(replace(panel, art=art) for panel, art in panels))


def imprinted(page: Image.Image, stamp: str, sheet: Sheet, dpi: int) -> bytes:
    """The page as PNG, which says what it was made of. Deterministic."""
    about = PngInfo()
    about.add_text(_STAMP, stamp)
    about.add_text(_NOTES, json.dumps(sheet.notes))
    about.add_text(_SHEET, _packed(sheet))
    coded = io.BytesIO()
    page.save(coded, "PNG", compress_level=_PNG_LEVEL, dpi=(dpi, dpi), pnginfo=about)
    return coded.getvalue()


def read_imprint(path: Path) -> Imprint | None:
    """What a page's file tells of itself; None when it is not such a file."""
    try:
        told = picture_facts(path, OWN)
    except BadPicture:
        return None
    stamp, notes, packed = told.get(_STAMP), told.get(_NOTES), told.get(_SHEET)
    if not (isinstance(stamp, str) and isinstance(notes, str) and isinstance(packed, str)):
        return None
    return Imprint(stamp, notes == "[]", packed)


def _packed(sheet: Sheet) -> str:
    bare = tuple(replace(panel, art=PanelArt(id=panel.art.id)) for panel in sheet.panels)
    told = _adapter().dump_json(replace(sheet, panels=bare))
    return b85encode(zlib.compress(told, 6)).decode("ascii")


_ADAPTERS: list[TypeAdapter[Sheet]] = []


def _adapter() -> TypeAdapter[Sheet]:
    from pydantic import TypeAdapter

    if not _ADAPTERS:
        _ADAPTERS.append(TypeAdapter(Sheet))
    return _ADAPTERS[0]
