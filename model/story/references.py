"""The files a story names, pictures and a font: each must be what it says, inside the story's own folder.

In: the story's path and the name as written. Out: nothing, or a `StoryError`. Reads headers only; no pixel is
decoded, so an image bomb costs nothing.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from model.errors import StoryError
from model.story.reading import describe, refusal

MAX_PIXELS = 64_000_000
MAX_FONT_BYTES = 64_000_000
_FONT_ENDINGS = (".ttf", ".otf", ".ttc")
_FONT_HEADS = (b"\x00\x01\x00\x00", b"OTTO", b"ttcf", b"true")
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


def check_reference(story: Path, place: str, name: str) -> None:
    """Refuse a reference that is absent, outside the story's folder, no image, or too large.

    Raises:
        StoryError: names `story`, `place`, what was found and what was expected.
    """
    with _readable(story, place, name, "a picture"):
        width, height = _size(story, place, name, _inside(story, place, name, "a picture"))
    if width * height > MAX_PIXELS:
        raise _too_large(story, place, name, f"{width} x {height} pixels")


def is_font_file(name: str) -> bool:
    """Whether a font is named by its file and not by its family."""
    return name.lower().endswith(_FONT_ENDINGS)


def check_font(story: Path, place: str, name: str) -> None:
    """Refuse a font file that is absent, outside the story's folder, too large, or no font.

    Raises:
        StoryError: names `story`, `place`, what was found and what was expected.
    """
    with _readable(story, place, name, "a font file"):
        target = _inside(story, place, name, "a font file")
        with target.open("rb") as opened:
            head = opened.read(4)
        if head not in _FONT_HEADS or target.stat().st_size > MAX_FONT_BYTES:
            found = f"{describe(name)}, which is no font or a huge one"
            expected = f"a TrueType or OpenType file of at most {MAX_FONT_BYTES // 10**6} MB"
            raise refusal(story, place, found, expected, "name another font")


@contextmanager
def _readable(story: Path, place: str, name: str, what: str) -> Generator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:  # unreadable, a NUL in the name, a loop of links
        reason = getattr(error, "strerror", None) or str(error)
        found = f"{describe(name)}, which cannot be read ({reason})"
        expected = f"{what.replace('a ', 'a readable ', 1)}"
        raise refusal(story, place, found, expected, "check its name and permissions") from error


def _inside(story: Path, place: str, name: str, what: str) -> Path:
    """The named file, which must lie inside the story's folder."""
    folder = story.parent.resolve()
    # resolve() follows symbolic links, so a link that leads out of the folder is seen for what it is
    target = (folder / name).resolve()
    plain = what.removeprefix("a ").removesuffix(" file")
    if Path(name).is_absolute() or not target.is_relative_to(folder):
        raise refusal(
            story,
            place,
            f"{describe(name)}, which leads out of the story's folder",
            f"a {plain} inside that folder",
            f"copy the {plain} beside the story and give its relative path",
        )
    if not target.is_file():
        raise refusal(
            story, place, f"{describe(name)}, where there is no file", f"a {plain} file", "check its name"
        )
    return target


def _size(story: Path, place: str, name: str, target: Path) -> tuple[int, int]:
    """Width and height from the header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(target, formats=_FORMATS) as image:
                return image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        count = re.search(r"\d{4,}", str(error))
        raise _too_large(story, place, name, f"{count.group() if count else 'far too many'} pixels") from None
    except (OSError, SyntaxError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's trouble, not the picture's
            raise
        found = f"{describe(name)}, which is not an image"
        raise refusal(story, place, found, "a PNG, JPEG or WebP picture", "save it again as PNG") from error


def _too_large(story: Path, place: str, name: str, size: str) -> StoryError:
    expected = f"at most {MAX_PIXELS // 10**6} megapixels"
    return refusal(story, place, f"{describe(name)} with {size}", expected, "make the picture smaller")
