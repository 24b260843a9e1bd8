"""Remembered text as part of a prompt: words, and nothing that a prompt's grammar gives a meaning to.

In: text that was remembered, from whoever wrote it. Out: words with single spaces between them: no commas,
quotation marks, brackets, colons, no line ends; the prompt keeps the parts it had, and one more.
Knows nothing of where memories come from.
"""

from __future__ import annotations

import re
import unicodedata

# Letters (with their marks) and digits; hyphens and apostrophes only between letters, as spelling.
_WORD = re.compile(r"\w+(?:[-'’]\w+)*")


def as_words(text: str) -> str:
    """The words of `text`, in order, with single spaces; "" when there are none.

    An apostrophe between letters stays ("Mika's"); any other mark is a border between words. Case stays.
    """
    # NFKC first: a full-width comma or bracket is one too. Marks stay with their letters.
    plain = unicodedata.normalize("NFKC", text).replace("_", " ")
    return " ".join(
        _WORD.findall("".join(c if c.isalnum() or c in "-'’ " or _mark(c) else " " for c in plain))
    )


def _mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Mc")
