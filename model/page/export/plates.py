"""Plates: the pictures of a PDF as they are coded in it, found there again when the book is written anew.

In: a PDF, and what each picture in it was made of. Out: a comment line that says where each picture's JPEG
stands in the file; and from such a file the JPEG again. Coding pictures is most of the work of a PDF, and a
changed line changes none.
"""

from __future__ import annotations

import hashlib
import mmap
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from model.geometry import Box

_LINE = b"%autostudio-plates "
_PLATE = re.compile(rb"([0-9a-f]{32}):(\d+):(\d+):(\d+)")
_PROBE = 96  # bytes at a JPEG's end: coded pixels, alike in no two pictures


@dataclass(frozen=True, slots=True)
class Plate:
    """One coded picture: what it was made of, how long it is, its checksum, its last bytes."""

    key: str
    length: int
    checksum: int
    probe: bytes


def plate_key(picture: str, window: Box, size: tuple[int, int], *coding: object) -> str:
    """Of a picture with this digest, the part of it that shows, its pixels, and how they are coded."""
    facts = repr((picture, window.as_tuple(), size, coding))
    return hashlib.sha256(facts.encode()).hexdigest()[:32]


def plate_of(key: str, coded: bytes) -> Plate:
    return Plate(key, len(coded), zlib.crc32(coded), coded[-_PROBE:])


def plates_line(file: IO[bytes], plates: Sequence[Plate]) -> bytes:
    """The comment that says where the plates stand in a file that holds them, in whatever order."""
    found: dict[str, bytes] = {}
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        at = 0
        for plate in plates:
            # They mostly stand in the order in which they were drawn.
            end = whole.find(plate.probe, at)
            end = end if end >= 0 else whole.find(plate.probe)
            start = end + len(plate.probe) - plate.length
            if end >= 0 and start >= 0 and zlib.crc32(whole[start : start + plate.length]) == plate.checksum:
                found[plate.key] = b"%s:%d:%d:%d" % (plate.key.encode(), start, plate.length, plate.checksum)
                at = start + plate.length
    return _LINE + b" ".join(found.values()) + b"\n"


class Plates:
    """The plates of a PDF of earlier; none where there is no such file."""

    def __init__(self, path: Path, line_at: int | None) -> None:
        """Args:
        line_at: where in the file its line of plates begins; None when it is not known.
        """
        self._path = path
        self._places: dict[str, tuple[int, int, int]] = {}
        if line_at is not None:
            with path.open("rb") as file:
                file.seek(line_at)
                line = file.readline()
            if line.startswith(_LINE):
                for key, *numbers in _PLATE.findall(line):
                    start, length, checksum = (int(number) for number in numbers)
                    self._places[key.decode()] = start, length, checksum

    def coded(self, key: str) -> bytes | None:
        """The JPEG of what has this key; None when it is not there, or damaged."""
        if key not in self._places:
            return None
        start, length, checksum = self._places[key]
        with self._path.open("rb") as file:
            file.seek(start)
            coded = file.read(length)
        return coded if zlib.crc32(coded) == checksum else None
