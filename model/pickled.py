"""PyTorch's own files, looked at before and after torch reads them: nothing in them runs, nothing grows.

In: a `.pth` of a stranger; then the tensors that torch made of it. Out: nothing, or `BadPickle` with what was
found. Torch's `weights_only` keeps code from running, but not a file of 1 KB from becoming 100 GB: by
compression, by objects that are made of a number, by views that repeat one element. Needs no torch.
"""

from __future__ import annotations

import pickletools
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

GROWTH = 10  # times a file's size that its contents may have
_MOST_PICKLE = 64 << 20  # bytes of the part that names the tensors
_MOST_STEPS = 4_000_000  # operations of that part
_MOST_KEY = 400
_SMALL = 1 << 20  # bytes that are never too many
# What the pickle of a table of tensors calls by name.
_NAMES = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor|tensor_v2|parameter)"
    r"|torch (\w+Storage|Size|device|b?float\w+|double|half|u?int\d+|long|short|bool|complex\w+)"
    r"|torch\.storage (Typed|Untyped|_Typed)Storage|argparse Namespace|(builtins|__builtin__) (set|dict|list)"
)


class BadPickle(Exception):
    """A file that is not read; the text says what was found."""


def check_file(path: Path) -> None:
    """Look at a file before torch reads it.

    Raises:
        BadPickle: it would grow, or holds more than tensors and plain containers.
    """
    size = path.stat().st_size
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
                whole = sum(entry.file_size for entry in entries)
                if whole > GROWTH * size + _SMALL:
                    raise BadPickle(f"an archive of {size:,} bytes that grows to {whole:,}")
                for entry in entries:
                    if entry.filename.endswith("data.pkl"):
                        if entry.file_size > _MOST_PICKLE:
                            raise BadPickle(f"{entry.file_size:,} bytes of names")
                        with archive.open(entry) as opened:
                            _check_steps(opened)
        else:
            # The old form: five pickles, one behind the other, then the numbers.
            with path.open("rb") as opened:
                for _ in range(4):
                    _check_steps(opened)
    except BadPickle:
        raise
    except Exception as error:
        # `pickletools` and `zipfile` meet a stranger's bytes, and raise whatever they raise.
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise BadPickle(f"no PyTorch file ({reason})") from error


def check_tensors(path: Path, state: object) -> dict[str, Any]:
    """Look at what torch read: tensors by name, perhaps some tables deep.

    Returns:
        `state`.
    Raises:
        BadPickle: keys are no names, a tensor repeats its numbers, or all together outgrow the file.
    """
    if not isinstance(state, Mapping):
        raise BadPickle(f"a {type(state).__name__}, not tensors by name")
    total, tensors, highest = 0, 0, 0
    for key, value in _walk(state):
        if not isinstance(key, str) or len(key) > _MOST_KEY or not key.isprintable():
            raise BadPickle(f"a key that is no name ({key!r:.60})")
        if hasattr(value, "untyped_storage"):
            tensor: Any = value
            needed, held = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
            if needed > held:
                raise BadPickle(f"{key}: {tensor.numel():,} numbers, of which {held:,} bytes are in the file")
            total, tensors = total + needed, tensors + 1
            highest = max(highest, *(int(digits[:9]) for digits in re.findall(r"\d+", key)), 0)
    size = path.stat().st_size
    if total > GROWTH * size + _SMALL:
        raise BadPickle(f"tensors of {total:,} bytes in a file of {size:,}")
    if highest > 64 + 4 * tensors:
        raise BadPickle(f"a layer number {highest} among {tensors} tensors")
    found: Any = state
    return found


def _walk(state: Mapping[Any, Any]) -> Iterator[tuple[object, object]]:
    """Keys and values, of tables inside too; each table once."""
    waiting, seen = [state], {id(state)}
    while waiting:
        table = waiting.pop()
        for key, value in table.items():
            yield key, value
            if isinstance(value, Mapping) and id(value) not in seen:
                seen.add(id(value))
                waiting.append(value)


def _check_steps(opened: IO[bytes]) -> None:
    """Go through one pickle without making anything."""
    texts: list[str] = []
    for count, (operation, argument, _) in enumerate(pickletools.genops(opened)):
        if count > _MOST_STEPS:
            raise BadPickle(f"more than {_MOST_STEPS:,} steps")
        if operation.name == "GLOBAL" and not _NAMES.fullmatch(str(argument)):
            raise BadPickle(f"{str(argument)[:80]!r}, which is no tensor")
        if operation.name == "STACK_GLOBAL" and not _NAMES.fullmatch(" ".join(texts[-2:])):
            raise BadPickle(f"{' '.join(texts[-2:])[:80]!r}, which is no tensor")
        if operation.name in ("INST", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER"):
            raise BadPickle(f"the operation {operation.name}")
        if isinstance(argument, str) and "UNICODE" in operation.name:
            texts = [*texts[-1:], argument]
