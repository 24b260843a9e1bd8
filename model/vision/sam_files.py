"""The files that a SAM's weights come in, and how each becomes a network.

In: a folder with `config.json` and safetensors weights (the starter's), or one file with the weights of
vit_b, vit_l or vit_h as they were published. Out: a `Sam`. Nothing in these files is run. Knows nothing of
pictures. Import it where it is used: it loads torch.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from segment_anything.modeling import Sam
from torch import Tensor

from model.errors import IntegrityError, WeightsMissing
from model.pickled import BadPickle, check_file, check_tensors
from model.vision.sam import SamShape, build

CONFIG, WEIGHTS = "config.json", "model.safetensors"
# What reading a file of something else ends in: torch takes anything for a pickle.
UNREADABLE = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError, OSError)
PUBLISHED = {
    "vit_b": SamShape(width=768, depth=12, heads=12, global_blocks=(2, 5, 8, 11)),
    "vit_l": SamShape(width=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23)),
    "vit_h": SamShape(width=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31)),
}


def published_name(shapes: Mapping[str, Sequence[int]]) -> str | None:
    """Which of `PUBLISHED` weights of these names and shapes belong to; None for anything else."""
    first, last = "image_encoder.pos_embed", "mask_decoder.iou_token.weight"
    for name, shape in PUBLISHED.items():
        side = shape.image_size // shape.patch_size
        blocks = {key.split(".")[2] for key in shapes if key.startswith("image_encoder.blocks.")}
        if (
            tuple(shapes.get(first, ())) == (1, side, side, shape.width)
            and tuple(shapes.get(last, ())) == (1, shape.channels)
            and len(blocks) == shape.depth
        ):
            return name
    return None


def load_folder(folder: Path) -> Sam:
    """A SAM from `config.json` (a `SamShape`) and `model.safetensors`.

    Raises:
        WeightsMissing: one of the two is not there.
        IntegrityError: they are not what they should be.
    """
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise WeightsMissing(
                f"{folder}: no segmenter found there ({name} is missing); expected {CONFIG} and {WEIGHTS}; "
                "fetch it again or name another folder"
            )
    try:
        facts: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        for key in ("global_blocks", "mean", "deviation"):  # JSON has lists where a shape has tuples
            facts[key] = tuple(facts[key])
        sam = build(SamShape(**facts))
    except (ValueError, TypeError, LookupError, ArithmeticError, AssertionError, RecursionError) as error:
        raise IntegrityError(
            f"{folder / CONFIG}: not a segmenter's config ({_one_line(error)}); fetch it again"
        ) from error
    except RuntimeError as error:  # torch, about sizes that are no sizes
        raise IntegrityError(
            f"{folder / CONFIG}: impossible sizes ({_one_line(error)}); fetch it again"
        ) from error
    try:
        sam.load_state_dict({name: value.float() for name, value in load_file(folder / WEIGHTS).items()})
    except (RuntimeError, SafetensorError) as error:
        raise IntegrityError(
            f"{folder / WEIGHTS}: does not hold the model that {CONFIG} describes ({_one_line(error)}); "
            "fetch it again"
        ) from error
    return sam


def load_published(path: Path) -> Sam:
    """A SAM from the published file of vit_b, vit_l or vit_h; its size is read off the weights' shapes.

    Raises:
        IntegrityError: the file is broken, holds more than tensors, or the weights of another model.
    """
    state = _state_of(path)
    name = published_name({key: tuple(value.shape) for key, value in state.items()})
    if name is None:
        raise IntegrityError(
            f"{path}: not a SAM checkpoint that is known here ({len(state)} tensors found); expected vit_b, "
            "vit_l or vit_h of segment_anything, or EfficientSAM as TorchScript; name another file"
        )
    shape = PUBLISHED[name]
    with torch.device("meta"):  # 2.4 GB of vit_h need not be made up first
        sam = build(shape)
    try:
        sam.load_state_dict({key: value.float() for key, value in state.items()}, assign=True)
    except RuntimeError as error:
        raise IntegrityError(
            f"{path}: a broken {name} checkpoint ({_one_line(error)}); fetch it again"
        ) from error
    # The two buffers that a checkpoint does not hold.
    sam.pixel_mean = torch.tensor(shape.mean).view(3, 1, 1)
    sam.pixel_std = torch.tensor(shape.deviation).view(3, 1, 1)
    return sam


def _state_of(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        check_file(path)
        state: Any = check_tensors(path, torch.load(path, weights_only=True, map_location="cpu"))
    except (*UNREADABLE, SafetensorError, pickle.UnpicklingError, BadPickle) as error:
        raise IntegrityError(
            f"{path}: not a file of weights, or one that holds more than tensors ({_one_line(error)}); "
            "fetch it again"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise IntegrityError(
            f"{path}: not a table of tensors; expected the file as SAM's authors published it"
        )
    return state


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
