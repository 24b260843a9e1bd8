"""GroundingDINO with either implementation of the network: prepares pictures and phrases, reads answers.

In: a `Network` (`grounding_port.py`, `grounding_original.py`). Out: a detector as `detect.py` describes it.
Knows nothing of files. Import it where it is used: it loads torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from model.geometry import Box
from model.vision.asking import Found, check_question, question, suppress
from model.vision.clip import visible

CLOSING = "."


class Network(Protocol):
    """A GroundingDINO with what belongs to it.

    Attributes:
        device: where it runs.
        longest: tokens that it reads.
        batch: most pictures at once.
        tokenizer: a BertTokenizer.
        processor: a GroundingDinoImageProcessor.
    """

    device: str
    longest: int
    batch: int
    tokenizer: Any
    processor: Any

    def answer(self, pixels: Tensor, questions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Ask about each picture.

        Args:
            pixels: (N, 3, height, width), made ready by the processor; all real, no padding.
            questions: N texts, phrases each closed by a full stop.
        Returns:
            logits (N, queries, tokens), in the order of the tokenizer's tokens, padded with −inf to any
            length; boxes (N, queries, 4): centre, width and height in fractions.
        """
        ...


class GroundingDetector:
    """A detector round a network; `threshold` and `overlap` are those of `detect.open_detector`."""

    def __init__(self, network: Network, *, threshold: float, overlap: float) -> None:
        self.network, self.threshold, self.overlap = network, threshold, overlap
        self._closing: int = network.tokenizer.convert_tokens_to_ids(CLOSING)

    @torch.inference_mode()
    def detect(self, pictures: Sequence[Image.Image], phrases: Sequence[Sequence[str]]) -> list[list[Found]]:
        """See `detect.Detector.detect`."""
        check_question(pictures, phrases)
        results: list[list[Found]] = [[] for _ in pictures]
        texts = {index: question(asked) for index, asked in enumerate(phrases) if asked}
        spans = {index: self._spans(text, len(phrases[index])) for index, text in texts.items()}
        # Only pictures of one size share a batch, so that none is padded.
        sizes: dict[tuple[int, ...], list[tuple[int, Tensor]]] = {}
        for index in texts:
            ready = self.network.processor(images=visible(pictures[index]), return_tensors="pt")
            pixels = ready["pixel_values"][0]
            sizes.setdefault(tuple(pixels.shape), []).append((index, pixels))
        for members in sizes.values():
            for start in range(0, len(members), self.network.batch):
                chosen = members[start : start + self.network.batch]
                batch = torch.stack([pixels for _, pixels in chosen]).to(self.network.device)
                logits, boxes = self.network.answer(batch, [texts[index] for index, _ in chosen])
                for row, (index, _) in enumerate(chosen):
                    scores = phrase_scores(logits[row].cpu(), spans[index])
                    results[index] = self._read(scores, boxes[row].cpu(), phrases[index])
        return results

    def _spans(self, text: str, count: int) -> Tensor:
        ids = torch.tensor(self.network.tokenizer(text)["input_ids"])
        if len(ids) > self.network.longest:
            raise ValueError(
                f"{count} phrases have {len(ids)} tokens, the detector reads {self.network.longest}; "
                "ask fewer or shorter ones at a time"
            )
        return phrase_tokens(ids, self._closing, count)

    def _read(self, scores: Tensor, boxes: Tensor, phrases: Sequence[str]) -> list[Found]:
        found: list[Found] = []
        for number, phrase in enumerate(phrases):
            for query in (scores[:, number] >= self.threshold).nonzero().flatten().tolist():
                x, y, width, height = boxes[query].tolist()
                box = Box(x - width / 2, y - height / 2, width, height).clipped()
                if box.area > 0:
                    found.append(Found(box=box, score=float(scores[query, number]), phrase=phrase))
        return suppress(found, self.overlap)


def phrase_tokens(ids: Tensor, closing: int, count: int) -> Tensor:
    """Which tokens belong to which phrase.

    Args:
        ids: (length,) token ids: start, phrase, stop, phrase, stop, …, end, padding.
        closing: id of the stop.
        count: number of phrases.
    Returns:
        (count, length) bool.
    """
    stops = ids == closing
    inside = ~stops & (torch.arange(len(ids)) > 0)
    return (stops.cumsum(0) == torch.arange(count)[:, None]) & inside


def phrase_scores(logits: Tensor, spans: Tensor) -> Tensor:
    """The largest sigmoid logit among each phrase's tokens (Liu et al. 2023).

    Args:
        logits: (queries, tokens), padded with −inf to any length.
        spans: (phrases, length) bool.
    Returns:
        (queries, phrases) float32, 0 to 1.
    """
    known = logits[:, : spans.shape[1]].float().sigmoid()
    return torch.where(spans, known[:, None], 0.0).amax(-1)
