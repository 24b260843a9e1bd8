"""Typefaces: the font files of this machine, by family, and those that come with the dependencies.

In: the name of a family, or a file. Out: files for the four styles, which may be fewer files than styles. A
page does not depend on what the system calls its default. Opens nothing but folders.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from model.errors import PackageMissing, StoryError

# Free comic faces, best first: file names (without suffix) of the styles, as far as the family has them.
_COMIC_FACES: tuple[dict[str, str], ...] = (
    {
        "regular": "ComicNeue-Regular",
        "bold": "ComicNeue-Bold",
        "italic": "ComicNeue-Italic",
        "bold_italic": "ComicNeue-BoldItalic",
    },
    {"regular": "ComicRelief-Regular", "bold": "ComicRelief-Bold"},
    {"regular": "PatrickHand-Regular", "bold": "Bangers-Regular"},
)
_BUNDLED = {
    "regular": "DejaVuSans",
    "bold": "DejaVuSans-Bold",
    "italic": "DejaVuSans-Oblique",
    "bold_italic": "DejaVuSans-BoldOblique",
}
_BUNDLED_FALLBACKS = ("DejaVuSans", "DejaVuSansDisplay", "STIXGeneral")
# DejaVu is wide for balloons; at nine tenths it reads like a condensed cut.
_BUNDLED_SCALE = 0.9
_ENDINGS = (".ttf", ".otf", ".ttc")
_STYLE_NAMES = {
    "regular": ("regular", "", "book", "roman", "medium"),
    "bold": ("bold",),
    "italic": ("italic", "oblique"),
    "bold_italic": ("bolditalic", "boldoblique"),
}


@dataclass(frozen=True, slots=True)
class Family:
    """Files by style, "regular" always among them; `scale` narrows them (below 1) or widens them."""

    files: dict[str, Path]
    scale: float = 1.0

    @property
    def name(self) -> str:
        return self.files["regular"].stem


def family(font: str) -> Family:
    """The files of a font that was asked for; of this machine's comic face, or of DejaVu Sans, for "".

    Raises:
        StoryError: the font is not on this machine.
        PackageMissing: no font at all is.
    """
    if Path(font).suffix.lower() in _ENDINGS:
        if not Path(font).is_file():
            raise StoryError(f"the font file {font} is not there; name a font that is, or none")
        return Family({"regular": Path(font), **_siblings(Path(font))})
    return _named(font) if font else _house()


def fallbacks() -> tuple[Path, ...]:
    """Files with characters that comic faces lack: DejaVu, mathematical signs, and a Japanese face."""
    folder = _bundled_folder()
    files = [folder / f"{name}.ttf" for name in _BUNDLED_FALLBACKS]
    japanese = importlib.util.find_spec("matplotlib_fontja")
    if japanese is not None and japanese.origin is not None:
        files.append(Path(japanese.origin).parent / "fonts" / "ipaexg.ttf")
    return tuple(file for file in files if file.is_file())


def _house() -> Family:
    present = _present()
    for names in _COMIC_FACES:
        if names["regular"] in present:
            return Family({style: present[name] for style, name in names.items() if name in present})
    files = {style: _bundled_folder() / f"{name}.ttf" for style, name in _BUNDLED.items()}
    if not files["regular"].is_file():
        raise PackageMissing(
            f"no typeface to letter with: {files['regular']} is not there; install matplotlib"
        )
    return Family(files, _BUNDLED_SCALE)


def _named(font: str) -> Family:
    wanted = _key(font)
    if wanted == _key("DejaVu Sans"):
        return Family({style: _bundled_folder() / f"{name}.ttf" for style, name in _BUNDLED.items()})
    styles = {_key(stem): path for stem, path in _present().items()}
    files: dict[str, Path] = {}
    for style, endings in _STYLE_NAMES.items():
        found = next((styles[wanted + ending] for ending in endings if wanted + ending in styles), None)
        if found is not None:
            files[style] = found
    if "regular" not in files:
        raise StoryError(
            f'the story asks for the font "{font}", which is not in the font folders of this machine; '
            "install it, put its file beside the story and name that, or leave lettering.font out"
        )
    return Family(files)


def _siblings(regular: Path) -> dict[str, Path]:
    """The other styles of a file named Something-Regular, where they lie beside it."""
    if not regular.stem.lower().endswith("regular"):
        return {}
    base = regular.stem[: -len("regular")]
    names = {"bold": ("Bold",), "italic": ("Italic", "Oblique"), "bold_italic": ("BoldItalic", "BoldOblique")}
    files = {
        style: next((path for name in choices if (path := regular.with_stem(base + name)).is_file()), None)
        for style, choices in names.items()
    }
    return {style: file for style, file in files.items() if file is not None}


def _key(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _bundled_folder() -> Path:
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        raise PackageMissing(
            "matplotlib is not installed, and it brings the typeface; pip install matplotlib"
        )
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


@lru_cache(maxsize=1)
def _present() -> dict[str, Path]:
    """The font files in this machine's font folders, by name without suffix."""
    home = Path.home()
    folders = [
        home / ".fonts",
        home / ".local/share/fonts",
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
    ]
    if sys.platform == "darwin":
        folders = [home / "Library/Fonts", Path("/Library/Fonts")]
    elif sys.platform == "win32":
        folders = [
            home / "AppData/Local/Microsoft/Windows/Fonts",
            Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts",
        ]
    found: dict[str, Path] = {}
    for folder in folders:
        for parent, children, files in os.walk(folder):
            children.sort()
            for file in sorted(files):
                path = Path(parent) / file
                if path.suffix.lower() in _ENDINGS:
                    found.setdefault(path.stem, path)
    return found
