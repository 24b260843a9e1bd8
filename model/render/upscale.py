"""Panels at page resolution: an upscaler of any architecture that spandrel knows, the starter's or a user's.

In: a weights file (ESRGAN and its kin: safetensors, or .pth that holds nothing but tensors) and RGB pictures.
Out: the pictures, larger. Knows nothing of panels, keys or stories.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import pickle
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from spandrel import (
    ImageModelDescriptor,
    ModelLoader,
    ModelTiling,
    UnsupportedModelError,
    canonicalize_state_dict,
)

from model.config import DEFAULTS
from model.errors import IntegrityError, WeightsMissing
from model.files import mistaken_for
from model.pickled import BadPickle, check_file, check_tensors
from model.render.devices import memory_errors
from model.render.tiles import Tile, tiles

_UNREADABLE = (RuntimeError, EOFError, ValueError, OSError, LookupError, TypeError, AttributeError)
Pixels = NDArray[np.uint8]

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")
SIDE, MARGIN = 512, 32  # of a tile, in pixels that go in
RIM = 8  # pixels that a picture's border is repeated: networks take what lies beyond for black
# Most pixels that go in at once. A CPU, which gains nothing by company, takes one picture after another.
BATCH = SIDE * SIDE


class Upscaler:
    """Use `open_upscaler`.

    Attributes:
        architecture: spandrel's name of it.
        scale: how many times larger one pass makes a picture.
    """

    def __init__(self, model: ImageModelDescriptor[Any], device: str) -> None:
        self.architecture, self.scale = model.architecture.name, model.scale
        self._device, self._model = device, model.eval().to(torch.device(device))
        self._model.model.to(memory_format=torch.channels_last)
        self._dtype = _dtype(model, device)
        # Networks that look at the whole picture, or cut it up themselves, get it whole and alone.
        self._local = model.tiling is ModelTiling.SUPPORTED

    def enlarge(
        self, pictures: Sequence[Image.Image], longest: int = DEFAULTS["longest"], *, side: int = SIDE
    ) -> list[Image.Image]:
        """Make the longest side of each picture `longest` pixels or more.

        The network is applied as often as comes nearest to that, at least once; Lanczos then makes up what
        is missing, and takes away what is more than twice `longest`. A ×4 network makes 256 × 256 pixels
        1024 × 1024, and 384 × 192 pixels 1536 × 768. Pictures that are large enough come back as they are.

        Args:
            pictures: RGB, 8 bit; other modes are converted.
            side: of the tiles that pictures of more than SIDE² pixels are cut into.
        Returns:
            As many, in the same order: RGB, 8 bit.
        Raises:
            OutOfMemory: the device cannot hold one tile.
        Deterministic on one device, but for the last bit, which a picture's company may change.
        """
        arrays: list[Pixels] = [np.asarray(picture.convert("RGB")) for picture in pictures]
        left = [passes(max(array.shape[:2]), self.scale, longest) for array in arrays]
        small = [times > 0 for times in left]
        while any(left):
            chosen = [index for index, times in enumerate(left) if times]
            made = self._once([arrays[index] for index in chosen], side)
            for index, array in zip(chosen, made, strict=True):
                arrays[index], left[index] = array, left[index] - 1
        return [
            _fitted(Image.fromarray(array), longest) if changed else Image.fromarray(array)
            for array, changed in zip(arrays, small, strict=True)
        ]

    def _once(self, pictures: Sequence[Pixels], side: int) -> list[Pixels]:
        """Every picture through the network once; what is of one size goes together."""
        pictures = [np.pad(picture, ((RIM, RIM), (RIM, RIM), (0, 0)), "edge") for picture in pictures]
        results = [np.empty((*self._scaled(*picture.shape[:2]), 3), np.uint8) for picture in pictures]
        work = [(index, tile) for index, picture in enumerate(pictures) for tile in self._cut(picture, side)]
        work.sort(key=lambda piece: piece[1].size)
        for (height, width), group in itertools.groupby(work, key=lambda piece: piece[1].size):
            alike = list(group)
            most = max(1, BATCH // (height * width)) if self._local and self._device != "cpu" else 1
            for batch in (alike[start : start + most] for start in range(0, len(alike), most)):
                made = self._run(np.stack([_read(pictures[index], tile) for index, tile in batch]))
                for (index, tile), picture in zip(batch, made, strict=True):
                    _write(results[index], tile, picture, self.scale)
        cut = RIM * self.scale
        return [result[cut:-cut, cut:-cut] for result in results]

    def _scaled(self, height: int, width: int) -> tuple[int, int]:
        return height * self.scale, width * self.scale

    def _cut(self, picture: Pixels, side: int) -> tuple[Tile, ...]:
        height, width = picture.shape[:2]
        whole = not self._local or height * width <= side * side
        return tiles(height, width, max(height, width, 2 * MARGIN + 1) if whole else side, MARGIN)

    def _run(self, batch: Pixels) -> Pixels:
        """(n, h, w, 3) → (n, scale · h, scale · w, 3)."""
        reduced = self._dtype is not torch.float32
        precision = torch.autocast(self._device, self._dtype) if reduced else contextlib.nullcontext()
        with memory_errors(self._device), torch.inference_mode(), precision:
            pixels = torch.from_numpy(batch).to(self._device).permute(0, 3, 1, 2).float().div(255)
            made = self._model(pixels.contiguous(memory_format=torch.channels_last)).float()
            return made.clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def open_upscaler(source: Path, *, device: str = "cpu") -> Upscaler:
    """Load an upscaler's weights; the architecture is recognised from the names and shapes in the file.

    No code in the file is run: of a pickle only tensors and plain containers are read.

    Raises:
        WeightsMissing: there is no such file.
        IntegrityError: the file is damaged, holds more than tensors, or is no upscaler of RGB pictures.
    """
    if not source.is_file():
        raise WeightsMissing(
            f"{source}: no such file; expected an upscaler's weights ({', '.join(SUFFIXES)}); "
            "give --upscaler the path of one, starter or none"
        )
    state = _read_state(source)
    try:
        with memory_errors(device):
            _check_growth(state)
            model = ModelLoader().load_from_state_dict(canonicalize_state_dict(state))
    except UnsupportedModelError as error:
        raise IntegrityError(
            f"{source}: no architecture that spandrel knows; expected an ESRGAN-type upscaler; "
            "give --upscaler another file, starter or none"
        ) from error
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise IntegrityError(
            f"{source}: looks like an upscaler but does not load ({_line(error)}); download the file again"
        ) from error
    if not isinstance(model, ImageModelDescriptor) or (model.input_channels, model.output_channels) != (3, 3):
        raise IntegrityError(
            f"{source}: {model.architecture.name} for {model.purpose} with {model.input_channels} channels "
            f"in and {model.output_channels} out; expected one that makes RGB pictures of RGB pictures; "
            "give --upscaler another file, starter or none"
        )
    return Upscaler(model, device)


def _check_growth(state: dict[str, Any]) -> None:
    """Refuse shapes of which a far larger network would be made, by making it without memory first.

    Raises:
        ValueError: it has more than twice the numbers of the file.
        As spandrel, when it is no upscaler.
    """
    try:
        # Tensors are not copied into a network without memory, as torch says of each of them.
        with torch.device("meta"), warnings.catch_warnings(action="ignore", category=UserWarning):
            made = ModelLoader().load_from_state_dict(canonicalize_state_dict(dict(state)))
    except NotImplementedError:
        return  # a network that calculates while it is made; its file has as many blocks as it names
    needed = sum(value.numel() for value in made.model.parameters())
    held = sum(
        value.numel() for value in canonicalize_state_dict(state).values() if isinstance(value, torch.Tensor)
    )
    if needed > 2 * held + 1_000_000:
        raise ValueError(f"a network of {needed:,} numbers in a file of {held:,}")


def passes(side: int, scale: int, longest: int) -> int:
    """How often a network of `scale` is applied to a picture whose longest side is `side`."""
    if side >= longest:
        return 0
    if scale == 1:
        return 1
    return max(1, round(math.log(longest / side, scale)))


def _read_state(source: Path) -> dict[str, Any]:
    """The tensors of a weights file by name, possibly one level down."""
    try:
        if source.suffix.lower() == ".safetensors":
            return load_file(source)
        mistaken = "" if zipfile.is_zipfile(source) else mistaken_for(source)
        if mistaken and "a pickle" not in mistaken:
            raise BadPickle(mistaken)
        check_file(source)
        return check_tensors(source, torch.load(source, map_location="cpu", weights_only=True))
    except (SafetensorError, pickle.UnpicklingError, BadPickle, *_UNREADABLE) as error:
        raise IntegrityError(
            f"{source}: not a weights file of plain tensors ({_line(error)}); expected one of "
            f"{', '.join(SUFFIXES)}; download the file again, or convert it to safetensors"
        ) from error


def _dtype(model: ImageModelDescriptor[Any], device: str) -> torch.dtype:
    """What the device multiplies fast; elsewhere, and for networks that it would harm, single precision."""
    if device == "cuda" and model.supports_half:
        return torch.float16
    # Processors without these instructions emulate bfloat16, many times slower.
    if device == "cpu" and model.supports_bfloat16 and torch.cpu.get_capabilities().get("avx512_bf16"):
        return torch.bfloat16
    return torch.float32


def _fitted(picture: Image.Image, longest: int) -> Image.Image:
    """The picture with its longest side between `longest` and twice that."""
    side = max(picture.size)
    goal = min(max(side, longest), 2 * longest)
    if goal == side:
        return picture
    width, height = (max(1, round(length * goal / side)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _read(picture: Pixels, tile: Tile) -> Pixels:
    return picture[tile.rows.start : tile.rows.stop, tile.columns.start : tile.columns.stop]


def _write(result: Pixels, tile: Tile, made: Pixels, scale: int) -> None:
    """Put the part that the tile answers for in its place."""
    rows, columns = tile.rows, tile.columns
    inner = made[
        (rows.first - rows.start) * scale : (rows.last - rows.start) * scale,
        (columns.first - columns.start) * scale : (columns.last - columns.start) * scale,
    ]
    result[rows.first * scale : rows.last * scale, columns.first * scale : columns.last * scale] = inner


def _line(error: Exception) -> str:
    """The beginning of an error's text on one line."""
    return " ".join(str(error).split())[:160] or type(error).__name__
