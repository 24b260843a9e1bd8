"""GroundingDINO as transformers has it: `GroundingDinoForObjectDetection`, read from a folder, offline.

In: a folder with `config.json`, `model.safetensors`, `preprocessor_config.json` and a BERT tokenizer: the
starter's, or IDEA-Research/grounding-dino-tiny or -base as downloaded. Out: a `grounding.Network`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import BertTokenizer, GroundingDinoForObjectDetection, GroundingDinoImageProcessor

from model.errors import IntegrityError, WeightsMissing

WEIGHTS = "model.safetensors"
PREPROCESSOR = "preprocessor_config.json"
VOCABULARIES = ("tokenizer.json", "vocab.txt")


class PortNetwork:
    """transformers' GroundingDINO as a `grounding.Network`."""

    batch = 8

    def __init__(self, model: Any, tokenizer: Any, processor: Any, device: str) -> None:
        self.model, self.tokenizer, self.processor, self.device = model, tokenizer, processor, device
        self.longest: int = model.config.max_text_len

    def answer(self, pixels: Tensor, questions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """See `grounding.Network.answer`."""
        tokens = self.tokenizer(list(questions), padding=True, return_tensors="pt")
        moved = {name: torch.as_tensor(value).to(self.device) for name, value in tokens.items()}
        out = self.model(pixel_values=pixels, **moved)
        return out.logits, out.pred_boxes


def load_port(folder: Path, *, device: str) -> PortNetwork:
    """Read a folder; half precision becomes single.

    Raises:
        WeightsMissing: weights, preprocessor or tokenizer are not in the folder.
        IntegrityError: they do not belong to the model that `config.json` describes.
    """
    missing = [name for name in (WEIGHTS, PREPROCESSOR) if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in VOCABULARIES):
        missing.append(" or ".join(VOCABULARIES))
    if missing:
        raise WeightsMissing(f"{folder}: {', '.join(missing)} not found there; fetch the detector again")
    try:
        loaded: Any = GroundingDinoForObjectDetection.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
        model, facts = loaded
        tokenizer = BertTokenizer.from_pretrained(folder, local_files_only=True)
        processor = GroundingDinoImageProcessor.from_pretrained(folder, local_files_only=True)
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise IntegrityError(
            f"{folder}: does not hold the detector that config.json describes ({reason}); fetch it again"
        ) from error
    wrong = sorted(facts["missing_keys"]) or [str(key) for key in facts["mismatched_keys"]]
    if wrong:
        raise IntegrityError(
            f"{folder / WEIGHTS}: {len(wrong)} weights missing or of another shape, such as {wrong[0]}; "
            "fetch it again"
        )
    return PortNetwork(model.eval().to(device), tokenizer, processor, device)
