"""Missing: what to say of characters that no typeface here has, and how to get one that has them.

In: characters, or sequences that are one to a reader. Out: words for a note. Knows nothing of pages.
"""

from __future__ import annotations

import unicodedata

from model.page.type.unicode import script_of

_NAMED = 6  # that are named; the others are counted

# Scripts whose typefaces have names of their own: the Noto family, and the package of Debian and Ubuntu.
_CJK = ("Noto Sans CJK", "fonts-noto-cjk")
_PACKAGES = {
    "Han": _CJK,
    "Hiragana": _CJK,
    "Katakana": _CJK,
    "Hangul": _CJK,
    "Bopomofo": _CJK,
    "Nushu": ("Noto Traditional Nushu", "fonts-noto-core"),
}
_EMOJI = ("Noto Emoji", "fonts-noto-color-emoji")
_SYMBOLS = ("Noto Sans Symbols and Noto Sans Symbols 2", "fonts-noto-core")


def missing_note(missing: tuple[str, ...]) -> str:
    """What no typeface here has, how it is set, and what to install."""
    return f"no typeface here has {glyph_names(missing)}; set as '?'{_advice(missing)}"


def glyph_names(missing: tuple[str, ...]) -> str:
    """Characters by their Unicode names and numbers; a sequence with its members joined by `+`."""
    named = [" + ".join(_name(one) for one in sequence) for sequence in missing[:_NAMED]]
    more = len(missing) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def _name(character: str) -> str:
    return f"{unicodedata.name(character, 'unnamed character')} (U+{ord(character):04X})"


def _advice(missing: tuple[str, ...]) -> str:
    """Families and packages that have them; nothing for characters that Unicode does not know."""
    wanted = dict.fromkeys(package for sequence in missing if (package := _package(sequence)) is not None)
    if not wanted:
        return ""
    families = " and ".join(family for family, _ in wanted)
    packages = " ".join(dict.fromkeys(package for _, package in wanted))
    return (
        f"; install {families} (Debian and Ubuntu: apt install {packages}; elsewhere: fonts.google.com/noto)"
    )


def _package(sequence: str) -> tuple[str, str] | None:
    scripts = (script_of(character) for character in sequence)
    script = next((name for name in scripts if name not in ("Common", "Inherited", "Unknown")), None)
    if script is not None:
        return _PACKAGES.get(script, (f"Noto Sans {script.replace('_', ' ')}", "fonts-noto-core"))
    if unicodedata.category(sequence[0]) in ("Cn", "Co", "Cs"):
        return None
    return _EMOJI if "\U0001f000" <= sequence[0] <= "\U0001faff" else _SYMBOLS
