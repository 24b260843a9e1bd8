"""Segmenters: which pixels of a picture belong to the object in a box.

In: pictures and boxes. Out: masks. Three kinds of weights are opened by one call: the starter's folder, the
published files of SAM, EfficientSAM as TorchScript. Knows nothing of characters, panels or detectors. The
modules that load torch are imported on opening.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import ConfigError, WeightsMissing
from model.geometry import Box


class Segmenter(Protocol):
    """Outlines objects by their boxes."""

    def segment(
        self, pictures: Sequence[Image.Image], boxes: Sequence[Sequence[Box]]
    ) -> list[list[NDArray[np.bool_]]]:
        """Outline one object per box.

        Args:
            pictures: N ≥ 0 pictures of any mode and size; they may differ.
            boxes: N sequences of boxes, fractions of their picture; what leaves it is clipped.
        Returns:
            For each picture, in the order of its boxes, a bool array of shape (height, width) of that
            picture. A box without pixels, and one in which nothing is found, has a mask that is all false.
        Raises:
            ValueError: not as many sequences of boxes as pictures.

        Each picture is looked at once, whatever the number of its boxes. Deterministic on one device; beside
        other pictures, edges may differ by a pixel.
        """
        ...


def open_segmenter(source: Path, *, device: str = "cpu", run_scripts: bool = False) -> Segmenter:
    """Open a segmenter's weights, on this machine only.

    Args:
        source: a folder with `config.json` and `model.safetensors`, as the starter's; or a file: a
            checkpoint of SAM's vit_b, vit_l or vit_h (`.pth`; recognised by the shapes in it, read without
            running anything), or EfficientSAM as TorchScript.
        device: where it runs.
        run_scripts: whether a TorchScript, which is a program, may be run.
    Raises:
        ConfigError: it is a TorchScript, and none may be run.
        WeightsMissing: there is nothing, or a part of it is missing.
        IntegrityError: it is broken, or something else.
    """
    if not source.exists():
        raise WeightsMissing(
            f"{source}: no segmenter found there; expected a folder with config.json and model.safetensors, "
            "a SAM checkpoint (.pth) or an EfficientSAM script (.pt, .jit, .ts); fetch it or name another"
        )
    from model.vision.sam import SamSegmenter
    from model.vision.sam_files import load_folder, load_published

    if source.is_dir():
        return SamSegmenter(load_folder(source), device=device)
    from model.vision.efficient_sam import ScriptedSegmenter, is_script

    if is_script(source):
        if not run_scripts:
            raise ConfigError(
                f"--segmenter: {source} is TorchScript, a program that would be run here; add "
                "--allow_torchscript if you trust where it came from, or name a SAM checkpoint"
            )
        return ScriptedSegmenter(source, device=device)
    return SamSegmenter(load_published(source), device=device)
