"""Detection: phrases in, boxes out, by a GroundingDINO (Liu et al. 2023, arXiv:2303.05499).

`open_detector` takes what it is given: a folder as transformers keeps it (the starter's, or
IDEA-Research/grounding-dino-tiny and -base as downloaded), or an official `.pth` checkpoint. Nothing is ever
fetched. Knows nothing of characters, panels and what should have been found. Light to import: torch comes
with the detector.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from PIL import Image

from model.errors import IntegrityError, WeightsMissing
from model.vision.asking import Found

THRESHOLD = 0.35  # GroundingDINO's own box threshold
OVERLAP = 0.6  # two boxes of one phrase with a higher IoU are one thing
MODEL_TYPE = "grounding-dino"


class Detector(Protocol):
    """Finds what phrases name."""

    def detect(self, pictures: Sequence[Image.Image], phrases: Sequence[Sequence[str]]) -> list[list[Found]]:
        """Find each picture's own phrases in it.

        Args:
            pictures: N ≥ 0 pictures of any mode and size; transparency becomes white.
            phrases: for each picture what to look for, such as `girl with red hair`. Case, full stops and
                question marks are of no account. A phrase may be found several times, and one thing may be
                found by several phrases.
        Returns:
            For each picture what was found, best first, after suppression phrase by phrase; empty for
            nothing.
        Raises:
            ValueError: a picture without pixels, a phrase without words, more phrases than the model can
                read at once, or other numbers of pictures and of lists of phrases.
        Deterministic on one device; a picture's neighbours do not change what is found in it, up to rounding.
        """
        ...


def open_detector(
    source: Path | str,
    *,
    device: str = "cpu",
    threshold: float = THRESHOLD,
    overlap: float = OVERLAP,
    bert: Path | None = None,
) -> Detector:
    """Load a detector, whichever kind it is.

    Args:
        source: a transformers folder, or an official `.pth` (GroundingDINO Swin-T or Swin-B).
        device: where it runs.
        threshold: least score of what is found.
        overlap: of two boxes of one phrase with a higher IoU, the one with the lower score is dropped.
        bert: for a `.pth` only: folder of bert-base-uncased (`config.json` and `vocab.txt` or
            `tokenizer.json`); default: the folder `bert-base-uncased` beside the checkpoint.
    Raises:
        WeightsMissing: `source`, or something that it needs, is not on this machine.
        IntegrityError: it is there and not what it should be.
        PackageMissing: a `.pth`, and the package groundingdino-py is not installed.
    """
    source = Path(source)
    if source.is_dir():
        _check_kind(source)
        from model.vision.grounding_port import load_port

        network = load_port(source, device=device)
    elif source.is_file():
        from model.vision.grounding_original import load_original

        network = load_original(source, bert=bert, device=device)
    else:
        raise WeightsMissing(
            f"{source}: no detector found there; expected a folder with config.json and model.safetensors, "
            "or an official .pth checkpoint; fetch one, or name the starter's"
        )
    from model.vision.grounding import GroundingDetector

    return GroundingDetector(network, threshold=threshold, overlap=overlap)


def _check_kind(folder: Path) -> None:
    path = folder / "config.json"
    if not path.is_file():
        raise WeightsMissing(
            f"{path}: not found; a detector's folder needs it beside its weights; fetch it again"
        )
    try:
        kind = json.loads(path.read_text(encoding="utf-8"))["model_type"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError(f"{path}: not a model's config ({error!r}); fetch it again") from error
    if kind != MODEL_TYPE:
        raise IntegrityError(
            f"{path}: a model of type {kind!r} found, {MODEL_TYPE!r} expected; name another folder"
        )
