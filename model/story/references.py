"""The files a story names, pictures and a font: each must be what it says, inside the story's own folder.

In: the story's path and the name as written. Out: nothing, or a `StoryError`. Pictures are read by
`model/pictures.py`, wholly: one that is cut off is refused before anything is drawn.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from model.pictures import BadPicture, read_picture
from model.story.reading import describe, refusal

MAX_FONT_BYTES = 64_000_000
_FONT_ENDINGS = (".ttf", ".otf", ".ttc")
_FONT_HEADS = (b"\x00\x01\x00\x00", b"OTTO", b"ttcf", b"true")


def check_reference(story: Path, place: str, name: str) -> None:
    """Refuse a reference that is absent, outside the story's folder, no whole picture, or too large.

    Raises:
        StoryError: names `story`, `place`, what was found and what was expected.
    """
    with _readable(story, place, name, "a picture"):
        target = _inside(story, place, name, "a picture")
        try:
            read_picture(target)
        except BadPicture as bad:
            raise refusal(story, place, f"{describe(name)}, {bad.found}", bad.expected, bad.advice) from bad


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
