"""Pictures in whatever form they come, as PIL pictures; and the small copies that a memory keeps of them.

In: a path, a PIL picture, an array or a tensor. Out: a PIL picture of the same pixels, or a JPEG beside the
memory's file. Knows nothing of embeddings.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import ConfigError
from model.files import sha256_of, storage_errors, write_bytes
from model.pictures import picture_at, upright

KEPT_SIDE = 512
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_CHANNELS = (1, 3, 4)
_OWN = re.compile(r"[0-9a-f]{16}\.jpg")


class Tensor(Protocol):
    """What a torch tensor offers of itself."""

    def detach(self) -> Self: ...
    def cpu(self) -> Self: ...
    def float(self) -> Self: ...
    def is_floating_point(self) -> bool: ...
    def numpy(self) -> NDArray[Any]: ...


Picture: TypeAlias = Image.Image | NDArray[Any] | Tensor | Path | str | Sequence[float]


def as_array(given: object) -> NDArray[Any] | None:
    """The numbers of an array, a tensor or a list; None when it is something else."""
    if isinstance(given, np.ndarray):
        return cast("NDArray[Any]", given)
    if isinstance(given, list | tuple):
        return np.asarray(cast("list[float]", given), dtype=np.float64)
    if hasattr(given, "detach") and hasattr(given, "is_floating_point"):
        tensor = cast(Tensor, given).detach().cpu()
        # numpy has no bfloat16.
        return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return None


def as_picture(given: Picture) -> Image.Image:
    """The picture, upright.

    Args:
        given: a path; a PIL picture of any mode; or an array or tensor: (height, width) grey,
            (height, width, channels) or (channels, height, width) with 1, 3 or 4 channels, before which a 1
            may stand. uint8 means 0 to 255, floats 0 to 1, or −1 to 1 where one is negative. Where both
            orders would do, floats have their channels first, uint8 last.
    Raises:
        ConfigError: there is no picture at that path, or the array is none.
    """
    if isinstance(given, str | Path):
        return picture_at(Path(given))
    if isinstance(given, Image.Image):
        return upright(given)
    array = as_array(given)
    if array is None:
        raise ConfigError(
            f"a picture: found {type(given).__name__}; use a path, a PIL picture, an array or a tensor"
        )
    return _from_array(array)


def _from_array(array: NDArray[Any]) -> Image.Image:
    shape = array.shape
    if array.ndim == 4 and shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[..., None]
    floats = np.issubdtype(array.dtype, np.floating)
    if array.ndim != 3 or not array.size or not (floats or array.dtype == np.uint8):
        raise ConfigError(
            f"a picture: found an array of shape {shape} and {array.dtype}; use (height, width, 3) of uint8, "
            "or (3, height, width) of floats from 0 to 1"
        )
    first, last = array.shape[0] in _CHANNELS, array.shape[2] in _CHANNELS
    if first and (floats or not last):
        array = np.moveaxis(array, 0, 2)
    elif not last:
        raise ConfigError(f"a picture: found an array of shape {shape}; 1, 3 or 4 channels expected")
    if floats:
        if not np.isfinite(array).all():
            raise ConfigError("a picture: found an array with NaN or infinity; use numbers from 0 to 1")
        if array.min() < 0:
            array = (array + 1) / 2
        array = np.round(np.clip(array, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else np.ascontiguousarray(array))


def pictures_in(folder: Path) -> tuple[Path, ...]:
    """Every picture file directly in a folder, by name.

    Raises:
        ConfigError: there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; name a folder of pictures")
    return tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES))


class Album:
    """Small copies of liked and disliked pictures in a folder beside the memory's file."""

    def __init__(self, memory_path: Path) -> None:
        self.folder = memory_path.with_name(f"{memory_path.stem}_pictures")
        self._stem = memory_path.stem

    def keep(self, picture: Image.Image) -> str:
        """Write a JPEG of at most 512 pixels a side; returns its name. The same picture again is free.

        Raises:
            StorageError: the disk refuses.
        """
        rgb = Image.new("RGB", picture.size, "white")
        rgba = picture.convert("RGBA")
        rgb.paste(rgba, mask=rgba.getchannel("A"))
        rgb.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.LANCZOS)
        data = io.BytesIO()
        rgb.save(data, "JPEG", quality=90)
        name = f"{hashlib.sha256(data.getvalue()).hexdigest()[:16]}.jpg"
        if not (self.folder / name).is_file():
            write_bytes(self.folder / name, data.getvalue())
        return name

    def path(self, name: str) -> Path | None:
        """Where the picture of that name lies; None when it does not. Only plain names are looked up."""
        path = self.folder / name
        return path if name and Path(name).name == name and path.is_file() else None

    def keep_only(self, names: set[str]) -> None:
        """Remove the others that were made here: their names say what is in them.

        What a file beside the memory still names stays too: its `.bak`, a damaged copy, an export, or another
        memory that shares the folder.

        Raises:
            StorageError: the disk refuses.
        """
        with storage_errors(self.folder):
            going = [path for path in self._own() if path.name not in names]
            told = [one for one in self.folder.parent.iterdir() if going and one.is_file()]
            for one in told:
                if one.name.startswith(self._stem):
                    text = one.read_bytes()
                    going = [path for path in going if path.name.encode() not in text]
            for path in going:
                path.unlink(missing_ok=True)

    def _own(self) -> list[Path]:
        """The pictures in the folder that `keep` wrote: each is named by the digest of its bytes."""
        if not self.folder.is_dir():
            return []
        return [
            path
            for path in sorted(self.folder.iterdir())
            if _OWN.fullmatch(path.name)
            and path.is_file()
            and not path.is_symlink()
            and sha256_of(path).startswith(path.stem)
        ]
