"""Import and export of vibe memories: files of either format, folders of pictures, profiles.

In: a `VibeMemory` and paths. Out: the memory with more in it, files, and reports of what was and was not
taken. Importing the same again changes nothing. Knows nothing of scores.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from model.errors import ConfigError
from model.files import storage_errors, write_bytes
from model.memory.vibe.entries import GENERAL, Contents, Memory, check_category, check_weight, merged
from model.memory.vibe.formats import write
from model.memory.vibe.memory import VibeMemory
from model.memory.vibe.parsing import parse
from model.memory.vibe.pictures import Album, pictures_in
from model.memory.vibe.store import read_text

PROFILES = "vibe_profiles"
_PROFILE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did.

    Attributes:
        version: of the file's format; 0 = a folder of pictures.
        added: memories that are new, copies counted one by one.
        known: memories that were here already.
        skipped: entries or pictures that could not be used.
        complaints: a line for each of those, and for what had to be replaced.
    """

    version: int
    added: int
    known: int
    skipped: int
    complaints: tuple[str, ...]


def import_file(memory: VibeMemory, path: Path) -> ImportReport:
    """Take over what a file of format 1 or 2 has and this memory has not.

    Kept pictures beside that file come along. Statistics stay this memory's own; the other's mean panel is
    taken where it knows more panels.

    Raises:
        ConfigError: there is no such file.
        IntegrityError: it is no vibe memory, or damaged.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; name a vibe memory to import")
    parsed = parse(read_text(path), str(path))
    theirs = parsed.contents
    complaints = list(parsed.complaints)
    complaints += _unknown_space(memory, theirs)
    added = 0

    def change(mine: Contents) -> Contents:
        nonlocal added
        together, added = merged(mine.memories, theirs.memories)
        after = replace(mine, memories=together) if added else mine
        for mean in theirs.panels:
            known = mine.panel_mean(mean.space)
            if known is None or known.count < mean.count:
                after = after.with_panel_mean(mean)
        if added:
            _copy_pictures(Album(path), memory.album, theirs.memories)
        return after

    memory.change(change)
    total = sum(len(one.copies) for one in theirs.memories)
    return ImportReport(
        version=parsed.version,
        added=added,
        known=total - added,
        skipped=parsed.skipped,
        complaints=tuple(complaints),
    )


def import_pictures(
    memory: VibeMemory,
    paths: Sequence[Path],
    *,
    liked: bool,
    category: str = GENERAL,
    weight: float = 1.0,
) -> ImportReport:
    """Like or dislike all pictures; folders stand for the pictures in them. One write for all.

    Pictures that cannot be read are reported; in a folder, those that the memory has already are left out.

    Raises:
        ConfigError: a folder is missing, or the category or weight is none.
        WeightsMissing, PackageMissing: there is no encoder.
    """
    category, weight = check_category(category), check_weight(weight)
    memory.eye.encoder()
    have = {one.about for one in memory.memories}
    known = 0
    new: list[tuple[Memory, Image.Image | None]] = []
    complaints: list[str] = []
    for path in paths:
        for picture in pictures_in(path) if path.is_dir() else (path,):
            try:
                pair = memory.memory_of(
                    picture, liked=liked, category=category, weight=weight, source=str(picture)
                )
            except ConfigError as error:
                complaints.append(str(error))
                continue
            if path.is_dir() and pair[0].about in have:
                known += 1
                continue
            have.add(pair[0].about)
            new.append(pair)
    if new:
        memory.remember(new)
    return ImportReport(
        version=0, added=len(new), known=known, skipped=len(complaints), complaints=tuple(complaints)
    )


def export_file(memory: VibeMemory, path: Path, *, version: int = 2, compact: bool = False) -> int:
    """Write the memories to a file, with their kept pictures beside it; returns how many.

    Args:
        version: 1 (embeddings only) or 2.
        compact: of version 2, as this program keeps it; else plain numbers, for other programs.
    Raises:
        ConfigError: it is the memory's own file, or there is no such version.
        StorageError: the disk refuses.
    """
    if version not in (1, 2):
        raise ConfigError(f"export format: {version} is unknown; use 1 or 2")
    if path.resolve() == memory.path.resolve():
        raise ConfigError(f"{path}: that is the vibe memory itself; name another file to export to")
    contents = memory.contents
    write_bytes(path, write(contents, version=version, plain=not compact).encode())
    if version == 2:
        _copy_pictures(memory.album, Album(path), contents.memories)
    return len(contents.memories)


def profile_path(default: Path, name: str) -> Path:
    """The file of a profile, in a folder beside the default file.

    Raises:
        ConfigError: `name` is not 1 to 64 of a-z, 0-9, `_` and `-`.
    """
    if not _PROFILE.fullmatch(name):
        raise ConfigError(f"profile: {name!r} is no name; use up to 64 of a-z, 0-9, _ and -")
    return default.parent / PROFILES / f"{name}.json"


def profiles(default: Path) -> tuple[str, ...]:
    """The names of all profiles, sorted."""
    folder = default.parent / PROFILES
    return tuple(sorted(path.stem for path in folder.glob("*.json") if _PROFILE.fullmatch(path.stem)))


def _unknown_space(memory: VibeMemory, theirs: Contents) -> list[str]:
    """What to say of vectors that do not tell which encoder made them."""
    unknown = [one for one in theirs.memories if not one.space]
    if not unknown:
        return []
    size = unknown[0].vector.size
    here = {one.vector.size for one in memory.memories if one.space}
    if here and size not in here:
        return [f"its embeddings have {size} numbers, those here {min(here)}: they are kept but set aside"]
    name = f" (it says {theirs.encoder})" if theirs.encoder else ""
    return [f"it does not say which weights made its embeddings{name}; they are taken for this encoder's"]


def _copy_pictures(source: Album, target: Album, memories: Sequence[Memory]) -> None:
    for memory in memories:
        for copy in memory.copies:
            name = copy.facts.get("picture")
            path = source.path(name) if isinstance(name, str) else None
            if path is not None and target.path(path.name) is None:
                with storage_errors(target.folder):
                    target.folder.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target.folder / path.name)
