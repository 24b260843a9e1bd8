"""The one reader of pictures: whatever comes in is upright, whole, and small enough to work with.

In: a path or bytes that anybody may have written. Out: a PIL picture, decoded, or `BadPicture` with what was
found and what to do; each caller says it in its own kind of error. Size and shape are read from
the header and refused before any pixel is decoded, so an image bomb costs nothing. Knows nothing of what the
picture is for.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageOps

from model.errors import AutoStudioError, ConfigError, IntegrityError

# Formats that are decoded by Pillow itself. EPS and WMF are left out on purpose: they start other programs.
FORMATS = (
    *("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000"),
    *("PPM", "TGA", "ICO", "PCX", "SGI", "DDS", "PSD"),
)
_ORIENTATION = 0x0112  # the EXIF tag; 1 = upright


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is accepted, by the header alone.

    Attributes:
        pixels: width times height.
        aspect: the longer side, in shorter ones.
        side: the longest side of what is handed on, in pixels; larger pictures are scaled down to it, so that
            a square around one has at most side² pixels. 0 = as it is.
    """

    pixels: int
    aspect: int
    side: int = 0


# Pictures that somebody brings: references, likes, portraits. A webtoon strip of 800 × 40000 is one.
BROUGHT = Limits(pixels=64_000_000, aspect=50, side=8192)
# Pages and panels of a book: an A4 page at 900 dpi has 78 million pixels.
OWN = Limits(pixels=178_000_000, aspect=400)


class BadPicture(Exception):
    """A picture that is not read. One line: what was found, what was expected, what to do."""

    def __init__(self, found: str, expected: str, advice: str) -> None:
        super().__init__(f"found {found}, expected {expected}; {advice}")
        self.found = found
        self.expected = expected
        self.advice = advice


def read_picture(source: Path | bytes, limits: Limits = BROUGHT) -> Image.Image:
    """A picture, decoded and upright (EXIF orientation applied); of an animation the first frame.

    Returns:
        Any mode. `info` is what the file tells of itself; its `exif` no longer turns the picture.
    Raises:
        BadPicture: it is missing, no picture, cut off, or beyond the limits.
    """
    with _opened(source, limits) as opened:
        opened.load()
        turned = upright(opened)
    return _within(turned, limits.side)


def picture_size(source: Path | bytes, limits: Limits = BROUGHT) -> tuple[int, int]:
    """Width and height as `read_picture` gives them but for `limits.side`, from the header alone.

    Raises:
        BadPicture: as `read_picture`, except that a picture may be cut off.
    """
    with _opened(source, limits) as opened:
        width, height = opened.size
        # Pillow turns TIFFs by itself, in their size too.
        turned = opened.format != "TIFF" and _orientation(opened) in (5, 6, 7, 8)
        return (height, width) if turned else (width, height)


def picture_facts(source: Path | bytes, limits: Limits = BROUGHT) -> dict[str, str]:
    """The text chunks of a PNG that stand before its pixels, by name; no pixel is decoded.

    Raises:
        BadPicture: as `picture_size`.
    """
    with _opened(source, limits) as opened:
        return {
            name: str(text)
            for name, text in opened.info.items()
            if isinstance(name, str) and isinstance(text, str)
        }


def picture_at(
    path: Path, limits: Limits = BROUGHT, *, error: type[AutoStudioError] = ConfigError
) -> Image.Image:
    """`read_picture` of a file; what cannot be read is told as an `error` that names the file."""
    try:
        return read_picture(path, limits)
    except BadPicture as bad:
        raise error(f"{path}: {bad}") from bad


def upright(picture: Image.Image) -> Image.Image:
    """A copy that is turned as its EXIF block says, and says so no more."""
    if _orientation(picture) == 1:
        return picture.copy()
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # it is turned, but its block cannot be written again
        bare = picture.copy()
        bare.info.pop("exif", None)
        return bare


def stored_picture(data: bytes) -> Image.Image:
    """`read_picture` of bytes that a library or a book has kept.

    Raises:
        IntegrityError: they are no picture that can be worked with.
    """
    try:
        return read_picture(data)
    except BadPicture as bad:
        raise IntegrityError(f"a kept picture: {bad}") from bad


@contextmanager
def _opened(source: Path | bytes, limits: Limits) -> Generator[Image.Image]:
    """An open picture of a size that is accepted; any failure inside becomes `BadPicture`."""
    try:
        with warnings.catch_warnings():
            # Broken EXIF blocks and sizes are told by us; Pillow's warnings would say it a second time.
            warnings.simplefilter("ignore")
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file, formats=_formats()) as opened:
                _check_size(*opened.size, limits)
                yield opened
    except BadPicture:
        raise
    except Image.DecompressionBombError as error:
        count = re.search(r"\d{4,}", str(error))
        raise _too_large(f"{count.group() if count else 'far too many'} pixels", limits) from error
    except MemoryError as error:
        raise BadPicture("more pixels than memory holds", "fewer", "make the picture smaller") from error
    except Exception as error:
        # Decoders meet a stranger's bytes here, and raise whatever their parsers raise: struct.error,
        # IndexError, zlib.error, SyntaxError, …
        raise _unreadable(error) from error


@cache
def _formats() -> tuple[str, ...]:
    """Of FORMATS those that this machine's Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1:
        raise BadPicture(f"{width} x {height} pixels", "at least one", "save it again as PNG")
    if width * height > limits.pixels:
        raise _too_large(f"{width} x {height} pixels", limits)
    if max(width, height) > limits.aspect * min(width, height):
        raise BadPicture(
            f"{width} x {height} pixels",
            f"one side at most {limits.aspect} times the other",
            "crop the picture to what it shows",
        )


def _too_large(found: str, limits: Limits) -> BadPicture:
    return BadPicture(found, f"at most {limits.pixels // 10**6} megapixels", "make the picture smaller")


def _unreadable(error: Exception) -> BadPicture:
    expected, advice = "a readable PNG, JPEG or WebP picture", "check its name and permissions"
    if isinstance(error, FileNotFoundError):
        return BadPicture("no such file", "a PNG, JPEG or WebP picture", "check its name")
    if isinstance(error, OSError) and error.errno is not None:  # the disk's trouble, not the picture's
        return BadPicture(f"a file that cannot be read ({error.strerror})", expected, advice)
    if isinstance(error, Image.UnidentifiedImageError) or "embedded null" in str(error):
        return BadPicture("a file that is not an image", expected, "save it again as PNG")
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return BadPicture(f"a damaged or cut off picture ({reason})", "a whole one", "save it again as PNG")


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where the block is absent or broken."""
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # a stranger's bytes again; the pixels are good without them
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _within(picture: Image.Image, side: int) -> Image.Image:
    if not side or max(picture.size) <= side:
        return picture
    scale = side / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    smooth = picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGBA")
    smaller = smooth.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    smaller.info = dict(picture.info)
    return smaller
