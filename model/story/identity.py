"""What a story is called where titles do not do: a folder's name that people can read, of any script.

In: a title, or the id that the file gives. Out: a name that every file system takes, and that two titles
share only if they differ in nothing but case, spaces and punctuation. Who has a name already is looked up
elsewhere. Pure.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

MOST_BYTES = 120  # of the 255 that file systems have: `.tmp` names and suffixes are made of it
_LETTERS = ("L", "M", "N")  # of Unicode: letters, the marks on them, numbers
# What Windows keeps for devices; superscripts are digits there.
_DEVICES = re.compile(
    r"(con|prn|aux|nul|conin|conout|clock|(com|lpt)[0-9¹²³])",
    re.IGNORECASE,
)


def slug_of(title: str) -> str:
    """A folder's name for a title: its letters and digits in lower case, hyphens between words.

    "First Light" becomes first-light, "Über uns" über-uns, "第1話 桜" 第1話-桜. A title that is cut, or has
    no letter at all, ends in a digest of its own.
    """
    plain = unicodedata.normalize("NFC", title).casefold()
    plain = unicodedata.normalize("NFC", plain).replace("'", "").replace("’", "")
    kept = "".join(one if unicodedata.category(one)[0] in _LETTERS else " " for one in plain)
    slug = "-".join(kept.split())
    # A mark that has lost its letter would stand on the hyphen, or on whatever comes before the name.
    slug = re.sub(r"(^|-)(\S)", lambda found: found[1] + _based(found[2]), slug).strip("-")
    if not slug:
        return f"story-{digest_of(title, 8)}"
    if len(slug.encode()) > MOST_BYTES:
        slug = f"{_cut(slug, MOST_BYTES - 9)}-{digest_of(title, 8)}"
    return f"{slug}-book" if _DEVICES.fullmatch(slug) else slug


def distinct(slug: str, *facts: str) -> str:
    """The name of a story whose own is taken: readable still, and the same for the same facts."""
    return f"{_cut(slug, MOST_BYTES - 7)}-{digest_of(chr(10).join(facts), 6)}"


def digest_of(text: str, digits: int) -> str:
    """So many hex digits that stand for a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]


def _based(letter: str) -> str:
    return letter if not unicodedata.category(letter).startswith("M") else ""


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore").rstrip("-")
