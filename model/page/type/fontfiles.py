"""Font files: opened so that what they draw can be found again as text.

In: a font file. Out: a typeface. A PDF says which character a glyph is, and where a font draws several
alike it takes the first: then 走 is read as ⾛, a radical for dictionaries, and no search finds it. So
radicals are taken out of fonts that draw them with the ideographs' glyphs; a text that means the radical
gets it from elsewhere. What was made of a font is kept in the user's cache by the font's digest: such fonts
have tens of thousands of glyphs.
"""

# pyright: standard, reportAttributeAccessIssue=false
# (skia-python and uharfbuzz ship no types)

from __future__ import annotations

import contextlib
import struct
import unicodedata
from functools import lru_cache
from pathlib import Path

import skia
import uharfbuzz as hb

from model.errors import PackageMissing, StorageError
from model.files import cache_folder, sha256_of, write_bytes

# The radical blocks of Unicode: CJK Radicals Supplement and Kangxi Radicals.
_RADICALS = range(0x2E80, 0x2FE0)
_MADE = "1"  # how fonts are made here; another way, another number


@lru_cache(maxsize=64)
def typeface_of(file: Path) -> skia.Typeface:
    """A font file as a typeface; the first of a collection.

    Raises:
        PackageMissing: it is not a font, or damaged.
    """
    # A manager without system fonts: a named file needs none, and asking the system takes time.
    fonts = skia.FontMgr.New_Custom_Empty()
    face = fonts.makeFromFile(str(file))
    if face is not None and _has_twins(face):
        kept = cache_folder() / "fonts" / f"{sha256_of(file)}-{_MADE}.otf"
        face = fonts.makeFromFile(str(kept)) if kept.is_file() else None
        if face is None:
            made = _without_radicals(file)
            # Another process may do the same: each writes all of it, or nothing.
            with contextlib.suppress(StorageError):
                write_bytes(kept, made)
            face = fonts.makeFromData(skia.Data.MakeWithCopy(made))
    if face is None:
        raise PackageMissing(f"typeface {file} cannot be read; expected a TrueType or OpenType file")
    return face


def _has_twins(face: skia.Typeface) -> bool:
    """Whether a radical has the glyph of an ideograph."""
    for code in _RADICALS:
        ideograph = unicodedata.normalize("NFKC", chr(code))
        glyph = face.unicharToGlyph(code)
        if glyph and ideograph != chr(code) and glyph == face.unicharToGlyph(ord(ideograph[0])):
            return True
    return False


def _without_radicals(file: Path) -> bytes:
    """The font with a table of characters that has no radicals; glyphs keep their numbers."""
    face = hb.Face(hb.Blob.from_file_path(str(file)))
    font = hb.Font(face)
    pairs = [(code, font.get_nominal_glyph(code)) for code in sorted(face.unicodes)]
    cmap = _cmap([(code, glyph) for code, glyph in pairs if glyph and code not in _RADICALS])
    tables = {tag: bytes(face.reference_table(tag).data) for tag in face.table_tags}
    return _sfnt({**tables, "cmap": cmap})


def _cmap(pairs: list[tuple[int, int]]) -> bytes:
    """A `cmap` table of one subtable in format 12, which holds all of Unicode (OpenType 1.9, cmap)."""
    groups: list[list[int]] = []
    for code, glyph in pairs:
        last = groups[-1] if groups else None
        if last is not None and code == last[1] + 1 and glyph == last[2] + code - last[0]:
            last[1] = code
        else:
            groups.append([code, code, glyph])
    subtable = struct.pack(">HHLLL", 12, 0, 16 + 12 * len(groups), 0, len(groups))
    subtable += b"".join(struct.pack(">LLL", *group) for group in groups)
    # Version, number of subtables; Windows, all of Unicode, where it begins.
    return struct.pack(">HHHHL", 0, 1, 3, 10, 12) + subtable


def _sfnt(tables: dict[str, bytes]) -> bytes:
    """Tables as a font file (OpenType 1.9, Organization of an OpenType Font)."""
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    version = b"OTTO" if "CFF " in tables or "CFF2" in tables else b"\x00\x01\x00\x00"
    head = version + struct.pack(">HHHH", count, 16 * power, power.bit_length() - 1, 16 * (count - power))
    records: list[bytes] = []
    at = len(head) + 16 * count
    for tag, data in sorted(tables.items()):
        padded = data + bytes(-len(data) % 4)
        checksum = sum(struct.unpack(f">{len(padded) // 4}L", padded)) & 0xFFFFFFFF
        records.append(tag.encode("ascii") + struct.pack(">LLL", checksum, at, len(data)))
        at += len(padded)
    bodies = (data + bytes(-len(data) % 4) for _, data in sorted(tables.items()))
    return head + b"".join(records) + b"".join(bodies)
