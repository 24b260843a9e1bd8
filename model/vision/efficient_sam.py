"""EfficientSAM (Xiong et al. 2023, arXiv:2312.00863) as the TorchScript files in which it is distributed.

In: such a file; pictures and boxes. Out: masks. It knows only how the script is called. Reading TorchScript
is not unpickling, but what the file says is run as a program inside torch: open only files whose source you
trust. Import it where it is used: it loads torch.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from model.errors import IntegrityError
from model.geometry import Box
from model.vision.sam import Mask, corner_tensor, has_pixels, nothing

CORNERS = (2, 3)  # labels of a point that is a box's upper left, lower right corner


def is_script(path: Path) -> bool:
    """Whether the file is a TorchScript archive, whatever its name; nothing in it is run."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


class ScriptedSegmenter:
    """An EfficientSAM script: pictures and boxes → masks.

    The script is called as `model(pictures, points, labels)`: pictures (B, 3, height, width) in 0 to 1,
    points (B, queries, points, 2) in pixels, labels (B, queries, points); it returns mask logits
    (B, queries, proposals, height, width) and their predicted IoU (B, queries, proposals).

    Args:
        path: the TorchScript file. What it says is run: see above.
        device: where it runs.

    Raises:
        IntegrityError: torch cannot read it.
    """

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        self.path, self.device = path, device
        try:
            with warnings.catch_warnings():
                # torch advises another format; these files are in this one.
                warnings.simplefilter("ignore", FutureWarning)
                self._model = torch.jit.load(path, map_location=device).eval()
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise IntegrityError(
                f"{path}: not a TorchScript that can be read ({reason}); fetch it again"
            ) from error

    @torch.inference_mode()
    def segment(self, pictures: Sequence[Image.Image], boxes: Sequence[Sequence[Box]]) -> list[list[Mask]]:
        """Outline what stands in each box; see `Segmenter.segment`.

        Raises:
            IntegrityError: the script takes or returns something else than EfficientSAM does.
        """
        return [self._one(picture, asked) for picture, asked in zip(pictures, boxes, strict=True)]

    def _one(self, picture: Image.Image, boxes: Sequence[Box]) -> list[Mask]:
        found = [nothing(picture) for _ in boxes]
        places = [place for place, box in enumerate(boxes) if has_pixels(box)]
        if not places:
            return found
        pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None].float().div_(255)
        corners = corner_tensor([boxes[place] for place in places], *picture.size)
        points = corners.reshape(1, len(places), 2, 2).to(self.device)
        labels = torch.tensor(CORNERS, device=self.device).expand(1, len(places), 2)
        try:
            logits, quality = self._model(pixels.to(self.device), points, labels)
            best = quality[0].argmax(-1)
            masks = (logits[0, torch.arange(len(places)), best] >= 0).cpu().numpy()
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise self._stranger(" ".join(str(error).split())[-200:]) from error
        if masks.shape != (len(places), picture.height, picture.width):
            raise self._stranger(f"masks of shape {masks.shape}")
        for place, mask in zip(places, masks, strict=True):
            found[place] = mask
        return found

    def _stranger(self, found: str) -> IntegrityError:
        return IntegrityError(
            f"{self.path}: a TorchScript, but not one called as EfficientSAM is (found: {found}); expected "
            "(pictures, points, labels) → (mask logits, IoU); name another file"
        )
